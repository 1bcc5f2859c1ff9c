package cli

// The commands about the ledger itself. They look, copy and take over; what they find wrong they
// name, and none of them changes an order.

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"orderly/cli/argparse"
	"orderly/failure"
	"orderly/ledger"
	"orderly/ledger/sqlite"
	"orderly/ownfile"
)

func newLedger(env Env, p *printer) *cobra.Command {
	c := &cobra.Command{Use: "ledger", Short: "Look after the ledger itself",
		Args: argparse.NoArguments,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() }}
	new(places).add(c.Flags()) // for the commands below it, before whose names they may stand
	c.AddCommand(
		ledgerCommand(env, p, "adopt", "Take over a ledger that another host wrote",
			"Take over a ledger that was copied or restored from another host, when this host has taken its\n"+
				"place. Every unfinished order in it is looked at before anything is sent for it.",
			argparse.NoArguments, (*places).adopt),
		ledgerCommand(env, p, "check",
			"See whether the ledger is whole, and agrees with the files beside it",
			"Check the ledger's file, its references, and that the private keys of unfinished orders are there.\n"+
				"Exit code 1 when something is wrong.", argparse.NoArguments, (*places).check),
		ledgerCommand(env, p, "backup FILE",
			"Write a consistent copy of the ledger, while others work",
			"Write a consistent copy of the ledger to a new file. Private keys that wait for their certificate are\n"+
				"not in it: they are in the directory keys beside the ledger.",
			oneArgument("a new file", ""), (*places).backup),
		ledgerCommand(env, p, "export",
			"Print everything the ledger knows, one JSON document a line", "", argparse.NoArguments,
			(*places).export),
		newRebuild(env, p),
	)
	return c
}

func ledgerCommand(env Env, p *printer, use, short, long string, args cobra.PositionalArgs,
	work func(*places, context.Context, Env, *printer, []string) error) *cobra.Command {
	f := &places{}
	c := &cobra.Command{Use: use, Short: short, Long: long, Args: args,
		RunE: func(c *cobra.Command,
			args []string) error {
			return work(f, c.Context(), env, p, args)
		}}
	f.add(c.Flags())
	return c
}

func (f *places) adopt(ctx context.Context, env Env, p *printer, _ []string) error {
	s, err := f.begin(env, p)
	if err != nil {
		return err
	}
	if _, err := os.Stat(filepath.Join(s.ledgerDir(), sqlite.FileName)); errors.Is(err,
		fs.ErrNotExist) {
		return s.noLedger()
	}
	if err := s.openLedger(ctx, true); err != nil {
		return errors.Join(err, s.close())
	}
	p.Say("The ledger in %s is this host's now.", s.ledgerDir())
	if p.json {
		p.print(struct {
			Version int    `json:"version"`
			Ledger  string `json:"ledger"`
		}{1, s.ledgerDir()})
	}
	return s.close()
}

// existing opens a ledger that must be there.
func (f *places) existing(ctx context.Context, env Env, p *printer) (*session, error) {
	s, there, err := f.look(ctx, env, p)
	if err == nil && !there {
		err = s.noLedger()
	}
	return s, err
}

func (s *session) noLedger() error {
	return failure.New(failure.Ledger,
		"Name the configuration directory with --config-dir; the first certonly or renew makes "+
			"a ledger.",
		"there is no ledger in %s", s.ledgerDir())
}

func (f *places) check(ctx context.Context, env Env, p *printer, _ []string) error {
	s, err := f.existing(ctx, env, p)
	if err != nil {
		return err
	}
	defer func() { _ = s.close() }() // nothing was written
	complaints, err := s.complaints(ctx)
	if err != nil {
		return err
	}
	if p.json {
		p.print(struct {
			Version    int      `json:"version"`
			Sound      bool     `json:"sound"`
			Complaints []string `json:"complaints"`
		}{1, len(complaints) == 0, complaints})
	} else if len(complaints) == 0 {
		p.Say("The ledger is sound.")
	}
	for _, text := range complaints {
		if !p.json {
			p.fault("%s", text)
		}
	}
	if len(complaints) > 0 {
		return &exitError{1}
	}
	return nil
}

// complaints is what the database, and the files beside it, are found guilty of.
func (s *session) complaints(ctx context.Context) ([]string, error) {
	found, err := s.ledger.Check(ctx)
	if err != nil {
		return nil, err
	}
	complaints := append([]string{}, found...)
	orders, err := s.ledger.Orders(ctx, ledger.OrderFilter{Unsettled: true})
	if err != nil {
		return nil, err
	}
	keys := s.keys()
	for _, o := range orders {
		if _, ok := keys.Load(o); o.Key.Set() && !ok {
			complaints = append(complaints,
				fmt.Sprintf("order %d for %s: its private key or CSR (%s) is gone or was changed",
					o.ID, o.Lineage, o.Key.Path))
		}
	}
	return complaints, nil
}

func (f *places) backup(ctx context.Context, env Env, p *printer, args []string) error {
	s, err := f.existing(ctx, env, p)
	if err != nil {
		return err
	}
	defer func() { _ = s.close() }() // nothing was written to the ledger
	file, err := ownfile.Open(args[0], os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return failure.Wrap(err, failure.Config,
			"Name a new file in a directory that can be written.", "the copy cannot be made")
	}
	if err := file.Close(); err != nil {
		return err
	}
	if err := s.ledger.Snapshot(ctx, args[0]); err != nil {
		return errors.Join(err, os.Remove(args[0]))
	}
	p.Say("The ledger was copied to %s.", args[0])
	if p.json {
		p.print(struct {
			Version int    `json:"version"`
			Copy    string `json:"copy"`
		}{1, args[0]})
	}
	return nil
}

// exported is one line of an export.
type exported struct {
	Version int `json:"version"`
	// order, run, task (unfinished ones), revocation, found, log_failure, renewal_info, sighting, message, event
	Kind   string `json:"kind"`
	Record any    `json:"record"`
}

func (f *places) export(ctx context.Context, env Env, p *printer, _ []string) error {
	s, err := f.existing(ctx, env, p)
	if err != nil {
		return err
	}
	defer func() { _ = s.close() }() // nothing was written
	out := json.NewEncoder(escaper{p.out})
	out.SetEscapeHTML(false)
	orders, err := s.ledger.Orders(ctx, ledger.OrderFilter{})
	if err != nil {
		return err
	}
	for _, o := range orders {
		if done, err := exportOne(ctx, out, "order", o); done {
			return err
		}
	}
	runs, err := s.ledger.Runs(ctx, 0)
	if err != nil {
		return err
	}
	for _, r := range runs {
		view, err := s.viewRun(ctx, r)
		if err != nil {
			return err
		}
		if done, err := exportOne(ctx, out, "run", view); done {
			return err
		}
	}
	tasks, err := s.ledger.Tasks(ctx)
	if err != nil {
		return err
	}
	for _, t := range tasks {
		if done, err := exportOne(ctx, out, "task", t); done {
			return err
		}
	}
	revoked, err := s.ledger.Revocations(ctx)
	if err != nil {
		return err
	}
	for _, v := range revoked {
		if err := out.Encode(exported{1, "revocation", v}); err != nil {
			return nil
		}
	}
	found, err := s.ledger.Found(ctx, time.Time{})
	if err != nil {
		return err
	}
	for _, f := range found {
		if done, err := exportOne(ctx, out, "found", f); done {
			return err
		}
	}
	logged, err := s.ledger.LogFailures(ctx, ledger.LogFilter{})
	if err != nil {
		return err
	}
	for _, f := range logged {
		if done, err := exportOne(ctx, out, "log_failure", f); done {
			return err
		}
	}
	infos, err := s.ledger.RenewalInfos(ctx, "")
	if err != nil {
		return err
	}
	for _, i := range infos {
		if done, err := exportOne(ctx, out, "renewal_info", i); done {
			return err
		}
	}
	sightings, err := s.ledger.Sightings(ctx)
	if err != nil {
		return err
	}
	for _, v := range sightings {
		if done, err := exportOne(ctx, out, "sighting", v); done {
			return err
		}
	}
	messages, err := s.ledger.Messages(ctx)
	if err != nil {
		return err
	}
	for _, m := range messages {
		if done, err := exportOne(ctx, out, "message", m); done {
			return err
		}
	}
	events, err := s.ledger.Events(ctx, 0, 0)
	if err != nil {
		return err
	}
	for _, e := range events {
		if done, err := exportOne(ctx, out, "event", e); done {
			return err
		}
	}
	return nil
}

// exportOne writes one record. done says that no more are to follow: the reader went away, or a
// signal came.
func exportOne(ctx context.Context, out *json.Encoder, kind string, record any) (done bool,
	err error) {
	if ctx.Err() != nil {
		return true, context.Cause(ctx)
	}
	return out.Encode(exported{1, kind, record}) != nil, nil
}

type rebuild struct {
	places
	working
}

func newRebuild(env Env, p *printer) *cobra.Command {
	f := &rebuild{}
	c := &cobra.Command{
		Use:   "rebuild",
		Short: "Find open orders again after the ledger was lost",
		Long: "Ask the CA, for every account on this host, for the account's list of orders, and take up the\n" +
			"open ones that the ledger does not know. Those that no certificate, key or token on this host\n" +
			"belongs to may be another server's: they are shown by pending, and taken up by an order for their\n" +
			"names. Let's Encrypt has no such list: there newOrder for the same names, as the next renewal\n" +
			"sends it, hands an open order back.",
		Args: argparse.NoArguments,
		RunE: func(c *cobra.Command, _ []string) error { return f.execute(c.Context(), env, p) },
	}
	f.addDeadline(c.Flags())
	f.places.add(c.Flags())
	return c
}

func (f *rebuild) execute(ctx context.Context, env Env, p *printer) error {
	p.quiet, p.json = f.quiet, f.json
	return f.run(ctx, env, p, &f.working, "ledger rebuild",
		func(ctx context.Context, s *session) (int, error) {
			if err := s.server.Begin(ctx, "ledger rebuild", s.env.PID, nil); err != nil {
				return 0, err
			}
			accounts, err := s.server.Rebuild(ctx)
			if err != nil {
				return 0, err
			}
			if p.json {
				p.print(struct {
					Version  int `json:"version"`
					Accounts any `json:"accounts"`
				}{1, accounts})
				return 0, nil
			}
			for _, a := range accounts {
				switch {
				case a.NoList:
					p.Say("%s: the CA shows no list of orders; the next renewals find open ones again.",
						a.Account)
				default:
					p.Say("%s: %d orders in its list were known, %d open ones were found again, %d may "+
						"be another server's (see orderly pending).",
						a.Account, a.Known, len(a.Found), a.Others)
				}
			}
			if len(accounts) == 0 {
				p.Say("There is no account on this host.")
			}
			return 0, nil
		})
}
