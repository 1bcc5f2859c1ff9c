package renewal_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"orderly/failure"
	"orderly/ledger"
	"orderly/renewal"
	"orderly/testca"
)

// stoppedInHand is a round with a deploy hook for all that is stopped when the first placed of its
// lineages are in place, with an order for each of the others under way.
func (h *machine) stoppedInHand(names []string, placed int) {
	h.t.Helper()
	for i := range len(names) - placed {
		h.ca.Inject(testca.Fault{Kind: "certificate", Nth: i + 1, Action: testca.Hold})
	}
	ctx, signal := context.WithCancelCause(h.t.Context())
	done := make(chan struct{}, len(names))
	go func() {
		for range len(names) - placed {
			<-h.ca.Held()
		}
		for range placed {
			<-done
		}
		signal(errors.New("SIGTERM"))
	}()
	h.tells, h.set.Jobs = &spoken{}, len(names)
	s := h.process("renew")
	_, err := s.RenewAll(ctx, renewal.Round{Looked: func(r renewal.Result) { done <- struct{}{} }})
	if failure.ClassOf(err) != failure.Stopped {
		h.t.Fatal(err)
	}
	if err := s.Finish(ctx); err != nil && failure.ClassOf(err) != failure.Stopped {
		h.t.Fatal(err)
	}
	must(h.t, s.End("stopped", 75, ""))
	h.ca.ClearFaults()
	h.ca.Release()
	h.openLocks()
	h.clock.hasten(true)
	h.set.DeployOnce = ""
}

// onceOf says how often each lineage was told to the hook of a whole round, and how often that ran.
func (h *machine) onceOf(names []string) (of []int, ran int) {
	notes := h.notes()
	ran = strings.Count(notes, "once")
	for _, name := range names {
		of = append(of, strings.Count(notes+" ", filepath.Join(h.dir, "etc/live", name)+" "))
	}
	return of, ran
}

// A round that is told to end leaves its hook to whoever puts the rest in place, without the flag, and
// not to runs about something else that come before.
func TestTheRestOfAStoppedRoundGetsItsDeployHook(t *testing.T) {
	for _, placed := range []int{2, 0} {
		t.Run("", func(t *testing.T) {
			t.Parallel()
			h := newHost(t, testca.Config{OrdersList: true})
			names := h.sites(4)
			h.set.DeployOnce = h.wholeHook()
			h.stoppedInHand(names, placed)
			h.site("other.example")
			s := h.process("certonly")
			must(t, s.Recover(t.Context(), "other.example"))
			if r := s.Obtain(t.Context(), h.wish("other.example")); r.Outcome != renewal.Issued {
				t.Fatalf("%+v", r)
			}
			must(t, errors.Join(s.Finish(t.Context()), s.End("done", 0, "")))
			if n := strings.Count(h.notes(), "other.example"); n != 0 {
				t.Errorf("a run about something else ran the hook: %q", h.notes())
			}
			h.openLocks()
			s = h.process("resume")
			_, err := s.ResumeAll(t.Context())
			must(t, errors.Join(err, s.Finish(t.Context()), s.End("done", 0, "")))
			of, ran := h.onceOf(names)
			for _, n := range of {
				if n != 1 {
					t.Errorf("told are %v: %q", of, h.notes())
				}
			}
			if want := 1 + min(placed, 1); ran != want || len(h.debts()) != 0 {
				t.Errorf("the hook ran %d times, owed %v: %q", ran, h.debts(), h.notes())
			}
		})
	}
}

// A round that is killed before anything is in place owes the hook as well.
func TestAKilledRoundOwesItsDeployHookFromItsFirstOrderOn(t *testing.T) {
	t.Parallel()
	h := newHost(t, testca.Config{})
	names := h.sites(1)
	h.set.DeployOnce = h.wholeHook()
	h.ca.Inject(testca.Fault{Kind: "certificate", Nth: 1, Action: testca.Hold})
	ctx, kill := context.WithCancel(t.Context())
	go func() {
		<-h.ca.Held()
		kill()
	}()
	_, err := h.process("renew").RenewAll(ctx, renewal.Round{})
	h.ca.ClearFaults()
	h.ca.Release()
	if debts := h.debts(); err == nil || len(debts) != 1 || debts[0].Kind != ledger.DeployTask {
		t.Fatalf("%v, owed %v", err, debts)
	}
	h.openLocks()
	h.set.DeployOnce = ""
	s := h.process("resume")
	_, err = s.ResumeAll(t.Context())
	must(t, errors.Join(err, s.Finish(t.Context())))
	if of, ran := h.onceOf(names); ran != 1 || of[0] != 1 || len(h.debts()) != 0 {
		t.Errorf("%v, %d times, owed %v: %q", of, ran, h.debts(), h.notes())
	}
}

// Deploy hooks are run before post-hooks, also after a signal, and leave them their time.
func TestAfterASignalTheDeployHookIsRunFirstToo(t *testing.T) {
	t.Parallel()
	h := newHost(t, testca.Config{OrdersList: true})
	names := h.sites(2)
	h.set.DeployOnce = h.wholeHook()
	h.edit(names[0], "[renewalparams]\n", "[renewalparams]\npost_hook = echo post >> "+filepath.Join(h.dir, "notes")+"\n")
	h.stoppedInHand(names[:2], 1)
	if notes := h.notes(); !strings.HasPrefix(notes, "once ") || !strings.HasSuffix(notes, "; post") {
		t.Errorf("%q", notes)
	}
	_ = os.Remove(filepath.Join(h.dir, "notes"))
}
