package diagnose_test

import (
	"net/netip"
	"os"
	"strings"
	"testing"

	"orderly/diagnose"
)

// ours are this server's addresses in the collected texts.
var ours = diagnose.Here{Ours: []netip.Prefix{netip.MustParsePrefix("192.0.2.10/32"), netip.MustParsePrefix("192.0.2.44/32")}}

// row is one of the collected texts.
type row struct{ id, class, who, retry, text string }

// collected are the texts of testdata/failure-texts.tsv.
func collected(t testing.TB) []row {
	t.Helper()
	content, err := os.ReadFile("testdata/failure-texts.tsv")
	if err != nil {
		t.Fatal(err)
	}
	var all []row
	for line := range strings.Lines(string(content)) {
		if f := strings.Split(strings.TrimSuffix(line, "\n"), "\t"); strings.HasPrefix(f[0], "T") {
			all = append(all, row{f[0], f[3], f[4], f[5], unescaped(f[6])})
		}
	}
	return all
}

var unescaper = strings.NewReplacer(`\n`, "\n", `\t`, "\t", `\r`, "\r", `\\`, `\`)

func unescaped(text string) string { return unescaper.Replace(text) }

func TestCollectedTextsAreOfTheirClass(t *testing.T) {
	for _, r := range collected(t) {
		found := diagnose.Text(r.text, ours)
		for _, f := range found {
			if string(f.Class) != r.class || !strings.EqualFold(string(f.Class.Who()), r.who) || string(f.Class.Retry()) != r.retry {
				t.Errorf("%s is %s (%s, %s), want %s (%s, %s): %q", r.id, f.Class, f.Class.Who(), f.Class.Retry(), r.class, r.who, r.retry, r.text)
			}
		}
	}
}

// Other texts of the kinds: other clients, other years, several names, torn ones and treacherous ones;
// and those that were written from the programs' sources before anybody looked whether they are told.
func TestOtherTextsOfTheKinds(t *testing.T) {
	for _, file := range []string{"testdata/more-texts.tsv", "testdata/fresh-texts.tsv"} {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for n, line := range strings.Split(strings.TrimSpace(string(content)), "\n") {
			if n == 0 || line[0] == '#' {
				continue
			}
			f := strings.SplitN(line, "\t", 3)
			var classes, names []string
			for _, finding := range diagnose.Text(unescaped(f[2]), ours) {
				classes, names = append(classes, string(finding.Class)), append(names, finding.Name)
			}
			if got := strings.Join(classes, ","); got != f[0] {
				t.Errorf("%s:%d is %s, want %s: %q", file, n+1, got, f[0], f[2])
			} else if got := strings.Join(names, ","); got != f[1] {
				t.Errorf("%s:%d is about %q, want %q: %q", file, n+1, got, f[1], f[2])
			}
		}
	}
}

// An order that was processing and then had its certificate did not fail of that.
func TestProcessingIsNoFailureWhereTheCertificateCame(t *testing.T) {
	body := `{"status":"processing","identifiers":[{"type":"dns","value":"a.example"}]}`
	valid := `{"status":"valid","certificate":"https://ca.example/cert/1"}`
	if got := diagnose.Text(body, diagnose.Here{})[0].Class; got != "ca-unavailable" {
		t.Errorf("processing alone is %s", got)
	}
	if got := diagnose.Text(body+"\n"+valid, diagnose.Here{})[0].Class; got == "ca-unavailable" {
		t.Error("processing, then valid, is a failure of the CA")
	}
}
