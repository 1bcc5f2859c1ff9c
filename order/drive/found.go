package drive

// What another client left open, and its logs name, is found out by asking the CA, one question for
// each authorization. What the CA shows pending becomes an order of this ledger that is only to make
// its names valid: its own order is the other client's, may be dead by now, and is not asked for.

import (
	"context"
	"fmt"
	"time"

	"orderly/failure"
	"orderly/ledger"
	"orderly/order"
	"orderly/outside"
)

// Shown is what the CA says of an authorization.
type Shown struct {
	Status   string // Unknown where the CA knows no such authorization
	Name     string
	Wildcard bool
	Expires  time.Time
}

// Unknown is the status of what the CA does not know. It proves nothing for good: a CA's copies may
// not have it yet.
const Unknown = "unknown"

// Open reports whether the CA holds it pending.
func (s Shown) Open() bool { return s.Status == ledger.AuthorizationPending }

// Ask asks the CA for one authorization of the account. A URL of another origin than the directory's is
// refused before anything is sent.
func (e *Engine) Ask(ctx context.Context, url string) (Shown, error) {
	rctx, cancel := outliving(ctx)
	defer cancel()
	reply, err := e.acme().Authorization(rctx, url)
	if gone(err) {
		return Shown{Status: Unknown}, nil
	}
	if err == nil {
		err = unclearAuthorization(reply)
	}
	if _, isName := outside.Name(reply.Name); err == nil && !isName { // nothing could be proven for that
		err = fmt.Errorf("the CA shows the authorization for what is %s", failure.Clean(reply.Name))
	}
	if err != nil {
		return Shown{}, err
	}
	return Shown{reply.Status, reply.Name, reply.Wildcard, reply.Expires}, nil
}

// AskOrder asks the CA for the authorizations of an order of the account, as Ask does; none where the
// CA knows no such order.
func (e *Engine) AskOrder(ctx context.Context, url string) ([]string, error) {
	rctx, cancel := outliving(ctx)
	defer cancel()
	o, err := e.acme().Order(rctx, url)
	if gone(err) {
		return nil, nil
	}
	return o.Authorizations, err
}

// FoundPrefix begins the lineage of an order made of what was found, which no lineage on disk can be
// called. Its name and a number follow.
const FoundPrefix = "found/"

// Enter makes an order of authorizations that the CA has just shown pending, for a request that says how
// their names are proven here. beside is written in the same commit.
func (e *Engine) Enter(ctx context.Context, r ledger.Request, open []*ledger.Authorization,
	beside ledger.Change) (*ledger.Order, error) {
	now := e.clock.Now()
	o := &ledger.Order{
		AccountID: e.Account().ID, Lineage: r.Lineage, Names: ledger.CanonicalNames(r.Names), Request: r,
		State: ledger.PendingState, CAStatus: ledger.AuthorizationPending, Superseded: true,
		CreatedAt: now, UpdatedAt: now, CreateSends: 1, Authorizations: open,
		Reason: ledger.Reason{Sentence: "another client left it, and its logs name it"},
	}
	for _, a := range open {
		a.SeenAt = now
		if a.Expires.After(o.Expires) {
			o.Expires = a.Expires
		}
	}
	row := e.Account()
	beside.Account, beside.Orders = &row, []*ledger.Order{o}
	beside.Events = append(beside.Events, ledger.Event{At: now, RunID: e.run.ID, Of: o, Kind: "found in logs",
		Detail: open[0].URL})
	return o, e.store.Commit(context.WithoutCancel(ctx), &beside)
}

// Leave ends an order made of what was found, whose authorization the CA has just shown past pending:
// the other client went on with it. One that was worked on here, or of which the CA says nothing that is
// final, is left as it is. beside is written in the same commit, or else alone. The error is of class
// Locked where another process is at work on the order.
func (e *Engine) Leave(ctx context.Context, id int64, shown Shown, beside ledger.Change) error {
	commit := func() error { return e.store.Commit(context.WithoutCancel(ctx), &beside) }
	o, err := e.store.Order(ctx, id)
	if err != nil {
		return err
	}
	_, release, err := e.lock(ctx, order.LineageLock(o.Lineage), o.Lineage)
	if err != nil {
		return err
	}
	defer release()
	if o, err = e.store.Order(ctx, id); err != nil {
		return err
	}
	state, final := left(shown.Status)
	if !final || !o.SettledAt.IsZero() || !untouched(o) {
		return commit()
	}
	now := e.clock.Now()
	a := o.Authorizations[0]
	a.Status, a.SeenAt = shown.Status, now
	o.State, o.SettledAt, o.UpdatedAt = state, now, now
	o.Reason = ledger.Because("", "", "the other client went on with it: the CA shows it "+shown.Status)
	beside.Orders = []*ledger.Order{o}
	beside.Events = append(beside.Events, ledger.Event{At: now, RunID: e.run.ID, Of: o,
		Kind: "left to its client", Detail: shown.Status})
	return commit()
}

// left is what an order made of what was found has come to, by its authorization's status.
func left(status string) (state ledger.State, final bool) {
	switch status {
	case "valid":
		return ledger.Ready, true
	case "invalid":
		return ledger.Invalid, true
	case "deactivated", "revoked":
		return ledger.ReleasedState, true
	case "expired":
		return ledger.ExpiredState, true
	}
	return "", false
}

// untouched reports whether nothing was done here for an order that was made of what was found.
func untouched(o *ledger.Order) bool {
	if !o.Request.NamesOnly || o.Releasing || len(o.Authorizations) != 1 {
		return false
	}
	a := o.Authorizations[0]
	return a.Placement == "" && a.AnswerSentAt.IsZero()
}
