package cli

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"orderly/failure"
	"orderly/ledger"
	"orderly/renewal"
)

type runs struct {
	places
	killed bool
	limit  int
}

type runView struct {
	ledger.Run
	Ended string `json:"ended"` // done, failed, stopped, running, killed
	Took  string `json:"took"`
}

func newRuns(env Env, p *printer) *cobra.Command {
	f := &runs{}
	c := &cobra.Command{
		Use:   "runs [--killed]",
		Short: "List runs: when, how long, the last step, and how each ended",
		Long: "List the runs of commands that work. A run that neither lives nor recorded its end was killed\n" +
			"(a script's time-out, the OOM killer, a reboot): its last step says where.",
		Args: noArguments,
		RunE: func(c *cobra.Command, _ []string) error { return f.execute(c.Context(), env, p) },
	}
	c.Flags().BoolVar(&f.killed, "killed", false, "only those that were killed")
	c.Flags().IntVar(&f.limit, "limit", 50, "at most so `many`, 0 for all")
	f.places.add(c.Flags())
	return c
}

func (f *runs) execute(ctx context.Context, env Env, p *printer) error {
	if f.limit < 0 {
		return failure.New(failure.Usage, "", "--limit %d: a number, or 0 for all", f.limit)
	}
	s, there, err := f.listed(ctx, env, p)
	if err != nil {
		return err
	}
	defer func() { _ = s.close() }() // nothing was written
	views := []runView{}
	if there {
		if views, err = f.views(ctx, s); err != nil {
			return err
		}
	}
	if p.json {
		p.print(struct {
			Version int       `json:"version"`
			Runs    []runView `json:"runs"`
		}{1, views})
		return nil
	}
	if len(views) == 0 {
		p.Say("No runs.")
		return nil
	}
	var rows [][]string
	for _, v := range views {
		rows = append(rows, []string{fmt.Sprint(v.ID), clock(v.StartedAt), v.Took, v.Ended, v.LastStep, v.Command, v.Detail})
	}
	p.table([]string{"RUN", "STARTED (UTC)", "TOOK", "ENDED", "LAST STEP", "COMMAND", "DETAIL"}, rows)
	return nil
}

// views tells running from killed by the lock that a run holds as long as it lives.
func (f *runs) views(ctx context.Context, s *session) ([]runView, error) {
	limit := f.limit
	if f.killed {
		limit = 0
	}
	found, err := s.ledger.Runs(ctx, limit)
	if err != nil {
		return nil, err
	}
	views := []runView{}
	for _, r := range found {
		v := runView{Run: r, Ended: r.Outcome, Took: span(r.EndedAt.Sub(r.StartedAt))}
		if r.EndedAt.IsZero() {
			alive, err := s.locks.Held(renewal.RunLock(r.ID))
			if err != nil {
				return nil, err
			}
			v.Ended, v.Took = "killed", "≥ "+span(r.LastAt.Sub(r.StartedAt))
			if alive {
				v.Ended, v.Took = "running", span(time.Since(r.StartedAt))
			}
		}
		if !f.killed || v.Ended == "killed" {
			views = append(views, v)
		}
	}
	if f.killed && f.limit > 0 && len(views) > f.limit {
		views = views[:f.limit]
	}
	return views, nil
}
