package webroot

import (
	"context"
	"errors"
	"os"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"orderly/failure"
	"orderly/slot"
)

// Many orders may be at work on the document roots of one host, and a few file systems may keep
// silent. Whoever waits for one of them keeps no other waiting: where the helpers of an identity hang,
// another one is started (team.go), and what is on the file system that keeps them is not asked about
// until that is decided. The time that a file system may take is counted from when a helper turns to
// the question, and whoever had to wait hears what was learnt meanwhile of file systems that do not
// answer.

// pool holds the helpers of a writer, a team for each identity, and what was learnt of file systems
// that do not answer.
type pool struct {
	mu     sync.Mutex
	teams  map[who]*team
	slow   map[string]*slow // mount points that keep helpers
	silent []string         // mount points that did not answer
	uses   uint64
}

// who is an identity as the pool tells them apart: the run's own, or another user's.
type who struct {
	other bool
	uid   uint32
}

// mostHelpers bounds the processes of one run that are at rest: each has some megabytes, and a host
// may have thousands of customers.
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
		case ctx.Err() != nil && (err != nil || r.silent()):
			// What others heard when all were told to end is no verdict on the document root.
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

// silent reports whether nothing is known but that a file system does not answer.
func (r reply) silent() bool { return r.Obstacle != nil && r.Obstacle.Kind == silent }

// put asks the helper of an identity, which is started if there is none.
func (p *pursuit) put(ctx context.Context, as who, q question, fd int) (reply, int, error) {
	r, got, err := p.putOnce(ctx, as, q, fd)
	for range mostTogether { // somebody ended them; nothing that is asked does harm twice
		if !errors.Is(err, errEnded) || ctx.Err() != nil {
			break
		}
		r, got, err = p.putOnce(ctx, as, q, fd)
	}
	return r, got, err
}

func (p *pursuit) putOnce(ctx context.Context, as who, q question, fd int) (reply, int, error) {
	pool := &p.w.pool
	h, err := p.turnOf(ctx, as, q.Root)
	if err != nil {
		return reply{}, -1, err
	}
	q.Silent = pool.quiet()
	begun := time.Now()
	bounded, cancel := context.WithTimeout(ctx, p.patience)
	defer cancel()
	var watch hangs
	r, got, err := h.ask(bounded, q, fd, waits{
		at: func(at string) { watch.begin(pool, at) },
		late: func(at string) {
			if p.w.Tell != nil {
				p.w.Tell("Waiting for the file system of %s.", failure.Clean(at))
			}
		}})
	p.patience -= time.Since(begun)
	if err != nil || bounded.Err() != nil { // its socket's deadline may be past
		h.abandon()
	}
	err = p.learnt(err)
	pool.release(as, h)
	watch.end(pool)
	return r, got, err
}

// learnt remembers a file system that keeps silent, before those that wait for it go on.
func (p *pursuit) learnt(err error) error {
	if quiet, ok := errors.AsType[*errSilent](err); ok {
		if mount := mountOf(quiet.at); mount.point != "/" && mount.point != "" {
			p.w.pool.silence(mount.point)
		}
	}
	return err
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
	return reply{Obstacle: &obstacle{Kind: silent, Path: quiet.at}}, nil
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

func (p *pool) quiet() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]string(nil), p.silent...)
}

func (p *pool) silence(at string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !slices.Contains(p.silent, at) {
		p.silent = append(p.silent, at)
	}
}
