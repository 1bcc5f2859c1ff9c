package sim

import (
	"context"
	"slices"
)

// claim is a lock that a worker has.
type claim struct {
	locks *locks
	key   string
}

// locks are a server's, or a process's own: they die with whoever holds them.
type locks struct {
	holders map[string]*worker
	queues  map[string][]*worker
}

func newLocks() *locks {
	return &locks{holders: map[string]*worker{}, queues: map[string][]*worker{}}
}

func (l *locks) take(p *worker, key string) {
	l.holders[key] = p
	p.held = append(p.held, claim{l, key})
}

// release hands a lock to whoever waits for it first.
func (l *locks) release(p *worker, key string) {
	at := slices.Index(p.held, claim{l, key})
	if at < 0 {
		return // the process is dead, and its locks with it
	}
	p.held = slices.Delete(p.held, at, at+1)
	delete(l.holders, key)
	if len(l.queues[key]) == 0 {
		return
	}
	heir := l.queues[key][0]
	l.leave(heir, key)
	l.take(heir, key)
	turn := heir.turn
	p.w.after(0, func() { heir.wake(turn) })
}

func (l *locks) leave(p *worker, key string) {
	l.queues[key] = slices.DeleteFunc(l.queues[key], func(o *worker) bool { return o == p })
}

// wait waits for a lock, first come first served.
func (l *locks) wait(ctx context.Context, p *worker, key string) (release func(), err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	release = func() { l.release(p, key) }
	if l.holders[key] == nil {
		l.take(p, key)
		return release, nil
	}
	p.log("waits for", key)
	l.queues[key] = append(l.queues[key], p)
	p.dozing = true
	defer l.leave(p, key) // also when it dies meanwhile
	p.suspend()
	p.dozing = false
	if l.holders[key] == p {
		return release, nil
	}
	return nil, ctx.Err()
}

// turn is what the workers of one process take turns at.
type turn struct {
	p    *process
	what string
}

// Take implements drive.Turn.
func (t turn) Take(ctx context.Context) (done func(), err error) {
	return t.p.turns.wait(ctx, t.p.at(), t.what)
}

// processLocks are the locks as one process sees them. Its workers are as strange to each other as other processes are.
type processLocks struct{ p *process }

// Lock implements order.KernelLocks.
func (v processLocks) Lock(ctx context.Context, key string) (func() error, error) {
	p := v.p.at()
	p.point("lock")
	release, err := p.s.locks.wait(ctx, p, key)
	if err != nil {
		return nil, err
	}
	return func() error { release(); return nil }, nil
}

// TryLock implements order.KernelLocks.
func (v processLocks) TryLock(key string) (func() error, bool, error) {
	p := v.p.at()
	p.point("try lock")
	if p.s.locks.holders[key] != nil {
		return nil, false, nil
	}
	p.s.locks.take(p, key)
	return func() error { p.s.locks.release(p, key); return nil }, true, nil
}
