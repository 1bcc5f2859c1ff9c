package webroot

import (
	"context"
	"errors"
	"os"
	"sync"

	"golang.org/x/sys/unix"

	"orderly/failure"
)

// pool holds the helpers of a writer, one for each identity, and what was learnt of file systems that do not answer.
type pool struct {
	mu      sync.Mutex
	helpers map[who]*helper
	silent  []string // mount points that did not answer
	uses    uint64
}

// who is an identity as the pool tells them apart: the run's own, or another user's.
type who struct {
	other bool
	uid   uint32
}

// mostHelpers bounds the processes of one run: each has some megabytes, and a host may have thousands of customers.
const mostHelpers = 8

// mostTurns bounds how often a walk changes hands: from the run's identity to one other, and no further.
const mostTurns = 3

// question puts q to the helper of the run's own identity, and on to those of others where one says so.
func (w *Writer) question(ctx context.Context, q question) (reply, error) {
	patience := w.Patience
	if patience == 0 {
		patience = DefaultPatience
	}
	bounded, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	q.Silent = w.pool.quiet()
	as, fd := who{}, -1
	for range mostTurns {
		r, got, err := w.put(bounded, as, q, fd)
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
func (w *Writer) put(ctx context.Context, as who, q question, fd int) (reply, int, error) {
	r, got, err := w.putOnce(ctx, as, q, fd)
	if errors.Is(err, errEnded) && ctx.Err() == nil {
		return w.putOnce(ctx, as, q, fd) // somebody ended it; nothing that is asked does harm twice
	}
	return r, got, err
}

func (w *Writer) putOnce(ctx context.Context, as who, q question, fd int) (reply, int, error) {
	h, err := w.turnOf(ctx, as)
	if err != nil {
		return reply{}, -1, err
	}
	defer func() { h.turn <- struct{}{} }()
	r, got, err := h.ask(ctx, q, fd, func(at string) {
		if w.Tell != nil {
			w.Tell("Waiting for the file system of %s.", failure.Clean(at))
		}
	})
	if err != nil || ctx.Err() != nil { // its socket's deadline may be past
		w.pool.drop(as, h)
	}
	return r, got, err
}

// turnOf returns a helper that answers nobody else at the moment. Its turn is to be given back.
func (w *Writer) turnOf(ctx context.Context, as who) (*helper, error) {
	for {
		h, err := w.helper(ctx, as)
		if err != nil {
			return nil, err
		}
		select {
		case <-h.turn:
		case <-ctx.Done():
			return nil, &errSilent{at: "nothing yet"}
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

func (w *Writer) helper(ctx context.Context, as who) (*helper, error) {
	p := &w.pool
	p.mu.Lock()
	defer p.mu.Unlock()
	if h := p.helpers[as]; h != nil {
		p.uses++
		h.used = p.uses
		return h, nil
	}
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
	h, err := start(ctx, program, id)
	if err != nil {
		return nil, err
	}
	if p.helpers == nil {
		p.helpers = map[who]*helper{}
	}
	p.uses++
	h.used = p.uses
	p.helpers[as] = h
	p.shrink()
	return h, nil
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

// shrink ends the helper that was not needed for the longest time, if there are too many and it is at rest.
func (p *pool) shrink() {
	if len(p.helpers) <= mostHelpers {
		return
	}
	var oldest who
	for as, h := range p.helpers {
		if p.helpers[oldest] == nil || h.used < p.helpers[oldest].used {
			oldest = as
		}
	}
	h := p.helpers[oldest]
	select {
	case <-h.turn:
		h.end()
		delete(p.helpers, oldest)
		h.turn <- struct{}{}
	default:
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
