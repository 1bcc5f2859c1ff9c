package sqlite_test

import (
	"context"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"orderly/ledger"
	"orderly/ledger/sqlite"
	"orderly/limit"
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

// BenchmarkTransitions takes orders through eight commits each, as an issuance does: alone, sixteen
// orders at once that do nothing else, and sixteen that compute between commits what an issuance does.
// Its transactions are counted; how many syncs they are, those of checkpoints included, from outside:
//
//	go test -c -o ledger.test ./ledger/sqlite
//	strace -f -c -e fsync,fdatasync ./ledger.test -test.run - -test.bench Transitions/16 -test.benchtime 200x
func BenchmarkTransitions(b *testing.B) {
	for _, one := range []struct {
		what string
		jobs int
		work time.Duration
	}{{"1", 1, 0}, {"16", 16, 0}, {"16 at work", 16, time.Millisecond}} {
		b.Run(one.what, func(b *testing.B) {
			s := open(b, filepath.Join(b.TempDir(), "ledger"))
			if err := s.Commit(b.Context(), oneOrder("first")); err != nil {
				b.Fatal(err)
			}
			before := s.Transactions()
			var orders atomic.Int64
			var all sync.WaitGroup
			b.ResetTimer()
			for range one.jobs {
				all.Go(func() {
					for i := orders.Add(1); i <= int64(b.N); i = orders.Add(1) {
						if err := transitions(b.Context(), s, fmt.Sprint("l", i), one.work); err != nil {
							b.Error(err)
						}
					}
				})
			}
			all.Wait()
			b.ReportMetric(float64(s.Transactions()-before)/float64(b.N), "transactions/op")
		})
	}
}

// transitions makes an order and saves it seven times, and computes before each.
func transitions(ctx context.Context, s ledger.Store, lineage string, work time.Duration) error {
	o := oneOrder(lineage).Orders[0]
	o.AccountID = 1
	c := &ledger.Change{Orders: []*ledger.Order{o}}
	for i := range 8 {
		for begun := time.Now(); time.Since(begun) < work; {
		}
		c.Events = []ledger.Event{{Kind: fmt.Sprint("step ", i), Of: o, At: time.Now()}}
		if err := s.Commit(ctx, c); err != nil {
			return err
		}
	}
	return nil
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
		if tasks, err := s.Tasks(b.Context()); err != nil || len(tasks) != 0 {
			b.Fatal(len(tasks), err)
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

// fleet is the ledger of a whole account: 5,000 live orders of two names and a bucket for each of 300,000
// name sets.
func fleet(b *testing.B) string {
	b.Helper()
	dir := filepath.Join(b.TempDir(), "ledger")
	s := open(b, dir)
	account := &ledger.Account{Server: "https://ca.example/directory", URL: "https://ca.example/acct/1"}
	c := &ledger.Change{Account: account}
	at := time.Now()
	for i := range 5_000 {
		c.Orders = append(c.Orders, &ledger.Order{Lineage: fmt.Sprint("l", i), State: ledger.PendingState,
			Names: []string{fmt.Sprint("n", i, ".example"), fmt.Sprint("www.n", i, ".example")}, CreatedAt: at,
			Authorizations: []*ledger.Authorization{{Status: ledger.AuthorizationPending}, {Status: ledger.AuthorizationPending}}})
	}
	if err := s.Commit(b.Context(), c); err != nil {
		b.Fatal(err)
	}
	c = &ledger.Change{}
	for i := range 300_000 {
		c.Spends = append(c.Spends, ledger.Spend{AccountID: account.ID, Name: limit.CertificatesPerFQDNSet,
			Key: fmt.Sprint("n", i, ".example"), Next: func(time.Time) (time.Time, error) { return at, nil }})
	}
	if err := s.Commit(b.Context(), c); err != nil {
		b.Fatal(err)
	}
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}
	return dir
}

// BenchmarkWhatANewOrderReads is what stands between a wish and newOrder in the ledger of a fleet, beside what the same
// answers cost before there were questions for them.
func BenchmarkWhatANewOrderReads(b *testing.B) {
	s := open(b, fleet(b))
	names := []string{"n7.example", "new.example"}
	buckets := limit.Spent(limit.Order{Names: names})
	for _, one := range []struct {
		what string
		read func(ctx context.Context) error
	}{
		{"all buckets", func(ctx context.Context) error { _, err := s.Buckets(ctx, 1); return err }},
		{"its buckets", func(ctx context.Context) error { _, err := s.BucketsOf(ctx, 1, buckets); return err }},
		{"live orders", selecting(s, ledger.OrderFilter{Live: true, Unsettled: true, AccountID: 1})},
		{"sharing orders", selecting(s, ledger.OrderFilter{Sharing: names, Unsettled: true, AccountID: 1})},
		{"issued", func(ctx context.Context) error { _, err := s.Issued(ctx, 1, "n7.example", time.Now()); return err }},
	} {
		b.Run(one.what, func(b *testing.B) {
			for b.Loop() {
				if err := one.read(b.Context()); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkALookBesideAWriter is how long a small look takes while another goroutine commits without a pause.
func BenchmarkALookBesideAWriter(b *testing.B) {
	s := open(b, filepath.Join(b.TempDir(), "ledger"))
	c := oneOrder("a")
	if err := s.Commit(b.Context(), c); err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(b.Context())
	var writing sync.WaitGroup
	writing.Go(func() {
		for ctx.Err() == nil {
			_ = s.Commit(ctx, &ledger.Change{Orders: c.Orders, Events: []ledger.Event{{Kind: "looked", Of: c.Orders[0]}}})
		}
	})
	defer writing.Wait()
	defer cancel()
	for b.Loop() {
		if _, err := s.Order(b.Context(), c.Orders[0].ID); err != nil {
			b.Fatal(err)
		}
	}
}

func selecting(s ledger.Store, f ledger.OrderFilter) func(context.Context) error {
	return func(ctx context.Context) error { _, err := s.Orders(ctx, f); return err }
}
