package renewal

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	"orderly/host"
	"orderly/ledger"
)

// How a round goes: in which order, what is said of each lineage, and what comes of all. With one
// job it goes through the lineages as they are listed, and says what it has to say at once.

// Progress is how far a round has come.
type Progress struct {
	Done, All        int
	UnderWay, Failed int
}

// going is a round under way.
type going struct {
	*rounds
	round Round
	views []view

	mu       sync.Mutex // held also while a lineage's block is told, so that each stands by itself
	progress Progress
	results  []*Result // by view
	busy     []int     // views that another process is at work on
	late     []int     // views whose results came in the second go
}

// all are the results, in the order of the lineages; what came last was waited for.
func (g *going) all() []Result {
	var out []Result
	for i, r := range g.results {
		if r != nil && !slices.Contains(g.late, i) {
			out = append(out, *r)
		}
	}
	for _, i := range g.late {
		if r := g.results[i]; r != nil {
			out = append(out, *r)
		}
	}
	return out
}

func (g *going) many() bool { return g.Settings.Jobs > 1 }

// over goes over the lineages without waiting for other processes, and then once more over those
// that one of them is at work on: one that hangs must not keep the others from being renewed. Who
// names a single one waits for it.
func (g *going) over(ctx context.Context) error {
	first := ctx
	if g.round.CertName == "" {
		first = host.Hurried(ctx, 0)
	}
	order := make([]int, len(g.views))
	for i := range order {
		order[i] = i
	}
	if g.many() {
		if err := g.keepAll(first); err != nil {
			return err
		}
		order = g.inOrder(ctx)
	}
	if err := g.each(first, order); err != nil {
		return err
	}
	return g.waitForBusy(ctx)
}

// keepAll answers the lineages that nothing is to be done for, which need no job.
func (g *going) keepAll(ctx context.Context) error {
	for i, v := range g.views {
		if v.lineage != nil {
			continue
		}
		if err := g.answer(ctx, i, nil); err != nil {
			return err
		}
	}
	return nil
}

// inOrder are the other lineages: what expires first comes first, and what failed last time comes
// last, unless it is urgent by now.
func (g *going) inOrder(ctx context.Context) []int {
	type rank struct {
		last    int
		expires time.Time
	}
	ranks := map[int]rank{}
	var order []int
	for i, v := range g.views {
		if v.lineage == nil {
			continue
		}
		order = append(order, i)
		ranks[i] = rank{expires: v.ends}
		if g.pressing(v.lineage) {
			continue
		}
		s, err := g.Ledger.Standing(ctx, g.host.Files.OrderName(v.lineage.Name))
		if err == nil && (s.Failures > 0 || s.Class != "") {
			ranks[i] = rank{1, v.ends}
		}
	}
	slices.SortStableFunc(order, func(a, b int) int {
		return cmp.Or(cmp.Compare(ranks[a].last, ranks[b].last), ranks[a].expires.Compare(ranks[b].expires))
	})
	return order
}

// each goes over some of the lineages, in this order.
func (g *going) each(ctx context.Context, order []int) error {
	var pieces []piece
	for _, i := range order {
		pieces = append(pieces, g.piece(i))
	}
	return crew{jobs: g.Settings.Jobs}.do(ctx, pieces)
}

// piece is the work on a lineage.
func (g *going) piece(i int) piece {
	p := piece{do: func(ctx context.Context) error { return g.lineage(ctx, i) }}
	v := g.views[i]
	if v.lineage == nil || !g.many() {
		return p
	}
	l := g.asOrdered(v.lineage)
	p.names = ledger.CanonicalNames(slices.Concat(v.lineage.Certificate.Names, l.Certificate.Names,
		v.unfinished))
	r, err := host.FromFile(l, g.round.Said)
	p.alone = err == nil && apart(r, g.round.Said) // what is wrong is said where it is renewed
	return p
}

// lineage goes on with one lineage, and tells what came of it. What it has to say is said as a
// whole where it is not the only one under way.
func (g *going) lineage(ctx context.Context, i int) error {
	if g.views[i].lineage == nil {
		return g.answer(ctx, i, nil)
	}
	ctx = host.About(ctx, g.views[i].lineage.Name)
	g.step(func(p *Progress) { p.UnderWay++ })
	defer g.step(func(p *Progress) { p.UnderWay-- })
	if !g.many() {
		return g.answer(ctx, i, nil)
	}
	b := &block{to: g.Report}
	return g.answer(host.Speaking(ctx, b), i, b)
}

// answer tells what came of a lineage.
func (g *going) answer(ctx context.Context, i int, b *block) error {
	v := g.views[i]
	if b == nil {
		g.round.looking(v.path)
	}
	result := g.resultOf(ctx, v)
	g.logResult(ctx, result)
	g.mu.Lock()
	defer g.mu.Unlock()
	if result.gone {
		g.progress.Done++
		g.tellProgress()
		return endsRound(ctx, result)
	}
	if result.Outcome == Locked && g.round.CertName == "" && !slices.Contains(g.late, i) {
		if b != nil {
			b.tell() // a warning is given once
		}
		g.Report.Tell("%s; it is left for the end of the round.", result.Sentence)
		g.busy = append(g.busy, i)
		return nil
	}
	if result.Outcome == Locked && g.round.CertName == "" {
		g.host.Hooks.Failed(result.Names)
	}
	if b != nil {
		g.round.looking(v.path)
		b.tell()
	}
	g.round.looked(result)
	g.results[i] = &result
	g.progress.Done++
	if result.Outcome == Failed { // what was stopped goes on
		g.progress.Failed++
	}
	g.tellProgress()
	return endsRound(ctx, result)
}

// resultOf is what comes of a lineage. One that panics is one that failed.
func (g *going) resultOf(ctx context.Context, v view) (result Result) {
	if v.lineage == nil {
		return g.result(ctx, v, g.round)
	}
	started := g.Clock.Now()
	defer func() { result.Started, result.Ended = started, g.Clock.Now() }()
	err := g.guarded(ctx, v.lineage.Name, func() { result = g.result(ctx, v, g.round) })
	if err != nil {
		names := v.lineage.Certificate.Names
		result = Result{Lineage: v.lineage.Name, Names: names, Path: v.lineage.Renewal.FullChain}
		result.fail(err)
		g.host.Hooks.Failed(names)
	}
	return result
}

// waitForBusy tries once more, at the end of the round, what other processes were at work on. All
// are waited for together.
func (g *going) waitForBusy(ctx context.Context) error {
	g.late = g.busy
	until := g.Clock.Now().Add(min(roundPatience, g.host.Locks.Usual()))
	var pieces []piece
	for _, i := range g.late {
		p := g.piece(i)
		do := p.do
		p.do = func(ctx context.Context) error {
			return do(host.Hurried(ctx, max(0, until.Sub(g.Clock.Now()))))
		}
		pieces = append(pieces, p)
	}
	return crew{jobs: g.Settings.Jobs}.do(ctx, pieces)
}

func (g *going) step(change func(*Progress)) {
	g.mu.Lock()
	defer g.mu.Unlock()
	change(&g.progress)
	g.tellProgress()
}

// tellProgress tells how far the round has come. Whoever calls holds mu.
func (g *going) tellProgress() {
	if g.round.Progress != nil {
		g.round.Progress(g.progress)
	}
}

// block keeps what is said of one lineage until it can be told as a whole. What is told to a person
// who watches, whom a wait is for, is told at once.
type block struct {
	to   host.Reporter
	mu   sync.Mutex
	said []func()
}

// Say implements host.Reporter.
func (b *block) Say(format string, args ...any) {
	b.keep(func() { b.to.Say(format, args...) })
}

// Tell implements host.Reporter.
func (b *block) Tell(format string, args ...any) { b.to.Tell(format, args...) }

// Warn implements host.Reporter.
func (b *block) Warn(format string, args ...any) {
	b.keep(func() { b.to.Warn(format, args...) })
}

// Under implements host.Apart: what is said under ctx stands in the same block.
func (b *block) Under(ctx context.Context) host.Reporter {
	return inBlock{b, host.Under(ctx, b.to)}
}

// inBlock is a block for what is said under one context.
type inBlock struct {
	*block
	to host.Reporter
}

// Say implements host.Reporter.
func (b inBlock) Say(format string, args ...any) {
	b.keep(func() { b.to.Say(format, args...) })
}

// Tell implements host.Reporter.
func (b inBlock) Tell(format string, args ...any) { b.to.Tell(format, args...) }

// Warn implements host.Reporter.
func (b inBlock) Warn(format string, args ...any) {
	b.keep(func() { b.to.Warn(format, args...) })
}

func (b *block) keep(f func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.said = append(b.said, f)
}

// tell tells what was kept, in order.
func (b *block) tell() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, f := range b.said {
		f()
	}
	b.said = nil
}
