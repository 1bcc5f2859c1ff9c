package cli

// order list and order show: what the ledger knows of each order, and its history step by step.

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"orderly/cli/argparse"
	"orderly/failure"
	"orderly/ledger"
)

func newOrder(env Env, p *printer) *cobra.Command {
	c := &cobra.Command{Use: "order", Short: "Look at orders in the ledger",
		Args: argparse.NoArguments,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() }}
	new(places).add(c.Flags()) // for the commands below it, before whose names they may stand
	c.AddCommand(newOrderList(env, p), newOrderShow(env, p))
	return c
}

type orderList struct {
	places
	filter ledger.OrderFilter
}

func newOrderList(env Env, p *printer) *cobra.Command {
	f := &orderList{}
	c := &cobra.Command{
		Use:   "list",
		Short: "List orders, the newest last",
		Args:  argparse.NoArguments,
		RunE:  func(c *cobra.Command, _ []string) error { return f.execute(c.Context(), env, p) },
	}
	c.Flags().StringVar(&f.filter.Lineage, "cert-name", "", "only those of this certificate `name`")
	c.Flags().BoolVar(&f.filter.Unsettled, "unfinished", false,
		"only those that something is still to be done for")
	c.Flags().IntVar(&f.filter.Limit, "limit", 50, "at most so `many`, 0 for all")
	f.places.add(c.Flags())
	return c
}

func (f *orderList) execute(ctx context.Context, env Env, p *printer) error {
	if f.filter.Limit < 0 {
		return failure.New(failure.Usage, "", "--limit %d: a number, or 0 for all", f.filter.Limit)
	}
	s, there, err := f.listed(ctx, env, p)
	if err != nil {
		return err
	}
	defer func() { _ = s.close() }() // nothing was written
	orders := []*ledger.Order{}
	if there {
		found, err := s.ledger.Orders(ctx, f.filter)
		if err != nil {
			return err
		}
		orders = append(orders, found...)
		for _, o := range orders {
			o.Name()
			o.Remedy = p.remedy(failure.Kept(o.Remedy))
		}
	}
	if p.json {
		p.print(struct {
			Version int             `json:"version"`
			Orders  []*ledger.Order `json:"orders"`
		}{1, orders})
		return nil
	}
	if len(orders) == 0 {
		p.Say("No orders.")
		return nil
	}
	var rows [][]string
	for _, o := range orders {
		rows = append(rows, []string{fmt.Sprint(o.ID), o.Lineage, stateOf(o), p.moment(o.CreatedAt),
			p.moment(o.Expires),
			fmt.Sprint(len(o.Names)), o.Sentence})
	}
	p.table([]column{{"ORDER", fixed}, {"CERTIFICATE", flexible}, {"STATE", flexible},
		{"CREATED (UTC)", fixed}, {"EXPIRES (UTC)", fixed},
		{"NAMES", fixed}, {"WHY", aside}}, rows)
	if len(orders) == f.filter.Limit {
		p.Warn("these are the newest %d; --limit 0 lists all", f.filter.Limit)
	}
	return nil
}

func stateOf(o *ledger.Order) string {
	switch {
	case o.Request.Rehearsal && o.State == ledger.Installed:
		return "rehearsed"
	case o.Superseded && o.State.Live():
		return string(o.State) + ", superseded"
	case o.SettledAt.IsZero() && !o.State.Live():
		return string(o.State) + ", unfinished"
	}
	return string(o.State)
}

func newOrderShow(env Env, p *printer) *cobra.Command {
	f := &places{}
	c := &cobra.Command{
		Use:   "show N",
		Short: "Show one order and its timeline",
		Args:  oneArgument("the number of an order", "`orderly order list` has the numbers."),
		RunE: func(c *cobra.Command, args []string) error {
			return f.showOrder(c.Context(), env, p, args[0])
		},
	}
	f.add(c.Flags())
	return c
}

func (f *places) showOrder(ctx context.Context, env Env, p *printer, text string) error {
	p.json = f.json
	id, err := strconv.ParseInt(text, 10, 64)
	if err != nil || id < 1 {
		return failure.New(failure.Usage, "`orderly order list` has the numbers.",
			"%s is not the number of an order", failure.Clean(text))
	}
	s, there, err := f.look(ctx, env, p)
	if err != nil {
		return err
	}
	defer func() { _ = s.close() }() // nothing was written
	missing := failure.New(failure.Config, "`orderly order list` has the numbers.",
		"there is no order %d in this ledger", id)
	if !there {
		return missing
	}
	o, err := s.ledger.Order(ctx, id)
	if err != nil {
		return missing
	}
	o.Name()
	o.Remedy = p.remedy(failure.Kept(o.Remedy))
	events, err := s.ledger.Events(ctx, id, 0)
	if err != nil {
		return err
	}
	if p.json {
		p.print(struct {
			Version int            `json:"version"`
			Order   *ledger.Order  `json:"order"`
			Events  []ledger.Event `json:"events"`
		}{1, o, events})
		return nil
	}
	printOrder(p, o, events)
	return nil
}

func printOrder(p *printer, o *ledger.Order, events []ledger.Event) {
	p.lines("", fmt.Sprintf("Order %d for %s: %s", o.ID, o.Lineage, stateOf(o)))
	for _, line := range [][2]string{
		{"names", strings.Join(o.Names, " ")}, {"CA's URL", o.URL}, {"CA's status", o.CAStatus},
		{"created", clock(o.CreatedAt)},
		{"expires", clock(o.Expires)}, {"settled", clock(o.SettledAt)}, {"why", o.Sentence},
		{"remedy", o.Remedy},
	} {
		if line[1] != "" && line[1] != "-" {
			p.lines(fmt.Sprintf("  %-12s ", line[0]+":"), line[1])
		}
	}
	if len(o.Authorizations) > 0 {
		p.Say("")
		var rows [][]string
		for _, a := range o.Authorizations {
			rows = append(rows, []string{strings.Join(o.NamesOf(a), ","), a.Status, fmt.Sprint(a.Answers),
				p.moment(a.Expires),
				strings.TrimSpace(a.ErrorType + " " + a.ErrorDetail)})
		}
		p.table([]column{{"NAME", flexible}, {"STATUS", fixed}, {"ANSWERS", fixed},
			{"EXPIRES (UTC)", fixed}, {"ERROR", aside}},
			once(rows, 0))
	}
	p.Say("")
	var rows [][]string
	for _, e := range events {
		rows = append(rows, []string{e.At.UTC().Format("2006-01-02 15:04:05.000"), fmt.Sprint(e.RunID),
			e.Kind, e.Detail})
	}
	p.table([]column{{"AT (UTC)", fixed}, {"RUN", fixed}, {"STEP", flexible}, {"DETAIL", aside}},
		rows)
}
