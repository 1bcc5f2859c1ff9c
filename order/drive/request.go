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

// accountTrouble is the CA's word that the account cannot be used (rule 13); nil where it did not say so.
func (d *driver) accountTrouble(err error) error {
	var names []string
	if d.o != nil {
		names = d.o.Names
	}
	return order.AccountTrouble(err, names, d.e.Account())
}

// trouble records a failed request. Next decides whether it is sent again, and no sooner than it may be.
func (d *driver) trouble(kind string, err error) error {
	failed := &order.Trouble{Kind: kind, Cause: err, Account: d.accountTrouble(err)}
	if failed.Account == nil {
		d.note(kind+" failed", "%s", failure.Clean(err.Error()))
		failed.Pause = d.count(kind, err)
		failed.Advice = acme.Advice(d.e.Account().Server, err)
	}
	failed.Times = d.troubles[kind]
	d.failed = failed
	return nil
}

// count counts a failed request and plans the next one, a pause from now.
func (d *driver) count(kind string, err error) (pause time.Duration) {
	d.troubles[kind]++
	p, _ := errors.AsType[*acme.Problem](err)
	d.said(p)
	d.asked = p != nil && p.HasRetryAfter
	pause = order.PauseAfter(d.troubles[kind], p)
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

// calm forgets earlier trouble with requests of a kind: one succeeded. That with other kinds stays: two that took turns,
// one good, one bad, would go on for ever.
func (d *driver) calm(kind string) {
	delete(d.troubles, kind)
	if d.failed != nil && d.failed.Kind == kind {
		d.failed = nil
	}
	d.nextPoll, d.asked = time.Time{}, false
	d.o.NotBefore = time.Time{}
	if d.o.State.Live() && !d.o.Releasing { // a dead order keeps what it died of
		d.o.Class, d.o.Sentence, d.o.Remedy, d.o.Problem = "", "", "", nil
	}
}

// progress forgets all trouble, and patience begins anew: the CA has done something.
func (d *driver) progress() {
	clear(d.troubles)
	d.failed = nil
	d.calm("")
	d.polls, d.overtime = 0, false
	d.patienceEnds = d.e.clock.Now().Add(d.e.effort.Patience)
}

// isNew reports whether something of the CA's is seen for the first time. Only that is progress: of two states that take
// turns, neither ever was the last one, and patience would begin anew for ever.
func (d *driver) isNew(what string) bool {
	met := d.met[what]
	d.met[what] = true
	return !met
}

// pause records a look that showed nothing new, and when the CA may be asked again.
func (d *driver) pause(r acme.Reply) {
	d.nextPoll = order.NextLook(d.o, d.e.known(), d.polls, r, d.e.clock.Now())
	d.asked = r.HasRetryAfter && r.RetryAfter > 0
	d.polls++
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
