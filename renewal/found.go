package renewal

// What logs of other clients name is asked about with the key of the account that made it, as far as
// this host has it, and nothing is asked twice within an hour: a check that was stopped goes on where
// it was.

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"time"

	"orderly/account"
	"orderly/acme"
	"orderly/failure"
	"orderly/ledger"
	"orderly/order/drive"
)

// Inquiry is what is asked about, and with which keys beside those of certbot's accounts.
type Inquiry struct {
	Rows []ledger.Found
	Keys []account.GivenKey
	// Server is the CA of the keys, by a person's word; "" where the places of the keys tell it.
	Server string
}

// Checked is what asking the CA about what was found came to.
type Checked struct {
	Asked, Pending, Final int
	// Keyless are those whose account's key is not on this host, by account.
	Keyless map[string]int
	// Unknown are the files of keys with which no CA that was asked knows an account, and these CAs.
	Unknown map[string][]string
	Errs    []error
}

// Whole reports whether everything was asked that was to be.
func (c Checked) Whole() bool { return len(c.Keyless) == 0 && len(c.Errs) == 0 }

const (
	// fresh is how long an answer of the CA's is believed.
	fresh = time.Hour
	// askers is how many questions are under way at once: Let's Encrypt admits 250 a second from one
	// address, its staging server 20.
	askers = 8
	// mostRefused is how often one account's questions may fail before its others are left.
	mostRefused = 5
)

// founds asks about what was found.
type founds struct {
	*base
	*engines
}

// Check asks the CA about what was found, and makes orders of what is pending. progress is told how
// many were asked of how many.
func (s *founds) Check(ctx context.Context, q Inquiry, progress func(done, all int)) (Checked, error) {
	out := Checked{Keyless: map[string]int{}, Unknown: map[string][]string{}}
	asked, err := s.lately(ctx)
	if err != nil {
		return out, err
	}
	var left []ledger.Found
	for _, f := range q.Rows {
		if known, ok := asked[f.URL]; ok {
			out.count(known.Status)
			continue
		}
		left = append(left, f)
	}
	holders, err := s.holders(ctx, q, &out)
	if err != nil {
		return out, err
	}
	done := 0
	step := func() { done++; progress(done, len(left)) }
	nameless, err := s.checkNamed(ctx, holders, left, &out, step)
	if err == nil {
		err = s.checkNameless(ctx, holders, nameless, &out, step)
	}
	return out, errors.Join(err, s.throwKeys(ctx))
}

// lately is what the CA was asked about within the last hour, or what it said once and for all.
func (s *founds) lately(ctx context.Context) (map[string]ledger.Found, error) {
	known := map[string]ledger.Found{}
	now := s.Clock.Now()
	rows, err := s.Ledger.Found(ctx, now)
	for _, f := range rows {
		final := f.Status != "" && f.Status != ledger.AuthorizationPending
		if final || f.Status != "" && now.Sub(f.CheckedAt) < fresh && !f.CheckedAt.After(now) {
			known[f.URL] = f
		}
	}
	return known, err
}

// count counts an answer, whenever it was given.
func (c *Checked) count(status string) {
	c.Asked++
	if status == ledger.AuthorizationPending {
		c.Pending++
	} else {
		c.Final++
	}
}

// checkNamed asks about what the logs name an account of, and returns the rest.
func (s *founds) checkNamed(ctx context.Context, holders []*holder, rows []ledger.Found, out *Checked,
	step func()) (nameless []ledger.Found, err error) {
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
		if _, err := s.ask(ctx, &inquiry{holder: h, rows: known}, out, step); err != nil {
			return nil, err
		}
	}
	nameless = of[""]
	delete(of, "")
	for account, rows := range of {
		out.Keyless[account] = len(rows)
	}
	return nameless, nil
}

// checkNameless asks about what no log names an account of, such as lego's: with the keys that were
// given, one after the other, until one's account is shown it.
func (s *founds) checkNameless(ctx context.Context, holders []*holder, rows []ledger.Found,
	out *Checked, step func()) error {
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
		strange, err := s.ask(ctx, &inquiry{holder: h, rows: there, guess: true}, out, step)
		if err != nil {
			return err
		}
		rows = append(elsewhere, strange...)
	}
	if len(rows) > 0 {
		out.Keyless[""] = len(rows)
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
	found ledger.Found
	shown drive.Shown
	err   error
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
func (s *founds) ask(ctx context.Context, q *inquiry, out *Checked, step func()) ([]ledger.Found,
	error) {
	engine, err := s.Engine(ctx, &q.account)
	if err != nil {
		return nil, err
	}
	taker := &taker{founds: s, inquiry: q, engine: engine, out: out, step: step,
		here: map[string]bool{}, stop: make(chan struct{})}
	known, err := s.Ledger.Pending(ctx, s.Clock.Now())
	if err != nil {
		return nil, err
	}
	for _, p := range known {
		taker.here[p.URL] = true
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	for a := range s.answers(ctx, engine, q.rows, taker.stop) {
		if err := taker.take(ctx, a); err != nil && taker.failed == nil {
			taker.failed = err
			cancel()
		}
	}
	if taker.failed != nil {
		return nil, taker.failed
	}
	return q.strange, context.Cause(ctx)
}

// answers asks, several questions at once. After stop no more are sent: what was not asked comes back
// without an answer.
func (s *founds) answers(ctx context.Context, engine *drive.Engine, rows []ledger.Found,
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
				shown, err := engine.Ask(ctx, f.URL)
				answers <- answered{f, shown, err}
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

// taker takes answers into the ledger.
type taker struct {
	*founds
	*inquiry
	engine  *drive.Engine
	out     *Checked
	step    func()
	here    map[string]bool // authorizations that an order of this ledger has
	stop    chan struct{}   // closed where the account is most likely the wrong one
	shown   bool            // the CA has shown it one
	refused int
	failed  error
}

// take takes one answer. What could not be asked stays as it is; too much of that ends the check.
func (t *taker) take(ctx context.Context, a answered) error {
	if t.another(a.err) {
		t.strange = append(t.strange, a.found)
		return nil
	}
	t.step()
	if a.err != nil {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		t.out.Errs = append(t.out.Errs, fmt.Errorf("%s: %w", failure.Clean(a.found.URL), a.err))
		if t.refused++; t.refused >= mostRefused {
			return failure.Wrap(a.err, failure.ClassOf(a.err),
				"Run the same command again later: it goes on where it stopped.",
				"the CA does not answer questions about authorizations")
		}
		return nil
	}
	t.shown = true
	t.out.count(a.shown.Status)
	a.found.Status, a.found.CheckedAt = a.shown.Status, t.Clock.Now()
	a.found.Account, a.found.Server = t.account.URL, t.account.Server
	if !a.shown.Expires.IsZero() {
		a.found.Expires = a.shown.Expires
	}
	change := ledger.Change{Found: []ledger.Found{a.found}}
	if !a.shown.Open() {
		return t.Ledger.Commit(context.WithoutCancel(ctx), &change)
	}
	return t.enter(ctx, a, change)
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

// enter makes an order of what is pending, unless one of this ledger has it already.
func (t *taker) enter(ctx context.Context, a answered, change ledger.Change) error {
	if t.here[a.found.URL] {
		return t.Ledger.Commit(context.WithoutCancel(ctx), &change)
	}
	kept, err := t.keep(ctx, t.holder)
	if err != nil {
		return err
	}
	defer kept()
	name := a.shown.Name
	if a.shown.Wildcard {
		name = "*." + name
	}
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
	}
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
