package renewal

// What logs of other clients name is asked about with the key of the account that made it, as far as
// this host has it, and nothing is asked twice within an hour: a check that was stopped goes on where
// it was.

import (
	"context"
	"errors"
	"slices"
	"time"

	"orderly/account"
	"orderly/ledger"
	"orderly/order/drive"
)

// Inquiry is what is asked about, and with which keys beside those of certbot's accounts.
type Inquiry struct {
	Rows []ledger.Found // an order's, whose authorizations are asked about, has its URL as Order as well
	// Closed says of an authorization that the logs show it final.
	Closed func(url string) bool
	Keys   []account.GivenKey
	// Server is the CA of the keys, by a person's word; "" where the places of the keys tell it.
	Server string
}

// Checked is what asking the CA about what was found came to.
type Checked struct {
	Asked, Pending, Final int
	Orders                int // that were asked for what the logs do not name of them
	// Said is what was answered, by URL; Held are those that are pending.
	Said map[string]bool
	Held []ledger.Found
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
	out := Checked{Said: map[string]bool{}, Keyless: map[string]int{}, Unknown: map[string][]string{}}
	asked, err := s.lately(ctx)
	if err != nil {
		return out, err
	}
	left := append(asked.left(q.Rows, &out), asked.overtaken(q)...)
	holders, err := s.holders(ctx, q, &out)
	if err != nil {
		return out, err
	}
	c := &check{founds: s, closed: q.Closed, out: &out, progress: progress, all: len(left)}
	nameless, err := c.named(ctx, holders, left)
	if err == nil {
		err = c.nameless(ctx, holders, nameless)
	}
	return out, errors.Join(err, s.throwKeys(ctx))
}

// isOrder reports whether it is an order that was found, of which the logs do not name everything.
func isOrder(f ledger.Found) bool { return f.URL == f.Order }

// answeredLately is what the CA has said before.
type answeredLately struct {
	by map[string]ledger.Found // URL
	// members are what orders have; not all was asked about where the check was stopped.
	members map[string][]ledger.Found
	// held are those of which an order of this ledger was made that is unfinished.
	held []ledger.Found
}

// overtaken are those of which an order of this ledger is unfinished though the logs show them final by
// now, and name them as open no more: the other client went on with them. What the CA says of them is
// asked, whenever it was last.
func (l answeredLately) overtaken(q Inquiry) []ledger.Found {
	named := map[string]bool{}
	for _, f := range q.Rows {
		named[f.URL] = true
	}
	return slices.DeleteFunc(l.held, func(f ledger.Found) bool {
		return named[f.URL] || q.Closed == nil || !q.Closed(f.URL)
	})
}

// lately is what the CA was asked about within the last hour, or what it said once and for all. What
// it held pending then, and an order of this ledger has ended since, is asked about again.
func (s *founds) lately(ctx context.Context) (answeredLately, error) {
	known := answeredLately{by: map[string]ledger.Found{}, members: map[string][]ledger.Found{}}
	now := s.Clock.Now()
	rows, err := s.Ledger.Found(ctx, now)
	if err != nil {
		return known, err
	}
	pending, err := s.Ledger.Pending(ctx, now)
	here := map[string]bool{}
	for _, p := range pending {
		here[p.URL] = true
	}
	for _, f := range rows {
		if f.Order != "" && !isOrder(f) {
			known.members[f.Order] = append(known.members[f.Order], f)
		}
		final := f.Status != "" && f.Status != ledger.AuthorizationPending && f.Status != drive.Unknown
		young := now.Sub(f.CheckedAt) < fresh && !f.CheckedAt.After(now)
		if final || f.Status != "" && young && here[f.URL] {
			known.by[f.URL] = f
		}
		if f.Status == ledger.AuthorizationPending && here[f.URL] {
			known.held = append(known.held, f)
		}
	}
	return known, err
}

// count counts an answer, whenever it was given.
func (c *Checked) count(f ledger.Found) {
	c.Asked++
	c.Said[f.URL] = true
	if f.Status == ledger.AuthorizationPending {
		c.Pending++
		c.Held = append(c.Held, f)
	} else {
		c.Final++
	}
}

// left is what remains to be asked about, after what was answered is counted.
func (l answeredLately) left(rows []ledger.Found, out *Checked) []ledger.Found {
	named := map[string]bool{}
	for _, f := range rows {
		named[f.URL] = true
	}
	var left []ledger.Found
	rows = slices.Clip(rows)
	for i := 0; i < len(rows); i++ {
		f := rows[i]
		known, ok := l.by[f.URL]
		switch {
		case ok && isOrder(f):
			out.Orders++
			out.Said[f.URL] = true
			for _, member := range l.members[f.URL] {
				if !named[member.URL] {
					rows = append(rows, member)
				}
			}
		case ok:
			out.count(known)
		default:
			left = append(left, f)
		}
	}
	return left
}
