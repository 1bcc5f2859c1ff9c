package limit_test

import (
	"testing"
	"time"

	"orderly/limit"
)

func load(t *testing.T, text string) limit.Profiles {
	t.Helper()
	p, err := limit.Load(text, "ca.toml")
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// A private Boulder is one whether or not the operator says so: what he writes of it does not make
// it a CA of which nothing is known, which would be believed to reuse no orders.
func TestWhatIsWrittenIsLaidOverWhatTheDirectoryShows(t *testing.T) {
	const directory = "https://ca.internal/directory"
	p := load(t, "[[ca]]\ndirectory = \""+directory+"\"\ncounts_pending = 300\nlongest_validation = \"20s\"\n"+
		"[ca.limits]\nNewOrdersPerAccount = \"10/1h\"\n")
	shown := p.For(directory, true)
	if !shown.ReusesOrders || !shown.HidesProcessing || !shown.ChargesDeactivation || !shown.Boulder {
		t.Errorf("a Boulder that is not called one: %+v", shown)
	}
	if shown.CountsPending != 300 || shown.LongestValidation != 20*time.Second || shown.Limits[limit.NewOrdersPerAccount].Count != 10 ||
		shown.Directory != directory {
		t.Errorf("what is written of it: %+v", shown)
	}
	if other := p.For(directory, false); other.ReusesOrders || other.CountsPending != 300 {
		t.Errorf("where the directory shows none: %+v", other)
	}
}

func TestWhatIsWrittenOfTheKindOfACACounts(t *testing.T) {
	const directory = "https://ca.internal/directory"
	for text, want := range map[string]bool{
		"boulder = true\n":                           true,
		"boulder = false\n":                          false,
		"reuses_orders = false\n":                    false,
		"boulder = true\nreuses_orders = false\n":    false,
		"boulder = false\nreuses_orders = true\n":    true,
		"name = \"ours\"\norder_lifetime = \"1h\"\n": true,
	} {
		p := load(t, "[[ca]]\ndirectory = \""+directory+"\"\n"+text)
		if got := p.For(directory, true).ReusesOrders; got != want {
			t.Errorf("%q: reuses orders: %t", text, got)
		}
	}
}

// The order of the entries does not matter, and an entry by name alone keeps the directory it is
// for.
func TestAnEntryByNameKeepsWhatItIsAbout(t *testing.T) {
	const le = "https://acme-v02.api.letsencrypt.org/directory"
	p := load(t, "[[ca]]\ndirectory = \"https://ca.internal/directory\"\ncounts_pending = 7\n"+
		"[[ca]]\nname = \"letsencrypt\"\norder_lifetime = \"24h\"\n[[ca]]\nname = \"boulder\"\nlongest_validation = \"9s\"\n")
	if got := p.For(le, true); got.Name != "letsencrypt" || got.OrderLifetime != 24*time.Hour || len(got.Limits) == 0 {
		t.Errorf("%+v", got)
	}
	if got := p.For("https://other.example/dir", false); got.Name != "generic" || got.OrderLifetime != 168*time.Hour {
		t.Errorf("another CA: %+v", got)
	}
	if got := p.For("https://ca.internal/directory", true); got.LongestValidation != 9*time.Second || got.CountsPending != 7 {
		t.Errorf("laid over the kind as that is written: %+v", got)
	}
}

func TestADirectoryIsTheSameInAnotherSpelling(t *testing.T) {
	p := load(t, "[[ca]]\ndirectory = \"https://CA.internal:443/directory/\"\ncounts_pending = 300\n")
	for directory, want := range map[string]int{
		"https://ca.internal/directory": 300, "https://ca.internal:443/directory": 300, "https://ca.internal/Directory": 0,
		"https://ca.internal:444/directory": 0, "http://ca.internal/directory": 0, "https://ca.internal/directory?x": 0,
	} {
		if got := p.For(directory, true).CountsPending; got != want {
			t.Errorf("%s: %d", directory, got)
		}
	}
}
