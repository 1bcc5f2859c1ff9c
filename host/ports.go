package host

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"orderly/ledger"
	"orderly/slot"
	"orderly/solver/standalone"
	"orderly/solver/webroot"
)

// A run that proves names by a web server of its own needs a TCP port, which a pre-hook may have to
// free by stopping another web server. Two runs at once would start and stop it for each other:
// each port is held, by a kernel lock, from before the first pre-hook until the last post-hook.

// Ports are the TCP ports on which this run listens.
type Ports struct {
	Locks *Locks

	web      standalone.Server
	mu       sync.Mutex
	reserved map[int]func() error // by port: what gives it back to other runs
	turns    slot.Turns           // of the orders of this run that wait for another run
}

// How long a run waits for another one that listens on the same port: before it holds anything that
// the other may want, and while it holds a lineage.
const (
	portPatience  = 10 * time.Minute
	shortPatience = 5 * time.Second
)

// httpPort is where the CA's request arrives.
func httpPort(at Standalone) int {
	if at.Port == 0 {
		return 80
	}
	return at.Port
}

func portLock(port int) string { return fmt.Sprintf("port:%d", port) }

// tryReserve reports whether this run has a port among runs, and takes it where it is free. It is
// one step: of two orders that come at once, neither finds the other's lock in its way.
func (p *Ports) tryReserve(port int) (bool, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.reserved[port] != nil {
		return true, nil
	}
	unlock, free, err := p.Locks.TryLock(portLock(port))
	if free {
		p.keep(port, unlock)
	}
	return free, err
}

// keep notes that this run has a port. Whoever calls holds mu.
func (p *Ports) keep(port int, unlock func() error) {
	if p.reserved == nil {
		p.reserved = map[int]func() error{}
	}
	p.reserved[port] = unlock
}

// Reserve keeps the port that a request needs, if any, from other runs until the last post-hook has
// run. It waits as long as another run may need it, before anything is held that the other may
// want.
func (p *Ports) Reserve(ctx context.Context, r Request) error {
	return p.reserve(ctx, r, portPatience)
}

// reserve waits until no other run of this ledger uses the port that a request needs, and keeps it
// until the run's last post-hook has run. A request that needs none reserves nothing. One order of
// this run waits for the other run; those behind it find the port reserved.
func (p *Ports) reserve(ctx context.Context, r Request, most time.Duration) error {
	if r.Solver != StandaloneSolver {
		return nil
	}
	port := httpPort(r.Standalone)
	if free, _ := p.tryReserve(port); free { // an error comes again, and is explained
		return nil
	}
	bounded, cancel := context.WithTimeout(ctx, patience(ctx, most))
	defer cancel()
	if done, err := p.turns.Take(bounded, portLock(port)); err == nil {
		defer done()
	}
	if free, _ := p.tryReserve(port); free {
		return nil
	}
	deadline, _ := bounded.Deadline()
	unlock, err := p.Locks.within(ctx, portLock(port), max(time.Until(deadline), 0))
	if err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.keep(port, unlock)
	return nil
}

// Reserved is reserve for an order that an earlier run left, which must not be waited for. false
// says that another run has the port.
func (p *Ports) Reserved(o *ledger.Order) (bool, error) {
	r := Read(o.Request)
	served := o.State == ledger.Creating || o.State == ledger.PendingState ||
		o.State == ledger.Invalid
	if !served || r.Solver != StandaloneSolver {
		return true, nil
	}
	return p.tryReserve(httpPort(r.Standalone))
}

// listen makes the run's own web server listen for a lineage's order.
func (p *Ports) listen(ctx context.Context, lineage string, at Standalone) error {
	if err := p.reserve(ctx, Request{Payload: Payload{Solver: StandaloneSolver, Standalone: at}},
		shortPatience); err != nil {
		return err
	}
	return p.web.Open(lineage, standalone.Place{Address: at.Address, Port: httpPort(at)})
}

// serve lets the run's own web server serve what preflight fetches for a lineage's order.
func (p *Ports) serve(lineage string, probe webroot.Probe) (stop func(), err error) {
	if !p.web.Listens(lineage) {
		return nil, errors.New("it does not listen")
	}
	p.web.Serve(lineage, probe.Token, probe.Content)
	return func() { p.web.Withdraw(lineage, probe.Token) }, nil
}

// Rest gives the port back once no token of a lineage's order is served any more, and no other
// order needs it: a preflight that refuses leaves it taken. The port stays reserved among runs.
func (p *Ports) Rest(lineage string) {
	_ = p.web.Rest(lineage) // a listener that cannot be closed ends with the process
}

// Close gives the port back whatever is still served.
// a listener that cannot be closed ends with the process
func (p *Ports) Close() { _ = p.web.Close() }

// Free lets other runs use the ports.
func (p *Ports) Free() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for port, unlock := range p.reserved {
		_ = unlock() // it cannot outlive the process
		delete(p.reserved, port)
	}
}
