package webroot

import (
	"context"
	"slices"
	"time"
)

// The helpers of one identity. Mostly there is one, which answers in a blink whatever many orders ask
// at once. Only while all of them hang another one is started.

// team is the helpers of one identity.
type team struct {
	birth chan struct{} // whoever starts a helper has it
	free  chan *helper  // those at rest
	all   []*helper     // guarded by the pool's mutex, as are the following
	freed time.Time     // when one of them came to rest
	used  uint64        // when one of them was asked last, counted by the pool
}

const (
	// mostTogether bounds the helpers of one identity.
	mostTogether = 8
	// blink is more than helpers need for what does not hang, and than they wait before they say where
	// they are: what the others are about to ask is known then to hang as well.
	blink = quietly + quietly/2
)

// turnOf returns a helper that answers nobody else at the moment; it is to be released.
func (p *pursuit) turnOf(ctx context.Context, as who, root string) (*helper, error) {
	queue, cancel := context.WithTimeout(ctx, mostQueues*p.patience)
	defer cancel()
	pool := &p.w.pool
	for {
		h, err := p.atRest(queue, as)
		if err != nil {
			return nil, err
		}
		over := pool.keeps(root) // it may have been found while a helper was waited for
		if over == nil {
			return h, nil
		}
		pool.release(as, h)
		select {
		case <-over:
		case <-queue.Done():
			return nil, errBusy
		}
	}
}

// atRest waits for a helper that answers nobody at the moment, and starts one if none is there, or if
// all of them hang.
func (p *pursuit) atRest(queue context.Context, as who) (*helper, error) {
	pool := &p.w.pool
	t := pool.team(as)
	crowded := time.NewTicker(blink)
	defer crowded.Stop()
	for {
		seen, birth := pool.wanting(t)
		select {
		case h := <-t.free:
			if !pool.gone(as, h) {
				return h, nil
			}
		case birth <- struct{}{}:
			h, err := p.more(queue, as, t, seen)
			if h != nil || err != nil {
				return h, err
			}
		case <-crowded.C:
		case <-queue.Done():
			return nil, errBusy
		}
	}
}

// more starts a helper, unless somebody else did since so many were seen.
func (p *pursuit) more(ctx context.Context, as who, t *team, seen int) (*helper, error) {
	defer func() { <-t.birth }()
	if now, _ := p.w.pool.wanting(t); now != seen {
		return nil, nil
	}
	h, err := p.w.begin(ctx, as)
	if err == nil {
		p.w.pool.add(t, h)
	}
	return h, err
}

// team returns the team of an identity.
func (p *pool) team(as who) *team {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.teams == nil {
		p.teams = map[who]*team{}
	}
	t := p.teams[as]
	if t == nil {
		t = &team{birth: make(chan struct{}, 1), free: make(chan *helper, mostTogether)}
		p.teams[as] = t
	}
	p.uses++
	t.used = p.uses
	return t
}

// wanting is how many helpers a team has, and where another one may be started: nil while there are
// enough.
func (p *pool) wanting(t *team) (seen int, birth chan<- struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	seen = len(t.all)
	if seen == 0 || seen < mostTogether && len(t.free) == 0 && time.Since(t.freed) > blink {
		birth = t.birth
	}
	return seen, birth
}

// add takes up a helper that was started, and ends others if there are too many.
func (p *pool) add(t *team, h *helper) {
	p.mu.Lock()
	defer p.mu.Unlock()
	t.all = append(t.all, h)
	t.freed = time.Now() // it is given its time before another one is started
	p.shrink()
}

// shrink ends helpers at rest, of the teams first that were not needed for the longest time, while
// there are too many. Whoever calls holds the lock.
func (p *pool) shrink() {
	for p.count() > mostHelpers {
		var oldest *team
		for _, t := range p.teams {
			if len(t.free) > 0 && (oldest == nil || t.used < oldest.used) {
				oldest = t
			}
		}
		if oldest == nil {
			return // all are at work
		}
		select {
		case h := <-oldest.free:
			h.end()
			oldest.lose(h)
		default: // somebody was quicker
		}
	}
}

// count is how many helpers there are. Whoever calls holds the lock.
func (p *pool) count() (n int) {
	for _, t := range p.teams {
		n += len(t.all)
	}
	return n
}

// lose forgets a helper. Whoever calls holds the pool's lock.
func (t *team) lose(h *helper) {
	t.all = slices.DeleteFunc(t.all, func(o *helper) bool { return o == h })
}

// gone reports whether a helper at rest was ended, and forgets it then.
func (p *pool) gone(as who, h *helper) bool {
	if !h.gone.Load() {
		return false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.teams[as].lose(h)
	return true
}

// release gives a helper back, or up if it was ended.
func (p *pool) release(as who, h *helper) {
	p.mu.Lock()
	defer p.mu.Unlock()
	t := p.teams[as]
	if h.gone.Load() {
		t.lose(h)
		return
	}
	t.freed = time.Now()
	t.free <- h // it has room for all
	p.shrink()
}

// close ends all helpers; those at work are given up when they are released.
func (p *pool) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, t := range p.teams {
		for _, h := range t.all {
			h.end()
		}
	}
}

// slow is a file system that keeps helpers.
type slow struct {
	helpers int
	over    chan struct{} // closed when one of them is free of it
}

// mostKept is how many helpers of all one file system may keep: one that is slow is asked several
// questions at once, and one that hangs leaves others for what does not.
const mostKept = 3

// keeps says whether the file system of a path, as the kernel lists it, keeps helpers enough: the path
// would only keep another one. What it returns is closed when that may be over; nil if it does not.
func (p *pool) keeps(path string) <-chan struct{} {
	p.mu.Lock()
	some := len(p.slow) > 0
	p.mu.Unlock()
	if !some {
		return nil
	}
	point := mountOf(path).point
	p.mu.Lock()
	defer p.mu.Unlock()
	if s := p.slow[point]; s != nil && s.helpers >= mostKept {
		return s.over
	}
	return nil
}

// hangs is a question that takes long.
type hangs struct{ point string }

// begin notes which file system keeps the helper. The host's own is not noted: nothing else would be
// asked of it any more.
func (h *hangs) begin(p *pool, at string) {
	if h.point != "" {
		return
	}
	if h.point = mountOf(at).point; h.point == "" || h.point == "/" {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.slow == nil {
		p.slow = map[string]*slow{}
	}
	if p.slow[h.point] == nil {
		p.slow[h.point] = &slow{over: make(chan struct{})}
	}
	p.slow[h.point].helpers++
}

// end lets those go on that wait for it.
func (h *hangs) end(p *pool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.slow[h.point]
	if s == nil {
		return
	}
	close(s.over)
	s.over = make(chan struct{})
	if s.helpers--; s.helpers == 0 {
		delete(p.slow, h.point)
	}
}
