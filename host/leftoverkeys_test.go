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

// The end of an order that another run settled since this one began may not be synced: a power cut
// takes it back, and whoever goes on with the order then needs its key. What was settled before is
// synced with this run's begin.
func TestOnlyKeysWhoseOrdersEndedBeforeThisRunAreSwept(t *testing.T) {
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	dir, book, begun := t.TempDir(), memory.New(), time.Now()
	run := &ledger.Run{Command: "renew", StartedAt: begun}
	account := &ledger.Account{Server: "https://ca.example/dir", URL: "https://ca.example/acct/1"}
	must(book.Commit(t.Context(), &ledger.Change{Run: run, Account: account}))
	kept := &keys.Store{Dir: filepath.Join(dir, "keys")}
	settled := func(name string, at time.Time) *ledger.Order {
		t.Helper()
		o := &ledger.Order{AccountID: account.ID, Lineage: name, Names: []string{name},
			Request: ledger.Request{Lineage: name, Names: []string{name}}, State: ledger.Installed,
			CreatedAt: begun, UpdatedAt: begun, SettledAt: at}
		must(book.Commit(t.Context(), &ledger.Change{Orders: []*ledger.Order{o}}))
		var err error
		o.Key, o.CSR, err = kept.Make(o)
		must(err)
		return o
	}
	before := settled("before.example", begun.Add(-time.Second))
	since := settled("since.example", begun.Add(time.Second))
	locks, err := lock.Open(filepath.Join(dir, "locks"))
	must(err)
	defer func() { _ = locks.Close() }()
	h := New(Parts{Disk: &certbot.Store{Dirs: certbot.Dirs{Config: dir}}, Ledger: book, Locks: locks,
		Clock: Clock{}, Log: slog.New(slog.DiscardHandler), Report: quiet{}, Run: run, KeyDir: kept.Dir})
	must(h.leftovers.sweepKeys(t.Context()))
	if _, there := kept.Load(before); there {
		t.Error("a key that a dead run left stays")
	}
	if _, there := kept.Load(since); !there {
		t.Error("the key of an order whose end may not be synced is gone")
	}
}
