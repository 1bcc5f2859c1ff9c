package webroot

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"os"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"orderly/failure"
	"orderly/slot"
)

// Many orders may be at work on the document roots of one host, and a few file systems may keep
// silent. What one of them waits for is not held against another: the time that a file system may
// take is counted from when a helper turns to the question, and whoever had to wait hears what was
// learnt meanwhile of file systems that do not answer.

// pool holds the helpers of a writer, one for each identity, and what was learnt of file systems
// that do not answer.
type pool struct {
	mu      sync.Mutex
	births  map[who]chan struct{} // whoever starts a helper has the one of its identity
	helpers map[who]*helper
	silent  []string // mount points that did not answer
	uses    uint64
}

// who is an identity as the pool tells them apart: the run's own, or another user's.
type who struct {
	other bool
	uid   uint32
}

// mostHelpers bounds the processes of one run: each has some megabytes, and a host may have
// thousands of customers.
const mostHelpers = 8

// mostTurns bounds how often a walk changes hands: from the run's identity to one other, and no
// further.
const mostTurns = 3

// mostQueues is how many times its patience a question may wait for those before it.
const mostQueues = 4

// errBusy says that a question did not come to its turn.
var errBusy = errors.New("other document roots have kept the helper process busy for too long")

// pursuit is one question on its way through the helpers.
type pursuit struct {
	w *Writer
	// what is left of it; the time in which others are served is not taken from it
	patience time.Duration
}

// question puts q to the helper of the run's own identity, and on to those of others where one says
// so.
func (w *Writer) question(ctx context.Context, q question) (r reply, err error) {
	slot.Slowly(ctx, func() { r, err = w.pursue(ctx, q) })
	return r, err
}

func (w *Writer) pursue(ctx context.Context, q question) (reply, error) {
	patience := w.Patience
	if patience == 0 {
		patience = DefaultPatience
	}
	p := pursuit{w, patience}
	as, fd := who{}, -1
	for range mostTurns {
		r, got, err := p.put(ctx, as, q, fd)
		if fd >= 0 {
			_ = unix.Close(fd)
		}
		fd = got
		switch {
		case err != nil && ctx.Err() != nil:
			return reply{}, failure.Wrap(context.Cause(ctx), failure.Stopped, "Run the same command again.",
				"stopped while document root %s was worked on", failure.Clean(q.Root))
		case err != nil:
			return w.unanswered(q, err)
		case r.Turn == nil:
			return r, nil
		}
		as, q.Course = who{other: true, uid: r.Turn.UID}, r.Turn
	}
	if fd >= 0 {
		_ = unix.Close(fd)
	}
	return reply{}, errors.New("a walk to a document root does not come to an end")
}

// put asks the helper of an identity, which is started if there is none.
func (p *pursuit) put(ctx context.Context, as who, q question, fd int) (reply, int, error) {
	r, got, err := p.putOnce(ctx, as, q, fd)
	if errors.Is(err, errEnded) && ctx.Err() == nil {
		return p.putOnce(ctx, as, q, fd) // somebody ended it; nothing that is asked does harm twice
	}
	return r, got, err
}

func (p *pursuit) putOnce(ctx context.Context, as who, q question, fd int) (reply, int, error) {
	h, err := p.turnOf(ctx, as)
	if err != nil {
		return reply{}, -1, err
	}
	defer func() { h.turn <- struct{}{} }()
	q.Silent = p.w.pool.quiet()
	begun := time.Now()
	bounded, cancel := context.WithTimeout(ctx, p.patience)
	defer cancel()
	r, got, err := h.ask(bounded, q, fd, func(at string) {
		if p.w.Tell != nil {
			p.w.Tell("Waiting for the file system of %s.", failure.Clean(at))
		}
	})
	p.patience -= time.Since(begun)
	if err != nil || bounded.Err() != nil { // its socket's deadline may be past
		p.w.pool.drop(as, h)
	}
	return r, got, err
}

// turnOf returns a helper that answers nobody else at the moment. Its turn is to be given back.
func (p *pursuit) turnOf(ctx context.Context, as who) (*helper, error) {
	queue, cancel := context.WithTimeout(ctx, mostQueues*p.patience)
	defer cancel()
	for {
		h, err := p.w.helper(queue, as)
		if err != nil {
			return nil, err
		}
		select {
		case <-h.turn:
		case <-queue.Done():
			return nil, errBusy
		}
		if !h.gone.Load() {
			return h, nil
		}
		h.turn <- struct{}{} // given up while it was waited for
	}
}

// unanswered says why there is no answer, and remembers a file system that keeps silent.
func (w *Writer) unanswered(q question, err error) (reply, error) {
	if o, ok := errors.AsType[*obstacle](err); ok {
		return reply{Obstacle: o}, nil
	}
	if errors.Is(err, errBusy) {
		return reply{}, failure.Wrap(err, failure.WebrootLocked, "Run the same command again.",
			"document root %s was not looked at", failure.Clean(q.Root))
	}
	quiet, ok := errors.AsType[*errSilent](err)
	if !ok {
		return reply{}, failure.Wrap(err, failure.Internal, "Run the command again. Please report it if it happens twice.",
			"document root %s cannot be worked on", failure.Clean(q.Root))
	}
	mount := mountOf(quiet.at)
	if mount.point != "/" && mount.point != "" {
		w.pool.silence(mount.point)
	}
	return reply{Obstacle: &obstacle{Kind: silent, Path: quiet.at}}, nil
}

// helper returns the helper of an identity, which is started if there is none. Nobody waits for the
// start of another identity's, whose user may be in a directory service that does not answer.
func (w *Writer) helper(ctx context.Context, as who) (*helper, error) {
	if h := w.pool.find(as); h != nil {
		return h, nil
	}
	birth := w.pool.birth(as)
	select {
	case birth <- struct{}{}:
		defer func() { <-birth }()
	case <-ctx.Done():
		return nil, errBusy
	}
	if h := w.pool.find(as); h != nil {
		return h, nil
	}
	h, err := w.begin(ctx, as)
	if err == nil {
		w.pool.add(as, h)
	}
	return h, err
}

// begin starts a helper.
func (w *Writer) begin(ctx context.Context, as who) (*helper, error) {
	ctx, cancel := context.WithTimeout(ctx, DefaultPatience)
	defer cancel()
	id := identity{uid: uint32(os.Geteuid())}
	if as.other {
		id = w.identify(ctx, as.uid)
	}
	program := w.Program
	if program == "" {
		var err error
		if program, err = thisProgram(); err != nil {
			return nil, err
		}
	}
	return start(ctx, program, id)
}

func (w *Writer) identify(ctx context.Context, uid uint32) identity {
	if w.Groups == nil {
		return lookUp(ctx, uid)
	}
	id := identity{uid: uid, other: true, groups: w.Groups(ctx, uid)}
	if len(id.groups) == 0 {
		id.groups = []int{noGroup}
	}
	return id
}

// find returns the helper of an identity, nil if there is none.
func (p *pool) find(as who) *helper {
	p.mu.Lock()
	defer p.mu.Unlock()
	h := p.helpers[as]
	if h != nil {
		p.uses++
		h.used = p.uses
	}
	return h
}

func (p *pool) birth(as who) chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.births == nil {
		p.births = map[who]chan struct{}{}
	}
	if p.births[as] == nil {
		p.births[as] = make(chan struct{}, 1)
	}
	return p.births[as]
}

// add keeps a helper, and ends others if there are too many.
func (p *pool) add(as who, h *helper) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.helpers == nil {
		p.helpers = map[who]*helper{}
	}
	p.uses++
	h.used = p.uses
	p.helpers[as] = h
	p.shrink()
}

// shrink ends those helpers at rest that were not needed for the longest time, while there are too
// many. Whoever calls holds the lock.
func (p *pool) shrink() {
	oldestFirst := slices.SortedFunc(maps.Keys(p.helpers), func(a, b who) int {
		return cmp.Compare(p.helpers[a].used, p.helpers[b].used)
	})
	for _, as := range oldestFirst {
		if len(p.helpers) <= mostHelpers {
			return
		}
		h := p.helpers[as]
		select {
		case <-h.turn:
			h.end()
			delete(p.helpers, as)
			h.turn <- struct{}{}
		default: // it is at work
		}
	}
}

// drop gives a helper up that did not answer.
func (p *pool) drop(as who, h *helper) {
	h.abandon()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.helpers[as] == h {
		delete(p.helpers, as)
	}
}

func (p *pool) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for as, h := range p.helpers {
		h.end()
		delete(p.helpers, as)
	}
}

func (p *pool) quiet() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]string(nil), p.silent...)
}

func (p *pool) silence(at string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.silent = append(p.silent, at)
}
