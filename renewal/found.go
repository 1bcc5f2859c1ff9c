package renewal

// What logs of other clients name is asked about with the key of the account that made it, as far as
// this host has it, and nothing is asked twice within an hour: a check that was stopped goes on where
// it was.

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"orderly/certbot"
	"orderly/failure"
	"orderly/ledger"
	"orderly/order/drive"
)

// Checked is what asking the CA about what was found came to.
type Checked struct {
	Asked, Pending, Final int
	// Keyless are those whose account's key is not on this host, by account.
	Keyless map[string]int
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

// group is what belongs to one account.
type group struct {
	account *certbot.Account
	rows    []ledger.Found
}

// Check asks the CA about what was found, and makes orders of what is pending. progress is told how
// many were asked of how many.
func (s *founds) Check(ctx context.Context, rows []ledger.Found,
	progress func(done, all int)) (Checked, error) {
	out := Checked{Keyless: map[string]int{}}
	asked, err := s.lately(ctx)
	if err != nil {
		return out, err
	}
	var left []ledger.Found
	for _, f := range rows {
		if known, ok := asked[f.URL]; ok {
			out.count(known.Status)
			continue
		}
		left = append(left, f)
	}
	groups, err := s.grouped(left, &out)
	if err != nil {
		return out, err
	}
	all, done := 0, 0
	for _, g := range groups {
		all += len(g.rows)
	}
	for _, g := range groups {
		if err := s.checkGroup(ctx, g, &out, func() { done++; progress(done, all) }); err != nil {
			return out, err
		}
	}
	return out, nil
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

// grouped finds the account of each: one that this host has the key of, at the directory that its own
// directory on disk names. What a log says of a directory is not followed.
func (s *founds) grouped(rows []ledger.Found, out *Checked) ([]*group, error) {
	servers, err := (&rebuilds{s.base, s.engines}).servers()
	if err != nil {
		return nil, err
	}
	byURL := map[string]*group{}
	var groups []*group
	for _, server := range servers {
		accounts, err := s.Disk.Accounts().At(server)
		if err != nil {
			return nil, err
		}
		for _, a := range accounts {
			if byURL[a.URL] == nil {
				byURL[a.URL] = &group{account: &a}
				groups = append(groups, byURL[a.URL])
			}
		}
	}
	for _, f := range rows {
		if g := byURL[f.Account]; g != nil {
			g.rows = append(g.rows, f)
		} else {
			out.Keyless[f.Account]++
		}
	}
	return slices.DeleteFunc(groups, func(g *group) bool { return len(g.rows) == 0 }), nil
}

// answered is what the CA said of one.
type answered struct {
	found ledger.Found
	shown drive.Shown
	err   error
}

// checkGroup asks about everything of one account, several at once, and takes each answer into the
// ledger as it comes.
func (s *founds) checkGroup(ctx context.Context, g *group, out *Checked, step func()) error {
	engine, err := s.Engine(ctx, g.account)
	if err != nil {
		return err
	}
	taker := &taker{founds: s, engine: engine, account: g.account, out: out, here: map[string]bool{}}
	known, err := s.Ledger.Pending(ctx, s.Clock.Now())
	if err != nil {
		return err
	}
	for _, p := range known {
		taker.here[p.URL] = true
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	questions, answers := make(chan ledger.Found), make(chan answered)
	var wg sync.WaitGroup
	for range min(askers, len(g.rows)) {
		wg.Go(func() {
			for f := range questions {
				shown, err := engine.Ask(ctx, f.URL)
				answers <- answered{f, shown, err}
			}
		})
	}
	go func() {
		defer close(answers)
		defer wg.Wait()
		defer close(questions)
		for _, f := range g.rows {
			select {
			case questions <- f:
			case <-ctx.Done():
				return
			}
		}
	}()
	for a := range answers {
		if err := taker.take(ctx, a); err != nil && taker.failed == nil {
			taker.failed = err
			cancel()
		}
		step()
	}
	if taker.failed != nil {
		return taker.failed
	}
	return context.Cause(ctx)
}

// taker takes answers into the ledger.
type taker struct {
	*founds
	engine  *drive.Engine
	account *certbot.Account
	out     *Checked
	here    map[string]bool // authorizations that an order of this ledger has
	refused int
	failed  error
}

// take takes one answer. What could not be asked stays as it is; too much of that ends the check.
func (t *taker) take(ctx context.Context, a answered) error {
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
	t.out.count(a.shown.Status)
	a.found.Status, a.found.CheckedAt = a.shown.Status, t.Clock.Now()
	if !a.shown.Expires.IsZero() {
		a.found.Expires = a.shown.Expires
	}
	change := ledger.Change{Found: []ledger.Found{a.found}}
	if !a.shown.Open() {
		return t.Ledger.Commit(context.WithoutCancel(ctx), &change)
	}
	return t.enter(ctx, a, change)
}

// enter makes an order of what is pending, unless one of this ledger has it already.
func (t *taker) enter(ctx context.Context, a answered, change ledger.Change) error {
	if t.here[a.found.URL] {
		return t.Ledger.Commit(context.WithoutCancel(ctx), &change)
	}
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
