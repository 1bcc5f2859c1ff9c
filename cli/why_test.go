package cli_test

import (
	"os"
	"strings"
	"testing"

	"orderly/failure"
	"orderly/testca"
)

// whyAnswer is what programs read of why.
type whyAnswer struct {
	Version                 int
	Name, Verdict           string
	Class                   failure.Class
	Who                     failure.Who
	Error, Remedy, Customer string
	Lineages                []struct{ Lineage, Error, Document_root string }
	Orders, History         []struct{ Class, Source string }
	Checks                  []struct{ Check, Verdict string }
}

// One name, one screen: what is configured, what failed, what is wrong now, and whose it is.
func TestWhyOfOneName(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testca.Config{DeadNames: []string{"dead.example.com"}})
	h := w.host("one")
	h.orderly("why", "a.example.com").says(t, 1, "nothing is known of a.example.com here")
	h.orderly("why", "a_b c").says(t, 1, "not a name")
	root := w.site("a.example.com", "dead.example.com")
	h.must(h.certonly(root, "a.example.com")...)
	why := func(args ...string) whyAnswer {
		t.Helper()
		r := h.orderly(append([]string{"why", "--json"}, args...)...)
		if r.code != 0 || r.stderr != "" {
			t.Fatalf("%q: %s", args, r)
		}
		return decode[whyAnswer](w, r.stdout)
	}
	v := why("A.example.com.")
	if v.Verdict != "fine" || v.Class != "" || len(v.Lineages) != 1 || v.Lineages[0].Document_root != root || len(v.Orders) != 1 || len(v.History) != 0 || len(v.Checks) != 1 || v.Checks[0].Verdict != "pass" {
		t.Errorf("a name whose renewal nothing stands in the way of: %+v", v)
	}
	h.orderly("why", "a.example.com").says(t, 0, "nothing stands in the way", root)
	requests := w.requests("")
	if err := os.Rename(root, root+".away"); err != nil {
		t.Fatal(err)
	}
	if v = why("a.example.com"); v.Verdict != "will-fail" || v.Class != failure.WebrootGone || v.Who != failure.Provider || v.Remedy == "" || v.Customer == "" {
		t.Errorf("a name without its document root: %+v", v)
	}
	if r := h.orderly("why", "a.example.com", "--customer"); r.code != 0 || strings.TrimSpace(r.stdout) != v.Customer {
		t.Errorf("the sentence for the customer: %s", r)
	}
	if err := os.Rename(root+".away", root); err != nil {
		t.Fatal(err)
	}
	if r := h.orderly(append(h.certonly(root, "dead.example.com"), "--skip-preflight", "dns,http")...); r.code != 1 {
		t.Fatalf("a dead name: %s", r)
	}
	if v = why("dead.example.com"); v.Verdict != "fails" || v.Class != failure.DNSMissing || v.Who != failure.Customer || len(v.History) == 0 || v.History[0].Source == "" || v.Customer == "" {
		t.Errorf("a name that the CA did not find: %+v", v)
	}
	if r := h.orderly("why", "dead.example.com"); r.code != 0 || !strings.Contains(r.stdout, "to the customer: The domain dead.example.com has no address record") {
		t.Errorf("the screen: %s", r)
	}
	if v = why("dead.example.com", "--online"); len(v.Checks) != 1 || v.Checks[0].Check != "dns" || v.Checks[0].Verdict == "skipped" {
		t.Errorf("a name without a certificate here: %+v", v)
	}
	if v = why("a.example.com", "--online"); v.Verdict != "fine" || len(v.Checks) < 4 {
		t.Errorf("with the network: %+v", v)
	}
	if asked := w.requests(""); asked <= requests && asked-requests > 20 {
		t.Errorf("%d requests for one order that failed", asked-requests)
	}
	w.write(h.conf("b.example.com"), "no = [renewal file")
	if v = why("b.example.com"); v.Verdict != "will-fail" || v.Class != failure.RenewalFile {
		t.Errorf("a broken renewal file: %+v", v)
	}
}

// What failed is grouped by cause, each name by its own.
func TestFailuresOfAServer(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testca.Config{DeadNames: []string{"dead.example.com"}})
	h := w.host("one")
	h.orderly("failures").says(t, 0, "No failures.")
	root := w.site("a.example.com", "dead.example.com")
	h.must(h.certonly(root, "a.example.com")...)
	h.orderly(append(h.certonly(root, "dead.example.com"), "--skip-preflight", "dns,http")...)
	if err := os.Rename(root, root+".away"); err != nil {
		t.Fatal(err)
	}
	h.orderly("renew", "--force-renewal", "--cert-name", "a.example.com").says(t, 1, "webroot-missing")
	type group struct {
		Class           failure.Class
		Who             failure.Who
		Names, Lineages []string
		Trend           string
		Remedy          string
	}
	type answer struct {
		Version  int
		Classes  []group
		Lineages []struct {
			Lineage string
			Failing bool
			Names   []struct{ Name, Class string }
		}
		Servers []struct{ Failures int }
	}
	v := decode[answer](w, h.must("failures", "--json").stdout)
	classes := map[failure.Class]group{}
	for _, g := range v.Classes {
		classes[g.Class] = g
	}
	if g := classes[failure.DNSMissing]; len(g.Names) != 1 || g.Names[0] != "dead.example.com" || g.Who != failure.Customer || g.Remedy == "" {
		t.Errorf("what the CA did not find: %+v", v)
	}
	if g := classes[failure.WebrootGone]; len(g.Lineages) != 1 || g.Lineages[0] != "a.example.com" {
		t.Errorf("what was refused before an order: %+v", v)
	}
	if len(v.Classes) != 2 || len(v.Lineages) != 2 || !v.Lineages[0].Failing || len(v.Servers) != 1 {
		t.Errorf("all: %+v", v)
	}
	if only := decode[answer](w, h.must("failures", "--json", "--class", "webroot-missing").stdout); len(only.Classes) != 1 || len(only.Lineages) != 1 {
		t.Errorf("of one class: %+v", only)
	}
	h.orderly("failures").says(t, 0, "dead.example.com", "dns-missing", "webroot-missing", "TREND  WHOSE", "  -      whoever owns")
	h.orderly("failures", "--since", "0s").says(t, 0, "No failures.")
	h.orderly("failures", "--since", "soon").says(t, 2, "--since soon: not a time")
	h.orderly("failures", "--class", "none").says(t, 2, "there is no such class")
}
