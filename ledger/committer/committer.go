// Package committer gathers what is written at the same time into one transaction, so that many
// orders share one sync. It knows neither SQL nor records: it hands one transaction from change to
// change, and tells each what became of it. It must never report a change as durable before the
// transaction is, never wait for company, and never let one change's error, panic or ended context
// decide about another.
package committer

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Whoever commits is a member. The first one leads: it opens a transaction, takes with it whoever
// waits by then, lets each write in turn, in the member's own goroutine (a panic stays its own),
// and commits. Those that come meanwhile wait, and the first of them leads next. Alone, a member does
// all of it by itself, without another goroutine.
//
// The transaction is opened before the batch is taken: while another process is in the way, members
// still wait, and each may leave with its context.

// Tx is a transaction of a database, with at most one savepoint in it.
type Tx interface {
	// Savepoint marks the place to which RollBackTo goes back; Release forgets it.
	Savepoint() error
	Release() error
	RollBackTo() error
	// Commit makes it durable. When it returns an error, nothing of the transaction is there or
	// will be: the changes are written once more, each by itself.
	Commit() error
	// Rollback ends it without a trace, whatever state an error left it in.
	Rollback()
}

// Change is what one caller wants to have written.
type Change[T Tx] interface {
	// Write writes it. An error is the change's own if it concerns nothing but the change and leaves
	// the transaction as good as it was, once it is rolled back to before the change. Any other may
	// have ended the transaction. It is called again where a batch failed.
	Write(tx T) (own bool, err error)
	// Synced reports whether Commit is to return only when the change outlives a power cut. Others
	// share such a transaction where one is to be made anyway.
	Synced() bool
	// Undo takes back what Write gave to the caller's records, since nothing of it is durable.
	Undo()
}

// errBroken ends a batch in which a Write did not return.
var errBroken = errors.New("a change could not be written to its end")

// ErrBusy is what the error of a Begin wraps when another writer was in its way for as long as any
// is waited for. Whoever waited as long behind it is told so too, and not after a time of its own.
var ErrBusy = errors.New("another writer was in the way")

// Committer gathers changes. Make it with New.
type Committer[T Tx] struct {
	begin func(ctx context.Context, synced bool) (T, error)

	mu      sync.Mutex
	waiting []*member[T] // in the order in which they came; a leader without a transaction is first
	leader  *member[T]   // opens a transaction or leads a batch; nil while nobody commits
	joined  int
}

// New returns a committer. begin opens a transaction, one whose Commit syncs where that is asked
// for, and waits for other writers as long as its context lasts; what it returns does not end with
// that context.
func New[T Tx](begin func(ctx context.Context, synced bool) (T, error)) *Committer[T] {
	return &Committer[T]{begin: begin}
}

// member is one call of Commit.
type member[T Tx] struct {
	change Change[T]
	number int         // of those that joined
	alone  bool        // its batch failed: it is written by itself
	next   chan step   // what its goroutine does next; two are under way at most, one of them again
	batch  *batch[T]   // that took it
	own    bool        // err is the change's own
	err    error       // of its last Write, then what Commit answers
	broken bool        // its Write did not return, but panicked or ended its goroutine
	rearm  atomic.Bool // again is under way; a second one would fill next and block whoever sends it
}

// step is what a member's goroutine is asked to do.
type step int

const (
	lead  step = iota // open a transaction for those that wait
	write             // write into the batch's transaction
	again             // wait again, since the batch failed
	told              // what became of it is known
)

// brief is how long a change whose batch failed still waits after its context ended. It had stopped
// to count with the context's end.
const brief = 50 * time.Millisecond

// Commit writes a change and returns when it is durable, or with its error. The context ends the
// wait for other writers alone; then nothing is written, and the answer is the context's cause.
func (c *Committer[T]) Commit(ctx context.Context, change Change[T]) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	m := &member[T]{change: change, next: make(chan step, 2)}
	c.join(m)
	ended := ctx.Done()
	for {
		select {
		case next := <-m.next:
			switch next {
			case lead:
				c.lead(ctx, m)
			case write:
				m.write()
			case again:
				m.rearm.Store(false)
				late, cancel := patient(ctx)
				defer cancel()
				ctx, ended = late, late.Done()
			case told:
				return m.err
			}
		case <-ended:
			if c.leave(m) {
				return context.Cause(ctx)
			}
			ended = nil // a batch took it: it is told what became of it
		}
	}
}

// patient is a context that ends a little after another, and with its cause.
func patient(ctx context.Context) (context.Context, func()) {
	late, end := context.WithCancelCause(context.WithoutCancel(ctx))
	over := context.AfterFunc(ctx, func() {
		time.AfterFunc(brief, func() { end(context.Cause(ctx)) })
	})
	return late, func() { over(); end(nil) }
}

func (c *Committer[T]) join(m *member[T]) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.joined++
	m.number = c.joined
	c.waiting = append(c.waiting, m)
	if c.leader == nil {
		c.pass()
	}
}

// pass makes the first of those that wait the leader.
func (c *Committer[T]) pass() {
	if c.leader = nil; len(c.waiting) > 0 {
		c.leader = c.waiting[0]
		c.leader.next <- lead
	}
}

// leave takes a member out of those that wait, and reports whether it was still among them.
func (c *Committer[T]) leave(m *member[T]) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	i := slices.Index(c.waiting, m)
	if i < 0 {
		return false
	}
	c.waiting = slices.Delete(c.waiting, i, i+1)
	if c.leader == m {
		c.pass()
	}
	return true
}

// lead opens a transaction, and commits what waits by then.
func (c *Committer[T]) lead(ctx context.Context, m *member[T]) {
	var b *batch[T]
	var failed []*member[T]
	returned := false
	defer func() {
		switch {
		case b == nil:
			c.leave(m) // where begin panicked
			return
		case !returned: // a panic, which is the leader's own
			m.broken = true
			failed = b.fail()
		}
		c.requeue(failed)
	}()
	before := c.yield()
	synced := c.synced()
	tx, err := c.begin(ctx, synced)
	if err != nil {
		c.refuse(m, before, err)
		return
	}
	b = c.take(tx, synced)
	failed = b.run()
	returned = true
}

// yield lets whoever can run go first, for as long as one of them joins, and returns the number of
// the last one that did. It waits for nobody: where nothing else can run it returns at once. Of
// many orders in one process several are about to commit when one is, and would each have a sync of
// their own on a disk that is fast.
func (c *Committer[T]) yield() int {
	for joined := c.number(); ; {
		runtime.Gosched()
		now := c.number()
		if now == joined {
			return now
		}
		joined = now
	}
}

// number is that of the last one that joined.
func (c *Committer[T]) number() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.joined
}

// refuse tells a leader that it got no transaction, and if that was for want of more patience, also
// those that joined when it began, since they had the same.
func (c *Committer[T]) refuse(m *member[T], before int, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	busy := errors.Is(err, ErrBusy)
	c.waiting = slices.DeleteFunc(c.waiting, func(one *member[T]) bool {
		if one != m && (!busy || one.number > before) {
			return false
		}
		one.err = err
		one.next <- told
		return true
	})
	c.pass()
}

// synced reports whether one of those that wait is to be synced.
func (c *Committer[T]) synced() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.ContainsFunc(c.waiting, func(m *member[T]) bool { return m.change.Synced() })
}

// take makes a batch of those that wait, up to the first that the transaction is not good enough
// for: it came while that was opened. One whose batch failed is one by itself.
func (c *Committer[T]) take(tx T, synced bool) *batch[T] {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := 1
	for !c.waiting[0].alone && n < len(c.waiting) && !c.waiting[n].alone &&
		(synced || !c.waiting[n].change.Synced()) {
		n++
	}
	b := &batch[T]{tx: tx, leader: c.waiting[0], members: slices.Clone(c.waiting[:n]),
		wrote: make(chan struct{}, 1)}
	c.waiting = slices.Delete(c.waiting, 0, n)
	return b
}

// requeue lets those whose batch failed wait once more, before all others, and passes the lead on.
func (c *Committer[T]) requeue(failed []*member[T]) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.waiting = append(failed, c.waiting...)
	for _, m := range failed {
		if m.rearm.CompareAndSwap(false, true) {
			m.next <- again
		}
	}
	c.pass()
}
