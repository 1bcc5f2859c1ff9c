package renewal_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"orderly/failure"
	"orderly/host"
	"orderly/renewal"
	"orderly/testca"
)

func (h *machine) reconfigure(w renewal.Reconfiguration) (renewal.Reconfigured, error) {
	h.t.Helper()
	s := h.process("reconfigure " + w.CertName)
	done, err := s.Reconfigure(h.t.Context(), w)
	must(h.t, s.Finish(h.t.Context()))
	must(h.t, s.End("done", 0, ""))
	return done, err
}

func (h *machine) conf(lineage string) string {
	h.t.Helper()
	text, err := os.ReadFile(h.disk().Dirs.Renewal(lineage))
	must(h.t, err)
	return string(text)
}

func TestSettingsAreChangedAfterARehearsal(t *testing.T) {
	t.Parallel()
	const name = "a.example.com"
	h := newHost(t, testca.Config{})
	h.has(name)
	issued, serial := len(h.ca.Truth().Issued), h.serial(name)
	moved := filepath.Join(h.dir, "moved")
	must(t, os.Rename(h.root(name), moved))
	must(t, os.Symlink(moved, h.root(name))) // what the web server serves
	done, err := h.reconfigure(renewal.Reconfiguration{Round: renewal.Round{Said: host.Said{WebrootPaths: []string{moved}, Proof: host.Proof{Solver: host.Say("webroot")}, Hooks: host.Hooked{Post: host.Say("true")}, Choice: host.Choice{KeyType: host.Say("rsa")}}, CertName: name}})
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
	done, err = h.reconfigure(renewal.Reconfiguration{Round: renewal.Round{Said: host.Said{Hooks: host.Hooked{Post: host.Say("true")}}, CertName: name}})
	must(t, err)
	if done.Changed || h.conf(name) != before {
		t.Errorf("the same again: %+v", done)
	}
	done, err = h.reconfigure(renewal.Reconfiguration{Round: renewal.Round{Said: host.Said{Hooks: host.Hooked{Post: host.Say("")}}, CertName: name}})
	must(t, err)
	if !done.Changed || strings.Contains(h.conf(name), "post_hook") {
		t.Errorf("a hook taken away: %+v, %s", done, h.conf(name))
	}
	if results, err := h.renew(renewal.Round{Renew: true}); err != nil || outcomes(results) != name+" issued" {
		t.Errorf("renewed with it: %s, %v", outcomes(results), err)
	}
	t.Logf("%d certificates before, %d now", issued, len(h.ca.Truth().Issued))
}

func (h *machine) serial(lineage string) string {
	h.t.Helper()
	l, err := h.disk().Open(lineage)
	must(h.t, err)
	return l.Certificate.Serial
}

func TestSettingsThatWouldFailAreNotTaken(t *testing.T) {
	t.Parallel()
	const name = "a.example.com"
	h := newHost(t, testca.Config{})
	h.has(name)
	before := h.conf(name)
	elsewhere := t.TempDir() // that the web server does not serve
	for what, one := range map[string]struct {
		round renewal.Round
		class failure.Class
	}{
		"a root that is not served": {renewal.Round{Said: host.Said{WebrootPaths: []string{elsewhere}}, CertName: name}, failure.HTTPWrong},
		"a root that is not there":  {renewal.Round{Said: host.Said{WebrootPaths: []string{filepath.Join(elsewhere, "none")}}, CertName: name}, failure.WebrootGone},
		"another server":            {renewal.Round{Said: host.Said{Server: "https://ca.example/dir"}, CertName: name}, failure.Config},
		"another account":           {renewal.Round{Said: host.Said{Account: "0123"}, CertName: name}, failure.Config},
		"no such certificate":       {renewal.Round{CertName: "none"}, failure.Config},
	} {
		if _, err := h.reconfigure(renewal.Reconfiguration{Round: one.round}); failure.ClassOf(err) != one.class {
			t.Errorf("%s: %s %v", what, failure.ClassOf(err), err)
		}
	}
	if _, err := h.reconfigure(renewal.Reconfiguration{Round: renewal.Round{Said: host.Said{Hooks: host.Hooked{Pre: host.Say("true")}}, CertName: name}, Only: true}); err != nil {
		t.Errorf("only rehearsed: %v", err)
	}
	if h.conf(name) != before {
		t.Errorf("changed: %s", h.conf(name))
	}
	if n := h.ca.Truth().Pending(); n != 0 {
		t.Errorf("%d authorizations stay pending", n)
	}
}
