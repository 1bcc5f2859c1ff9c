package drive

// What is common to the requests of all steps: how long one may outlive a signal, how many are
// under way at once, and what is remembered of one that failed.

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"orderly/acme"
	"orderly/failure"
	"orderly/ledger"
	"orderly/order"
)

// grace is how much longer a request under way may take after a signal or a deadline: its answer is
// worth more than the second, and the process must be gone within two.
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

// foreign reports whether a request was not sent because its URL is not the CA's own (invariant
// I11).
func foreign(err error) bool {
	e, ok := errors.AsType[*failure.Error](err)
	return ok && e.Class == failure.CARefused
}

// accountTrouble is the CA's word that the account cannot be used (rule 13); nil where it did not
// say so.
func (c *core) accountTrouble(err error) error {
	return order.AccountTrouble(err, c.o.Names, c.e.Account())
}

// trouble records a failed request. Next decides whether it is sent again, and no sooner than it
// may be.
func (c *core) trouble(kind string, err error) {
	failed := &order.Trouble{Kind: kind, Cause: err, Account: c.accountTrouble(err)}
	if failed.Account == nil {
		c.note(kind+" failed", "%s", failure.Clean(err.Error()))
		failed.Pause = c.count(kind, err)
		failed.Advice = acme.Advice(c.e.Account().Server, err)
	}
	failed.Times = c.patience.troubles[kind]
	c.patience.failed = failed
}

// count counts a failed request and plans the next one, a pause from now.
func (c *core) count(kind string, err error) time.Duration {
	p, _ := errors.AsType[*acme.Problem](err)
	c.said(p)
	return c.patience.count(kind, p)
}

// said keeps the CA's own words, on which what is said of the order rests from here on; nil: it
// rests on something else. A page of a proxy's is no word of the CA's. A dead order keeps what it
// died of.
func (c *core) said(p *acme.Problem) {
	switch {
	case c.o.State == ledger.Invalid && c.o.Problem != nil:
	case p == nil || p.Type == "" && !p.Document:
		c.o.Problem = nil
	default:
		c.o.Problem = p.Encode()
	}
}

// calm forgets earlier trouble with requests of a kind: one succeeded.
func (c *core) calm(kind string) {
	c.patience.calm(kind)
	c.allIsWell()
}

// progress forgets all trouble, and patience begins anew: the CA has done something.
func (c *core) progress() {
	c.patience.progress()
	c.allIsWell()
}

// allIsWell takes back what the order says of a request that failed. A dead order keeps what it
// died of.
func (c *core) allIsWell() {
	c.o.NotBefore = time.Time{}
	if c.o.State.Live() && !c.o.Releasing {
		c.o.Reason, c.o.Problem = ledger.Reason{}, nil
	}
}

// pause records a look that showed nothing new, and when the CA may be asked again.
func (c *core) pause(r acme.Reply) {
	c.patience.pause(order.NextLook(c.o, c.e.known(), c.patience.polls, r, c.e.clock.Now()), r)
}

// together makes one request per authorization, as many at once as nonces are at hand, and calls
// back in this goroutine.
func together[T any](ctx context.Context, c *core, list []*ledger.Authorization,
	request func(context.Context, *ledger.Authorization) (T, error), done func(*ledger.Authorization, T, error)) {
	type result struct {
		value T
		err   error
	}
	results := make([]result, len(list))
	width := c.width(ctx, len(list))
	if width == 1 {
		for i, a := range list {
			value, err := request(ctx, a)
			results[i] = result{value, err}
		}
	} else {
		var group sync.WaitGroup
		var broken atomic.Pointer[any]
		turns := make(chan int)
		one := func(i int) {
			// in this goroutine it would end every other order's process
			defer func() {
				if p := recover(); p != nil {
					broken.CompareAndSwap(nil, &p)
				}
			}()
			value, err := request(ctx, list[i])
			results[i] = result{value, err}
		}
		for range width {
			group.Go(func() {
				for i := range turns {
					one(i)
				}
			})
		}
		for i := range list {
			turns <- i
		}
		close(turns)
		group.Wait()
		if p := broken.Load(); p != nil {
			panic(*p)
		}
	}
	for i, a := range list {
		done(a, results[i].value, results[i].err)
	}
}

// namesPerNonce is how many names an order must have for each nonce fetched beforehand, so that
// their requests can go in parallel: every nonce is a request of its own.
const namesPerNonce = 11

// width is how many requests may be under way at once.
func (c *core) width(ctx context.Context, n int) int {
	most := min(max(c.e.effort.Parallel, 1), n)
	for c.e.session.client.Nonces() < min(most, n/namesPerNonce+1) && n >= namesPerNonce {
		if err := c.e.session.client.FetchNonce(ctx); err != nil {
			break // the requests themselves will tell
		}
	}
	return min(most, max(1, c.e.session.client.Nonces()))
}
