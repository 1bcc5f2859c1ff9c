package zone

import (
	"context"
	"sync"
	"time"
)

// What one name has found out, all others use; what one is finding out, all others wait for. Zones
// can need each other (the servers of x are named in y, and those of y in x), so whoever would wait
// for himself, through however many others, is told so instead.

// task is one line of questions: it waits for one thing at a time.
type task struct {
	*Asker
	ctx     context.Context
	began   time.Time
	depth   int // names of servers that are looked for to find servers
	waiting *work
}

func (a *Asker) task(ctx context.Context) *task {
	return &task{Asker: a, ctx: ctx, began: a.config.Now()}
}

// late reports whether a line of questions has taken longer than one name may: whoever owns zones can
// write aliases and servers that lead from one silent server to the next.
func (t *task) late() bool { return t.config.Now().Sub(t.began) > perName }

// work is something that a task is finding out.
type work struct {
	owner *task
	done  chan struct{}
}

// memory is what was found out, and by whom it is being found out.
type memory[V any] struct {
	mu    *sync.Mutex
	items map[string]*item[V]
}

type item[V any] struct {
	work
	value V
}

func newMemory[V any](mu *sync.Mutex) memory[V] {
	return memory[V]{mu: mu, items: map[string]*item[V]{}}
}

// known returns what was found out.
func (m memory[V]) known(key string) (value V, ok bool) {
	m.mu.Lock()
	it, ok := m.items[key]
	m.mu.Unlock()
	if !ok {
		return value, false
	}
	select {
	case <-it.done:
		return it.value, true
	default:
		return value, false
	}
}

// get returns what is known of key, and finds it out where nobody has. It reports false where that
// would wait for itself, or the context is over.
func (m memory[V]) get(t *task, key string, find func() V) (value V, ok bool) {
	m.mu.Lock()
	it, ok := m.items[key]
	if !ok {
		it = &item[V]{work: work{owner: t, done: make(chan struct{})}}
		m.items[key] = it
		m.mu.Unlock()
		defer close(it.done)
		it.value = find()
		return it.value, true
	}
	select {
	case <-it.done:
		m.mu.Unlock()
		return it.value, true
	default:
	}
	if t.waitsForItself(&it.work) {
		m.mu.Unlock()
		return value, false
	}
	t.waiting = &it.work
	m.mu.Unlock()
	defer func() { m.mu.Lock(); t.waiting = nil; m.mu.Unlock() }()
	select {
	case <-it.done:
		return it.value, true
	case <-t.ctx.Done():
		return value, false
	}
}

// waitsForItself reports whether what a task is about to wait for waits for the task; the lock is
// held.
func (t *task) waitsForItself(on *work) bool {
	for on != nil {
		if on.owner == t {
			select {
			case <-on.done: // found out since
				return false
			default:
				return true
			}
		}
		on = on.owner.waiting
	}
	return false
}
