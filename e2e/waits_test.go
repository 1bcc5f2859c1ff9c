package e2e_test

import (
	"database/sql"
	"fmt"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// A run that is stopped, or hangs, keeps nobody else from anything (trial P1): the others are renewed, whoever waits says for
// whom, and ends when it is told to.
func TestAStoppedRunKeepsNobodyElse(t *testing.T) {
	t.Parallel()
	w := newWorld(t, characters()[2].config)
	h := w.host("one")
	h.lineages("a.example.com", "b.example.com", "c.example.com")
	h.hold("finalize", 1, false)
	stopped := h.start("renew", "--cert-name", "a.example.com", "--force-renewal")
	h.held(stopped)
	stopped.signal(syscall.SIGSTOP)
	w.ca.ClearFaults()
	w.ca.Release()
	all := h.runs()
	whom := fmt.Sprintf("run %d (renew a.example.com, process %d, since ", all[0].ID, stopped.cmd.Process.Pid)
	before := len(w.ca.Truth().Issued)
	r := h.orderly("renew", "--force-renewal", "--deadline", "6s")
	if n := len(w.ca.Truth().Issued) - before; n != 2 || r.code != 75 || r.took > patience/2 {
		t.Errorf("%d certificates beside a run that hangs, not 2: %s", n, r)
	}
	for _, want := range []string{whom, "it is left for the end of the round", "Waiting for " + whom} {
		if !strings.Contains(r.stderr, want) {
			t.Errorf("it does not say %q: %s", want, r)
		}
	}
	children := map[string]*child{}
	for _, command := range [][]string{
		{"delete", "--cert-name", "a.example.com", "-n"},
		{"revoke", "--cert-name", "a.example.com", "-n"},
		append(h.certonly(w.site("a.example.com", "d.example.com"), "d.example.com", "a.example.com"), "--cert-name", "d.example.com"),
		h.onServer("unregister", "-n"),
		h.onServer("update_account", "--change-account-key"),
	} {
		children[command[0]] = h.start(command...)
	}
	for name, c := range children {
		until(t, name+" says whom it waits for", func() bool { return strings.Contains(c.err.String(), whom) })
		c.signal(syscall.SIGTERM)
		endedInTime(t, c.wait(), syscall.SIGTERM)
	}
	if r := h.orderly("pending", "release", "--order", fmt.Sprint(all[0].ID), "--yes"); r.code != 1 || !strings.Contains(r.stderr, "at work on") && !strings.Contains(r.stderr, "nothing of it is left") {
		t.Errorf("%s", r)
	}
	stopped.signal(syscall.SIGCONT)
	if r := stopped.wait(); r.code != 0 {
		t.Errorf("%s", r)
	}
	h.goodPair("a.example.com", "a.example.com")
}

// A signal ends a run within two seconds although another program holds the ledger's lock (trial P9), and nothing is lost.
func TestASignalEndsTheWaitForTheLedger(t *testing.T) {
	t.Parallel()
	w := newWorld(t, characters()[2].config)
	h := w.host("one")
	names := someNames(2)
	command := h.certonly(w.site(names...), names...)
	h.hold("finalize", 1, true)
	c := h.start(command...)
	h.held(c)
	db, err := sql.Open("sqlite", "file:"+filepath.Join(h.config, "orderly", "ledger.db")+"?_txlock=immediate")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	tx, err := db.Begin()
	if err != nil {
		t.Fatal(err)
	}
	w.ca.ClearFaults()
	w.ca.Release()
	until(t, "it says what it waits for", func() bool {
		return strings.Contains(c.err.String(), "Waiting for another program that writes the ledger")
	})
	c.signal(syscall.SIGTERM)
	endedInTime(t, c.wait(), syscall.SIGTERM)
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
	h.must(command...)
	h.kept(promise{names: names})
}
