package sim

import (
	"context"
	"iter"
	"runtime/debug"
	"slices"
	"strconv"
	"time"

	"orderly/ledger"
)

// process is one run of a command on a server. What it does at the same time, each of its workers does a part of.
type process struct {
	w       *world
	s       *server
	name    string
	born    int64
	workers []*worker // the living
	turns   *locks    // what its workers take turns at
	seen    sights
	book    *desk // made when it is needed first
	dead    bool
	refused []*lineage // for want of room, which its other workers may yet make

	signalled bool
	signalAt  int64
	forced    bool
	steps     int
	nonces    int
}

// worker is what works on one order after the other in a process: a coroutine that gives up its turn wherever time passes.
// All that workers of one process share is the process.
type worker struct {
	*process
	l      *lineage // the one it is at work on
	next   func() (struct{}, bool)
	yield  func(struct{}) bool
	turn   int  // counts suspensions, so that a wake-up meant for an earlier one is ignored
	dozing bool // what it waits for may be cut short by a signal
	held   []claim

	admission admission
	told      *caOrder // an order that the CA told it of, and that must be in the ledger before its next request
	resent    resending
	saw       witness
}

// killed is what a worker panics with when its process dies. Nothing recovers it but the coroutine's end.
type killed struct{}

// spawn starts a process.
func (w *world) spawn(s *server, command string, body func(*worker)) {
	w.result.Runs++
	c := &process{w: w, s: s, name: s.name + "/" + command + strconv.Itoa(w.result.Runs), born: w.now, turns: newLocks()}
	p := c.hire(body)
	p.log("begins")
	p.resume()
}

// hire gives a process one worker more, which begins when it is resumed.
func (c *process) hire(body func(*worker)) *worker {
	p := &worker{process: c}
	p.saw.sights = &c.seen
	p.next, _ = iter.Pull(func(yield func(struct{}) bool) {
		p.yield = yield
		defer p.end()
		if p.dead {
			panic(killed{})
		}
		body(p)
	})
	c.workers = append(c.workers, p)
	c.w.living[p] = true
	c.w.order = append(c.w.order, p)
	return p
}

// lives reports whether a process has not ended; of none it has not.
func (c *process) lives() bool { return c != nil && len(c.workers) > 0 }

// at is the worker of the process whose turn it is.
func (c *process) at() *worker {
	if p := c.w.running; p.process == c {
		return p
	}
	panic("the world calls " + c.name + " while another process has the turn")
}

// resume gives a worker the turn until it gives it back.
func (p *worker) resume() {
	before := p.w.running
	p.w.running = p
	p.next()
	p.w.running = before
}

// die ends all workers of a process.
func (c *process) die() {
	c.dead = true
	for len(c.workers) > 0 {
		c.workers[0].resume()
	}
}

// end is the last thing a worker does, dead or alive: its locks die with it, and the others if the process does.
func (p *worker) end() {
	cause := recover()
	if _, died := cause.(killed); cause != nil && !died {
		p.w.fail("panic", p.lineage(), "%v\n%s", cause, debug.Stack())
	}
	if cause != nil && p.l != nil {
		p.l.attempts = 0 // among many, most deaths are by what happens to another one
	}
	if cause == nil && p.told != nil {
		p.w.remembered(p)
	}
	if late := time.Duration(p.w.now-p.signalAt) * time.Microsecond; cause == nil && p.signalled && late > obedience {
		p.w.fail("liveness", p.lineage(), "a run goes on for %s after SIGTERM", late)
	}
	for len(p.held) > 0 {
		p.held[0].locks.release(p, p.held[0].key)
	}
	itself := func(o *worker) bool { return o == p }
	delete(p.w.living, p)
	p.w.order = slices.DeleteFunc(p.w.order, itself)
	p.workers = slices.DeleteFunc(p.workers, itself)
	p.log("ends")
	if cause != nil {
		p.die()
	}
	if len(p.workers) == 0 {
		p.over()
	}
}

// over is called when the last worker has ended. Who was refused for the room that the account's open orders take up has had a
// run only if that one lived: where each is killed before it has finished a single one of them, there cannot be any room.
func (c *process) over() {
	if !c.dead && !c.signalled {
		for _, l := range c.refused {
			l.attempts++
		}
	}
	if c.book != nil {
		c.book.abandon()
	}
}

func (p *worker) lineage() string {
	if p.l == nil {
		return ""
	}
	return p.l.name
}

func (p *worker) log(words ...string) { p.w.log(p.name, p.lineage(), words...) }

// dice are those of the lineage at work, or the server's.
func (p *worker) dice() *dice {
	if p.l != nil {
		return p.l.dice
	}
	return p.s.dice
}

// suspend gives the turn away until somebody calls wake with the number it returns by then.
func (p *worker) suspend() {
	p.yield(struct{}{})
	p.turn++
	if p.dead {
		panic(killed{})
	}
}

// wake gives a process its turn if it still waits for what it waited for at turn.
func (p *worker) wake(turn int) {
	if p.w.living[p] && p.turn == turn {
		p.resume()
	}
}

// nap lets time pass that no signal cuts short.
func (p *worker) nap(d time.Duration) {
	turn := p.turn
	p.w.after(max(d, 0), func() { p.wake(turn) })
	p.suspend()
}

// doze lets time pass until a signal comes.
func (p *worker) doze(d time.Duration) {
	if p.signalled {
		return
	}
	p.dozing = true
	p.nap(d)
	p.dozing = false
}

// mostSteps is far more than any run needs: a driver that does not come to an end meets it.
const mostSteps = 60000

// others is how long a worker may be kept by the others between any two steps.
const others = 2 * time.Millisecond

// point is a moment at which a process may die or be told to stop.
func (p *worker) point(what string) {
	if p.dead {
		panic(killed{})
	}
	p.w.result.Steps++
	if p.steps++; p.steps > mostSteps {
		p.w.fail("liveness", p.lineage(), "a run does not come to an end: %s", what)
	}
	d := p.dice()
	if len(p.workers) > 2 && d.one(2) {
		p.nap(d.between(0, others)) // one of the others may come before it
	}
	if d.strikes(kill) {
		p.log("killed at", what)
		p.w.result.Crashes++
		p.loseKey()
		p.dead = true
		panic(killed{})
	}
	if d.strikes(term) {
		p.log("SIGTERM at", what)
		p.signal()
	}
}

// loseKey sometimes loses the keys of a lineage's open orders when a process dies.
func (p *worker) loseKey() {
	if p.l == nil || !p.dice().strikes(keyLoss) {
		return
	}
	for _, o := range p.s.book.Peek(ledger.OrderFilter{Unsettled: true, Lineage: p.l.name}) {
		if p.s.keys.files[o.Key.Path] != nil {
			delete(p.s.keys.files, o.Key.Path)
			p.s.lost[o.ID] = true
			p.l.trouble = p.w.time().Add(day) // an order that was issued in vain has a back-off
			p.log("the key is lost of order", strconv.FormatInt(o.ID, 10))
		}
	}
}

// signal is SIGTERM.
func (p *worker) signal() {
	if p.signalled {
		return
	}
	p.signalled, p.signalAt = true, p.w.now
	for _, q := range p.workers {
		if turn := q.turn; q.dozing {
			p.w.after(0, func() { q.wake(turn) })
		}
	}
}

// crash kills a process from outside.
func (c *process) crash() {
	c.w.log(c.name, "", "killed")
	c.w.result.Crashes++
	c.die()
}

// runContext ends with the process's signal. It has no channel, so that nothing waits for it in real time: the engine asks
// it, and whatever waits in virtual time is woken.
type runContext struct{ p *process }

var _ context.Context = runContext{}

// Deadline implements context.Context.
func (runContext) Deadline() (deadline time.Time, ok bool) { return time.Time{}, false }

// Done implements context.Context.
func (runContext) Done() <-chan struct{} { return nil }

// Err implements context.Context.
func (c runContext) Err() error {
	if c.p.signalled {
		return context.Canceled
	}
	return nil
}

// Value implements context.Context.
func (runContext) Value(any) any { return nil }

// hostClock is the clock of the process's server, on which each of its workers sleeps by itself.
type hostClock struct{ p *process }

// Now implements order.Clock.
func (c hostClock) Now() time.Time { return c.p.s.time() }

// Sleep implements order.Clock.
func (c hostClock) Sleep(ctx context.Context, d time.Duration) error {
	if ctx.Err() == nil && d > 0 {
		c.p.at().doze(d)
	}
	c.p.at().point("sleep")
	return ctx.Err()
}
