package sqlite_test

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"orderly/ledger"
	"orderly/ledger/sqlite"
)

func BenchmarkOpenCommitClose(b *testing.B) {
	dir := filepath.Join(b.TempDir(), "ledger")
	if err := open(b, dir).Close(); err != nil {
		b.Fatal(err)
	}
	o := options(dir)
	for i := 0; b.Loop(); i++ {
		s, err := sqlite.Open(b.Context(), o)
		if err != nil {
			b.Fatal(err)
		}
		if err := s.Commit(b.Context(), oneOrder(fmt.Sprint("l", i))); err != nil {
			b.Fatal(err)
		}
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkOpenClose(b *testing.B) {
	dir := filepath.Join(b.TempDir(), "ledger")
	if err := open(b, dir).Close(); err != nil {
		b.Fatal(err)
	}
	o := options(dir)
	for b.Loop() {
		s, err := sqlite.Open(b.Context(), o)
		if err != nil {
			b.Fatal(err)
		}
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkFirstOpen(b *testing.B) {
	above := b.TempDir()
	for i := 0; b.Loop(); i++ {
		s, err := sqlite.Open(b.Context(), options(filepath.Join(above, fmt.Sprint(i))))
		if err != nil {
			b.Fatal(err)
		}
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkCommitOrder10 saves an order of ten names and the events of a step, as the runner does between two requests.
func BenchmarkCommitOrder10(b *testing.B) {
	s := open(b, filepath.Join(b.TempDir(), "ledger"))
	c := oneOrder("a")
	o := c.Orders[0]
	for len(o.Authorizations) < 10 {
		o.Authorizations = append(o.Authorizations, &ledger.Authorization{URL: "u", Status: ledger.AuthorizationPending})
	}
	if err := s.Commit(b.Context(), c); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		events := make([]ledger.Event, 10)
		for i := range events {
			events[i] = ledger.Event{Kind: "answered", Of: o, At: time.Now()}
		}
		if err := s.Commit(b.Context(), &ledger.Change{Orders: []*ledger.Order{o}, Events: events}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkPendingOf10000(b *testing.B) {
	s := open(b, tenThousand(b))
	for b.Loop() {
		if found, err := s.Pending(b.Context(), time.Now()); err != nil || len(found) != 0 {
			b.Fatal(len(found), err)
		}
	}
}

// BenchmarkNothingToRecoverFrom10000 is all that a command asks before it begins where no run left anything.
func BenchmarkNothingToRecoverFrom10000(b *testing.B) {
	s := open(b, tenThousand(b))
	for b.Loop() {
		orders, err := s.Orders(b.Context(), ledger.OrderFilter{Unsettled: true})
		if err != nil || len(orders) != 0 {
			b.Fatal(len(orders), err)
		}
		if debts, err := s.Debts(b.Context()); err != nil || len(debts) != 0 {
			b.Fatal(len(debts), err)
		}
	}
}

func BenchmarkOrdersOf10000(b *testing.B) {
	s := open(b, tenThousand(b))
	for b.Loop() {
		if found, err := s.Orders(b.Context(), ledger.OrderFilter{}); err != nil || len(found) != 10000 {
			b.Fatal(len(found), err)
		}
	}
}
