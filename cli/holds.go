package cli

// What keeps orders from being made, and unpause, which lifts what a person has lifted at the CA.
// What is held, and until when, must be seen without asking the CA.

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"orderly/failure"
	"orderly/ledger"
	"orderly/order"
)

// holdView is one hold: what the CA wants no newOrder for, until when, and what a person can do
// about it.
type holdView struct {
	ledger.Hold
	Account string `json:"account"`
	Server  string `json:"server"`
}

// holds are those of every account that have not ended.
func (s *session) holds(ctx context.Context, now time.Time) ([]holdView, error) {
	found, err := s.ledger.Holds(ctx, 0, now)
	if err != nil {
		return nil, err
	}
	views := []holdView{}
	for _, h := range found {
		account, err := s.ledger.AccountByID(ctx, h.AccountID)
		if err != nil {
			return nil, err
		}
		views = append(views, holdView{h, account.URL, account.Server})
	}
	return views, nil
}

func printHolds(p *printer, views []holdView) {
	var rows [][]string
	for _, v := range views {
		names, until, what := order.HeldNames(v.Hold), p.moment(v.Until), v.URL
		if names == "" {
			names = "every new order"
		}
		if order.HoldsFirst(v.Hold) {
			names = "every order that is no renewal"
		}
		if v.Until.IsZero() {
			until = "a person lifts it"
		}
		if what == "" {
			what = v.Detail
		}
		rows = append(rows, []string{names, v.Class, until, what})
	}
	p.table([]column{{"HELD", flexible}, {"WHY", flexible}, {"UNTIL (UTC)", fixed},
		{"THE CA'S WORDS", aside}}, rows)
}

type unpause struct {
	places
	all bool
}

func newUnpause(env Env, p *printer) *cobra.Command {
	f := &unpause{}
	c := &cobra.Command{
		Use:   "unpause (NAME … | --all)",
		Short: "Say that a person has lifted the CA's pause of names",
		Long: "Let's Encrypt pauses a name after very many failures in a row: it refuses every order with that\n" +
			"name until a person has visited the page it names. Orderly orders nothing for the name until it is\n" +
			"told of that, by this command. `orderly limits` lists what is paused, with the page " +
			"for each.",
		RunE: func(c *cobra.Command, args []string) error {
			return f.execute(c.Context(), env, p, args)
		},
	}
	c.Flags().BoolVar(&f.all, "all", false, "every name that is paused")
	f.places.add(c.Flags())
	return c
}

func (f *unpause) execute(ctx context.Context, env Env, p *printer, names []string) error {
	p.quiet, p.json = f.quiet, f.json
	if f.all == (len(names) > 0) {
		return failure.New(failure.Usage, "`orderly limits` lists what is paused.",
			"either names or --all say what is not paused any more")
	}
	s, err := f.existing(ctx, env, p)
	if err != nil {
		return err
	}
	lifted, err := s.unpause(ctx, f.all, names)
	if err = errors.Join(err, s.close()); err != nil {
		return err
	}
	if p.json {
		p.print(struct {
			Version int      `json:"version"`
			Lifted  []string `json:"lifted"`
		}{1, lifted})
		return nil
	}
	if len(lifted) == 0 {
		p.Say("Nothing is paused.")
		return nil
	}
	p.Say("Not paused any more: %s. The next run orders again.", strings.Join(lifted, " "))
	return nil
}

// unpause ends the pauses of names and returns what it ended.
func (s *session) unpause(ctx context.Context, all bool, names []string) ([]string, error) {
	now := time.Now()
	holds, err := s.holds(ctx, now)
	if err != nil {
		return nil, err
	}
	lifted, change := []string{}, ledger.Change{}
	for _, h := range holds {
		about := strings.Fields(order.HeldNames(h.Hold))
		named := slices.ContainsFunc(names,
			func(n string) bool { return slices.Contains(about, strings.ToLower(n)) })
		if !h.Until.IsZero() || !all && !named {
			continue
		}
		h.Until = now
		change.Holds = append(change.Holds, h.Hold)
		change.Events = append(change.Events, ledger.Event{At: now, Kind: "unpaused",
			Detail: strings.Join(about, " ")})
		lifted = append(lifted, about...)
	}
	for _, name := range names {
		if !slices.Contains(lifted, strings.ToLower(name)) {
			return nil, failure.New(failure.Config, "`orderly limits` lists what is paused.",
				"%s is not paused, and nothing was changed",
				failure.Clean(name))
		}
	}
	if change.Empty() {
		return lifted, nil
	}
	if err := s.ledger.Commit(ctx, &change); err != nil {
		return nil, fmt.Errorf("lifting the pause: %w", err)
	}
	return lifted, nil
}
