package renewal_test

import (
	"os"
	"testing"

	"orderly/account"
	"orderly/failure"
	"orderly/host"
	"orderly/renewal"
	"orderly/testca"
)

// Invariant I9: what is broken here costs the CA nothing, not even an account.
func TestABrokenSiteCostsNotEvenAnAccount(t *testing.T) {
	t.Parallel()
	const name, dead = "a.example.com", "dead.example.com"
	h := newHost(t, testca.Config{DeadNames: []string{dead}})
	h.site(dead)
	asked := func() int { return len(h.ca.Truth().Requests) }
	for _, c := range []struct {
		what  string
		wish  renewal.Wish
		class failure.Class
	}{
		{"no document root", h.wish(name), failure.WebrootGone},
		{"a name without an address", h.wish(dead), failure.DNSMissing},
	} {
		if r := h.obtain(c.wish); r.Class != c.class || asked() != 0 {
			t.Errorf("%s: %d requests, %s: %s", c.what, asked(), r.Class, r.Sentence)
		}
		w := c.wish
		w.Choice.AllowSubset = host.Say(true)
		if r := h.obtain(w); r.Class != c.class || asked() != 0 {
			t.Errorf("%s, of which a part is enough: %d requests, %s", c.what, asked(), r.Class)
		}
	}
	h.set.Rehearsal = true
	if r := h.obtain(h.wish(name)); r.Class != failure.WebrootGone || asked() != 0 {
		t.Errorf("rehearsed: %d requests, %s", asked(), r.Class)
	}
	h.set.Rehearsal = false
	h.site(name)
	w := h.wish(name, dead)
	w.Choice.AllowSubset = host.Say(true)
	if r := h.obtain(w); r.Outcome != renewal.Issued || len(h.ca.Truth().Orders) != 1 {
		t.Errorf("mended: %+v", r)
	}
	if r := h.obtain(h.wish(name)); r.Outcome != renewal.Kept {
		t.Errorf("once more: %+v", r)
	}
}

// A renewal whose account is gone makes another one, where that was allowed, for a site that works
// alone.
func TestARenewalThatNeedsAnAccountChecksFirst(t *testing.T) {
	t.Parallel()
	const name = "a.example.com"
	h := newHost(t, testca.Config{})
	h.has(name)
	must(t, os.RemoveAll(h.disk().Dirs.Config+"/accounts"))
	h.due(name)
	must(t, os.Rename(h.root(name), h.root(name)+".away"))
	before := len(h.ca.Truth().Requests)
	round := renewal.Round{Said: host.Said{Server: h.ca.DirectoryURL()}, Registration: account.Registration{AgreeTOS: true, NoEmail: true}}
	results, err := h.renew(round)
	if must(t, err); results[0].Class != failure.WebrootGone || len(h.ca.Truth().Requests) != before {
		t.Errorf("%d requests: %+v", len(h.ca.Truth().Requests)-before, results)
	}
	must(t, os.Rename(h.root(name)+".away", h.root(name)))
	results, err = h.renew(round)
	if must(t, err); outcomes(results) != name+" issued" || h.opened(name).Renewal.Params.Account != h.account().ID {
		t.Errorf("%+v\n%s", results, h.conf(name))
	}
}
