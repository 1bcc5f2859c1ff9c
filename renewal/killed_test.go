package renewal_test

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"orderly/account"
	"orderly/certbot"
	"orderly/ledger"
	"orderly/renewal"
	"orderly/testca"
)

// killer ends a run at one of its effects: at each change on disk, and before and after each
// commit, in turn.
type killer struct {
	ledger.Store
	at, met int
	armed   bool
}

func (k *killer) step(string) {
	if k.armed {
		if k.met++; k.met == k.at {
			panic(errKilled)
		}
	}
}

// Commit implements ledger.Store. The words of events and commands are another version's: nothing
// is recovered by them.
func (k *killer) Commit(ctx context.Context, c *ledger.Change) error {
	for i := range c.Events {
		c.Events[i].Kind, c.Events[i].Detail = "reworded", ""
	}
	if c.Run != nil {
		c.Run.Command = "reworded"
	}
	k.step("")
	err := k.Store.Commit(ctx, c)
	k.step("")
	return err
}

// killed runs a command that dies at its effect number at, and reports whether it died.
func (h *machine) killed(at int, command string, do func(*renewal.Server) error) (died bool) {
	h.t.Helper()
	k := &killer{Store: h.ledger, at: at}
	h.through = k
	s := h.process(command)
	h.through, s.Disk.Trace, k.armed = nil, k.step, true
	defer func() {
		if r := recover(); r != nil && r != error(errKilled) {
			panic(r)
		} else {
			died = r != nil
		}
		h.vanish()
	}()
	if err := do(s); err != nil {
		h.t.Errorf("%s, to be killed at effect %d: %v", command, at, err)
	}
	return false
}

// night is what cron does next: nothing of a killed command may make it fail.
func (h *machine) night() {
	h.t.Helper()
	s := h.process("renew")
	left, err := s.ResumeAll(h.t.Context())
	must(h.t, err)
	results, err := s.RenewAll(h.t.Context(), renewal.Round{})
	if code := renewal.Exit(append(left, results...), err); code != 0 {
		h.t.Errorf("renew exits %d: %s, %v", code, outcomes(results), err)
	}
	must(h.t, s.Finish(h.t.Context()))
	must(h.t, s.End("done", 0, ""))
	if tasks, err := h.ledger.Tasks(h.t.Context()); err != nil || len(tasks) != 0 {
		h.t.Errorf("tasks left: %+v, %v", tasks, err)
	}
}

// whole reports whether a lineage is there and can be used.
func (h *machine) whole(lineage string) bool {
	l, err := h.disk().Open(lineage)
	return err == nil && new(certbot.Verifier).Verify(l) == nil
}

// A deletion that is killed at any effect is finished by whatever run comes next: the lineage is
// whole, since nothing of it was begun, or gone for good, and no renew fails because of it (trial
// P7). So is what an order would bring back.
func TestADeletionKilledAnywhereIsFinishedByTheNextRun(t *testing.T) {
	t.Parallel()
	h := newHost(t, testca.Config{})
	gone := 0
	for at := 1; ; at++ {
		name := fmt.Sprintf("a%d.example.com", at)
		h.has(name)
		if at%4 == 0 {
			h.left("challenge", false, name)
		}
		died := h.killed(at, "delete "+name, func(s *renewal.Server) error { return s.Delete(t.Context(), name) })
		h.night()
		switch {
		case h.gone(name):
			gone++
		case gone > 0 || !h.whole(name):
			t.Errorf("killed at effect %d: it is neither whole nor gone", at)
		}
		if !died {
			break
		}
	}
	if gone < 10 {
		t.Errorf("only %d deletions came to their end", gone)
	}
}

// What another program made in its place meanwhile is not deleted.
func TestAnUnfinishedDeletionSparesWhatCameAfter(t *testing.T) {
	t.Parallel()
	const name = "a.example.com"
	h := newHost(t, testca.Config{})
	h.has(name)
	for at := 1; ; at++ {
		if !h.killed(at, "delete", func(s *renewal.Server) error { return s.Delete(t.Context(), name) }) {
			t.Fatal("the kill did not come")
		}
		if tasks, err := h.ledger.Tasks(t.Context()); err != nil || len(tasks) > 0 {
			break // the intent is durable, and nothing is removed yet
		}
	}
	h.edit(name, "version = ", "# by certbot\nversion = ")
	h.night()
	if !h.whole(name) || !slices.ContainsFunc(h.report.warnings, func(w string) bool { return strings.Contains(w, "is given up") }) {
		t.Errorf("whole: %t, said: %q", h.whole(name), h.report.warnings)
	}
}

// Who repeats the command that was killed is told that it is done.
func TestADeletionIsRepeatedAfterAKill(t *testing.T) {
	t.Parallel()
	h := newHost(t, testca.Config{})
	for at := 3; at < 60; at += 4 {
		name := fmt.Sprintf("a%d.example.com", at)
		h.has(name)
		if !h.killed(at, "delete "+name, func(s *renewal.Server) error { return s.Delete(t.Context(), name) }) {
			break
		}
		s := h.process("delete " + name)
		names, err := s.CertificateNames(t.Context(), []string{name})
		if tasks, _ := h.ledger.Tasks(t.Context()); err != nil && len(tasks) > 0 {
			t.Errorf("killed at effect %d: %v", at, err)
		}
		for _, n := range names {
			must(t, s.Delete(t.Context(), n))
		}
		if !h.gone(name) && len(names) > 0 {
			t.Errorf("killed at effect %d: it is still there", at)
		}
		h.vanish()
	}
}

// A revocation that is killed at any effect: the certificate is revoked and its lineage gone, or
// nothing was begun.
func TestARevocationKilledAnywhereIsFinishedByTheNextRun(t *testing.T) {
	t.Parallel()
	h := newHost(t, testca.Config{})
	revoked := 0
	for at := 1; ; at++ {
		name := fmt.Sprintf("a%d.example.com", at)
		h.has(name)
		w := renewal.Revocation{CertName: name}
		died := h.killed(at, renewal.Revoking(w), func(s *renewal.Server) error { _, err := s.Revoke(t.Context(), w); return err })
		h.night()
		switch n := len(h.ca.Truth().Revoked); {
		case n == revoked+1 && h.gone(name):
			revoked++
		case n != revoked || revoked > 0 || !h.whole(name):
			t.Errorf("killed at effect %d: %d certificates are revoked, %d were before; gone: %t", at, n, revoked, h.gone(name))
			revoked = n
		}
		if !died {
			break
		}
	}
	if revoked < 12 {
		t.Errorf("only %d revocations came to their end", revoked)
	}
}

// Where nobody could say whether the files go, a killed revocation keeps them.
func TestAKilledRevocationKeepsWhatNobodyWasAskedAbout(t *testing.T) {
	t.Parallel()
	h := newHost(t, testca.Config{})
	for _, at := range []int{3, 4, 5} {
		name := fmt.Sprintf("a%d.example.com", at)
		h.has(name)
		w := renewal.Revocation{CertName: name, Ask: func() bool { panic(errKilled) }}
		h.killed(at, renewal.Revoking(w), func(s *renewal.Server) error { _, err := s.Revoke(t.Context(), w); return err })
		h.night()
		if !h.whole(name) {
			t.Errorf("killed at effect %d: it is gone", at)
		}
	}
	if n := len(h.ca.Truth().Revoked); n != 3 {
		t.Errorf("%d certificates are revoked", n)
	}
}

// An account that is given up by a run killed at any effect is deactivated and gone, or as it was.
func TestAnUnregisterKilledAnywhereIsFinishedByTheNextRun(t *testing.T) {
	t.Parallel()
	h := newHost(t, testca.Config{})
	over := 0
	for at := 1; ; at++ {
		s := h.process("register")
		a, err := s.Accounts().RegisterNew(t.Context(), h.ca.DirectoryURL(), account.Registration{AgreeTOS: true, NoEmail: true})
		must(t, err)
		must(t, s.End("done", 0, ""))
		died := h.killed(at, account.Unregistering(a), func(s *renewal.Server) error { return s.Accounts().Unregister(t.Context(), a) })
		h.night()
		_, err = os.Stat(a.Dir)
		switch status := h.status(a); {
		case status == "deactivated" && os.IsNotExist(err):
			over++
		case status == "deactivated" || err != nil || over > 0:
			t.Errorf("killed at effect %d: the CA calls it %s, its directory: %v", at, status, err)
		}
		if !died {
			break
		}
		if err == nil {
			must(t, h.process("unregister").Accounts().Unregister(t.Context(), a))
			h.vanish()
		}
	}
	if over < 6 {
		t.Errorf("only %d came to their end", over)
	}
}

func (h *machine) status(a *certbot.Account) string {
	for _, theirs := range h.ca.Truth().Accounts {
		if theirs.URL == a.URL {
			return theirs.Status
		}
	}
	return "unknown"
}

// A change of key that is killed at any effect is made or was never begun; in between no run is
// left without a key, and none asks the CA about it again and again.
func TestAKeyChangeKilledAnywhereIsFinishedByTheNextRun(t *testing.T) {
	t.Parallel()
	h := newHost(t, testca.Config{})
	h.has("a.example.com", "b.example.com")
	changed := 0
	for at := 1; ; at++ {
		before := h.account()
		died := h.killed(at, "update_account", func(s *renewal.Server) error { _, err := s.Accounts().ChangeKey(t.Context(), before); return err })
		h.night()
		after := h.followed("a.example.com", "b.example.com")
		switch {
		case after.ID != before.ID:
			changed++
		case changed > 0:
			t.Errorf("killed at effect %d: the key was not changed", at)
		}
		requests := len(h.ca.Truth().Requests)
		h.night()
		if n := len(h.ca.Truth().Requests) - requests; n != 0 {
			t.Errorf("killed at effect %d: the run after the next makes %d requests", at, n)
		}
		if !died {
			break
		}
	}
	if changed < 10 {
		t.Errorf("only %d came to their end", changed)
	}
}
