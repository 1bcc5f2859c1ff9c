package cli

// pending drain and pending release end what earlier runs left: by finishing it, or, where that is
// said, by giving it up. What giving up costs at the CA is said before it is done.

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"orderly/failure"
	"orderly/ledger"
	"orderly/renewal"
)

type drain struct {
	places
	working
	dryRun bool
}

func newDrain(env Env, p *printer) *cobra.Command {
	f := &drain{}
	c := &cobra.Command{
		Use:   "drain",
		Short: "Finish whatever can be finished now, so that nothing stays pending",
		Long: "Continue every unfinished order: answer what is pending, install what was issued, look after\n" +
			"what died. What cannot be finished now is left, and said. Of what another client left open, and\n" +
			"pending scan --check found, the names are made valid and no certificate is made: that comes with\n" +
			"the client's next renewal.",
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return f.execute(c.Context(), env, p) },
	}
	c.Flags().BoolVar(&f.dryRun, "dry-run", false,
		"only say what would be done; the CA is not asked anything")
	f.working.add(c.Flags(), env.Getenv)
	f.working.addJobs(c.Flags())
	f.places.add(c.Flags())
	return c
}

func (f *drain) execute(ctx context.Context, env Env, p *printer) error {
	p.quiet, p.json = f.quiet, f.json
	if f.dryRun {
		return f.preview(ctx, env, p)
	}
	return f.run(ctx, env, p, &f.working, "pending drain", resumeAll(p, "pending drain"))
}

// preview lists the orders that drain would go on with.
func (f *places) preview(ctx context.Context, env Env, p *printer) error {
	s, there, err := f.look(ctx, env, p)
	if err != nil {
		return err
	}
	defer func() { _ = s.close() }() // nothing was written
	var orders []*ledger.Order
	if there {
		if orders, err = s.ledger.Orders(ctx, ledger.OrderFilter{Unsettled: true}); err != nil {
			return err
		}
	}
	return printPlan(p, "continue", orders, nil)
}

// planView is what a dry run prints of one order.
type planView struct {
	Order   int64    `json:"order"`
	Lineage string   `json:"lineage"`
	State   string   `json:"state"`
	Pending []string `json:"pending"` // names
	Action  string   `json:"action"`
	Cost    string   `json:"cost,omitempty"`
}

func printPlan(p *printer, action string, orders []*ledger.Order,
	cost func(*ledger.Order) string) error {
	views := []planView{}
	for _, o := range orders {
		v := planView{Order: o.ID, Lineage: o.Lineage, State: string(o.State),
			Pending: openNames(o), Action: action}
		if cost != nil {
			v.Cost = cost(o)
		}
		views = append(views, v)
	}
	if p.json {
		p.print(struct {
			Version int        `json:"version"`
			DryRun  bool       `json:"dry_run"`
			Plan    []planView `json:"plan"`
		}{1, true, views})
		return nil
	}
	if len(views) == 0 {
		p.Say("There is nothing to %s.", action)
		return nil
	}
	var rows [][]string
	for _, v := range views {
		rows = append(rows, []string{fmt.Sprint(v.Order), v.Lineage, v.State,
			strings.Join(v.Pending, ","), v.Action, v.Cost})
	}
	p.table([]column{{"ORDER", fixed}, {"CERTIFICATE", flexible}, {"STATE", flexible},
		{"PENDING", flexible}, {"WOULD", fixed},
		{"COST", aside}}, rows)
	return nil
}

func openNames(o *ledger.Order) []string {
	names := []string{}
	for _, a := range o.Authorizations {
		if !a.Final() {
			names = append(names, o.NamesOf(a)...)
		}
	}
	slices.Sort(names)
	return slices.Compact(names) // several that the CA has not shown share the names that are left
}

type release struct {
	places
	working
	order  int64
	name   string
	all    bool
	yes    bool
	local  bool
	dryRun bool
	stdin  io.Reader
}

func newRelease(env Env, p *printer) *cobra.Command {
	f := &release{stdin: env.input()}
	c := &cobra.Command{
		Use:   "release (--order N | --name X | --all)",
		Short: "Give orders up: deactivate what is pending of them",
		Long: "Deactivate the pending authorizations of orders that are not wanted any more. At Let's Encrypt\n" +
			"each counts as a failed authorization of its name, and letting them expire costs nothing: the\n" +
			"command says what it costs and asks first.",
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return f.execute(c.Context(), env, p) },
	}
	c.Flags().Int64Var(&f.order, "order", 0, "the order of this `number`")
	c.Flags().StringVar(&f.name, "name", "", "every unfinished order with this DNS `name`")
	c.Flags().BoolVar(&f.all, "all", false, "every unfinished order")
	c.Flags().BoolVarP(&f.yes, "yes", "y", false, "do not ask")
	c.Flags().BoolVar(&f.local, "local", false,
		"ask the CA nothing: for an order whose CA or account is gone for good; what is pending "+
			"there expires")
	c.Flags().BoolVar(&f.dryRun, "dry-run", false, "only say what would be done and what it costs")
	f.addDeadline(c.Flags())
	f.places.add(c.Flags())
	return c
}

func (f *release) execute(ctx context.Context, env Env, p *printer) error {
	p.quiet, p.json = f.quiet, f.json
	chosen := 0
	for _, given := range []bool{f.order != 0, f.name != "", f.all} {
		if given {
			chosen++
		}
	}
	if chosen != 1 {
		return failure.New(failure.Usage, "`orderly pending` lists what is open.",
			"exactly one of --order, --name and --all says what is released")
	}
	return f.run(ctx, env, p, &f.working, "pending release",
		func(ctx context.Context, s *session) (int, error) {
			if err := s.server.Begin(ctx, "pending release", s.env.PID, nil); err != nil {
				return 0, err
			}
			orders, err := f.orders(ctx, s)
			if err != nil {
				return 0, err
			}
			return f.release(ctx, p, s, orders)
		})
}

// orders are those that the flags choose.
func (f *release) orders(ctx context.Context, s *session) ([]*ledger.Order, error) {
	all, err := s.ledger.Orders(ctx, ledger.OrderFilter{Unsettled: true})
	if err != nil {
		return nil, err
	}
	chosen := slices.DeleteFunc(all, func(o *ledger.Order) bool {
		another := f.order != 0 && o.ID != f.order ||
			f.name != "" && !slices.Contains(o.Names, strings.ToLower(f.name))
		return another || o.URL == "" && len(o.Authorizations) == 0 && !f.local
	})
	if f.order != 0 && len(chosen) == 0 {
		return nil, f.unreleasable(ctx, s)
	}
	return chosen, nil
}

// unreleasable says why the chosen order cannot be given up.
func (f *release) unreleasable(ctx context.Context, s *session) error {
	o, err := s.ledger.Order(ctx, f.order)
	switch {
	case err != nil:
		return failure.New(failure.Config, "`orderly pending` lists what is open.",
			"there is no order %d in this ledger", f.order)
	case o.State == ledger.Seen:
		return failure.New(failure.Config,
			"Order its names, which takes it up; otherwise it expires.",
			"order %d may be another server's: the account's list shows it, and nothing on this "+
				"host knows it", f.order)
	case o.State == ledger.Phantom:
		return failure.New(failure.Config, "It expires by itself; until then it is counted.",
			"order %d is a phantom: nobody knows its URL, so nothing of it can be deactivated",
			f.order)
	case o.State == ledger.Creating:
		return failure.New(failure.Config, "Run `orderly resume`, which asks the CA.",
			"nobody knows yet what became of order %d", f.order)
	}
	return failure.New(failure.Config, "`orderly pending` lists what is open.",
		"order %d is %s, and nothing of it is left to release", f.order, o.State)
}

func (f *release) release(ctx context.Context, p *printer, s *session, orders []*ledger.Order) (int,
	error) {
	cost := func(o *ledger.Order) string { return s.server.ReleaseCost(ctx, o) }
	give := s.server.ReleaseAll
	if f.local {
		cost = func(o *ledger.Order) string {
			if o.State == ledger.Valid {
				return "nothing is asked, but the certificate that was issued is thrown away"
			}
			return "nothing is asked; what is pending at the CA stays so until it expires"
		}
		give = s.server.GiveUpAll
	}
	if f.dryRun || len(orders) == 0 {
		return 0, printPlan(p, "release", orders, cost)
	}
	if !f.yes && !f.confirmed(p, orders, cost) {
		if f.noninteractive || f.stdin == nil || p.json {
			return 0, failure.New(failure.Usage, "Add --yes, or --dry-run to see what it would do.",
				"nobody can be asked, and nothing was released")
		}
		p.fault("Nothing was released.")
		return 1, nil
	}
	results := give(ctx, orders)
	if p.json {
		printResults(p, results, nil, nil, 0, nil)
	} else {
		printResumed(p, results)
	}
	return renewal.Exit(results, nil), nil
}

// confirmed asks a person at the terminal. Where nobody can answer, the answer is no.
func (f *release) confirmed(p *printer, orders []*ledger.Order,
	cost func(*ledger.Order) string) bool {
	if f.noninteractive || f.stdin == nil || p.json {
		return false
	}
	for _, o := range orders {
		fmt.Fprintf(p.err, "order %d for %s: %s\n", o.ID, o.Lineage, cost(o))
	}
	fmt.Fprintf(p.err, "Release %d order(s)? [yes/no] ", len(orders))
	line, _ := bufio.NewReader(f.stdin).ReadString('\n')
	return strings.TrimSpace(line) == "yes"
}
