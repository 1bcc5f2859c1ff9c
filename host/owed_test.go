package host

// What a run owes when it ends: post-hooks whatever else goes wrong, and the deploy hook of a whole run
// together with what dead runs left of it.

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"orderly/certbot"
	"orderly/failure"
	"orderly/ledger"
	"orderly/ledger/memory"
	"orderly/lock"
)

// owing is a host whose runs die and begin anew.
type owing struct {
	*testing.T
	dir  string
	book *memory.Store
}

func newOwing(t *testing.T) *owing { return &owing{t, t.TempDir(), memory.New()} }

func (o *owing) must(err error) {
	o.Helper()
	if err != nil {
		o.Fatal(err)
	}
}

// run begins a run that sees the ledger through a store. Its locks are its own: those of the one before
// are dead.
func (o *owing) run(through ledger.Store, once string) *Hooks {
	o.Helper()
	run := &ledger.Run{Command: "renew", StartedAt: time.Now()}
	o.must(o.book.Commit(o.Context(), &ledger.Change{Run: run}))
	locks, err := lock.Open(filepath.Join(o.dir, fmt.Sprint("locks", run.ID)))
	o.must(err)
	o.Cleanup(func() { _ = locks.Close() })
	h := New(Parts{Disk: &certbot.Store{Dirs: certbot.Dirs{Config: o.dir}}, Ledger: through, Locks: locks,
		Clock: Clock{}, Log: slog.New(slog.DiscardHandler), Report: quiet{}, Run: run,
		Settings: Settings{DeployOnce: once}})
	return h.Hooks
}

// notes is a hook that writes a line, and said what hooks have written.
func (o *owing) notes(words string) string {
	return "echo " + words + " >> " + filepath.Join(o.dir, "notes")
}

func (o *owing) said() string {
	text, _ := os.ReadFile(filepath.Join(o.dir, "notes"))
	return strings.TrimSpace(string(text))
}

// installed are lineages that a run has put in place just now.
func (o *owing) installed(n int) (names []string) {
	o.Helper()
	account := &ledger.Account{Server: "https://ca.example/dir", URL: "https://ca.example/acct/1"}
	o.must(o.book.Commit(o.Context(), &ledger.Change{Account: account}))
	var change ledger.Change
	for i := range n {
		name := fmt.Sprintf("s%03d.example", i)
		names = append(names, name)
		change.Orders = append(change.Orders, &ledger.Order{AccountID: account.ID, Lineage: name, Names: []string{name},
			Request: ledger.Request{Lineage: name, Names: []string{name}}, State: ledger.Installed,
			CreatedAt: time.Now(), UpdatedAt: time.Now(), SettledAt: time.Now()})
	}
	o.must(o.book.Commit(o.Context(), &change))
	return names
}

// unwritable is a ledger that fails once hooks are to be struck out.
type unwritable struct {
	ledger.Store
	failing bool
}

// Commit implements ledger.Store.
func (u *unwritable) Commit(ctx context.Context, c *ledger.Change) error {
	if u.failing {
		return failure.New(failure.Ledger, "Make room.", "the disk is full")
	}
	return u.Store.Commit(ctx, c)
}

func TestADiskThatIsFullKeepsNoPostHookFromRunning(t *testing.T) {
	t.Parallel()
	o := newOwing(t)
	through := &unwritable{Store: o.book}
	h := o.run(through, o.notes("once"))
	o.must(h.oweOnce(t.Context()))
	o.must(h.owe(t.Context(), []string{o.notes("first"), o.notes("second")}))
	h.placed("a", []string{"a"})
	through.failing = true
	if err := h.PayOwn(t.Context(), time.Minute); failure.ClassOf(err) != failure.Ledger {
		t.Error(err)
	}
	if o.said() != "once\nfirst\nsecond" {
		t.Errorf("%q", o.said())
	}
}

// A signal that comes while the run's deploy hook reloads a server leaves none down that a pre-hook stopped.
func TestASignalInADeployHookKeepsNoPostHookFromRunning(t *testing.T) {
	t.Parallel()
	o := newOwing(t)
	pipe := filepath.Join(o.dir, "pipe")
	o.must(syscall.Mkfifo(pipe, 0o600))
	h := o.run(o.book, "echo > "+pipe+"; exec sleep 600")
	o.must(h.oweOnce(t.Context()))
	o.must(h.owe(t.Context(), []string{o.notes("post")}))
	h.placed("a", []string{"a"})
	ctx, signal := context.WithCancelCause(t.Context())
	go func() {
		_, _ = os.ReadFile(pipe)
		signal(errors.New("SIGTERM"))
	}()
	err := h.PayOwn(ctx, time.Minute)
	if failure.ClassOf(err) != failure.Stopped || o.said() != "post" {
		t.Errorf("%v, %q", err, o.said())
	}
	open, err := o.book.Tasks(t.Context())
	if err != nil || len(open) != 1 || open[0].Kind != ledger.DeployTask {
		t.Errorf("owed are %v, %v", open, err)
	}
	// stopped before either begins: there may be time for one
	h = o.run(o.book, "exec sleep 600")
	o.must(h.oweOnce(t.Context()))
	o.must(h.owe(t.Context(), []string{o.notes("again")}))
	h.placed("a", []string{"a"})
	if err := h.PayOwn(ctx, 2*time.Second); failure.ClassOf(err) != failure.Stopped || o.said() != "post\nagain" {
		t.Errorf("%v, %q", err, o.said())
	}
}

// A run died with the hook owed. The next one makes one call, at its end, with all that were put in place
// by either, however many.
func TestTheDeployHookOfADeadRunIsRunAtTheEndOfTheNext(t *testing.T) {
	t.Parallel()
	o := newOwing(t)
	once := filepath.Join(o.dir, "once")
	o.must(os.WriteFile(once, []byte("#!/bin/sh\necho $RENEWED_LINEAGE of $RENEWED_DOMAINS >> "+
		filepath.Join(o.dir, "notes")+"\n"), 0o755))
	o.must(o.run(o.book, once).oweOnce(t.Context()))
	o.must(o.run(o.book, once).PayDebts(t.Context())) // it dies as well
	names := o.installed(600)
	h := o.run(o.book, "")
	o.must(h.PayDebts(t.Context()))
	h.placed("late.example", []string{"late.example"})
	h.placed(names[0], names[:1])
	if o.said() != "" {
		t.Errorf("before the end: %q", o.said())
	}
	o.must(h.PayOwn(t.Context(), time.Minute))
	paths, domains, _ := strings.Cut(o.said(), " of ")
	for _, name := range append(names, "late.example") {
		if strings.Count(paths+" ", "/live/"+name+" ") != 1 || strings.Count(" "+domains+" ", " "+name+" ") != 1 {
			t.Fatalf("%s: %.200q", name, o.said())
		}
	}
	if open, err := o.book.Tasks(t.Context()); err != nil || len(open) != 0 {
		t.Errorf("owed are %v, %v", open, err)
	}
}

func TestADeployHookOfARunThatPutNothingInPlaceIsNotRun(t *testing.T) {
	t.Parallel()
	o := newOwing(t)
	o.must(o.run(o.book, o.notes("once")).oweOnce(t.Context()))
	h := o.run(o.book, "")
	o.must(h.PayDebts(t.Context()))
	o.must(h.PayOwn(t.Context(), time.Minute))
	if open, err := o.book.Tasks(t.Context()); err != nil || len(open) != 0 || o.said() != "" {
		t.Errorf("%q, owed are %v, %v", o.said(), open, err)
	}
}

// Hooks whose turn has not come are not begun any more, and nobody reads that they failed.
func TestHooksAreNotBegunAfterASignal(t *testing.T) {
	t.Parallel()
	o := newOwing(t)
	h := o.run(o.book, "")
	ctx, signal := context.WithCancelCause(t.Context())
	signal(errors.New("SIGTERM"))
	heard := &warned{}
	h.Voice = NewVoice(heard)
	if err := h.Deploy(ctx, "a", []string{"a"}, o.notes("deployed")); failure.ClassOf(err) != failure.Stopped || len(*heard) > 0 {
		t.Errorf("%v, %q", err, *heard)
	}
}

// warned keeps warnings.
type warned []string

// Say implements Reporter.
func (*warned) Say(string, ...any) {}

// Tell implements Reporter.
func (*warned) Tell(string, ...any) {}

// Warn implements Reporter.
func (w *warned) Warn(format string, args ...any) { *w = append(*w, fmt.Sprintf(format, args...)) }

// The clock of the run that died was ahead, and was set right since: what that run left owed and put in
// place is of a time that has not come. Its deploy hook is run all the same, once.
func TestAClockThatWasSetBackKeepsNoDeployHookFromRunning(t *testing.T) {
	t.Parallel()
	for _, same := range []bool{false, true} {
		o := newOwing(t)
		once := o.notes("once $RENEWED_DOMAINS")
		o.must(o.run(o.book, once).oweOnce(t.Context()))
		o.installed(1)
		if !same {
			once = ""
		}
		for range 2 {
			next := o.run(o.book, once)
			clock := &passing{steps: time.Microsecond}
			clock.at.Store(time.Now().Add(-time.Hour).UnixNano())
			next.Clock, next.Run.StartedAt = clock, clock.Now()
			o.must(next.PayDebts(t.Context()))
			o.must(next.PayOwn(t.Context(), time.Minute))
		}
		if o.said() != "once s000.example" {
			t.Errorf("%v: %q", same, o.said())
		}
	}
}
