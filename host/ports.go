package host

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"orderly/ledger"
	"orderly/solver/standalone"
	"orderly/solver/webroot"
)

// A run that proves names by a web server of its own needs a TCP port, which a pre-hook may have to
// free by stopping another web server. Two runs at once would start and stop it for each other:
// each port is held, by a kernel lock, from before the first pre-hook until the last post-hook.

// Ports are the TCP ports on which this run listens.
type Ports struct {
	Locks *Locks

	web  standalone.Server
	mu   sync.Mutex
	held map[int]func() error
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

func (p *Ports) holds(port int) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.held[port] != nil
}

func (p *Ports) hold(port int, unlock func() error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.held == nil {
		p.held = map[int]func() error{}
	}
	p.held[port] = unlock
}

// Reserve keeps the port that a request needs, if any, from other runs until the last post-hook has
// run. It waits as long as another run may need it, before anything is held that the other may
// want.
func (p *Ports) Reserve(ctx context.Context, r Request) error {
	return p.reserve(ctx, r, portPatience)
}

// reserve waits until no other run of this ledger uses the port that a request needs, and keeps it
// until the run's last post-hook has run. A request that needs none reserves nothing.
func (p *Ports) reserve(ctx context.Context, r Request, patience time.Duration) error {
	port := httpPort(r.Standalone)
	if r.Solver != StandaloneSolver || p.holds(port) {
		return nil
	}
	unlock, err := p.Locks.within(ctx, portLock(port), patience)
	if err != nil {
		return err
	}
	p.hold(port, unlock)
	return nil
}

// Reserved is reserve for an order that an earlier run left, which must not be waited for. false
// says that another run has the port.
func (p *Ports) Reserved(o *ledger.Order) (bool, error) {
	r := Read(o.Request)
	port := httpPort(r.Standalone)
	served := o.State == ledger.Creating || o.State == ledger.PendingState ||
		o.State == ledger.Invalid
	if !served || r.Solver != StandaloneSolver || p.holds(port) {
		return true, nil
	}
	unlock, free, err := p.Locks.TryLock(portLock(port))
	if err != nil || !free {
		return false, err
	}
	p.hold(port, unlock)
	return true, nil
}

// listen makes the run's own web server listen.
func (p *Ports) listen(ctx context.Context, at Standalone) error {
	if err := p.reserve(ctx, Request{Payload: Payload{Solver: StandaloneSolver, Standalone: at}},
		shortPatience); err != nil {
		return err
	}
	return p.web.Open(at.Address, httpPort(at))
}

// serve lets the run's own web server serve what preflight fetches.
func (p *Ports) serve(probe webroot.Probe) (stop func(), err error) {
	if len(p.web.Addresses()) == 0 {
		return nil, errors.New("it does not listen")
	}
	p.web.Serve(probe.Token, probe.Content)
	return func() { p.web.Withdraw(probe.Token) }, nil
}

// Rest gives the port back once no token is served any more: a preflight that refuses leaves it
// taken. The port stays reserved among runs.
func (p *Ports) Rest() { _ = p.web.Rest() } // a listener that cannot be closed ends with the process

// Close gives the port back whatever is still served.
func (p *Ports) Close() { _ = p.web.Close() } // a listener that cannot be closed ends with the process

// Free lets other runs use the ports.
func (p *Ports) Free() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for port, unlock := range p.held {
		_ = unlock() // it cannot outlive the process
		delete(p.held, port)
	}
}
