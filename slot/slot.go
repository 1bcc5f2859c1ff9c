// Package slot bounds how much is done at once, and not how much is waited for: whoever works has a
// slot, and gives it back for as long as it waits. The slot is carried in the context, so that
// those who wait, deep below, need not know who gave it.
//
// It must never decide who may do what: a slot is a matter of load. So whoever is told to end goes
// on without one, and work without a slot in its context is not bounded at all.
package slot

import (
	"container/list"
	"context"
	"sync"
	"time"
)

// Slots are so many slots. Those who come back from a wait are served before those who begin, so
// that what is under way comes to its end; otherwise who came first is served first.
type Slots struct {
	mu         sync.Mutex
	free       int       // below zero: so many were taken that were not there
	back, anew list.List // of chan struct{}, each closed when its slot is there
}

// New makes n slots, at least one.
func New(n int) *Slots { return &Slots{free: max(n, 1)} }

// Take waits for a slot. Whatever is done under the context that it returns has it, until done
// gives it back. An error is the end of ctx.
func (s *Slots) Take(ctx context.Context) (under context.Context, done func(), err error) {
	if err := s.take(ctx, &s.anew); err != nil {
		return ctx, nil, err
	}
	h := &held{slots: s, has: true}
	return context.WithValue(ctx, heldKey{}, h), h.giveBack, nil
}

// take waits for a slot in a queue.
func (s *Slots) take(ctx context.Context, queue *list.List) error {
	s.mu.Lock()
	if s.free > 0 && ctx.Err() == nil {
		s.free--
		s.mu.Unlock()
		return nil
	}
	mine := make(chan struct{})
	at := queue.PushBack(mine)
	s.mu.Unlock()
	select {
	case <-mine:
		return nil
	case <-ctx.Done():
	}
	s.mu.Lock()
	select {
	case <-mine: // it came at the same moment
		s.pass()
	default:
		queue.Remove(at)
	}
	s.mu.Unlock()
	return context.Cause(ctx)
}

// pass gives a slot on to whoever waits for one. Whoever calls holds mu.
func (s *Slots) pass() {
	if s.free < 0 {
		s.free++
		return
	}
	for _, queue := range []*list.List{&s.back, &s.anew} {
		if first := queue.Front(); first != nil {
			close(queue.Remove(first).(chan struct{}))
			return
		}
	}
	s.free++
}

type heldKey struct{}

// held is the slot of one piece of work, which may do several things at once: it is given back by
// the first of them that waits, and taken again when none does.
type held struct {
	slots *Slots

	mu      sync.Mutex
	has     bool
	waiting int
}

func (h *held) giveBack() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.release()
}

// release gives the slot back. Whoever calls holds mu.
func (h *held) release() {
	if !h.has {
		return
	}
	h.has = false
	h.slots.mu.Lock()
	defer h.slots.mu.Unlock()
	h.slots.pass()
}

func (h *held) leave() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.waiting++
	h.release()
}

// comeBack takes the slot again. At the end of ctx it goes on without: what is left to be done then
// is to come to rest.
func (h *held) comeBack(ctx context.Context) {
	h.mu.Lock()
	h.waiting--
	mine := h.waiting == 0 && !h.has
	h.mu.Unlock()
	if !mine || h.slots.take(ctx, &h.slots.back) != nil {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.has || h.waiting > 0 { // another part of the work was quicker, or waits again
		h.slots.mu.Lock()
		defer h.slots.mu.Unlock()
		h.slots.pass()
		return
	}
	h.has = true
}

// Away calls wait, which waits and does nothing else, and gives the slot of ctx back meanwhile.
func Away(ctx context.Context, wait func()) {
	h, _ := ctx.Value(heldKey{}).(*held)
	if h == nil {
		wait()
		return
	}
	h.leave()
	defer h.comeBack(ctx)
	wait()
}

// patience is how long something may take that is no wait yet: most questions to a file system, or
// a CA, are answered before, and a slot that was given back has to be waited for.
const patience = time.Second

// Slowly calls f, which mostly is quick: only when it has taken a second the slot of ctx is given
// back until it has ended. Then it is taken again whether there is one or not, and others wait for
// it instead: what f brings, a CA's answer, must not grow old, or be lost, in a queue.
func Slowly(ctx context.Context, f func()) {
	h, _ := ctx.Value(heldKey{}).(*held)
	if h == nil {
		f()
		return
	}
	h.slowly(f)
}

func (h *held) slowly(f func()) {
	left := make(chan struct{})
	timer := time.AfterFunc(patience, func() {
		h.leave()
		close(left)
	})
	defer func() {
		if !timer.Stop() {
			<-left
			h.insist()
		}
	}()
	f()
}

// insist takes the slot again without waiting for it.
func (h *held) insist() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.waiting--; h.waiting > 0 || h.has {
		return
	}
	h.has = true
	h.slots.mu.Lock()
	defer h.slots.mu.Unlock()
	h.slots.free--
}

// Turn lets one goroutine at a time go on. Who came first is first, whoever waits has given back
// the slot, and a wait ends with its context.
type Turn chan struct{}

// NewTurn makes a Turn that nobody has.
func NewTurn() Turn { return make(Turn, 1) }

// Take waits for the turn. An error is the end of ctx. done gives the turn back.
func (t Turn) Take(ctx context.Context) (done func(), err error) {
	select {
	case t <- struct{}{}:
		return t.done, nil
	default:
	}
	Away(ctx, func() {
		select {
		case t <- struct{}{}:
		case <-ctx.Done():
			err = context.Cause(ctx)
		}
	})
	if err != nil {
		return nil, err
	}
	return t.done, nil
}

func (t Turn) done() { <-t }
