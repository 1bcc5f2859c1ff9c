package renewal

import (
	"context"
	"errors"
	"fmt"
	"time"

	"orderly/ledger"
	"orderly/solver/webroot"
)

// How long a run waits for another one that listens on the same port: before it holds anything that the other may want, and
// while it holds a lineage.
const (
	portPatience  = 10 * time.Minute
	shortPatience = 5 * time.Second
)

// httpPort is where the CA's request arrives.
func httpPort(at ledger.Standalone) int {
	if at.Port == 0 {
		return 80
	}
	return at.Port
}

func portLock(port int) string { return fmt.Sprintf("port:%d", port) }

// reserve waits until no other run of this ledger uses the port that a request needs, and keeps it until the run's last
// post-hook has run. A request that needs none reserves nothing.
func (s *Server) reserve(ctx context.Context, r ledger.Request, patience time.Duration) error {
	port := httpPort(r.Standalone)
	if r.Solver != ledger.StandaloneSolver || s.held[port] != nil {
		return nil
	}
	if s.hurry != nil {
		patience = min(patience, *s.hurry)
	}
	unlock, err := s.lockWithin(ctx, portLock(port), patience)
	if err != nil {
		return err
	}
	if s.held == nil {
		s.held = map[int]func() error{}
	}
	s.held[port] = unlock
	return nil
}

// reserved is reserve for an order that an earlier run left, which must not be waited for. false says that another run has
// the port.
func (s *Server) reserved(o *ledger.Order) (bool, error) {
	r, port := o.Request, httpPort(o.Request.Standalone)
	served := o.State == ledger.Creating || o.State == ledger.PendingState || o.State == ledger.Invalid
	if !served || r.Solver != ledger.StandaloneSolver || s.held[port] != nil {
		return true, nil
	}
	unlock, free, err := s.Locks.TryLock(portLock(port))
	if err != nil || !free {
		return false, err
	}
	if s.held == nil {
		s.held = map[int]func() error{}
	}
	s.held[port] = unlock
	return true, nil
}

// listen makes the run's own web server listen.
func (s *Server) listen(ctx context.Context, at ledger.Standalone) error {
	if err := s.reserve(ctx, ledger.Request{Solver: ledger.StandaloneSolver, Standalone: at}, shortPatience); err != nil {
		return err
	}
	return s.web.Open(at.Address, httpPort(at))
}

// serveProbe lets the run's own web server serve what preflight fetches.
func (s *Server) serveProbe(p webroot.Probe) (stop func(), err error) {
	if len(s.web.Addresses()) == 0 {
		return nil, errors.New("it does not listen")
	}
	s.web.Serve(p.Token, p.Content)
	return func() { s.web.Withdraw(p.Token) }, nil
}

// rest gives the port back once no token is served any more: a preflight that refuses leaves it taken. The port stays
// reserved among runs.
func (s *Server) rest() { _ = s.web.Rest() } // a listener that cannot be closed ends with the process

// stopListening gives the port back whatever is still served.
func (s *Server) stopListening() { _ = s.web.Close() } // a listener that cannot be closed ends with the process

// freePorts lets other runs use the ports.
func (s *Server) freePorts() {
	for port, unlock := range s.held {
		_ = unlock() // it cannot outlive the process
		delete(s.held, port)
	}
}
