package drive

import (
	"context"
	"errors"
	"sync"
	"time"

	"orderly/acme"
	"orderly/failure"
	"orderly/ledger"
	"orderly/order"
)

// grace is how much longer a request under way may take after a signal or a deadline: its answer is worth more than the
// second, and the process must be gone within two.
const grace = 1200 * time.Millisecond

// outliving returns a context for one request that ends a little after ctx does.
func outliving(ctx context.Context) (context.Context, context.CancelFunc) {
	inner, cancel := context.WithCancel(context.WithoutCancel(ctx))
	var timer *time.Timer
	var mu sync.Mutex
	unhook := context.AfterFunc(ctx, func() {
		mu.Lock()
		defer mu.Unlock()
		timer = time.AfterFunc(grace, cancel)
	})
	return inner, func() {
		unhook()
		mu.Lock()
		defer mu.Unlock()
		if timer != nil {
			timer.Stop()
		}
		cancel()
	}
}

// foreign reports whether a request was not sent because its URL is not the CA's own (invariant I11).
func foreign(err error) bool {
	e, ok := errors.AsType[*failure.Error](err)
	return ok && e.Class == failure.CARefused
}

// accountTrouble turns the CA's word that the account cannot be used into the error that stops everything (rule 13).
func (d *driver) accountTrouble(err error) error {
	if e, ok := errors.AsType[*failure.Error](err); ok && e.Class == failure.CARefused {
		return e // a URL of another origin: nothing was sent
	}
	p, ok := errors.AsType[*acme.Problem](err)
	if !ok {
		return nil
	}
	var names []string
	if d.o != nil {
		names = d.o.Names
	}
	if p.IsType("badPublicKey") {
		return failure.Wrap(err, failure.Account,
			"Give the account another key: "+
				failure.Do(failure.ChangeAccountKey, d.e.Account().Server, d.e.Account().KeyID)+".",
			"the CA does not accept the key of the account %s", d.e.Account().URL)
	}
	if p.IsType("userActionRequired") {
		remedy := failure.Remedy("Do what the CA asks for, and run the same command again.")
		if p.Link != "" {
			remedy = "Do what " + failure.Remedy(p.Link) + " asks for, and run the same command again."
		}
		return failure.Wrap(err, failure.Account, remedy, "the CA wants something of whoever has the account %s", d.e.Account().URL)
	}
	if order.Disowned(p, names) {
		return failure.Wrap(err, failure.Account,
			"Put the account's directory back as it was, or name another account with "+
				failure.Do(failure.OtherAccount)+". None is made anew by itself: the orders of this one would be lost.",
			"the CA does not accept the account %s", d.e.Account().URL)
	}
	return nil
}

// trouble counts a failed request and decides when the next one may be made, or that it must be left to a later run.
func (d *driver) trouble(kind string, err error) error {
	if stop := d.accountTrouble(err); stop != nil {
		return d.stop(failure.ClassOf(stop), failure.RemedyOf(stop), "%v", stop)
	}
	d.note(kind+" failed", "%s", failure.Clean(err.Error()))
	pause := d.count(kind, err)
	p, _ := errors.AsType[*acme.Problem](err)
	if d.troubles[kind] < order.MostTroubles && pause <= d.e.effort.LongestWait {
		return nil
	}
	class := failure.CAUnavailable
	if p != nil && p.Status == 429 {
		class = failure.RateLimited
	}
	if d.asked {
		d.o.NotBefore = d.notBefore()
	}
	kept := failure.Remedy("The order is kept and goes on with the next run.")
	if d.o.ID == 0 {
		kept = "Nothing was ordered; the next run tries again."
	}
	if advice := acme.Advice(d.e.Account().Server, err); advice != "" {
		kept = advice + " " + kept
	}
	return d.stop(class, kept, "%s for %s: %s", kind, d.o.Lineage,
		failure.Clean(err.Error()))
}

// count counts a failed request and plans the next one, a pause from now.
func (d *driver) count(kind string, err error) (pause time.Duration) {
	d.troubles[kind]++
	pause = time.Second << (d.troubles[kind] - 1)
	p, _ := errors.AsType[*acme.Problem](err)
	d.said(p)
	d.asked = p != nil && p.HasRetryAfter
	if d.asked {
		pause = max(p.RetryAfter, 100*time.Millisecond)
	}
	d.nextPoll = d.e.clock.Now().Add(pause)
	return pause
}

// said keeps the CA's own words, on which what is said of the order rests from here on; nil: it rests on something else. A page
// of a proxy's is no word of the CA's. A dead order keeps what it died of.
func (d *driver) said(p *acme.Problem) {
	switch {
	case d.o.State == ledger.Invalid && d.o.Problem != nil:
	case p == nil || p.Type == "" && !p.Document:
		d.o.Problem = nil
	default:
		d.o.Problem = p.Encode()
	}
}

// notBefore is NextPoll as later runs obey it.
func (d *driver) notBefore() time.Time {
	if most := d.e.clock.Now().Add(order.LongestHold); d.nextPoll.After(most) {
		return most
	}
	return d.nextPoll
}

// calm forgets earlier trouble with requests of a kind: one succeeded. That with other kinds stays: two that took turns,
// one good, one bad, would go on for ever.
func (d *driver) calm(kind string) {
	delete(d.troubles, kind)
	d.nextPoll = time.Time{}
	d.o.NotBefore = time.Time{}
	if d.o.State.Live() && !d.o.Releasing { // a dead order keeps what it died of
		d.o.Class, d.o.Sentence, d.o.Remedy, d.o.Problem = "", "", "", nil
	}
}

// progress forgets all trouble, and patience begins anew: the CA has done something.
func (d *driver) progress() {
	clear(d.troubles)
	d.calm("")
	d.polls, d.extended = 0, false
	d.patienceEnds = d.e.clock.Now().Add(d.e.effort.Patience)
}

// isNew reports whether something of the CA's is seen for the first time. Only that is progress: of two states that take
// turns, neither ever was the last one, and patience would begin anew for ever.
func (d *driver) isNew(what string) bool {
	met := d.met[what]
	d.met[what] = true
	return !met
}

// The pauses between two looks: the first one early, since most CAs are done within a fraction of a second, then doubling.
const (
	firstPause = 100 * time.Millisecond
	lastPause  = 5 * time.Second
)

// pause plans the next look. The CA's Retry-After is obeyed; 0 leaves it to us.
func (d *driver) pause(r acme.Reply) {
	pause := min(firstPause<<min(d.polls, 10), lastPause)
	if r.HasRetryAfter {
		pause = max(pause, r.RetryAfter)
		if pause > firstPause && r.RetryAfter > 0 {
			pause = r.RetryAfter
		}
	}
	d.polls++
	now := d.e.clock.Now()
	d.nextPoll = now.Add(pause)
	for _, a := range order.Unfinished(d.o) {
		// Not a moment later than the CA can be asked whether an answer of unknown fate arrived (rule 4).
		if at := a.AnswerSentAt.Add(d.e.known().LongestValidation + firstPause); !r.HasRetryAfter && at.After(now) && at.Before(d.nextPoll) {
			d.nextPoll = at
		}
	}
	if !r.HasRetryAfter || r.RetryAfter == 0 {
		return
	}
	if pause > d.e.effort.LongestWait {
		d.o.NotBefore = d.notBefore() // Next will not wait for it
	} else if limit := d.nextPoll.Add(time.Second); limit.After(d.patienceEnds) && !d.extended {
		d.patienceEnds, d.extended = limit, true // one look more, not another with each Retry-After
	}
}

// together makes one request per authorization, as many at once as nonces are at hand, and calls back in this goroutine.
func together[T any](ctx context.Context, d *driver, list []*ledger.Authorization,
	request func(context.Context, *ledger.Authorization) (T, error), done func(*ledger.Authorization, T, error)) {
	type result struct {
		value T
		err   error
	}
	results := make([]result, len(list))
	width := d.width(ctx, len(list))
	if width == 1 {
		for i, a := range list {
			value, err := request(ctx, a)
			results[i] = result{value, err}
		}
	} else {
		var group sync.WaitGroup
		turns := make(chan int)
		for range width {
			group.Go(func() {
				for i := range turns {
					value, err := request(ctx, list[i])
					results[i] = result{value, err}
				}
			})
		}
		for i := range list {
			turns <- i
		}
		close(turns)
		group.Wait()
	}
	for i, a := range list {
		done(a, results[i].value, results[i].err)
	}
}

// namesPerNonce is how many names an order must have for each nonce fetched beforehand, so that their requests can go in
// parallel: every nonce is a request of its own.
const namesPerNonce = 11

// width is how many requests may be under way at once.
func (d *driver) width(ctx context.Context, n int) int {
	most := min(max(d.e.effort.Parallel, 1), n)
	for d.e.session.client.Nonces() < min(most, n/namesPerNonce+1) && n >= namesPerNonce {
		if err := d.e.session.client.FetchNonce(ctx); err != nil {
			break // the requests themselves will tell
		}
	}
	return min(most, max(1, d.e.session.client.Nonces()))
}
