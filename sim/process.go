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

// process is one run of a command on a server: a coroutine that gives up its turn wherever time passes.
type process struct {
	w      *world
	s      *server
	name   string
	l      *lineage // the one it is at work on
	born   int64
	next   func() (struct{}, bool)
	yield  func(struct{}) bool
	turn   int  // counts suspensions, so that a wake-up meant for an earlier one is ignored
	dozing bool // what it waits for may be cut short by a signal
	dead   bool
	held   []string // keys of the locks it holds

	signalled bool
	signalAt  int64
	forced    bool
	steps     int
	nonces    int
	admission admission
	told      *caOrder // an order that the CA told it of, and that must be in the ledger before the next request
	resent    resending
	saw       witness
}

// killed is what a process that dies panics with. Nothing recovers it but the coroutine's end.
type killed struct{}

// spawn starts a process.
func (w *world) spawn(s *server, command string, body func(*process)) {
	w.result.Runs++
	p := &process{w: w, s: s, name: s.name + "/" + command + strconv.Itoa(w.result.Runs), born: w.now}
	p.next, _ = iter.Pull(func(yield func(struct{}) bool) {
		p.yield = yield
		defer p.end()
		body(p)
	})
	w.living[p] = true
	w.order = append(w.order, p)
	w.log(p.name, "", "begins")
	p.next()
}

// end is the last thing a process does, dead or alive: its locks die with it.
func (p *process) end() {
	cause := recover()
	if _, died := cause.(killed); cause != nil && !died {
		p.w.fail("panic", p.lineage(), "%v\n%s", cause, debug.Stack())
	}
	if cause == nil && p.told != nil {
		p.w.remembered(p)
	}
	if late := time.Duration(p.w.now-p.signalAt) * time.Microsecond; cause == nil && p.signalled && late > obedience {
		p.w.fail("liveness", p.lineage(), "a run goes on for %s after SIGTERM", late)
	}
	p.dead = true
	for len(p.held) > 0 {
		p.s.locks.release(p, p.held[0])
	}
	delete(p.w.living, p)
	p.w.order = slices.DeleteFunc(p.w.order, func(o *process) bool { return o == p })
	p.log("ends")
}

func (p *process) lineage() string {
	if p.l == nil {
		return ""
	}
	return p.l.name
}

func (p *process) log(words ...string) { p.w.log(p.name, p.lineage(), words...) }

// dice are those of the lineage at work, or the server's.
func (p *process) dice() *dice {
	if p.l != nil {
		return p.l.dice
	}
	return p.s.dice
}

// suspend gives the turn away until somebody calls wake with the number it returns by then.
func (p *process) suspend() {
	p.yield(struct{}{})
	p.turn++
	if p.dead {
		panic(killed{})
	}
}

// wake gives a process its turn if it still waits for what it waited for at turn.
func (p *process) wake(turn int) {
	if p.w.living[p] && p.turn == turn {
		p.next()
	}
}

// nap lets time pass that no signal cuts short.
func (p *process) nap(d time.Duration) {
	turn := p.turn
	p.w.after(max(d, 0), func() { p.wake(turn) })
	p.suspend()
}

// doze lets time pass until a signal comes.
func (p *process) doze(d time.Duration) {
	if p.signalled {
		return
	}
	p.dozing = true
	p.nap(d)
	p.dozing = false
}

// mostSteps is far more than any run needs: a driver that does not come to an end meets it.
const mostSteps = 60000

// point is a moment at which a process may die or be told to stop.
func (p *process) point(what string) {
	if p.dead {
		panic(killed{})
	}
	p.w.result.Steps++
	if p.steps++; p.steps > mostSteps {
		p.w.fail("liveness", p.lineage(), "a run does not come to an end: %s", what)
	}
	d := p.dice()
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
func (p *process) loseKey() {
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
func (p *process) signal() {
	if p.signalled {
		return
	}
	p.signalled, p.signalAt = true, p.w.now
	if p.dozing {
		turn := p.turn
		p.w.after(0, func() { p.wake(turn) })
	}
}

// crash kills a process from outside.
func (p *process) crash() {
	p.log("killed")
	p.w.result.Crashes++
	p.dead = true
	p.next()
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

// hostClock is the clock of the process's server.
type hostClock struct{ p *process }

// Now implements order.Clock.
func (c hostClock) Now() time.Time { return c.p.s.time() }

// Sleep implements order.Clock.
func (c hostClock) Sleep(ctx context.Context, d time.Duration) error {
	if ctx.Err() == nil && d > 0 {
		c.p.doze(d)
	}
	c.p.point("sleep")
	return ctx.Err()
}
