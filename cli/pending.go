package cli

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"orderly/ledger"
)

type pendingView struct {
	ledger.Pending
	Age  string `json:"age"`
	Next string `json:"next"`
}

func newPending(env Env, p *printer) *cobra.Command {
	f := &places{}
	c := &cobra.Command{
		Use:   "pending",
		Short: "List the authorizations that are open at the CA, and what happens to each next",
		Long: "List every authorization of this ledger's orders that is not final: its order, name, age and\n" +
			"expiry, and what happens next. A phantom is an order that the CA may have made although its\n" +
			"answer was lost; it is listed until it has certainly expired.",
		Args: noArguments,
		RunE: func(c *cobra.Command, _ []string) error { return f.pending(c.Context(), env, p) },
	}
	f.add(c.Flags())
	c.AddCommand(newDrain(env, p), newRelease(env, p))
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
			views = append(views, pendingView{one, span(now.Sub(one.Since)), nextOf(one, now)})
		}
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

func printPending(p *printer, views []pendingView) {
	if len(views) == 0 {
		p.Say("Nothing is pending.")
		return
	}
	var rows [][]string
	times := map[string]int{} // authorizations that the CA has not shown yet are all known by their order's names
	for _, v := range views {
		row := []string{fmt.Sprint(v.OrderID), strings.Join(v.Names, ","), string(v.State), v.Age, clock(v.Expires), v.Next}
		key := strings.Join(row, "\x00")
		if times[key]++; times[key] == 1 {
			rows = append(rows, row)
		}
	}
	for _, row := range rows {
		if n := times[strings.Join(row, "\x00")]; n > 1 {
			row[1] += fmt.Sprintf(" (%d authorizations)", n)
		}
	}
	p.table([]string{"ORDER", "NAME", "STATE", "AGE", "EXPIRES (UTC)", "NEXT"}, rows)
}

// nextOf says what happens to a pending authorization.
func nextOf(one ledger.Pending, now time.Time) string {
	switch {
	case one.State == ledger.Phantom:
		return "expires by itself; nobody can find it"
	case one.NotBefore.After(now):
		return "continued after " + clock(one.NotBefore) + ", as the CA asked"
	case one.State == ledger.Creating:
		return "the next run asks the CA what became of newOrder"
	case one.State == ledger.Invalid:
		return "a sibling failed; the next run answers it, so that it can be reused"
	case one.Answered:
		return "answered; the next run looks for the result"
	}
	return "the next `orderly renew`, or `orderly resume`, answers it"
}
