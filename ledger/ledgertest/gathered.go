package ledgertest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"orderly/ledger"
)

// A store may write what comes at the same time together. Nobody must be able to tell: each commit
// has an outcome of its own, and the records of each are its own.

var gatheredTests = []test{
	{"of many that commit at once each is told its own outcome", ownOutcomes},
	{"what many commit at once is another handle's to read when they are told", readableWhenTold},
	{"what many commit at once stays each order's, in its order", eachInItsOrder},
	{"a context ends the wait for another commit", contextEndsTheWait},
	{"among many, a commit whose context ends is there if and only if it says so", cancelledAmongMany},
	{"a change that panics harms no other", panicHarmsNoOther},
}

// behind calls commit n times at once while another commit is under way, on one handle, and ends
// that commit once all have been called. Whether they wait by then is the scheduler's to say.
func (b *bench) behind(n int, commit func(i int) error) []error {
	b.Helper()
	release, first := b.held("held")
	errs := make([]error, n)
	var calling, all sync.WaitGroup
	for i := range n {
		calling.Add(1)
		all.Go(func() {
			calling.Done()
			errs[i] = commit(i)
		})
	}
	calling.Wait()
	release()
	if err := <-first; err != nil {
		b.Errorf("the commit before them: %v", err)
	}
	all.Wait()
	return errs
}

// held begins a commit that stands still while it is written, until it is released.
func (b *bench) held(kind string) (release func(), answer chan error) {
	inside, goOn, done := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	var once, begun sync.Once
	go func() {
		done <- b.store.Commit(b.ctx, &ledger.Change{Events: []ledger.Event{{Kind: kind}},
			Spends: []ledger.Spend{{AccountID: b.account.ID, Name: kind,
				Next: func(time.Time) (time.Time, error) {
					begun.Do(func() { close(inside) })
					<-goOn
					return day, nil
				}}}})
	}()
	<-inside
	return func() { once.Do(func() { close(goOn) }) }, done
}

// outcome is a change for a lineage, and what has to become of it.
type outcome struct {
	change *ledger.Change
	want   error  // nil where it succeeds, or where only says is known
	says   string // a part of the error
}

var errSpent = errors.New("the bucket is empty")

// outcomes are changes that have to fail, each in its own way, and among them some that must not.
// Each writes something first, of which nothing may be left.
func (b *bench) outcomes(round int) []outcome {
	taken := b.saved(b.order(fmt.Sprint("taken", round), ledger.Creating))
	twin := b.order(taken.Lineage, ledger.Creating)
	stale := *b.saved(b.order(fmt.Sprint("stale", round), ledger.Creating))
	stale.Version--
	key := fmt.Sprint("lineage:lost", round)
	b.commit(&ledger.Change{Events: []ledger.Event{{Kind: "fence"}},
		Guards: []ledger.Guard{{Key: key, Fence: 8}}})
	spend := ledger.Spend{AccountID: b.account.ID, Name: "empty",
		Next: func(time.Time) (time.Time, error) { return time.Time{}, errSpent }}
	bad := b.order("bad", ledger.Creating)
	bad.Request.Names = []string{"\xff"}
	list := []outcome{
		{&ledger.Change{Orders: []*ledger.Order{twin}}, ledger.ErrLive, ""},
		{&ledger.Change{Orders: []*ledger.Order{&stale}}, ledger.ErrStale, ""},
		{&ledger.Change{Run: &ledger.Run{ID: 1 << 40}}, ledger.ErrNone, ""},
		{&ledger.Change{Guards: []ledger.Guard{{Key: key, Fence: 7}}}, ledger.ErrLost, ""},
		{&ledger.Change{Spends: []ledger.Spend{spend}}, errSpent, ""},
		{&ledger.Change{Orders: []*ledger.Order{bad}}, nil, "UTF-8"},
		{&ledger.Change{Orders: []*ledger.Order{b.order("comma", ledger.Creating, "a,b")}}, nil, `"a,b"`},
		{&ledger.Change{Events: []ledger.Event{{Kind: "of none", Of: &ledger.Order{}}}}, nil, "of none"},
		{&ledger.Change{Charges: []ledger.Charge{{AccountID: 1 << 40}}}, nil, " "},
	}
	for i := range list {
		c := list[i].change
		first := b.order(fmt.Sprintf("lost%d-%d", round, i), ledger.Creating)
		c.Orders = append([]*ledger.Order{first}, c.Orders...)
	}
	for i := range 7 {
		list = append(list, outcome{change: &ledger.Change{
			Orders: []*ledger.Order{b.order(fmt.Sprintf("kept%d-%d", round, i), ledger.Creating)}}})
	}
	return list
}

func ownOutcomes(b *bench) {
	for round := range 6 {
		list := b.outcomes(round)
		if round%2 == 1 {
			slices.Reverse(list)
		}
		errs := b.behind(len(list), func(i int) error { return b.store.Commit(b.ctx, list[i].change) })
		for i, o := range list {
			b.judge(o, errs[i])
		}
	}
	for _, o := range must(b.store.Orders(b.ctx, ledger.OrderFilter{}))(b) {
		if strings.HasPrefix(o.Lineage, "lost") {
			b.Errorf("of the refused change %s something is left", o.Lineage)
		}
	}
}

// judge compares what a commit was told, and what is there, with what has to be.
func (b *bench) judge(o outcome, err error) {
	b.Helper()
	first := o.change.Orders[0]
	if strings.HasPrefix(first.Lineage, "kept") {
		if err != nil || first.ID == 0 || b.read(first.ID).Lineage != first.Lineage {
			b.Errorf("%s is told %v and has id %d", first.Lineage, err, first.ID)
		}
		return
	}
	wanted := err != nil && errors.Is(err, o.want)
	if o.want == nil {
		wanted = err != nil && strings.Contains(err.Error(), o.says)
	}
	if !wanted || first.ID != 0 || first.Version != 0 {
		b.Errorf("%s is told %v and has id %d, want %v %s", first.Lineage, err, first.ID, o.want, o.says)
	}
}

func readableWhenTold(b *bench) {
	other := b.handle()
	for round := range 5 {
		errs := b.behind(12, func(i int) error {
			o := b.order(fmt.Sprintf("l%d-%d", round, i), ledger.Creating)
			c := &ledger.Change{Orders: []*ledger.Order{o}, Events: []ledger.Event{{Kind: "new", Of: o}}}
			if err := b.store.Commit(b.ctx, c); err != nil {
				return err
			}
			found, err := other.Order(b.ctx, o.ID)
			if err != nil {
				return err
			}
			events, err := other.Events(b.ctx, o.ID, 0)
			if err != nil || found.Lineage != o.Lineage || len(events) != 1 {
				return fmt.Errorf("%s is read as %s with %d events: %w", o.Lineage, found.Lineage,
					len(events), err)
			}
			return nil
		})
		if err := errors.Join(errs...); err != nil {
			b.Fatal(err)
		}
	}
}

func eachInItsOrder(b *bench) {
	const workers, steps = 12, 15
	orders := make([]*ledger.Order, workers)
	errs := b.together(workers, func(i int, s ledger.Store) error {
		orders[i] = b.order(fmt.Sprint("l", i), ledger.Creating)
		for step := range steps {
			orders[i].Redeploys = step
			c := &ledger.Change{Orders: orders[i : i+1 : i+1],
				Events: []ledger.Event{{Kind: fmt.Sprint(step), Of: orders[i]}}}
			if err := s.Commit(b.ctx, c); err != nil {
				return fmt.Errorf("order %d, step %d: %w", i, step, err)
			}
		}
		return nil
	})
	if err := errors.Join(errs...); err != nil {
		b.Fatal(err)
	}
	for i, o := range orders {
		b.same(fmt.Sprint("order ", i), b.read(o.ID), o)
		events := must(b.store.Events(b.ctx, o.ID, 0))(b)
		if len(events) != steps || o.Version != steps {
			b.Errorf("order %d has %d events and version %d", i, len(events), o.Version)
		}
		for step, e := range events {
			if e.Kind != fmt.Sprint(step) || e.Lineage != o.Lineage {
				b.Errorf("order %d: event %d is %s of %s", i, step, e.Kind, e.Lineage)
			}
		}
	}
}

func contextEndsTheWait(b *bench) {
	release, first := b.held("held")
	defer release()
	ctx, cancel := context.WithCancel(b.ctx)
	answers, o := make(chan error, 1), b.order("a", ledger.Creating)
	go func() { answers <- b.store.Commit(ctx, &ledger.Change{Orders: []*ledger.Order{o}}) }()
	cancel()
	select {
	case err := <-answers:
		if !errors.Is(err, context.Canceled) || o.ID != 0 {
			b.Errorf("Commit answers %v, the order has id %d", err, o.ID)
		}
	case <-time.After(20 * time.Second): // a store that goes on waiting would do so for ever
		b.Error("it waits on")
	}
	release()
	if err := <-first; err != nil {
		b.Errorf("the commit before it: %v", err)
	}
	b.equal("orders", len(must(b.store.Orders(b.ctx, ledger.OrderFilter{}))(b)), 0)
	b.saved(b.order("a", ledger.Creating))
}

func cancelledAmongMany(b *bench) {
	begun := time.Now()
	b.saved(b.big("warm"))
	length := 8 * time.Since(begun)
	other, counts := b.handle(), map[bool]int{}
	for round := range 8 {
		const n = 16
		orders := make([]*ledger.Order, n)
		errs := b.behind(n, func(i int) error {
			orders[i] = b.big(fmt.Sprintf("l%d-%d", round, i))
			ctx, cancel := b.ctx, context.CancelFunc(func() {})
			if i%2 == 0 {
				ctx, cancel = context.WithTimeout(b.ctx, length*time.Duration(i)/n)
			}
			defer cancel()
			return b.store.Commit(ctx, &ledger.Change{Orders: orders[i : i+1 : i+1]})
		})
		for i, o := range orders {
			counts[errs[i] == nil]++
			if errs[i] != nil && (i%2 == 1 || !errors.Is(errs[i], context.DeadlineExceeded)) {
				b.Fatalf("round %d, %d: %v", round, i, errs[i])
			}
			found := must(other.Orders(b.ctx, ledger.OrderFilter{Lineage: o.Lineage}))(b)
			if (errs[i] == nil) != (len(found) == 1) || (errs[i] == nil) != (o.ID != 0) {
				b.Fatalf("round %d, %d: Commit says %v, %d orders are there, the id is %d", round, i,
					errs[i], len(found), o.ID)
			}
		}
	}
	if counts[false] == 0 {
		b.Logf("contexts ended too late to interrupt anything: %v", counts)
	}
}

func panicHarmsNoOther(b *bench) {
	for round := range 4 {
		const n = 8
		orders := make([]*ledger.Order, n)
		errs := b.behind(n, func(i int) (err error) {
			orders[i] = b.order(fmt.Sprintf("l%d-%d", round, i), ledger.Creating)
			c := &ledger.Change{Orders: orders[i : i+1 : i+1]}
			if i != round {
				return b.store.Commit(b.ctx, c)
			}
			c.Spends = []ledger.Spend{{AccountID: b.account.ID, Name: "A",
				Next: func(time.Time) (time.Time, error) { panic("planned") }}}
			defer func() {
				if said := recover(); said != "planned" {
					err = fmt.Errorf("the panic is %v", said)
				}
			}()
			return b.store.Commit(b.ctx, c)
		})
		for i, o := range orders {
			found := must(b.store.Orders(b.ctx, ledger.OrderFilter{Lineage: o.Lineage}))(b)
			if errs[i] != nil || (i == round) != (len(found) == 0) || (i == round) != (o.ID == 0) {
				b.Errorf("round %d, %d: %v, %d orders, id %d", round, i, errs[i], len(found), o.ID)
			}
		}
	}
}
