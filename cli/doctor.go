package cli

// doctor says which certificates will not be renewed and why, on any day, before anything is ordered:
// by cause, what breaks first first.

import (
	"context"
	"errors"
	"os"
	"slices"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"orderly/certbot"
	"orderly/doctor"
	"orderly/failure"
	"orderly/host"
)

type doctoring struct {
	places
	merge   string // a directory of other servers' reports
	fixes   fixFlag
	yes     bool
	fresh   bool // only what is new
	nagios  bool
	asked   []string // the names that were given
	network networkFlags
	// noLedger is why there is none to ask, though there is one.
	noLedger error
}

func newDoctor(env Env, p *printer) *cobra.Command {
	f := &doctoring{}
	c := &cobra.Command{
		Use:   "doctor [NAME… | --merge DIR]",
		Short: "Say which certificates will not be renewed, and why",
		Long: "Look at the certificates of this host, or at those of these names, and say what will keep\n" +
			"them from being renewed: what, where, since when, when it will hurt, and what to do about it.\n" +
			"What hurts first stands first. Nothing is ordered, no CA is asked (but with --ca) and nothing is\n" +
			"changed. Each finding has the id of its check (docs/doctor.md), which never changes its meaning.\n\n" +
			"With --fix, what is marked yes is mended: each change is shown, and asked for at a terminal or\n" +
			"made with -y. What is marked ask is mended where its id is named, as in --fix=D10 or --fix D10.\n" +
			"certbot and other runs are kept away meanwhile, and what is replaced is kept in\n" +
			"CONFIG/orderly/backup. What is left is told, and gives the exit code.\n\n" +
			"With --online DNS is asked as a CA does, each server of a zone by itself, and a probe file is put\n" +
			"into each document root, fetched from every address of its names, and removed again. With --web\n" +
			"nginx and Apache are asked for their configuration: which document roots, certificates and rules\n" +
			"they have for the names. Nothing of it is changed. With --online --ca the CAs are asked what they\n" +
			"have revoked and want replaced, with --online --via the sites are fetched from another place, too.\n\n" +
			"With --new, what the last doctor --new found is left out, unless it is worse by now; the exit code\n" +
			"counts what is new. With --nagios the first line and the exit code are what Nagios reads: 0 OK,\n" +
			"1 WARNING, 2 CRITICAL (something fails, or will within 7 days), 3 UNKNOWN (it could not be looked).\n\n" +
			"Exit codes: 0 nothing was found, 1 something fails or will fail, 3 there are only notes.",
		Args: cobra.ArbitraryArgs,
		RunE: func(c *cobra.Command, names []string) error {
			err := f.called(c, env, p, names)
			if f.nagios {
				return f.asNagios(c.Context(), p, err)
			}
			return err
		},
	}
	c.Flags().StringVar(&f.merge, "merge", "",
		"make one report of those of many servers: of a `directory` with what doctor --json printed\n"+
			"on each, in files called NAME.json or NAME.json.gz")
	// It fails where there is no such flag, and then no command line with it is understood.
	_ = c.MarkFlagDirname("merge")
	c.Flags().Var(&f.fixes, "fix", "mend what is marked yes, or what is found by the checks with these `ids`")
	c.Flags().Lookup("fix").NoOptDefVal = fixMarked
	c.Flags().BoolVarP(&f.yes, "yes", "y", false, "mend without asking")
	c.Flags().BoolVar(&f.fresh, "new", false, "only what is new, or worse, since the last doctor --new")
	c.Flags().BoolVar(&f.nagios, "nagios", false, "print what a plugin of Nagios prints, and end with its codes")
	f.network.add(c.Flags(), env.Getenv)
	f.places.add(c.Flags())
	c.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		if slices.Contains(env.Args, "--nagios") { // for which 2 is critical
			return f.asNagios(c.Context(), p, failure.Wrap(err, failure.Usage, "", "%s", c.CommandPath()))
		}
		return c.Root().FlagErrorFunc()(c, err)
	})
	c.ValidArgsFunction = lineagesForShell
	// It fails where there is no such flag, and then TestTheDoctorIsCompleted does.
	_ = c.RegisterFlagCompletionFunc("fix", checksForShell)
	return c
}

// checksForShell are the ids that --fix takes.
func checksForShell(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	var ids []string
	for _, c := range doctor.Checks() {
		if doctor.Mends(c.ID) {
			ids = append(ids, c.ID+"\t"+c.Title)
		}
	}
	return ids, cobra.ShellCompDirectiveNoFileComp
}

// called checks the command line and looks.
func (f *doctoring) called(c *cobra.Command, env Env, p *printer, names []string) error {
	names, err := f.fixes.takeIDs(names)
	if err == nil {
		err = f.checkFlags(names)
	}
	if err == nil {
		err = f.network.check(c.Flags(), f.merge != "")
	}
	if err != nil {
		return err
	}
	f.asked = names
	return f.execute(c.Context(), env, p, names)
}

// checkFlags refuses what does not go together.
func (f *doctoring) checkFlags(names []string) error {
	switch {
	case f.yes && !f.fixes.given:
		return failure.New(failure.Usage, "Add --fix, or leave -y away.", "-y says yes to --fix alone")
	case f.nagios && (f.json || f.fixes.given):
		return failure.New(failure.Usage, "Leave one of them away.",
			"--nagios prints what Nagios reads, and neither JSON nor what was mended")
	case f.merge == "":
		return nil
	case f.fixes.given:
		return failure.New(failure.Usage, "Run orderly doctor --fix on the server itself.",
			"--merge reads what other servers said, and mends nothing there")
	case f.fresh || f.nagios:
		return failure.New(failure.Usage, "Leave one of them away.",
			"--merge is about many servers, --new and --nagios about this one")
	case len(names) > 0:
		return failure.New(failure.Usage, "Leave out the names: --json has all of each.",
			"--merge reads whole reports, and looks for no single name")
	}
	return nil
}

func (f *doctoring) execute(ctx context.Context, env Env, p *printer, names []string) error {
	p.quiet, p.json = f.quiet, f.json
	if f.merge != "" {
		return mergeReports(ctx, p, f.merge)
	}
	s, there, err := f.open(ctx, env, p)
	if err != nil {
		return err
	}
	defer func() { _ = s.close() }() // what was written is committed
	report, err := f.examine(ctx, s, there, names)
	if err != nil {
		return err
	}
	var repairs []repaired
	if f.fixes.given {
		w, err := f.fix(ctx, env, s, report)
		if err != nil {
			return err
		}
		if repairs = w.done; w.changed > 0 {
			if report, err = f.examine(ctx, s, true, names); err != nil {
				return err
			}
			p.Say("")
		}
	}
	return f.tell(ctx, s, report, repairs)
}

// tell prints a report, or what is new of it, and gives the exit code.
func (f *doctoring) tell(ctx context.Context, s *session, report doctor.Report, repairs []repaired) error {
	var n *news
	if f.fresh {
		var err error
		if n, err = f.compared(ctx, s, report); err != nil {
			return err
		}
		report = n.fresh
	}
	code := report.Exit()
	switch {
	case f.nagios:
		code = printNagios(s.p, report, time.Now())
	case f.json:
		view := doctorView{Document: report.Document(s.p.remedy), Mended: repairs}
		if n != nil {
			view.Since = known(n.since)
		}
		s.p.print(view)
	default:
		if n != nil {
			n.tell(s.p)
		}
		printReport(s.p, report, f.asked, n != nil)
	}
	if n != nil {
		if err := n.keep(ctx); err != nil {
			return err
		}
	}
	if code != 0 {
		return &exitError{code}
	}
	return nil
}

// doctorView is a report as programs read it.
type doctorView struct {
	doctor.Document
	Mended []repaired `json:"mended,omitempty"`
	Since  *time.Time `json:"new_since,omitempty"` // the look with which it was compared
}

// open opens what is looked at, and the ledger where there is one.
func (f *doctoring) open(ctx context.Context, env Env, p *printer) (s *session, there bool, err error) {
	s, there, err = f.look(ctx, env, p)
	if failure.ClassOf(err) == failure.Ledger || errors.Is(err, syscall.EROFS) { // files show as much
		f.noLedger = err
		s, err = f.begin(env, p)
	}
	if err != nil {
		return nil, false, err
	}
	if _, err := os.Stat(s.dirs.Config); err != nil {
		_ = s.close()                                        // nothing was written
		return nil, false, failure.Wrap(err, failure.Config, // lest a mistyped directory looks healthy
			"Name certbot's configuration directory with "+failure.Do(failure.ConfigDir)+".",
			"the directory %s cannot be looked at", s.dirs.Config)
	}
	return s, there, nil
}

// examine looks at the host, and at its ledger where there is one.
func (f *doctoring) examine(ctx context.Context, s *session, there bool,
	names []string) (doctor.Report, error) {
	h := doctor.Host{Disk: &certbot.Store{Dirs: s.dirs}, Name: serverName(s.env.Getenv), Now: time.Now, Schedule: s.p.renewals, Tell: s.p.Tell,
		Say: s.p.remedy}
	h.Run = runQuietly
	h.NoLedger, h.Unsynchronised, h.Quota = f.noLedger, doctor.Unsynchronised, doctor.UserQuota
	if there {
		h.Ledger = s.ledger
		h.Alive = func(run int64) (bool, error) { return s.locks.Held(host.RunLock(run)) }
	}
	bar := s.p.bar("Looking at certificates")
	h.Progress = bar
	defer s.p.endBar()
	w := doctor.Wanted{Names: names}
	if f.network.online {
		end, err := f.network.reach(s, &h)
		if err != nil {
			return doctor.Report{}, err
		}
		defer end()
		w.Needs = append(w.Needs, doctor.Network)
	}
	if f.network.ca {
		if err := f.network.askCAs(s, &h); err != nil {
			return doctor.Report{}, err
		}
		w.Needs = append(w.Needs, doctor.Authorities)
	}
	if f.network.web {
		end, err := f.network.ask(s, &h)
		if err != nil {
			return doctor.Report{}, err
		}
		defer end()
		w.Needs = append(w.Needs, doctor.WebServer)
	}
	report, err := doctor.Examine(ctx, h, w)
	if err != nil && ctx.Err() != nil {
		return report, failure.Wrap(context.Cause(ctx), failure.Stopped,
			"Run the same command again: nothing was changed.", "stopped in time")
	}
	return report, err
}
