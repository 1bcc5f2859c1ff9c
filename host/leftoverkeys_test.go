package host

import (
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"orderly/certbot"
	"orderly/ledger"
	"orderly/ledger/memory"
	"orderly/lock"
	"orderly/order/keys"
)

// A key that a dead run left is removed once the end of its order is there to stay: one that another
// process has just written may not be synced, and may bear any time, by a clock that was set or where
// it waited for this run's begin. Whoever goes on with an order after a power cut has its key.
func TestAKeyIsSweptOnceTheEndOfItsOrderIsSynced(t *testing.T) {
	for _, late := range []time.Duration{-time.Second, 0, time.Second, 1000 * time.Hour} {
		t.Run(late.String(), func(t *testing.T) { sweptOnceSynced(t, late) })
	}
}

// sweptOnceSynced sweeps the key of an order that was settled so long after the run began.
func sweptOnceSynced(t *testing.T, late time.Duration) {
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	dir, book, begun := t.TempDir(), memory.New(), time.Now()
	run := &ledger.Run{Command: "renew", StartedAt: begun}
	account := &ledger.Account{Server: "https://ca.example/dir", URL: "https://ca.example/acct/1"}
	kept := &keys.Store{Dir: filepath.Join(dir, "keys")}
	o := &ledger.Order{Lineage: "a.example", Names: []string{"a.example"},
		Request: ledger.Request{Lineage: "a.example", Names: []string{"a.example"}},
		State:   ledger.Valid, CreatedAt: begun, UpdatedAt: begun}
	must(book.Commit(t.Context(), &ledger.Change{Run: run, Account: account, Orders: []*ledger.Order{o}}))
	var err error
	o.Key, o.CSR, err = kept.Make(o)
	must(err)
	locks, err := lock.Open(filepath.Join(dir, "locks"))
	must(err)
	defer func() { _ = locks.Close() }()
	h := New(Parts{Disk: &certbot.Store{Dirs: certbot.Dirs{Config: dir}}, Ledger: book, Locks: locks,
		Clock: Clock{}, Log: slog.New(slog.DiscardHandler), Report: quiet{}, Run: run, KeyDir: kept.Dir})
	must(h.leftovers.sweepKeys(t.Context()))
	if _, there := kept.Load(o); !there {
		t.Error("the key of an order that is not over is gone")
	}
	o.State, o.SettledAt = ledger.Installed, begun.Add(late)
	must(book.Commit(t.Context(), &ledger.Change{Orders: []*ledger.Order{o}, Unsynced: true}))
	must(h.leftovers.sweepKeys(t.Context()))
	if _, there := kept.Load(o); there {
		t.Error("the key of an order that is over stays")
	}
	book.PowerCut()
	after, err := book.Order(t.Context(), o.ID)
	must(err)
	if after.SettledAt.IsZero() {
		t.Error("the key of an order is gone that goes on after a power cut")
	}
}
