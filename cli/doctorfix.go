package cli

// doctor --fix mends what can be mended without a question of taste, and what is asked for by its
// id: each change is shown first. certbot and other runs are kept away while something is changed,
// and not while a person thinks.

import (
	"context"
	"errors"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"

	"orderly/doctor"
	"orderly/failure"
	"orderly/host"
	"orderly/ledger"
	"orderly/order"
	"orderly/renewal"
)

// fixFlag is --fix, --fix=D14,D19.
type fixFlag struct {
	given bool
	ids   []string // none: those marked yes
}

// fixMarked is what --fix without a value means.
const fixMarked = "yes"

// Set implements pflag.Value.
func (f *fixFlag) Set(text string) error {
	f.given = true
	if text == fixMarked {
		return nil
	}
	ids, ok := checkIDs(text)
	if !ok {
		return failure.New(failure.Usage, "Name checks by their ids, as in --fix=D14.",
			"--fix %s: not the id of a check", failure.Clean(text))
	}
	for _, id := range ids {
		if !slices.ContainsFunc(doctor.Checks(), func(c doctor.Check) bool { return c.ID == id }) {
			return failure.New(failure.Usage, "The checks are listed in docs/doctor.md.",
				"--fix %s: there is no such check", id)
		}
	}
	f.ids = append(f.ids, ids...)
	return nil
}

// String implements pflag.Value.
func (f *fixFlag) String() string { return strings.Join(f.ids, ",") }

// Type implements pflag.Value.
func (*fixFlag) Type() string { return "ids" }

// checkIDs reads a list of ids of checks.
func checkIDs(text string) (ids []string, ok bool) {
	for id := range strings.SplitSeq(text, ",") {
		id = strings.ToUpper(strings.TrimSpace(id))
		if !regexp.MustCompile(`^D[0-9]{1,4}$`).MatchString(id) {
			return nil, false
		}
		ids = append(ids, id)
	}
	return ids, true
}

// takeIDs moves ids that stand behind a bare --fix among the names, as in `--fix D19`: no certificate
// that a doctor looks at is called so.
func (f *fixFlag) takeIDs(names []string) (rest []string, err error) {
	if !f.given {
		return names, nil
	}
	for _, name := range names {
		if _, is := checkIDs(name); !is {
			rest = append(rest, name)
			continue
		}
		if err := f.Set(name); err != nil {
			return nil, err
		}
	}
	return rest, nil
}

// concerns reports whether a finding is one to be mended.
func (f *fixFlag) concerns(found doctor.Finding) bool {
	if len(f.ids) == 0 {
		return found.Fix == doctor.FixYes
	}
	return found.Fix != doctor.FixNo && slices.Contains(f.ids, found.ID)
}

// repaired is a repair as programs read it.
type repaired struct {
	ID      string   `json:"id"`
	Lineage string   `json:"lineage"`
	Changes []string `json:"changes"`
	Done    bool     `json:"done"`
	Problem string   `json:"problem,omitempty"`
}

// fixing is one `doctor --fix` at work.
type fixing struct {
	f       *doctoring
	s       *session
	p       *printer
	talk    *dialogue
	mender  *doctor.Mender
	run     *ledger.Run
	aside   *asideRun // what puts certificates aside, once one is
	done    []repaired
	changed int
	unasked int // of those that nobody was there to be asked about
	left    int // that could not be mended
}

// fix mends what of a report is to be mended, and reports whether anything was changed.
func (f *doctoring) fix(ctx context.Context, env Env, s *session, report doctor.Report) (*fixing, error) {
	w := &fixing{f: f, s: s, p: s.p, talk: f.talk(env, s.p), mender: report.Mender()}
	wanted := slices.DeleteFunc(slices.Clone(report.Findings),
		func(found doctor.Finding) bool { return !f.fixes.concerns(found) })
	w.leave(ctx, report)
	if len(wanted) == 0 {
		s.p.Say("%s", f.fixes.nothing(report))
		return w, nil
	}
	w.mender.PutAside = w.putAside
	w.mender.Backup = &doctor.Backup{Top: s.ledgerDir() + "/backup", Now: time.Now}
	if f.yes {
		release, err := w.alone(ctx)
		if err != nil {
			return w, err
		}
		defer release()
	}
	for _, found := range wanted {
		if ctx.Err() != nil {
			return w, w.close(failure.Wrap(context.Cause(ctx), failure.Stopped,
				"Run the same command again: it goes on with the rest.", "stopped in time"))
		}
		if err := w.one(ctx, found); err != nil {
			return w, w.close(err)
		}
	}
	return w, w.close(nil)
}

// nothing says that nothing is to be mended.
func (f *fixFlag) nothing(report doctor.Report) string {
	if len(f.ids) == 0 {
		return "Nothing is found that --fix mends."
	}
	return "Nothing is found of " + strings.Join(f.ids, ", ") + " that --fix mends."
}

// leave says of what is named why it is left.
func (w *fixing) leave(ctx context.Context, report doctor.Report) {
	for _, found := range report.Findings {
		if found.Fix != doctor.FixNo || !slices.Contains(w.f.fixes.ids, found.ID) {
			continue
		}
		if _, err := w.mender.Plan(ctx, found); err != nil {
			w.p.Say("%s  %s", w.p.paintOut(bold, found.ID), findingLine(found))
			w.p.Say("    left: %s", err)
			if remedy := failure.RemedyOf(err); remedy != "" {
				w.p.Say("    %s%s", w.p.paintOut(bold, "remedy: "), w.p.remedy(remedy))
			}
		}
	}
}

// one shows what would be done about a finding, asks, and does it.
func (w *fixing) one(ctx context.Context, found doctor.Finding) error {
	repair, err := w.mender.Plan(ctx, found)
	if err == nil && len(repair.Edits) == 0 {
		return nil // an earlier repair was one of it, too
	}
	view := repaired{ID: found.ID, Lineage: found.Lineage, Changes: []string{}}
	for _, e := range repair.Edits {
		view.Changes = append(view.Changes, doctor.Shown(e)...)
	}
	w.p.Say("%s  %s", w.p.paintOut(bold, found.ID), findingLine(found))
	for _, line := range view.Changes {
		w.p.Say("    %s", w.coloured(line))
	}
	if err == nil {
		yes, nobody := w.agreed(ctx, found)
		if nobody != nil {
			return nobody
		}
		if !yes {
			w.done = append(w.done, view)
			return nil
		}
		err = w.mend(ctx, repair)
	}
	if failure.ClassOf(err) == failure.Stopped {
		return err
	}
	if view.Done = err == nil; view.Done {
		w.changed++
		w.p.Say("    mended")
	} else {
		w.left++
		view.Problem = err.Error()
		w.p.Say("    left: %s", err)
		if remedy := failure.RemedyOf(err); remedy != "" {
			w.p.Say("    %s%s", w.p.paintOut(bold, "remedy: "), w.p.remedy(remedy))
		}
	}
	w.done = append(w.done, view)
	return nil
}

// coloured is a line of a diff as people know it.
func (w *fixing) coloured(line string) string {
	switch {
	case strings.HasPrefix(line, "+++"), strings.HasPrefix(line, "---"):
		return w.p.paintOut(bold, line)
	case strings.HasPrefix(line, "+"):
		return w.p.paintOut(green, line)
	case strings.HasPrefix(line, "-"):
		return w.p.paintOut(red, line)
	}
	return line
}

// agreed asks a person. Where nobody answers, nothing is changed.
func (w *fixing) agreed(ctx context.Context, found doctor.Finding) (bool, error) {
	if w.f.yes {
		return true, nil
	}
	about := found.ID
	if found.Lineage != "" {
		about += " of " + found.Lineage
	}
	answer, err := w.talk.put(ctx, renewal.Question{Text: "Mend " + about + " so?", Yes: "Yes", No: "No", AtTerminal: true})
	if errors.Is(err, renewal.ErrNobody) {
		w.unasked++
		return false, nil
	}
	return answer == 0, err
}

// mend does it under the locks.
func (w *fixing) mend(ctx context.Context, repair doctor.Repair) error {
	if !w.f.yes {
		release, err := w.alone(ctx)
		if err != nil {
			return err
		}
		defer release()
	}
	return w.mender.Mend(ctx, repair)
}

// alone keeps certbot away, and records the run, by which others name whom they wait for.
func (w *fixing) alone(ctx context.Context) (release func(), err error) {
	// first, since its lock file must be opened once, and who is waited for is named by it
	if err := w.s.openLedger(ctx, false); err != nil {
		return nil, err
	}
	locked := *w.s
	locked.closers = nil
	release = func() { _ = locked.close() } // nothing was written by it
	if err := os.MkdirAll(w.s.dirs.Work, 0o755); err != nil {
		return nil, failure.Wrap(err, failure.Config, "Name another directory with --work-dir.",
			"the directory %s cannot be made", w.s.dirs.Work)
	}
	if err := locked.lockOutCertbot(ctx); err != nil {
		release()
		return nil, err
	}
	w.mender.Lock = func(lineage string) (func() error, bool, error) {
		return w.s.locks.TryLock(order.LineageLock(lineage))
	}
	return release, w.begin(ctx)
}

// begin records that this run changes something, once.
func (w *fixing) begin(ctx context.Context) error {
	if w.run != nil {
		return nil
	}
	run := &ledger.Run{Command: "doctor --fix", PID: w.s.env.PID, StartedAt: time.Now()}
	err := w.s.ledger.Commit(ctx, &ledger.Change{Run: run,
		Events: []ledger.Event{{At: run.StartedAt, Kind: runStarted, Detail: run.Command}}})
	if err != nil {
		return err
	}
	w.run = run
	_, err = w.s.locks.Lock(ctx, host.RunLock(run.ID))
	return err
}

// close records how the run ended, and says where what it replaced is kept.
func (w *fixing) close(err error) error {
	if dir := w.mender.Backup.Dir(); dir != "" {
		w.p.Say("What was replaced is kept in %s.", dir)
	}
	if w.unasked > 0 {
		w.p.Say("Nothing was changed: nobody is here to be asked. Add -y to mend what is shown.")
	}
	err = errors.Join(err, w.aside.close(err))
	if w.run == nil {
		return err
	}
	w.run.EndedAt, w.run.Outcome = time.Now(), "done"
	switch {
	case err != nil:
		w.run.Outcome, w.run.ExitCode = "stopped", failure.ClassOf(err).ExitCode()
		w.run.Detail = failure.Clean(err.Error())
	case w.left > 0:
		w.run.Outcome, w.run.ExitCode = "failed", 1
	}
	return errors.Join(err, w.s.ledger.Commit(context.Background(), &ledger.Change{Run: w.run}))
}
