package renewal

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"

	"orderly/failure"
	"orderly/host"
	"orderly/ledger"
	"orderly/parts"
	"orderly/slot"
)

// Many certificates are worked on at once. What one of them comes to is its own: an error or a
// panic is its result, and no other's.

// piece is what is done for one certificate.
type piece struct {
	// Pieces that share one of these take turns, in the order in which they come (rule 8): an order
	// for a name that another one is about would be answered twice at a CA that reuses
	// authorizations.
	names []string
	// It stops a server, needs a port, or asks a person's hooks: one at a time, after all others.
	alone bool
	// do does it. An error is one that the others would only repeat: nothing more is begun.
	do func(context.Context) error
}

// crew does pieces, so many at once.
type crew struct {
	jobs int
}

// mostWaiting is how many pieces may be under way for each job, and fewestWaiting how many in any case:
// one that waits holds no slot, but memory, and at the CA an order.
const (
	mostWaiting   = 25
	fewestWaiting = 200
)

// do does the pieces, and returns the first error that ended the round. What is under way then
// comes to rest by itself. With one job everything happens in order.
func (c crew) do(ctx context.Context, all []piece) error {
	if c.jobs <= 1 {
		for _, p := range all {
			if err := p.do(ctx); err != nil {
				return err
			}
		}
		return nil
	}
	var alone []piece
	var together []piece
	for _, p := range all {
		if p.alone {
			alone = append(alone, p)
		} else {
			together = append(together, p)
		}
	}
	g := &gang{slots: slot.New(c.jobs), under: make(chan struct{}, max(mostWaiting*c.jobs, fewestWaiting))}
	for _, chain := range chains(together) {
		if !g.begin(ctx, chain) {
			break
		}
	}
	g.group.Wait()
	if len(alone) > 0 {
		g.begin(ctx, alone)
		g.group.Wait()
	}
	if err := g.ended(); err != nil {
		return err
	}
	if broken := g.broken.Load(); broken != nil {
		return *broken
	}
	return stoppedOr(ctx, nil)
}

// gang is what is under way.
type gang struct {
	slots *slot.Slots
	under chan struct{} // an element for each chain
	group sync.WaitGroup
	end   atomic.Pointer[error]
	// broken is the first panic that no piece made its own result.
	broken atomic.Pointer[error]
}

// ended is the error that ended the round, nil while it goes on.
func (g *gang) ended() error {
	if err := g.end.Load(); err != nil {
		return *err
	}
	return nil
}

// begin begins pieces that take turns, when there is a slot for the first of them. false says that
// nothing more is to begin.
func (g *gang) begin(ctx context.Context, chain []piece) bool {
	select {
	case g.under <- struct{}{}:
	case <-ctx.Done():
		return false
	}
	under, done, err := g.slots.Take(ctx)
	if err != nil || g.ended() != nil {
		if err == nil {
			done()
		}
		<-g.under
		return false
	}
	g.group.Go(func() {
		defer func() { <-g.under }()
		g.take(under, done, chain[0])
		for _, p := range chain[1:] {
			under, done, err := g.slots.Take(ctx)
			if err != nil {
				return
			}
			g.take(under, done, p)
		}
	})
	return true
}

// take does one piece with its slot. A panic, which would end the process and every other piece with
// it, is told when all are done.
func (g *gang) take(ctx context.Context, done func(), p piece) {
	defer done()
	defer func() {
		if value := recover(); value != nil {
			var err error = failure.New(failure.Internal,
				"Run the command again: what was begun goes on. Please report this.",
				"a defect of Orderly ended the work on one certificate: %s",
				failure.Clean(fmt.Sprint(value)))
			g.broken.CompareAndSwap(nil, &err)
		}
	}()
	if g.ended() != nil {
		return
	}
	if err := p.do(ctx); err != nil {
		g.end.CompareAndSwap(nil, &err)
	}
}

// chains are the pieces that share a name, in order, each chain where its first piece was.
func chains(all []piece) [][]piece {
	chainOf := map[string]int{} // by name
	leads := make([]int, len(all))
	root := func(i int) int {
		for leads[i] != i {
			i = leads[i]
		}
		return i
	}
	for i, p := range all {
		leads[i] = i
		for _, name := range p.names {
			if first, taken := chainOf[name]; taken {
				a, b := root(first), root(i)
				leads[max(a, b)] = min(a, b) // the earliest one leads
			} else {
				chainOf[name] = i
			}
		}
	}
	var out [][]piece
	at := map[int]int{}
	for i, p := range all {
		lead := root(i)
		if _, begun := at[lead]; !begun {
			at[lead] = len(out)
			out = append(out, nil)
		}
		out[at[lead]] = append(out[at[lead]], p)
	}
	return out
}

// guarded calls f, and makes a panic of it an error that is this certificate's alone.
func (s *base) guarded(ctx context.Context, lineage string, f func()) (err error) {
	defer func() {
		broken := recover()
		if broken == nil {
			return
		}
		s.Log.Error("a panic", "lineage", lineage, "panic", fmt.Sprint(broken), "stack", parts.StackOf(broken))
		err = failure.New(failure.Internal,
			"Please report it, with what the log says. The next run goes on with what was begun.",
			"something that must not happen did while %s was worked on: %s", lineage,
			failure.Clean(fmt.Sprint(broken)))
		event := ledger.Event{At: s.Clock.Now(), RunID: s.run.ID, Lineage: lineage, Kind: "panic",
			Detail: failure.Clean(fmt.Sprint(broken))}
		if lost := s.Ledger.Commit(context.WithoutCancel(ctx),
			&ledger.Change{Events: []ledger.Event{event}}); lost != nil {
			s.Log.Error("it is not in the ledger", "why", lost.Error())
		}
	}()
	f()
	return nil
}

// whole does something under a context in which whatever is said is kept, and told when it is done, by
// whoever has the turn. With one job it is told at once.
func (s *base) whole(ctx context.Context, turn *sync.Mutex, do func(context.Context)) {
	if s.Settings.Jobs <= 1 {
		do(ctx)
		return
	}
	b := &block{to: s.Report}
	do(host.Speaking(ctx, b))
	turn.Lock()
	defer turn.Unlock()
	b.tell()
}

// apart reports whether a certificate is worked on by itself, after all others: a pre-hook of its
// own stops what they need, a port is there once, and hooks by which a person proves names were
// written for one at a time. A pre-hook that was said for the whole round is run before its first.
func apart(r host.Request, round host.Said) bool {
	return r.Solver == host.StandaloneSolver || r.Solver == host.ManualSolver ||
		r.Hooks.Pre != "" && r.Hooks.Pre != round.Hooks.Pre.Is()
}
