package renewal

// The answers: each is in the ledger before the next is taken, and what is pending is an order.

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"orderly/acme"
	"orderly/failure"
	"orderly/host"
	"orderly/ledger"
	"orderly/order/drive"
)

// taker takes answers into the ledger.
type taker struct {
	*check
	*inquiry
	engine            *drive.Engine
	more              []ledger.Found   // what the orders that were asked for have
	here              map[string]int64 // orders of this ledger, by their authorizations
	stop              chan struct{}    // closed where the account is most likely the wrong one
	shown             bool             // the CA has shown it one
	refused, disowned int
	failed            error
}

// take takes one answer. What could not be asked stays as it is; too much of that ends the check.
func (t *taker) take(ctx context.Context, a answered) error {
	if t.another(a.err) {
		t.strange = append(t.strange, a.found)
		return nil
	}
	if a.err != nil {
		t.step(0)
		return t.unanswered(ctx, a)
	}
	t.shown = true
	if isOrder(a.found) {
		return t.takeOrder(ctx, a)
	}
	t.step(0)
	a.found.Status, a.found.CheckedAt = a.shown.Status, t.Clock.Now()
	a.found.Account, a.found.Server = t.account.URL, t.account.Server
	if !a.shown.Expires.IsZero() {
		a.found.Expires = a.shown.Expires
	}
	if a.shown.Name != "" {
		a.found.Name = fullName(a.shown)
	}
	t.out.count(a.found)
	change := ledger.Change{Found: []ledger.Found{a.found}}
	if !a.shown.Open() {
		return t.settle(ctx, a, change)
	}
	return t.enter(ctx, a, change)
}

// unanswered is what could not be asked, or was answered by a refusal. Where the CA as a whole does not
// answer, the check ends; where it refuses the account, the account's part of it. A URL that leads
// elsewhere, or to something else, is a log's word, and ends nothing: a forged one could, else.
func (t *taker) unanswered(ctx context.Context, a answered) error {
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.Is(a.err, errNotAsked):
		return nil // why was said with those that were
	}
	t.out.Errs = append(t.out.Errs, fmt.Errorf("%s: %w", failure.Clean(a.found.URL), a.err))
	p, answer := errors.AsType[*acme.Problem](a.err)
	lost, _ := errors.AsType[*acme.Lost](a.err)
	switch {
	case lost != nil && lost.Reply.Status != 0:
		return nil // it shows something else
	case answer && p.IsType("unauthorized"):
		if t.disowned++; t.disowned == mostRefused && !t.shown {
			close(t.stop)
			t.out.Errs = append(t.out.Errs, fmt.Errorf(
				"the CA refuses the account %s: what is left of it was not asked about", t.account.URL))
		}
		return nil
	case answer && p.Status < 500 && p.Status != http.StatusTooManyRequests,
		failure.ClassOf(a.err) == failure.CARefused:
		return nil
	}
	if t.refused++; t.refused >= mostRefused {
		return failure.Wrap(a.err, failure.ClassOf(a.err),
			"Run the same command again later: it goes on where it stopped.",
			"the CA does not answer questions about authorizations")
	}
	return nil
}

// takeOrder takes what an order has beside what the logs name: it is found as well, in the commit that
// says the order was asked for, so that a check which is stopped goes on with it.
func (t *taker) takeOrder(ctx context.Context, a answered) error {
	t.out.Orders++
	t.out.Said[a.found.URL] = true
	before := len(t.more)
	for _, url := range a.members {
		if t.closed != nil && t.closed(url) || t.known(url) {
			continue
		}
		f := a.found
		f.URL, f.Name, f.Account, f.Server = url, "", t.account.URL, t.account.Server
		t.more = append(t.more, f)
	}
	t.step(len(t.more) - before)
	a.found.Status, a.found.CheckedAt = "closed", t.Clock.Now()
	if len(a.members) == 0 {
		a.found.Status = drive.Unknown // every order has some
	}
	rows := append(slices.Clone(t.more), a.found)
	return t.Ledger.Commit(context.WithoutCancel(ctx), &ledger.Change{Found: rows})
}

// known reports whether an authorization is asked about without its order.
func (t *taker) known(url string) bool {
	same := func(f ledger.Found) bool { return f.URL == url }
	return slices.ContainsFunc(t.rows, same) || slices.ContainsFunc(t.more, same)
}

// next is what is to be asked about beside what was.
func (t *taker) next() []ledger.Found {
	rows := t.more
	t.more = nil
	return rows
}

// another reports whether the CA says that an authorization is none of the account that was guessed.
func (t *taker) another(err error) bool {
	if !t.guess || err == nil {
		return false
	}
	p, ok := errors.AsType[*acme.Problem](err)
	if !errors.Is(err, errNotAsked) && !(ok && p.IsType("unauthorized")) {
		return false
	}
	if len(t.strange)+1 == mostRefused && !t.shown {
		close(t.stop)
	}
	return true
}

// settle takes what is not pending any more, and ends the order that was made of it while it was: the
// other client went on with it. One that another process is at work on is left to that.
func (t *taker) settle(ctx context.Context, a answered, change ledger.Change) error {
	id := t.here[a.found.URL]
	if id == 0 {
		return t.Ledger.Commit(context.WithoutCancel(ctx), &change)
	}
	err := t.engine.Leave(host.Hurried(ctx, 0), id, a.shown, change)
	if failure.ClassOf(err) == failure.Locked {
		return nil
	}
	return err
}

// enter makes an order of what is pending, unless one of this ledger has it already.
func (t *taker) enter(ctx context.Context, a answered, change ledger.Change) error {
	if t.here[a.found.URL] != 0 {
		return t.Ledger.Commit(context.WithoutCancel(ctx), &change)
	}
	kept, err := t.keep(ctx, t.holder)
	if err != nil {
		return err
	}
	defer kept()
	name := fullName(a.shown)
	r := t.request(name)
	r.Server, r.Account, r.NamesOnly = t.account.Server, t.account.ID, true
	one := &ledger.Authorization{URL: a.found.URL, Name: a.shown.Name, Wildcard: a.shown.Wildcard,
		Status: ledger.AuthorizationPending, Expires: a.shown.Expires}
	for n := 1; ; n++ {
		r.Lineage = fmt.Sprintf("%s%s/%d", drive.FoundPrefix, strings.ReplaceAll(name, "*", "wildcard"), n)
		_, err := t.engine.Enter(ctx, r, []*ledger.Authorization{one}, change)
		if !errors.Is(err, ledger.ErrLive) {
			return err
		}
		if there, err := t.entered(ctx, r.Lineage, one.URL); err != nil {
			return err
		} else if there {
			return t.Ledger.Commit(context.WithoutCancel(ctx), &change)
		}
	}
}

// entered reports whether an order of this lineage has an authorization: another check, at the same
// time, may have been shown it as well.
func (t *taker) entered(ctx context.Context, lineage, url string) (bool, error) {
	orders, err := t.Ledger.Orders(ctx, ledger.OrderFilter{Lineage: lineage, Unsettled: true})
	return slices.ContainsFunc(orders, func(o *ledger.Order) bool {
		return slices.ContainsFunc(o.Authorizations, func(a *ledger.Authorization) bool {
			return a.URL == url
		})
	}), err
}

// fullName is the name that an authorization is for, a wildcard's with its star.
func fullName(s drive.Shown) string {
	if s.Wildcard {
		return "*." + s.Name
	}
	return s.Name
}

// request is how a name is proven on this host: as the certificate that has it is, if one has. Without
// one nothing here can answer for it.
func (s *founds) request(name string) ledger.Request {
	names := []string{name}
	r, known := s.host.Files.Way(name)
	if !known {
		r = newRequest("", names, "", "")
	}
	filed := r.Filed()
	filed.Names, filed.New, filed.Replaces, filed.CSR = names, false, "", nil
	return filed
}
