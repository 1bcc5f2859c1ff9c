package host

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"orderly/certbot"
	"orderly/ledger"
	"orderly/ledger/memory"
	"orderly/lock"
	"orderly/order/drive"
)

// The engine sees a server through this interface alone.
var _ drive.Host = (*Host)(nil)

// quiet hears nothing.
type quiet struct{}

// Say implements Reporter.
func (quiet) Say(string, ...any) {}

// Tell implements Reporter.
func (quiet) Tell(string, ...any) {}

// Warn implements Reporter.
func (quiet) Warn(string, ...any) {}

// Many orders at once on one host: a pre-hook that stops a web server is run once, nobody goes on before it has
// ended, one post-hook is owed for all, and deploy hooks do not run into each other.
func TestHooksOfManyOrdersAtOnce(t *testing.T) {
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	dir := t.TempDir()
	locks, err := lock.Open(filepath.Join(dir, "locks"))
	must(err)
	t.Cleanup(func() { _ = locks.Close() })
	book, run := memory.New(), &ledger.Run{Command: "renew", StartedAt: Clock{}.Now()}
	must(book.Commit(t.Context(), &ledger.Change{Run: run}))
	h := New(Parts{Disk: &certbot.Store{Dirs: certbot.Dirs{Config: dir}}, Ledger: book, Locks: locks, Clock: Clock{},
		Log: slog.New(slog.DiscardHandler), Report: quiet{}, Run: run})
	stopped, deployed := filepath.Join(dir, "stopped"), filepath.Join(dir, "deployed")
	r := Request{Payload: Payload{Hooks: Commands{Pre: "sleep 0.2; echo x >> " + stopped, Post: "true",
		Deploy: "echo begun >> " + deployed + "; sleep 0.01; echo ended >> " + deployed}}}.Filed()
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			h.Begin(t.Context(), r)
			if text, err := os.ReadFile(stopped); err != nil || string(text) != "x\n" {
				t.Errorf("one goes on while the pre-hook has written %q, %v", text, err)
			}
			o := &ledger.Order{Lineage: "a", Request: r}
			if err := h.Deploy(t.Context(), o); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	text, err := os.ReadFile(deployed)
	must(err)
	if want := strings.Repeat("begun\nended\n", 8); string(text) != want {
		t.Errorf("deploy hooks: %q", text)
	}
	owed, err := book.Tasks(t.Context())
	must(err)
	if len(owed) != 1 {
		t.Errorf("%d post-hooks are owed", len(owed))
	}
}

// A deploy hook that takes its time has the turn: whoever has no pre-hook, or one that has ended, begins beside it, and owes
// its post-hook. Whoever has one to run waits for it.
func TestABeginningWaitsForNoDeployHook(t *testing.T) {
	o := newOwing(t)
	h := o.run(o.book, "")
	ended := Request{Payload: Payload{Hooks: Commands{Pre: "true", Post: o.notes("post")}}}.Filed()
	if !h.Begin(o.Context(), Read(ended)) {
		t.Fatal("the pre-hook did not run")
	}
	done, err := h.turn.Take(o.Context())
	o.must(err)
	h.Begin(o.Context(), Read(ended))
	h.Begin(o.Context(), Request{Payload: Payload{Hooks: Commands{Post: o.notes("another")}}})
	owed, err := o.book.Tasks(o.Context())
	o.must(err)
	if len(owed) != 2 {
		t.Errorf("%d post-hooks are owed", len(owed))
	}
	fresh := Request{Payload: Payload{Hooks: Commands{Pre: o.notes("pre")}}}
	began := make(chan bool)
	go func() { began <- h.Begin(o.Context(), fresh) }()
	if !h.Begins(fresh) {
		t.Error("a pre-hook runs beside a deploy hook")
	}
	done()
	if !<-began {
		t.Error("the pre-hook did not run after the deploy hook")
	}
}
