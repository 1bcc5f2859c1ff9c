package renewal

// The questions: for each account what is its, several at once. Which account made it the logs tell, or,
// where they do not, its CA.

import (
	"context"
	"errors"
	"net/url"
	"sync"

	"orderly/ledger"
	"orderly/order/drive"
)

// check is one check under way.
type check struct {
	*founds
	closed    func(url string) bool // see Inquiry
	out       *Checked
	progress  func(done, all int)
	done, all int
}

// step says that one more was asked about, and that more are to be.
func (c *check) step(more int) {
	c.done++
	c.all += more
	c.progress(c.done, c.all)
}

// named asks about what the logs name an account of, and returns the rest.
func (c *check) named(ctx context.Context, holders []*holder,
	rows []ledger.Found) (nameless []ledger.Found, err error) {
	of := map[string][]ledger.Found{}
	for _, f := range rows {
		of[f.Account] = append(of[f.Account], f)
	}
	for _, h := range holders {
		known := of[h.account.URL]
		delete(of, h.account.URL)
		if len(known) == 0 {
			continue
		}
		if _, err := c.ask(ctx, &inquiry{holder: h, rows: known}); err != nil {
			return nil, err
		}
	}
	nameless = of[""]
	delete(of, "")
	for account, rows := range of {
		c.out.Keyless[account] = len(rows)
	}
	return nameless, nil
}

// nameless asks about what no log names an account of, such as lego's: with the keys that were
// given, one after the other, until one's account is shown it.
func (c *check) nameless(ctx context.Context, holders []*holder, rows []ledger.Found) error {
	for _, h := range holders {
		var there, elsewhere []ledger.Found
		for _, f := range rows {
			if h.given && sameHost(f.URL, h.account.Server) {
				there = append(there, f)
			} else {
				elsewhere = append(elsewhere, f)
			}
		}
		if len(there) == 0 {
			continue
		}
		strange, err := c.ask(ctx, &inquiry{holder: h, rows: there, guess: true})
		if err != nil {
			return err
		}
		rows = append(elsewhere, strange...)
	}
	if len(rows) > 0 {
		c.out.Keyless[""] = len(rows)
	}
	return nil
}

// sameHost reports whether two URLs lead to one server. What leads elsewhere is refused where it is
// asked; here it only says which key to try.
func sameHost(a, b string) bool {
	one, err := url.Parse(a)
	if err != nil {
		return false
	}
	other, err := url.Parse(b)
	return err == nil && one.Host == other.Host
}

// answered is what the CA said of one.
type answered struct {
	found   ledger.Found
	shown   drive.Shown
	members []string // of an order
	err     error
}

// inquiry is what one account is asked about.
type inquiry struct {
	*holder
	rows []ledger.Found
	// guess: no log says that they are this account's; strange are those that its CA says are not.
	guess   bool
	strange []ledger.Found
}

// ask asks about everything of one account, several at once, and takes each answer into the ledger as
// it comes. It returns those that the CA shows to another account alone.
func (c *check) ask(ctx context.Context, q *inquiry) ([]ledger.Found, error) {
	engine, err := c.Engine(ctx, &q.account)
	if err != nil {
		return nil, err
	}
	taker := &taker{check: c, inquiry: q, engine: engine,
		here: map[string]int64{}, stop: make(chan struct{})}
	known, err := c.Ledger.Pending(ctx, c.Clock.Now())
	if err != nil {
		return nil, err
	}
	for _, p := range known {
		taker.here[p.URL] = p.OrderID
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	for rows := q.rows; len(rows) > 0 && taker.failed == nil; rows = taker.next() {
		for a := range answers(ctx, engine, rows, taker.stop) {
			if err := taker.take(ctx, a); err != nil && taker.failed == nil {
				taker.failed = err
				cancel()
			}
		}
	}
	if taker.failed != nil {
		return nil, taker.failed
	}
	return q.strange, context.Cause(ctx)
}

// answers asks, several questions at once. After stop no more are sent: what was not asked comes back
// without an answer.
func answers(ctx context.Context, engine *drive.Engine, rows []ledger.Found,
	stop <-chan struct{}) <-chan answered {
	questions, answers := make(chan ledger.Found), make(chan answered)
	var wg sync.WaitGroup
	for range min(askers, len(rows)) {
		wg.Go(func() {
			for f := range questions {
				select {
				case <-stop:
					answers <- answered{found: f, err: errNotAsked}
					continue
				default:
				}
				a := answered{found: f}
				if isOrder(f) {
					a.members, a.err = engine.AskOrder(ctx, f.URL)
				} else {
					a.shown, a.err = engine.Ask(ctx, f.URL)
				}
				answers <- a
			}
		})
	}
	go func() {
		defer close(answers)
		defer wg.Wait()
		defer close(questions)
		for _, f := range rows {
			select {
			case questions <- f:
			case <-ctx.Done():
				return
			}
		}
	}()
	return answers
}

// errNotAsked: the account's CA has said of too many that they are another's.
var errNotAsked = errors.New("not asked")
