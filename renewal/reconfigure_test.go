package renewal_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"orderly/failure"
	"orderly/ledger"
	"orderly/renewal"
	"orderly/testca"
)

func (h *host) reconfigure(w renewal.Reconfiguration) (renewal.Reconfigured, error) {
	h.t.Helper()
	s := h.process("reconfigure " + w.CertName)
	done, err := s.Reconfigure(h.t.Context(), w)
	must(h.t, s.Finish(h.t.Context()))
	must(h.t, s.End("done", 0, ""))
	return done, err
}

func (h *host) conf(lineage string) string {
	h.t.Helper()
	text, err := os.ReadFile(h.disk().Dirs.Renewal(lineage))
	must(h.t, err)
	return string(text)
}

func TestSettingsAreChangedAfterARehearsal(t *testing.T) {
	const name = "a.example.com"
	h := newHost(t, testca.Config{})
	h.has(name)
	issued, serial := len(h.ca.Truth().Issued), h.serial(name)
	moved := filepath.Join(h.dir, "moved")
	must(t, os.Rename(h.root(name), moved))
	must(t, os.Symlink(moved, h.root(name))) // what the web server serves
	done, err := h.reconfigure(renewal.Reconfiguration{Round: renewal.Round{CertName: name, WebrootPaths: []string{moved}, Proof: renewal.Proof{Solver: "webroot"},
		Hooks: ledger.Hooks{Post: "true"}, Choice: renewal.Choice{KeyType: "rsa"}}})
	must(t, err)
	l, err := h.disk().Open(name)
	must(t, err)
	p := l.Renewal.Params
	root, err := l.Renewal.Webroot(name)
	must(t, err)
	if !done.Changed || root != moved || p.PostHook != "true" || p.KeyType != "rsa" || p.Account != h.account().ID {
		t.Errorf("%+v: %s", done, h.conf(name))
	}
	if h.serial(name) != serial || h.ca.Truth().Pending() != 0 {
		t.Error("the rehearsal put a certificate in place, or left something pending")
	}
	before := h.conf(name)
	done, err = h.reconfigure(renewal.Reconfiguration{Round: renewal.Round{CertName: name, Hooks: ledger.Hooks{Post: "true"}}})
	must(t, err)
	if done.Changed || h.conf(name) != before {
		t.Errorf("the same again: %+v", done)
	}
	done, err = h.reconfigure(renewal.Reconfiguration{Round: renewal.Round{CertName: name}, Forget: []string{"post_hook"}})
	must(t, err)
	if !done.Changed || strings.Contains(h.conf(name), "post_hook") {
		t.Errorf("a hook taken away: %+v, %s", done, h.conf(name))
	}
	if results, err := h.renew(renewal.Round{Renew: true}); err != nil || outcomes(results) != name+" issued" {
		t.Errorf("renewed with it: %s, %v", outcomes(results), err)
	}
	t.Logf("%d certificates before, %d now", issued, len(h.ca.Truth().Issued))
}

func (h *host) serial(lineage string) string {
	h.t.Helper()
	l, err := h.disk().Open(lineage)
	must(h.t, err)
	return l.Certificate.Serial
}

func TestSettingsThatWouldFailAreNotTaken(t *testing.T) {
	const name = "a.example.com"
	h := newHost(t, testca.Config{})
	h.has(name)
	before := h.conf(name)
	elsewhere := t.TempDir() // that the web server does not serve
	for what, one := range map[string]struct {
		round renewal.Round
		class failure.Class
	}{
		"a root that is not served": {renewal.Round{CertName: name, WebrootPaths: []string{elsewhere}}, failure.HTTPWrong},
		"a root that is not there":  {renewal.Round{CertName: name, WebrootPaths: []string{filepath.Join(elsewhere, "none")}}, failure.WebrootGone},
		"another server":            {renewal.Round{CertName: name, Server: "https://ca.example/dir"}, failure.Config},
		"another account":           {renewal.Round{CertName: name, Account: "0123"}, failure.Config},
		"no such certificate":       {renewal.Round{CertName: "none"}, failure.Config},
	} {
		if _, err := h.reconfigure(renewal.Reconfiguration{Round: one.round}); failure.ClassOf(err) != one.class {
			t.Errorf("%s: %s %v", what, failure.ClassOf(err), err)
		}
	}
	if _, err := h.reconfigure(renewal.Reconfiguration{Round: renewal.Round{CertName: name, Hooks: ledger.Hooks{Pre: "true"}}, Only: true}); err != nil {
		t.Errorf("only rehearsed: %v", err)
	}
	if h.conf(name) != before {
		t.Errorf("changed: %s", h.conf(name))
	}
	if n := h.ca.Truth().Pending(); n != 0 {
		t.Errorf("%d authorizations stay pending", n)
	}
}
