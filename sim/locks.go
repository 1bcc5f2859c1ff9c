package sim

import (
	"context"
	"slices"
)

// locks are a server's: they die with the process that holds them.
type locks struct {
	holders map[string]*process
	queues  map[string][]*process
}

func newLocks() *locks {
	return &locks{holders: map[string]*process{}, queues: map[string][]*process{}}
}

func (l *locks) take(p *process, key string) {
	l.holders[key] = p
	p.held = append(p.held, key)
}

// release hands a lock to whoever waits for it first.
func (l *locks) release(p *process, key string) {
	at := slices.Index(p.held, key)
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

func (l *locks) leave(p *process, key string) {
	l.queues[key] = slices.DeleteFunc(l.queues[key], func(o *process) bool { return o == p })
}

// processLocks are the locks as one process sees them.
type processLocks struct{ p *process }

// Lock implements order.KernelLocks.
func (v processLocks) Lock(ctx context.Context, key string) (func() error, error) {
	p, l := v.p, v.p.s.locks
	p.point("lock")
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if l.holders[key] == nil {
		l.take(p, key)
		return v.unlocker(key), nil
	}
	p.log("waits for", key)
	l.queues[key] = append(l.queues[key], p)
	p.dozing = true
	defer l.leave(p, key) // also when it dies meanwhile
	p.suspend()
	p.dozing = false
	if l.holders[key] == p {
		return v.unlocker(key), nil
	}
	return nil, ctx.Err()
}

// TryLock implements order.KernelLocks.
func (v processLocks) TryLock(key string) (func() error, bool, error) {
	v.p.point("try lock")
	if v.p.s.locks.holders[key] != nil {
		return nil, false, nil
	}
	v.p.s.locks.take(v.p, key)
	return v.unlocker(key), true, nil
}

func (v processLocks) unlocker(key string) func() error {
	return func() error {
		v.p.s.locks.release(v.p, key)
		return nil
	}
}
