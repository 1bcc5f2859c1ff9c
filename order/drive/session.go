package drive

// What an account has in common for all its orders stands here: the way to its CA, its row, and
// what was learnt of the CA. Any number of orders are driven at once over one session, so
// everything in it is behind its own lock, and what costs a request is asked once.

import (
	"cmp"
	"context"
	"sync"

	"orderly/acme"
	"orderly/failure"
	"orderly/ledger"
	"orderly/order"
	"orderly/slot"
)

// Session is one account at its CA, in one process. It is for any number of goroutines.
type Session struct {
	client *acme.Client
	turn   Turn // whoever reads the directory or makes the account has it
	births Turn // whoever makes an order where the CA counts what is pending has it

	mu      sync.Mutex
	row     ledger.Account // without an id while there is no account yet
	speaker *acme.Account
	key     *acme.Key
	ca      order.CA // zero until the directory was read
	// over are orders whose end is not synced yet: a power cut may take it back, and whoever goes
	// on with them then needs their keys.
	over []*ledger.Order
}

// Turn lets one order at a time go on, in the order in which they came, as slot.Turn does.
type Turn interface {
	// Take waits for the turn, which done gives back. An error is the end of ctx.
	Take(ctx context.Context) (done func(), err error)
}

// NewSession makes the session of an account. The key is nil where there is no account yet, or
// where its CA is asked nothing; then the client may be nil, too.
func NewSession(client *acme.Client, key *acme.Key, row *ledger.Account) *Session {
	s := &Session{client: client, turn: slot.NewTurn(), births: slot.NewTurn(), row: *row, key: key}
	if key != nil {
		s.speaker = client.Account(key, row.URL)
	}
	return s
}

// TakeTurns lets the orders of the session take turns at other turns than slot's, before the first of
// them: where time is simulated, nobody may wait in a way that the simulation does not see.
func (s *Session) TakeTurns(turn, births Turn) { s.turn, s.births = turn, births }

// account is the account's row as it is known here.
func (s *Session) account() ledger.Account {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.row
}

// change changes the account's row; the next commit of whoever changed it writes it.
func (s *Session) change(f func(*ledger.Account)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f(&s.row)
}

// known is what the CA's directory shows, and whether it was read.
func (s *Session) known() (order.CA, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ca, s.ca.LongestValidation > 0
}

func (s *Session) learnt(ca order.CA) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ca = ca
}

// ended keeps orders whose end is not synced yet.
func (s *Session) ended(orders ...*ledger.Order) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.over = append(s.over, orders...)
}

// takeEnded returns the orders whose end is synced with the next change that is.
func (s *Session) takeEnded() []*ledger.Order {
	s.mu.Lock()
	defer s.mu.Unlock()
	over := s.over
	s.over = nil
	return over
}

// acme is the account as it speaks to its CA, with its key.
func (s *Session) acme() (*acme.Account, *acme.Key) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.speaker, s.key
}

// adopt takes up the account of another session, which was made meanwhile.
func (s *Session) adopt(other *Session) {
	row := other.account()
	speaker, key := other.acme()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.row, s.speaker, s.key = row, speaker, key
}

// alone lets one goroutine at a time do what costs a request and is done once.
func (s *Session) alone(ctx context.Context, f func() error) error {
	done, err := s.turn.Take(ctx)
	if err != nil {
		return failure.Wrap(order.Interruption(ctx), failure.Stopped,
			"Run the same command again.", "stopped before anything was sent")
	}
	defer done()
	return f()
}

// enrol makes the account where there is none, once, and reports whether the ledger had it.
func (e *Engine) enrol(ctx context.Context, r ledger.Request) (known bool, err error) {
	err = e.session.alone(ctx, func() error {
		if known = !e.nobody(); known {
			return nil // another order was quicker
		}
		made, err := e.host.Enrol(ctx, r)
		if err != nil {
			return err
		}
		e.session.adopt(made.Session)
		known = made.Known
		return nil
	})
	return known, err
}

// learn finds out with whom the engine deals. It waits until something is really to be sent, so
// that a lineage that is refused, held or in back-off costs the CA not even the directory
// (invariant I9).
func (e *Engine) learn(ctx context.Context) error {
	return e.session.alone(ctx, func() error {
		if _, read := e.session.known(); read {
			return nil
		}
		rctx, cancel := outliving(ctx)
		defer cancel()
		server := e.Account().Server
		directory, err := e.session.client.Directory(rctx)
		if err != nil {
			remedy := cmp.Or(acme.Advice(server, err),
				"Nothing was sent that could be left behind; the next run tries again.")
			return failure.Wrap(err, acme.Unavailable(err), remedy, "the directory of %s cannot be read", server)
		}
		ca := order.HabitsOf(e.profiles.For(server, directory.Boulder), directory)
		ca.LongestValidation = cmp.Or(e.longestValidation, ca.LongestValidation)
		e.session.learnt(ca)
		return nil
	})
}
