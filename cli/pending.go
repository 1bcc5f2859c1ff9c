package cli

// pending answers what ACME cannot: which authorizations are open, and what becomes of each. It
// looks at the ledger alone.

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"orderly/cli/argparse"
	"orderly/failure"
	"orderly/ledger"
)

type pendingView struct {
	ledger.Pending
	Expires *time.Time `json:"expires"` // null where nobody knows
	Age     float64    `json:"age_seconds"`
	Next    string     `json:"next"`
}

func newPending(env Env, p *printer) *cobra.Command {
	f := &places{}
	c := &cobra.Command{
		Use:   "pending",
		Short: "List the authorizations that are open at the CA, and what happens to each next",
		Long: "List every authorization of this ledger's orders that is not final: its order, name, age and\n" +
			"expiry, and what happens next. A phantom is an order that the CA may have made although its\n" +
			"answer was lost; it is listed until it has certainly expired.",
		Args: argparse.NoArguments,
		RunE: func(c *cobra.Command, _ []string) error { return f.pending(c.Context(), env, p) },
	}
	f.add(c.Flags())
	c.AddCommand(newDrain(env, p), newRelease(env, p), newScan(env, p))
	return c
}

func (f *places) pending(ctx context.Context, env Env, p *printer) error {
	s, there, err := f.listed(ctx, env, p)
	if err != nil {
		return err
	}
	defer func() { _ = s.close() }() // nothing was written
	now := time.Now()
	views := []pendingView{}
	if there {
		list, err := s.ledger.Pending(ctx, now)
		if err != nil {
			return err
		}
		for _, one := range list {
			o := s.narrow(ctx, &one)
			views = append(views, pendingView{one, known(one.Expires), seconds(now.Sub(one.Since)),
				p.pasted(nextOf(one, o, now))})
		}
		found, err := s.found(ctx, now)
		if err != nil {
			return err
		}
		views = append(views, found...)
	}
	if p.json {
		p.print(struct {
			Version int           `json:"version"`
			Pending []pendingView `json:"pending"`
		}{1, views})
		return nil
	}
	printPending(p, views)
	return nil
}

// found is what logs name and no CA was asked about yet.
func (s *session) found(ctx context.Context, now time.Time) ([]pendingView, error) {
	rows, err := s.ledger.Found(ctx, now)
	var views []pendingView
	for _, f := range rows {
		if f.Status != "" {
			continue // final, or an order of this ledger
		}
		one := ledger.Pending{State: foundState, Names: strings.Split(f.Name, ","), URL: f.URL,
			Since: f.FoundAt, Expires: f.Expires}
		views = append(views, pendingView{one, known(f.Expires), seconds(now.Sub(f.FoundAt)),
			s.p.pasted(askedBy(f))})
	}
	return views, err
}

// askedBy says how the CA is asked about what a log names: by reading the directory of that log
// again, since the log was rotated perhaps, or the archive that it is in.
func askedBy(f ledger.Found) string {
	path := filepath.Dir(f.File)
	if archive, _, member := strings.Cut(f.File, ":"); member {
		if at, err := os.Lstat(archive); err == nil && at.Mode().IsRegular() {
			path = archive
		}
	}
	return fmt.Sprintf("a log names it (%s:%d); `orderly pending scan --check %s` asks the CA", f.File,
		f.Line, failure.Quote(path))
}

// foundState is shown for what is no order of this ledger.
const foundState = ledger.State("found")

func printPending(p *printer, views []pendingView) {
	if len(views) == 0 {
		p.Say("Nothing is pending.")
		return
	}
	var rows [][]string
	for _, v := range views {
		number := "-"
		if v.OrderID != 0 {
			number = fmt.Sprint(v.OrderID)
		}
		rows = append(rows, []string{number, strings.Join(v.Names, ","), string(v.State),
			span(time.Duration(v.Age * float64(time.Second))), p.moment(v.Pending.Expires), v.Next})
	}
	p.table([]column{{"ORDER", fixed}, {"NAME", flexible}, {"STATE", flexible}, {"AGE", fixed},
		{"EXPIRES (UTC)", fixed}, {"NEXT", aside}},
		once(rows, 1))
}

// once puts rows that say the same into one, and behind the name how many they are: authorizations
// that the CA has not shown, also those it had from before and reused, are all known by the names
// of their order.
func once(rows [][]string, name int) [][]string {
	var kept [][]string
	times := map[string]int{}
	for _, row := range rows {
		key := strings.Join(row, "\x00")
		if times[key]++; times[key] == 1 {
			kept = append(kept, row)
		}
	}
	for _, row := range kept {
		if n := times[strings.Join(row, "\x00")]; n > 1 {
			row[name] += fmt.Sprintf(" (%d authorizations)", n)
		}
	}
	return kept
}

// narrow takes from the names of an authorization that the CA has not shown those of its siblings.
// It returns the order, nil where there is none.
func (s *session) narrow(ctx context.Context, one *ledger.Pending) *ledger.Order {
	o, err := s.ledger.Order(ctx, one.OrderID)
	if err != nil {
		return nil // the names of the order are no lie
	}
	for _, a := range o.Authorizations {
		if one.URL != "" && a.URL == one.URL {
			one.Names = o.NamesOf(a)
		}
	}
	return o
}

// nextOf says what happens to a pending authorization of an order, which may be unknown.
func nextOf(one ledger.Pending, o *ledger.Order, now time.Time) string {
	over := o != nil && !o.SettledAt.IsZero() // no run looks at it again
	switch {
	case one.State == ledger.Seen:
		return "perhaps another server's; an order for its names here takes it up"
	case one.State == ledger.Phantom:
		return "may exist at the CA, unseen; it expires by itself"
	case over && one.State == ledger.ReleasedState:
		return "given up here; stays pending at the CA until it expires, nobody looks"
	case over:
		return "its order is over; stays pending at the CA until it expires, nobody looks"
	case one.NotBefore.After(now):
		return "continued after " + clock(one.NotBefore) + ", as the CA asked"
	case one.State == ledger.Creating:
		return "the next run asks the CA what became of newOrder"
	case one.State == ledger.Invalid:
		return "a sibling failed; the next run answers it, so that it can be reused"
	case one.Answered:
		return "answered; the next run looks for the result"
	case o != nil && o.Request.NamesOnly:
		return "another client's; `orderly pending drain` proves it, `orderly pending release` gives it up"
	}
	return "the next `orderly renew`, or `orderly resume`, answers it"
}
