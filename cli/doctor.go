package cli

// doctor says which certificates will not be renewed and why, on any day, before anything is ordered:
// by cause, what breaks first first.

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
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
			"What hurts first stands first. Nothing is ordered, no CA is asked and nothing is changed. Each\n" +
			"finding has the id of its check (docs/doctor.md), which never changes its meaning.\n\n" +
			"With --fix, what is marked yes is mended: each change is shown, and asked for at a terminal or\n" +
			"made with -y. What is marked ask is mended where its id is named, as in --fix=D10 or --fix D10.\n" +
			"certbot and other runs are kept away meanwhile, and what is replaced is kept in\n" +
			"CONFIG/orderly/backup. What is left is told, and gives the exit code.\n\n" +
			"With --online DNS is asked as a CA does, each server of a zone by itself, and a probe file is put\n" +
			"into each document root, fetched from every address of its names, and removed again.\n\n" +
			"Exit codes: 0 nothing was found, 1 something fails or will fail, 3 there are only notes.",
		Args: cobra.ArbitraryArgs,
		RunE: func(c *cobra.Command, names []string) error {
			names, err := f.fixes.takeIDs(names)
			if err != nil {
				return err
			}
			if f.yes && !f.fixes.given {
				return failure.New(failure.Usage, "Add --fix, or leave -y away.", "-y says yes to --fix alone")
			}
			if err := f.network.check(c.Flags(), f.merge != ""); err != nil {
				return err
			}
			return f.execute(c.Context(), env, p, names)
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
	f.network.add(c.Flags(), env.Getenv)
	f.places.add(c.Flags())
	return c
}

func (f *doctoring) execute(ctx context.Context, env Env, p *printer, names []string) error {
	if f.merge != "" {
		return f.merged(ctx, p, names)
	}
	s, there, err := f.open(ctx, env, p)
	if err != nil {
		return err
	}
	defer func() { _ = s.close() }() // nothing was written
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
	if p.json {
		p.print(struct {
			doctor.Document
			Mended []repaired `json:"mended,omitempty"`
		}{report.Document(p.remedy), repairs})
	} else {
		printReport(p, report)
	}
	if code := report.Exit(); code != 0 {
		return &exitError{code}
	}
	return nil
}

// open opens what is looked at, and the ledger where there is one.
func (f *doctoring) open(ctx context.Context, env Env, p *printer) (s *session, there bool, err error) {
	s, there, err = f.look(ctx, env, p)
	if failure.ClassOf(err) == failure.Ledger { // of what files show nothing is lost by it
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

// merged is the report of other servers.
func (f *doctoring) merged(ctx context.Context, p *printer, names []string) error {
	p.quiet, p.json = f.quiet, f.json
	if f.fixes.given {
		return failure.New(failure.Usage, "Run orderly doctor --fix on the server itself.",
			"--merge reads what other servers said, and mends nothing there")
	}
	if len(names) > 0 {
		return failure.New(failure.Usage, "Leave out the names: --json has all of each.",
			"--merge reads whole reports, and looks for no single name")
	}
	return mergeReports(ctx, p, f.merge)
}

// examine looks at the host, and at its ledger where there is one.
func (f *doctoring) examine(ctx context.Context, s *session, there bool,
	names []string) (doctor.Report, error) {
	h := doctor.Host{Disk: &certbot.Store{Dirs: s.dirs}, Name: serverName(s.env.Getenv), Now: time.Now, Schedule: s.p.renewals, Tell: s.p.Tell}
	h.NoLedger, h.Unsynchronised = f.noLedger, doctor.Unsynchronised
	if there {
		h.Ledger = s.ledger
		h.Alive = func(run int64) (bool, error) { return s.locks.Held(host.RunLock(run)) }
	}
	w := doctor.Wanted{Names: names}
	if f.network.online {
		end, err := f.network.reach(s, &h)
		if err != nil {
			return doctor.Report{}, err
		}
		defer end()
		w.Needs = append(w.Needs, doctor.Network)
	}
	return doctor.Examine(ctx, h, w)
}

// screenFindings is how many findings of one cause a person reads.
const screenFindings = 20

// printReport prints findings by cause.
func printReport(p *printer, r doctor.Report) {
	for _, g := range r.Groups() {
		printGroup(p, g)
	}
	p.Say("%s", verdict(r))
}

func printGroup(p *printer, g doctor.Group) {
	p.Say("%s  %s%s", p.paint(severityColour(g.Severity()), g.Check.ID), g.Check.Title, hurting(g))
	one := sameRemedy(g.Findings)
	for _, f := range g.Findings[:min(len(g.Findings), screenFindings)] {
		p.Say("  %s", findingLine(f))
		if !one && f.Remedy != "" {
			p.Say("      %s", p.remedy(f.Remedy))
		}
	}
	if more := len(g.Findings) - screenFindings; more > 0 {
		p.Say("  and %d more: --json has all of them.", more)
	}
	if remedy := g.Findings[0].Remedy; one && remedy != "" {
		p.Say("    %s%s", p.paint(bold, "remedy: "), p.remedy(remedy))
	}
	p.Say("")
}

// findingLine is one finding for a person: whose it is, what it is, where and since when.
func findingLine(f doctor.Finding) string {
	var line strings.Builder
	if f.Lineage != "" {
		line.WriteString(f.Lineage + ": ")
	}
	line.WriteString(f.Sentence)
	if f.File != "" && !strings.Contains(f.Sentence, f.File) {
		line.WriteString(" (" + f.File)
		if f.Line > 0 {
			fmt.Fprintf(&line, ", line %d", f.Line)
		}
		line.WriteString(")")
	}
	if !f.Since.IsZero() {
		line.WriteString(", since " + f.Since.UTC().Format(time.DateOnly))
	}
	return line.String()
}

// hurting is how bad findings of one cause are, and from when on.
func hurting(g doctor.Group) string {
	word := map[doctor.Severity]string{doctor.Fails: "fails", doctor.WillFail: "will fail",
		doctor.Doubtful: "doubtful", doctor.Note: "note"}[g.Severity()]
	at := g.HurtsAt()
	if at.IsZero() || g.Severity() == doctor.Note || g.Severity() == doctor.Doubtful {
		return " (" + word + ")"
	}
	if g.Severity() == doctor.Fails {
		return fmt.Sprintf(" (%s, due since %s)", word, at.UTC().Format(time.DateOnly))
	}
	return fmt.Sprintf(" (%s from %s on)", word, at.UTC().Format(time.DateOnly))
}

func severityColour(s doctor.Severity) string {
	switch s {
	case doctor.Fails:
		return red
	case doctor.WillFail, doctor.Doubtful:
		return yellow
	}
	return bold
}

// sameRemedy reports whether one remedy is that of all.
func sameRemedy(all []doctor.Finding) bool {
	return !slices.ContainsFunc(all, func(f doctor.Finding) bool { return f.Remedy != all[0].Remedy })
}

// verdict sums a report up.
func verdict(r doctor.Report) string {
	certificates := "certificates"
	if r.Lineages == 1 {
		certificates = "certificate"
	}
	if len(r.Findings) == 0 {
		return fmt.Sprintf("%d %s, nothing found.", r.Lineages, certificates)
	}
	var parts []string
	for _, one := range []struct {
		severity doctor.Severity
		words    string
	}{{doctor.Fails, "fail"}, {doctor.WillFail, "will fail"}, {doctor.Doubtful, "doubtful"},
		{doctor.Note, "notes"}} {
		n := 0
		for _, f := range r.Findings {
			if f.Severity == one.severity {
				n++
			}
		}
		if n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, one.words))
		}
	}
	return failure.Clean(fmt.Sprintf("%d %s, %d clean; findings: %s.", r.Lineages, certificates,
		r.Clean, strings.Join(parts, ", ")))
}
