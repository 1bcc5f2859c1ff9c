package ledgertest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"orderly/ledger"
)

// Several processes write one ledger; each sees whole changes, and of two that cannot both be right
// one is told.

var sharedTests = []test{
	{"what one handle commits, another reads", anotherReads},
	{"handles and goroutines that commit at once all succeed", commitAtOnce},
	{"of many that make the same order at once, one succeeds", sameOrderAtOnce},
	{"of many that save the same order at once, one succeeds", sameSaveAtOnce},
	{"a reader never sees half a change", readersSeeWholeChanges},
	{"a read does not wait for a commit under way, and shows nothing of it", readsBesideACommit},
	{"a commit under a context that has ended writes nothing", endedContext},
	{"however a context ends, a commit is there if and only if it says so", cancelledCommits},
	{"a read that is cancelled leaves the store usable", cancelledReads},
}

func anotherReads(b *bench) {
	other := b.handle()
	o := b.saved(b.order("a", ledger.Creating))
	b.same("the order as another handle reads it", must(other.Order(b.ctx, o.ID))(b), o)
	if err := b.store.Close(); err != nil {
		b.Errorf("Close: %v", err)
	}
	b.same("after the first handle was closed", must(other.Order(b.ctx, o.ID))(b), o)
	b.commitTo(other, &ledger.Change{Orders: []*ledger.Order{o}})
}

// together runs try n times at once, alternately on two handles, and returns the errors.
func (b *bench) together(n int, try func(i int, s ledger.Store) error) []error {
	handles := []ledger.Store{b.store, b.handle()}
	errs := make([]error, n)
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() { errs[i] = try(i, handles[i%2]) })
	}
	all.Wait()
	return errs
}

func commitAtOnce(b *bench) {
	const workers, rounds = 8, 10
	errs := b.together(workers, func(i int, s ledger.Store) error {
		for r := range rounds {
			o := b.order(fmt.Sprintf("l%d-%d", i, r), ledger.Creating)
			err := s.Commit(b.ctx, &ledger.Change{Orders: []*ledger.Order{o}, Events: []ledger.Event{{Kind: "new", Of: o}}})
			if err != nil {
				return err
			}
			o.State = ledger.PendingState
			if err := s.Commit(b.ctx, &ledger.Change{Orders: []*ledger.Order{o}}); err != nil {
				return err
			}
		}
		return nil
	})
	if err := errors.Join(errs...); err != nil {
		b.Fatal(err)
	}
	orders := must(b.store.Orders(b.ctx, ledger.OrderFilter{}))(b)
	events := must(b.store.Events(b.ctx, 0, 0))(b)
	b.equal("orders and events", []int{len(orders), len(events)},
		[]int{workers * rounds, workers * rounds})
}

func sameOrderAtOnce(b *bench) {
	b.oneOf(b.together(16, func(_ int, s ledger.Store) error {
		return s.Commit(b.ctx, &ledger.Change{Orders: []*ledger.Order{b.order("a", ledger.Creating)}})
	}), ledger.ErrLive)
	b.equal("orders", len(must(b.store.Orders(b.ctx, ledger.OrderFilter{}))(b)), 1)
}

func sameSaveAtOnce(b *bench) {
	o := b.saved(b.order("a", ledger.PendingState))
	b.oneOf(b.together(16, func(i int, s ledger.Store) error {
		mine := *o
		mine.Sentence = fmt.Sprint(i)
		return s.Commit(b.ctx, &ledger.Change{Orders: []*ledger.Order{&mine}, Events: []ledger.Event{{Kind: fmt.Sprint(i), Of: &mine}}})
	}), ledger.ErrStale)
	events := must(b.store.Events(b.ctx, o.ID, 0))(b)
	if len(events) != 1 || events[0].Kind != b.read(o.ID).Sentence {
		b.Errorf("events %v beside %q", events, b.read(o.ID).Sentence)
	}
}

// oneOf expects one success and lost for everyone else.
func (b *bench) oneOf(errs []error, lost error) {
	b.Helper()
	won := 0
	for _, err := range errs {
		if err == nil {
			won++
		} else if !errors.Is(err, lost) {
			b.Errorf("a loser was told %v", err)
		}
	}
	b.equal("successes", won, 1)
}

// readersSeeWholeChanges lets one handle count an order and its authorizations up while another
// reads.
func readersSeeWholeChanges(b *bench) {
	o := b.order("a", ledger.PendingState)
	o.Expires = day.Add(time.Hour)
	for range 10 {
		o.Authorizations = append(o.Authorizations, &ledger.Authorization{})
	}
	b.saved(o)
	reader, stop := b.handle(), make(chan struct{})
	var writing sync.WaitGroup
	writing.Go(func() {
		defer close(stop)
		for range 100 {
			o.Redeploys++
			o.State, o.CreateSentAt = ledger.Creating, day
			if o.Redeploys%2 == 0 {
				o.State = ledger.Phantom
			}
			for _, a := range o.Authorizations {
				a.Answers++
			}
			if err := b.store.Commit(b.ctx, &ledger.Change{Orders: []*ledger.Order{o}}); err != nil {
				b.Errorf("Commit: %v", err)
				return
			}
		}
	})
	defer writing.Wait()
	for {
		select {
		case <-stop:
			return
		default:
		}
		b.wholeOrder(reader, o.ID)
	}
}

func (b *bench) wholeOrder(s ledger.Store, id int64) {
	seen := must(s.Order(b.ctx, id))(b)
	for _, a := range seen.Authorizations {
		if a.Answers != seen.Redeploys {
			b.Fatalf("an order saved %d times has an authorization saved %d times", seen.Redeploys,
				a.Answers)
		}
	}
	if shown := must(s.Pending(b.ctx, day))(b); seen.Redeploys > 0 && len(shown) != 1 {
		b.Fatalf("an order that is always creating or a phantom is shown %d times", len(shown))
	}
}

// readsBesideACommit holds a commit where it asks a Spend, and looks meanwhile, through its own
// handle and through another.
func readsBesideACommit(b *bench) {
	b.commit(b.one(day))
	before := b.everything()
	inside, goOn, done := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	var once sync.Once
	release := func() { once.Do(func() { close(goOn) }) }
	defer release()
	c := &ledger.Change{Orders: []*ledger.Order{b.order("b", ledger.Creating)},
		Spends: []ledger.Spend{{AccountID: b.account.ID, Name: "A",
			Next: func(time.Time) (time.Time, error) {
				close(inside)
				<-goOn
				return day, nil
			}}}}
	go func() { done <- b.store.Commit(b.ctx, c) }()
	<-inside
	// The bound is for a store that waits: it would wait for ever.
	bounded, cancel := context.WithTimeout(b.ctx, 20*time.Second)
	defer cancel()
	for _, s := range []ledger.Store{b.store, b.handle()} {
		look := *b
		look.ctx, look.store = bounded, s
		b.same("what is read beside a commit", look.everything(), before)
	}
	release()
	if err := <-done; err != nil {
		b.Fatalf("Commit: %v", err)
	}
	b.equal("orders after it", len(must(b.store.Orders(b.ctx, ledger.OrderFilter{}))(b)), 2)
}

func endedContext(b *bench) {
	cancelled, cancel := context.WithCancel(b.ctx)
	cancel()
	expired, cancel := context.WithDeadline(b.ctx, time.Now().Add(-time.Second))
	defer cancel()
	for want, ctx := range map[error]context.Context{context.Canceled: cancelled, context.DeadlineExceeded: expired} {
		o := b.order("a", ledger.Creating)
		if err := b.store.Commit(ctx, &ledger.Change{Orders: []*ledger.Order{o}}); !errors.Is(err, want) {
			b.Errorf("Commit answers %v, want %v", err, want)
		}
		if o.ID != 0 {
			b.Errorf("the order has id %d", o.ID)
		}
		if _, err := b.store.Orders(ctx, ledger.OrderFilter{}); !errors.Is(err, want) {
			b.Errorf("Orders answers %v, want %v", err, want)
		}
	}
	b.equal("orders", len(must(b.store.Orders(b.ctx, ledger.OrderFilter{}))(b)), 0)
	b.saved(b.order("a", ledger.Creating))
}

// cancelledCommits ends the context at moments spread over a commit's whole length, found by timing
// one.
func cancelledCommits(b *bench) {
	other := b.handle()
	begun := time.Now()
	b.saved(b.big("warm"))
	length := time.Since(begun)
	b.commitTo(other, &ledger.Change{Orders: []*ledger.Order{b.big("warm-other")}})
	const rounds = 150
	counts := map[bool]int{}
	for i := range rounds {
		o := b.big(fmt.Sprint("l", i))
		ctx, cancel := context.WithTimeout(b.ctx, 2*length*time.Duration(i)/rounds)
		err := b.store.Commit(ctx, &ledger.Change{Orders: []*ledger.Order{o}})
		cancel()
		counts[err == nil]++
		if err != nil && !errors.Is(err, context.DeadlineExceeded) {
			b.Fatalf("round %d: %v", i, err)
		}
		found := must(other.Orders(b.ctx, ledger.OrderFilter{Lineage: o.Lineage}))(b)
		if (err == nil) != (len(found) == 1) || (err == nil) != (o.ID != 0) {
			b.Fatalf("round %d: Commit says %v, %d orders are there, the id is %d", i, err,
				len(found), o.ID)
		}
		if err == nil && len(found[0].Authorizations) != len(o.Authorizations) {
			b.Fatalf("round %d: %d authorizations are there", i, len(found[0].Authorizations))
		}
		// no lock is left behind
		b.commitTo(other, &ledger.Change{Events: []ledger.Event{{Kind: "beside"}}})
	}
	if counts[true] == 0 || counts[false] == 0 {
		b.Logf("contexts ended too early or too late to interrupt anything: %v", counts)
	}
}

// big is an order with enough rows to be interrupted in.
func (b *bench) big(lineage string) *ledger.Order {
	o := b.order(lineage, ledger.Creating)
	for i := range 50 {
		o.Authorizations = append(o.Authorizations, &ledger.Authorization{URL: fmt.Sprint(i)})
	}
	return o
}

func cancelledReads(b *bench) {
	for i := range 10 {
		b.saved(b.big(fmt.Sprint("l", i)))
	}
	begun := time.Now()
	all := must(b.store.Orders(b.ctx, ledger.OrderFilter{}))(b)
	length := time.Since(begun)
	for i := range 60 {
		ctx, cancel := context.WithTimeout(b.ctx, 2*length*time.Duration(i)/60)
		got, err := b.store.Orders(ctx, ledger.OrderFilter{})
		cancel()
		if err == nil {
			b.same("a read in time", got, all)
		} else if !errors.Is(err, context.DeadlineExceeded) {
			b.Fatalf("a read out of time answers %v", err)
		}
		b.commit(&ledger.Change{Events: []ledger.Event{{Kind: "between"}}})
	}
}
