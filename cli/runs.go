package cli

// runs says what became of each run, and of one that was killed what it was at: "was it our
// time-out?"

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"orderly/cli/argparse"
	"orderly/failure"
	"orderly/host"
	"orderly/ledger"
)

type runs struct {
	places
	killed bool
	limit  int
}

// runView is a run as programs read it. What nobody knows is null: how a run ended that was killed,
// and how long it took.
type runView struct {
	ledger.Run
	EndedAt  *time.Time `json:"ended_at"`
	ExitCode *int       `json:"exit_code"`
	Took     *float64   `json:"took_seconds"`
	Ended    string     `json:"ended"`   // done, failed, stopped, running, killed
	DiedIn   *string    `json:"died_in"` // what a killed run was at; null for others
}

func newRuns(env Env, p *printer) *cobra.Command {
	f := &runs{}
	c := &cobra.Command{
		Use:   "runs [--killed]",
		Short: "List runs: when, how long, the last step, and how each ended",
		Long: "List the runs of commands that work. A run that neither lives nor recorded its end was killed\n" +
			"(a script's time-out, the OOM killer, a reboot): the step it died in is its last step, with the time\n" +
			"of its last sign of life. Where a line is too narrow, the last step stands below the run.",
		Args: argparse.NoArguments,
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
		took, last := "-", v.LastStep
		if v.Took != nil {
			took = span(time.Duration(*v.Took * float64(time.Second)))
		}
		if v.DiedIn != nil {
			last = clock(v.LastAt) + ": " + *v.DiedIn
		}
		rows = append(rows, []string{fmt.Sprint(v.ID), p.moment(v.StartedAt), took, v.Ended, v.Command,
			last, v.Detail})
	}
	p.table([]column{{"RUN", fixed}, {"STARTED (UTC)", fixed}, {"TOOK", fixed}, {"ENDED", fixed},
		{"COMMAND", flexible},
		{"LAST STEP", aside}, {"DETAIL", aside}}, rows)
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
		v, err := s.viewRun(ctx, r)
		if err != nil {
			return nil, err
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

// viewRun finds out how a run ended.
func (s *session) viewRun(ctx context.Context, r ledger.Run) (runView, error) {
	v := runView{Run: r, Ended: r.Outcome}
	if !r.EndedAt.IsZero() {
		took := seconds(r.EndedAt.Sub(r.StartedAt))
		v.EndedAt, v.ExitCode, v.Took = &r.EndedAt, &r.ExitCode, &took
		return v, nil
	}
	alive, err := s.locks.Held(host.RunLock(r.ID))
	if err != nil {
		return v, err
	}
	if alive {
		took := seconds(time.Since(r.StartedAt))
		v.Ended, v.Took = "running", &took
		return v, nil
	}
	v.Ended = "killed"
	died := diedIn(r)
	tasks, err := s.ledger.Tasks(ctx)
	for _, t := range tasks {
		if t.Kind == ledger.HookTask && t.RunID == r.ID && r.LastStep == runStarted {
			v.LastAt, died = t.BegunAt, "its pre-hook was begun; nothing was sent to the CA after that"
		}
	}
	v.DiedIn = &died
	return v, err
}

// runStarted is the first step of every run.
const runStarted = "run started"

// diedIn says what a run was at when it was killed: its last intent, which the ledger had before it
// was carried out.
func diedIn(r ledger.Run) string {
	about, _, _ := strings.Cut(r.LastDetail, ", attempt ")
	switch r.LastStep {
	case "":
		return "nothing was recorded"
	case runStarted:
		return "checks, hooks, the account or an earlier order; it had ordered nothing"
	case "new-order intent":
		return "newOrder sent for " + r.LastLineage + ", no answer"
	case "new-order answered":
		return fmt.Sprintf("order %d for %s was made, its challenges not answered", r.LastOrder,
			r.LastLineage)
	case "challenge intent":
		return "challenge sent for " + about + ", no answer"
	case "challenge accepted":
		name, _, _ := strings.Cut(r.LastDetail, ",")
		return "the CA was validating " + name
	case "finalize intent":
		return "finalize sent for " + r.LastLineage + ", no answer"
	case "finalize answered":
		return "waiting for the certificate of " + r.LastLineage
	case "certificate downloaded":
		return "certificate of " + r.LastLineage + " downloaded, not known to be in place"
	case "installed":
		return "certificate of " + r.LastLineage + " in place, its hooks not known to be done"
	case "deactivate intent":
		return "deactivation sent for " + about + ", no answer"
	case "revoke intent":
		return "revocation sent for " + r.LastLineage + ", no answer"
	case "key-change intent":
		return "change of the account's key sent, no answer"
	case "deactivate-account intent":
		return "deactivation of the account sent, no answer"
	}
	return "after: " + strings.TrimSpace(r.LastStep+" "+r.LastDetail)
}

// known is a time for programs, nil for one that nobody knows.
func known(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// seconds is a length of time for programs, to the millisecond.
func seconds(d time.Duration) float64 { return d.Round(time.Millisecond).Seconds() }
