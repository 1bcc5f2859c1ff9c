package cli_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"orderly/certbot/damage"
	"orderly/testca"
)

// Whatever the doctor mended of all that the field does to lineages is renewed afterwards, with one
// order each.
func TestWhatTheDoctorMendedIsRenewed(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testca.Config{})
	h := w.host("one")
	h.must(h.onServer("register", "--agree-tos", "--register-unsafely-without-email")...)
	accounts, err := filepath.Glob(filepath.Join(h.config, "accounts", "*", "*", "*", "regr.json"))
	if err != nil || len(accounts) != 1 {
		t.Fatalf("%q, %v", accounts, err)
	}
	account := filepath.Base(filepath.Dir(accounts[0]))
	broken := map[string]damage.Dir{}
	for _, c := range damage.Cases() {
		name := c.Name + ".example.com"
		d := damage.Dir{Config: h.config, Name: name, Root: w.site(name), Server: w.ca.DirectoryURL(), Account: account,
			Left: 5 * 24 * time.Hour}
		if err := c.Make(d); err != nil {
			t.Fatal(err)
		}
		broken[name] = d
	}
	var said struct {
		Findings []struct{ ID, Lineage, Fix, Severity, Sentence string }
		Mended   []struct {
			ID, Lineage, Problem string
			Done                 bool
		}
	}
	r := h.orderly("doctor", "--fix", "-y", "--json")
	if err := json.Unmarshal([]byte(r.stdout), &said); err != nil {
		t.Fatalf("%v: %s", err, r)
	}
	left := map[string]bool{}
	for _, f := range said.Findings {
		if f.Fix == "yes" {
			t.Errorf("%s of %s is still to be mended: %s", f.ID, f.Lineage, f.Sentence)
		}
		left[f.Lineage] = left[f.Lineage] || f.Severity == "fails" || f.Severity == "will-fail"
	}
	var whole []string
	for _, m := range said.Mended {
		if !m.Done {
			t.Errorf("%s of %s: %s", m.ID, m.Lineage, m.Problem)
		}
		if _, err := os.Stat(filepath.Join(h.config, "renewal", m.Lineage+".conf")); err == nil && !left[m.Lineage] && !slices.Contains(whole, m.Lineage) {
			whole = append(whole, m.Lineage)
		}
	}
	if len(whole) < 20 {
		t.Fatalf("only %d were mended: %q", len(whole), whole)
	}
	for name := range broken {
		if !slices.Contains(whole, name) {
			w.remove(filepath.Join(h.config, "renewal", name+".conf"))
		}
	}
	var round counted
	r = h.orderly("renew", "--json", "--no-random-sleep-on-renew")
	if err := json.Unmarshal([]byte(r.stdout), &round); err != nil {
		t.Fatalf("%v: %s", err, r)
	}
	renewed := map[string]bool{}
	for _, one := range round.Results {
		renewed[one.Lineage] = one.Outcome == "issued"
	}
	for _, name := range whole {
		if !renewed[name] {
			t.Errorf("%s was mended and not renewed", name)
		}
	}
	for _, o := range w.ca.Truth().Orders {
		if o.Serial == "" {
			t.Errorf("an order in vain for %s", strings.Join(o.Names, ", "))
		}
	}
}
