package sqlite_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"orderly/failure"
	"orderly/ledger"
	"orderly/ledger/sqlite"
	"orderly/ledger/sqlstore"
)

// Many orders in one process share transactions. What a file, a kill and another process do to that
// is tried here; the rest is the suite's.

// many is how many goroutines commit at once.
const many = 16

// commitMany lets many goroutines commit orders until one of them fails or has made rounds, and
// calls told with the id of each once its commit has returned.
func commitMany(s ledger.Store, rounds int, told func(id int64)) error {
	errs := make([]error, many)
	var all sync.WaitGroup
	for i := range many {
		all.Go(func() {
			for r := 0; r < rounds && errs[i] == nil; r++ {
				c := oneOrder(fmt.Sprint("process ", os.Getpid(), " goroutine ", i, " order ", r))
				if errs[i] = s.Commit(context.Background(), c); errs[i] == nil {
					told(c.Orders[0].ID)
				}
			}
		})
	}
	all.Wait()
	return errors.Join(errs...)
}

// playMany commits until it is killed, and prints the ids of the orders that it is told to be
// durable.
func playMany(dir string) int {
	s, err := sqlite.Open(context.Background(), options(dir))
	if err != nil {
		return complain(err)
	}
	var printing sync.Mutex
	return complain(commitMany(s, 1<<30, func(id int64) {
		printing.Lock()
		defer printing.Unlock()
		_, _ = fmt.Println(id) // nobody reads what a killed process says last
	}))
}

const someRounds = 20

// playSome commits a number of orders and says in how many transactions.
func playSome(dir string) int {
	s, err := sqlite.Open(context.Background(), options(dir))
	if err != nil {
		return complain(err)
	}
	err = errors.Join(commitMany(s, someRounds, func(int64) {}), s.Close())
	_, _ = fmt.Println(s.Transactions())
	return complainIf(err)
}

func TestNothingThatManyWereToldIsLostByKill9(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "ledger")
	var told []int64
	for range 8 {
		told = append(told, killed(t, "many", dir)...)
		wholeLedger(t, dir, told)
		s := open(t, dir)
		orders, err := s.Orders(t.Context(), ledger.OrderFilter{})
		if err != nil || len(orders) < len(told) {
			t.Fatalf("%d orders of %d, %v", len(orders), len(told), err)
		}
		var ids []int64 // also those that nobody was told of are there whole or not at all
		for _, o := range orders {
			ids = append(ids, o.ID)
		}
		_ = s.Close()
		wholeLedger(t, dir, ids)
	}
	t.Logf("%d orders told durable in 8 killed processes", len(told))
}

func TestManyInTwoProcessesAllCommitAndShareTransactions(t *testing.T) {
	dir, _ := made(t, 1)
	s := open(t, dir)
	first := s.Transactions()
	other := player(t, "some", dir)
	other.Stderr = os.Stderr
	out, err := other.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	if err := commitMany(s, someRounds, func(int64) {}); err != nil {
		t.Error(err)
	}
	var theirs int64
	if _, err := fmt.Fscan(out, &theirs); err != nil {
		t.Error(err)
	}
	if err := other.Wait(); err != nil {
		t.Error(err)
	}
	orders, err := s.Orders(t.Context(), ledger.OrderFilter{})
	if err != nil || len(orders) != 1+2*many*someRounds {
		t.Errorf("%d orders, %v", len(orders), err)
	}
	for _, o := range orders[1:] {
		whole(t, s, o.ID)
	}
	sound(t, dir)
	ours := s.Transactions() - first
	if each := int64(many * someRounds); ours >= each || theirs >= each {
		t.Errorf("%d commits took %d transactions, the other process's as many %d", each, ours, theirs)
	}
}

// Another process may hold the write lock for as long as it likes: of the many that wait for it here
// one speaks, each leaves with its own context, and all the others with the end of the run.
func TestManyWaitForAnotherWriterAsOneWould(t *testing.T) {
	dir, _ := made(t, 1)
	o := options(dir)
	ending, end := context.WithCancel(t.Context())
	told := make(chan struct{}, many)
	o.Wait = sqlstore.Wait{Ending: ending, Grace: 200 * time.Millisecond,
		Tell: func() { told <- struct{}{} }}
	s, err := sqlite.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	holder, err := raw(t, dir).Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := holder.ExecContext(t.Context(), `BEGIN IMMEDIATE`); err != nil {
		t.Fatal(err)
	}
	theirs, cancel := context.WithCancel(t.Context())
	changes, answers := make([]*ledger.Change, many), make([]chan error, many)
	for i := range many {
		ctx := context.Background()
		if i%2 == 0 {
			ctx = theirs
		}
		changes[i], answers[i] = oneOrder(fmt.Sprint("waits", i)), make(chan error, 1)
		go func() { answers[i] <- s.Commit(ctx, changes[i]) }()
	}
	<-told
	if len(told) > 0 {
		t.Error("another one speaks")
	}
	cancel()
	for i := 0; i < many; i += 2 {
		err := <-answers[i]
		if !errors.Is(err, context.Canceled) || failure.ClassOf(err) == failure.Ledger {
			t.Errorf("%d is told %v", i, err)
		}
	}
	end()
	for i := 1; i < many; i += 2 {
		if err := <-answers[i]; failure.ClassOf(err) != failure.Stopped || failure.RemedyOf(err) == "" {
			t.Errorf("%d is told %v", i, err)
		}
	}
	if _, err := holder.ExecContext(t.Context(), `ROLLBACK`); err != nil {
		t.Fatal(err)
	}
	for i, c := range changes {
		if c.Orders[0].ID != 0 || c.Orders[0].Version != 0 {
			t.Errorf("order %d has an id", i)
		}
	}
	if orders, err := s.Orders(t.Context(), ledger.OrderFilter{}); err != nil || len(orders) != 1 {
		t.Errorf("%d orders, %v", len(orders), err)
	}
	if err := s.Commit(t.Context(), changes[0]); err != nil {
		t.Errorf("with nobody in the way: %v", err)
	}
	sound(t, dir)
}

// gate holds the commit that it is a part of, while it is written.
type gate struct {
	begun sync.Once
	here  chan struct{}
	open  chan struct{}
}

func newGate() *gate { return &gate{here: make(chan struct{}), open: make(chan struct{})} }

func (g *gate) spend(account int64) ledger.Spend {
	return ledger.Spend{AccountID: account, Name: "gate", Next: func(time.Time) (time.Time, error) {
		g.begun.Do(func() { close(g.here) })
		<-g.open
		return time.Now(), nil
	}}
}

// behind commits changes one after the other while another commit stands in a gate, and returns
// what each was told.
func behind(ctx context.Context, s *sqlstore.Store, changes []*ledger.Change) []error {
	g, errs := newGate(), make([]error, len(changes)+1)
	var all sync.WaitGroup
	all.Go(func() {
		errs[len(changes)] = s.Commit(ctx, &ledger.Change{
			Account: &ledger.Account{Server: "https://ca.example/directory", URL: "https://ca.example/acct/1"},
			Spends:  []ledger.Spend{g.spend(1)}})
	})
	<-g.here
	for i, c := range changes {
		all.Go(func() { errs[i] = s.Commit(ctx, c) })
	}
	close(g.open)
	all.Wait()
	return errs
}
