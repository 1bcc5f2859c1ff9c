package renewal_test

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"orderly/account"
	"orderly/failure"
	"orderly/host"
	"orderly/ledger"
	"orderly/order"
	"orderly/renewal"
	"orderly/testca"
)

// occupied is a lineage that another run is at work on, until the returned function is called.
func (h *machine) occupied(lineage string) (free func()) {
	h.t.Helper()
	unlock, err := h.locks.Lock(h.t.Context(), order.LineageLock(lineage))
	must(h.t, err)
	return func() { must(h.t, unlock()) }
}

// A lineage that another run is at work on keeps no other from being renewed: it goes to the end of
// the round, and is said to be locked where it still is (trial P1).
func TestALockedLineageGoesToTheEndOfTheRound(t *testing.T) {
	t.Parallel()
	for _, freed := range []bool{false, true} {
		h := newHost(t, testca.Config{})
		h.has("a.example", "b.example", "c.example", "d.example")
		h.due("a.example", "b.example", "c.example")
		h.set.LockPatience = time.Millisecond
		free := h.occupied("a.example")
		alsoFree := h.occupied("d.example") // not due: nobody waits for it
		var order []string
		round := renewal.Round{Looked: func(r renewal.Result) {
			order = append(order, r.Lineage)
			if freed && r.Lineage == "c.example" {
				free()
			}
		}}
		if freed {
			h.set.LockPatience = time.Minute
		}
		results, err := h.renew(round)
		must(t, err)
		want, code := "a.example locked, b.example issued, c.example issued, d.example kept", 1
		if freed {
			want, code = "a.example issued, b.example issued, c.example issued, d.example kept", 0
		}
		if got := outcomes(results); got != want || renewal.Exit(results, nil) != code || round.Exit(results, nil) != 0 {
			t.Errorf("%s, exit %d of a certificate's, %d of the round's", got, renewal.Exit(results, nil), round.Exit(results, nil))
		}
		if slices.Index(order, "a.example") != len(order)-1 {
			t.Errorf("the round went %v", order)
		}
		if i := slices.IndexFunc(results, func(r renewal.Result) bool { return r.Outcome == renewal.Locked }); !freed &&
			(i < 0 || results[i].Class != failure.Locked || results[i].Sentence == "" || results[i].Remedy == "" || results[i].Path == "") {
			t.Errorf("said: %+v", results)
		}
		if !freed {
			free()
		}
		alsoFree()
	}
}

// Whatever a command waits for another run for: it has a bound, ends with the context, and both are
// said in a sentence that names what is waited for.
func TestEveryWaitForAnotherRunHasABound(t *testing.T) {
	t.Parallel()
	h := newHost(t, testca.Config{})
	h.has("a.example.com", "b.example.com")
	h.left("finalize", false, "a.example.com")
	h.set.LockPatience = time.Millisecond
	directory := h.ca.DirectoryURL()
	free := []func(){h.occupied("a.example.com")}
	unlock, err := h.locks.Lock(t.Context(), "account:"+directory)
	must(t, err)
	free = append(free, func() { must(t, unlock()) })
	h.site("c.example.com")
	for what, do := range map[string]func(context.Context, *renewal.Server) error{
		"delete": func(ctx context.Context, s *renewal.Server) error { return s.Delete(ctx, "a.example.com") },
		"revoke": func(ctx context.Context, s *renewal.Server) error {
			_, err := s.Revoke(ctx, renewal.Revocation{CertName: "a.example.com"})
			return err
		},
		"register": func(ctx context.Context, s *renewal.Server) error {
			_, err := s.Accounts().RegisterNew(ctx, directory, account.Registration{AgreeTOS: true, NoEmail: true})
			return err
		},
		"certonly": func(ctx context.Context, s *renewal.Server) error {
			w := h.wish("a.example.com")
			w.Renew = true
			return s.Obtain(ctx, w).Err
		},
		"certonly, sharing a name": func(ctx context.Context, s *renewal.Server) error {
			w := h.wish("c.example.com", "a.example.com")
			w.CertName = "c.example.com"
			return s.Obtain(ctx, w).Err
		},
		"renew --cert-name": func(ctx context.Context, s *renewal.Server) error {
			results, err := s.RenewAll(ctx, renewal.Round{CertName: "a.example.com", Renew: true})
			if err != nil {
				return err
			}
			return results[0].Err
		},
		"pending release": func(ctx context.Context, s *renewal.Server) error {
			return s.ReleaseAll(ctx, []*ledger.Order{h.newest("a.example.com")})[0].Err
		},
	} {
		s := h.process(what)
		err := do(t.Context(), s)
		if failure.ClassOf(err) != failure.Locked || failure.RemedyOf(err) == "" || !strings.Contains(err.Error(), "at work on") {
			t.Errorf("%s: %s %v", what, failure.ClassOf(err), err)
		}
		if what == "pending release" {
			continue // nothing is waited for
		}
		h.set.LockPatience = time.Hour
		s = h.process(what)
		h.set.LockPatience = time.Millisecond
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(10*time.Millisecond, cancel)
		began := time.Now()
		if err := do(ctx, s); failure.ClassOf(err) != failure.Stopped || time.Since(began) > time.Minute {
			t.Errorf("%s, told to end: %s %v", what, failure.ClassOf(err), err)
		}
	}
	for _, f := range free {
		f()
	}
}

// A hook that takes its time is named.
func TestWhoWaitsForAHookIsToldOfIt(t *testing.T) {
	t.Parallel()
	h := newHost(t, testca.Config{})
	w := h.wish("a.example")
	h.site("a.example")
	until := filepath.Join(h.dir, "told")
	w.Hooks.Deploy = host.Say("while ! test -e " + until + "; do sleep 0.1; done")
	h.tells = &watching{report: h.report, say: func(text string) {
		if strings.HasPrefix(text, "Waiting for the deploy-hook to end: while") {
			must(t, os.WriteFile(until, nil, 0o600))
		}
	}}
	if r := h.process("certonly").Obtain(t.Context(), w); r.Outcome != renewal.Issued {
		t.Errorf("%+v", r)
	}
}

// watching looks at what is told.
type watching struct {
	*report
	say func(string)
}

// Tell implements host.Reporter.
func (w *watching) Tell(format string, args ...any) {
	w.report.Tell(format, args...)
	w.say(w.lines[len(w.lines)-1])
}
