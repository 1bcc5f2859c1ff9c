package cli

// limits shows what is spent of each rate limit. It asks nobody: looking must cost nothing.

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"orderly/cli/argparse"
	"orderly/limit"
	"orderly/order/admit"
)

// limitView is one bucket as it stands.
type limitView struct {
	Account string `json:"account"`
	CA      string `json:"ca"`
	Limit   string `json:"limit"` // the CA's name
	Key     string `json:"key"`   // "" for the account's own
	Count   int64  `json:"count"`
	// Whole is what the account has, where Count is this server's share of it.
	Whole  int64      `json:"whole_count"`
	Period float64    `json:"period_seconds"`
	Used   int64      `json:"used"`
	Left   int64      `json:"left"`
	NextAt *time.Time `json:"next_at"` // when there is one again; null where one is left
	FullAt time.Time  `json:"full_at"`
	limit  limit.Limit
}

func newLimits(env Env, p *printer) *cobra.Command {
	f := &places{}
	c := &cobra.Command{
		Use:   "limits",
		Short: "Show what is left of the CA's rate limits, as this ledger counts",
		Long: "Show every rate-limit bucket that something was spent from: used, left, and when it is full again;\n" +
			"and what the CA has said it wants no order for: names it has paused, and until when it is to be left.\n" +
			"The limits are those of the built-in profiles; CONFIG/orderly/ca.toml changes them, and gives this\n" +
			"server a share of an account that others use as well. What other servers spend is not seen here.\n\n" +
			"ca.toml has a [[ca]] for each CA, with a name or a directory, and any of boulder, reuses_orders,\n" +
			"hides_processing, charges_deactivation, domains_spread (true or false), counts_pending (a number),\n" +
			"longest_validation, order_lifetime (\"60s\", \"168h\"), order_lifetimes (for single profiles:\n" +
			"{ shortlived = \"8h\" }), share (\"1/20\"); and below [ca.limits] any of these (\"300/3h\", or\n" +
			"\"off\"):\n  " + strings.Join(limit.Names(), "\n  "),
		Args: argparse.NoArguments,
		RunE: func(c *cobra.Command, _ []string) error { return f.limits(c.Context(), env, p) },
	}
	f.add(c.Flags())
	return c
}

func (f *places) limits(ctx context.Context, env Env, p *printer) error {
	s, there, err := f.listed(ctx, env, p)
	if err != nil {
		return err
	}
	defer func() { _ = s.close() }() // nothing was written
	views, holds := []limitView{}, []holdView{}
	if now := time.Now(); there {
		if views, err = s.limitViews(ctx, now); err != nil {
			return err
		}
		if holds, err = s.holds(ctx, now); err != nil {
			return err
		}
	}
	if p.json {
		p.print(struct {
			Version int         `json:"version"`
			Limits  []limitView `json:"limits"`
			Holds   []holdView  `json:"holds"`
		}{1, views, holds})
		return nil
	}
	printLimits(p, views)
	if len(holds) > 0 {
		p.Say("")
		printHolds(p, holds)
	}
	return nil
}

func printLimits(p *printer, views []limitView) {
	if len(views) == 0 {
		p.Say("Nothing was spent of any limit that is known.")
		return
	}
	var rows [][]string
	for _, v := range views {
		next := "-"
		if v.NextAt != nil {
			next = p.moment(admit.WholeSecond(*v.NextAt)) // as the error of the budget says it
		}
		rows = append(rows, []string{cmp.Or(v.Key, "the account"), fmt.Sprint(v.Used),
			fmt.Sprint(v.Left), next, p.moment(v.FullAt),
			v.Limit + " at " + v.CA + ", " + v.limit.Says()})
	}
	p.table([]column{{"FOR", flexible}, {"USED", fixed}, {"LEFT", fixed}, {"NEXT (UTC)", fixed},
		{"FULL (UTC)", fixed},
		{"LIMIT", aside}}, rows)
}

func (s *session) limitViews(ctx context.Context, now time.Time) ([]limitView, error) {
	profiles, err := s.profiles()
	if err != nil {
		return nil, err
	}
	buckets, err := s.ledger.Buckets(ctx, 0)
	if err != nil {
		return nil, err
	}
	views := []limitView{}
	for _, b := range buckets {
		account, err := s.ledger.AccountByID(ctx, b.AccountID)
		if err != nil {
			return nil, err
		}
		ca := profiles.For(account.Server, false)
		if l := ca.Limits[b.Name]; l.Count > 0 {
			views = append(views, viewLimit(l, b.TAT, now,
				limitView{Account: account.URL, CA: ca.NameAt(account.Server), Limit: b.Name,
					Key: b.Key}))
		}
	}
	return views, nil
}

func viewLimit(l limit.Limit, tat, now time.Time, v limitView) limitView {
	tat, _ = l.Clamp(tat, now)
	d := l.Check(tat, now, 1)
	v.Count, v.Whole, v.Period, v.Left, v.limit = l.Count, max(l.Count, l.Whole), l.Period.Seconds(),
		d.Remaining, l
	v.Used, v.FullAt = l.Count-d.Remaining, now.Add(d.ResetIn).UTC()
	if !d.Allowed {
		next := now.Add(d.RetryIn).UTC()
		v.NextAt = &next
	}
	return v
}
