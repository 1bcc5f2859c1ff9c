package sim

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"time"

	"orderly/failure"
	"orderly/ledger"
	"orderly/ledger/committer"
	"orderly/ledger/memory"
)

// What the orders of a process commit at the same time is gathered by the product's committer. It waits with goroutines, of
// which the virtual clock knows nothing: so each Commit has one of its own, and the world stands still while they run. It goes
// on when each of them has its answer or waits for the transaction that the committer is about to open. That takes its time,
// in which others join; they are in the batch in the order in which they came, whatever the goroutines do.

// desk is the ledger as one process uses it: it may die around each commit, and some fail.
type desk struct {
	*memory.Store
	p *process
	c *committer.Committer[*batch]

	joined int64
	under  int           // commits without an answer
	asks   chan struct{} // the committer is about to open a transaction
	opens  chan *batch   // nil: the process is dead
	ended  chan *entry
	asking bool
}

func (c *process) desk() *desk {
	if c.book == nil {
		d := &desk{Store: c.s.book, p: c, asks: make(chan struct{}), opens: make(chan *batch), ended: make(chan *entry)}
		d.c = committer.New(d.begin)
		c.book = d
	}
	return c.book
}

// errDead ends what a dead process was about to write.
var errDead = failure.New(failure.Internal, "", "the process is dead")

// begin is called by the committer, in a goroutine of its own.
func (d *desk) begin(context.Context, bool) (*batch, error) {
	d.asks <- struct{}{}
	if b := <-d.opens; b != nil {
		return b, nil
	}
	return nil, errDead
}

// batch is a transaction, and what the world knows of it.
type batch struct {
	*memory.Batch
	wrote   int
	several bool
	full    bool // it cannot be committed
	failed  bool // it is rolled back, and each of its changes written by itself
	durable bool
}

// Commit implements committer.Tx.
func (b *batch) Commit() error {
	if b.full {
		b.failed = true
		return errFull()
	}
	b.durable = true
	return b.Batch.Commit()
}

func errFull() error { return failure.New(failure.Ledger, "Make room.", "the disk is full") }

// answers is how many of its members have an answer once it has ended.
func (b *batch) answers() int {
	if b.failed && b.several {
		return 0 // each is written by itself now
	}
	return b.wrote
}

// Savepoint implements committer.Tx. One that is alone needs none.
func (b *batch) Savepoint() error {
	b.several = true
	return b.Batch.Savepoint()
}

// entry is one commit.
type entry struct {
	p      *worker
	c      *ledger.Change
	number int64 // of all that joined
	joined chan struct{}
	in     *batch // that took it last
	own    bool   // it was refused
	err    error
	done   bool
}

// Write implements committer.Change.
func (e *entry) Write(b *batch) (own bool, err error) {
	e.in, e.own = b, false
	b.wrote++
	if d := e.p.dice(); d.strikes(ledgerBroken) {
		if b.full = d.one(2); !b.full {
			b.failed = true
			return false, errFull()
		}
	}
	err = b.Write(e.c)
	e.own = err != nil
	return e.own, err
}

// Synced implements committer.Change.
func (e *entry) Synced() bool { return !e.c.Unsynced }

// Undo implements committer.Change. The batch takes back what it gave.
func (e *entry) Undo() {}

// joining is the context of a commit: the committer asks for its end when the commit is among those that wait.
type joining struct {
	context.Context
	e *entry
}

// Done implements context.Context.
func (j joining) Done() <-chan struct{} {
	select {
	case j.e.joined <- struct{}{}:
	default: // it was written once more
	}
	return nil
}

// Err implements context.Context.
func (joining) Err() error { return nil }

// Commit implements ledger.Store.
func (d *desk) Commit(ctx context.Context, c *ledger.Change) error {
	if c.Empty() {
		return nil
	}
	p := d.p.at()
	p.point("commit")
	if ctx.Err() != nil {
		return d.Store.Commit(ctx, c) // which says so
	}
	e := &entry{p: p, c: c, joined: make(chan struct{}, 1)}
	go func() {
		e.err = d.c.Commit(joining{ctx, e}, e)
		d.ended <- e
	}()
	<-e.joined
	d.joined++
	e.number = d.joined
	if d.under++; !d.asking {
		<-d.asks
		d.open()
	}
	for !e.done {
		p.suspend()
	}
	if e.err != nil && !e.own {
		p.told = nil
		return e.err
	}
	if e.err != nil {
		p.log("commit refused")
		return e.err
	}
	p.point("committed")
	return nil
}

// open opens the transaction that the committer asks for, after a while.
func (d *desk) open() {
	d.asking = true
	d.p.w.after(d.p.s.dice.between(time.Millisecond, 12*time.Millisecond), func() {
		if !d.p.dead {
			d.write()
		}
	})
}

// write lets the committer write what waits by now.
func (d *desk) write() {
	b := &batch{Batch: d.Begin()}
	d.asking = false
	d.opens <- b
	var all []*entry
	for len(all) < d.under && !(d.asking && len(all) == b.answers()) {
		select {
		case e := <-d.ended:
			all = append(all, e)
		case <-d.asks:
			d.asking = true
		}
	}
	d.under -= len(all)
	slices.SortFunc(all, func(a, b *entry) int { return cmp.Compare(a.number, b.number) })
	for _, e := range all {
		d.answer(e)
	}
	if d.asking {
		d.open()
	}
}

// answer lets the worker of a commit go on, and looks at what it is told.
func (d *desk) answer(e *entry) {
	p := e.p
	e.done = true
	if durable := e.in != nil && e.in.durable && !e.own; durable != (e.err == nil) {
		p.w.fail("wall 2", p.lineage(), "a commit is told %v, and it is durable: %v", e.err, durable)
	}
	if e.err == nil {
		p.tell(e.c)
		p.w.committed(p, e.c)
	}
	turn := p.turn
	p.w.after(0, func() { p.wake(turn) })
}

// abandon ends what a process that has died was about to write.
func (d *desk) abandon() {
	for ; d.under > 0; d.under-- {
		if !d.asking {
			<-d.asks
		}
		d.asking = false
		d.opens <- nil
		<-d.ended
	}
}

// tell writes what was committed into the trace, without what differs from one play to the next.
func (p *worker) tell(c *ledger.Change) {
	words := []string{"commits"}
	for _, o := range c.Orders {
		words = append(words, "order "+strconv.FormatInt(o.ID, 10)+"="+string(o.State))
	}
	for _, e := range c.Events {
		words = append(words, "("+e.Kind+")")
	}
	if len(c.Orders)+len(c.Events) > 0 {
		p.log(words...)
	}
}
