package renewal

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"orderly/certbot"
	"orderly/failure"
	"orderly/ledger"
	"orderly/order"
	"orderly/order/drive"
)

// Result is what became of one lineage.
type Result struct {
	Lineage string    `json:"lineage"`
	Names   []string  `json:"names,omitempty"`
	Outcome string    `json:"outcome"` // "issued", "kept", "failed", "stopped", "locked", "invalid", "skipped", "rehearsed"
	Path    string    `json:"fullchain,omitempty"`
	Key     string    `json:"private_key,omitempty"`
	Expires time.Time `json:"expires,omitzero"`
	DueAt   time.Time `json:"due_at,omitzero"`
	Order   int64     `json:"order,omitempty"`
	Resumed bool      `json:"resumed,omitempty"`
	// Output names the files of a certificate that belongs to no lineage.
	Output ledger.Output `json:"output,omitzero"`
	// Note is what somebody should know although the certificate is in place.
	Note  string   `json:"note,omitempty"`
	Notes []string `json:"notes,omitempty"` // what is odd about when it is due

	Class    failure.Class `json:"class,omitempty"`
	Sentence string        `json:"error,omitempty"`
	Remedy   string        `json:"remedy,omitempty"`
	Until    time.Time     `json:"until,omitzero"` // when it ends by itself, where that is known
	Err      error         `json:"-"`
}

// The outcomes of a Result.
const (
	Issued  = "issued"
	Kept    = "kept"
	Failed  = "failed"
	Stopped = "stopped"
	Locked  = "locked"  // another run was at work on it for longer than it was waited for
	Invalid = "invalid" // the renewal file cannot be used
	Skipped = "skipped" // the renewal file is a copy of another's
)

// fail makes err the result's.
func (r *Result) fail(err error) {
	r.Err, r.Class, r.Sentence, r.Remedy, r.Until = err, failure.ClassOf(err), err.Error(), failure.RemedyOf(err), failure.UntilOf(err)
	r.Outcome = Failed
	switch r.Class {
	case failure.Stopped:
		r.Outcome = Stopped
	case failure.Locked:
		r.Outcome = Locked
	}
}

// errMoved says that another process changed what the decision rested on while the lock was waited for.
var errMoved = errors.New("another process made or renamed the lineage meanwhile")

// mostDecisions bounds how often a decision is made anew because of errMoved.
const mostDecisions = 5

// Only says that this wish is all the run is about, so that its end may be recorded with the order's.
func (s *Server) Only() { s.host.Only() }

// Obtain fulfils a wish: it keeps, makes or renews a certificate.
func (s *Server) Obtain(ctx context.Context, w Wish) Result {
	var result Result
	w.answers = map[string]int{}
	s.heal(ctx, w)
	for range mostDecisions {
		d, err := s.decide(w, s.Clock.Now())
		err = stoppedOr(ctx, err)
		result = Result{Lineage: d.Lineage, Names: w.Names}
		if err != nil {
			result.fail(err)
			return result
		}
		d.Needed = d.Needed || s.Settings.Rehearsal
		if !d.Needed && !s.unfinished(ctx, d.Lineage) {
			s.keep(&result, d.Current)
			for _, note := range result.Notes {
				s.host.Voice.WarnOnce(note)
			}
			return result
		}
		err = s.fulfil(ctx, w, d, &result)
		if errors.Is(err, errMoved) {
			continue
		}
		if err != nil {
			result.fail(err)
		}
		return result
	}
	result.fail(failure.Wrap(errMoved, failure.Locked, "Run the same command again.", "%s changes faster than it can be looked at", result.Lineage))
	return result
}

// stoppedOr is err, or that the run was told to end: what was looked for until then is not missing.
func stoppedOr(ctx context.Context, err error) error {
	if ctx.Err() == nil {
		return err
	}
	return failure.Wrap(context.Cause(ctx), failure.Stopped, "Run the same command again: it goes on where it stopped.",
		"stopped while the certificates of this host were looked at")
}

// unfinished reports whether the ledger holds an order for the lineage that an earlier process left.
func (s *Server) unfinished(ctx context.Context, lineage string) bool {
	orders, err := s.Ledger.Orders(ctx, ledger.OrderFilter{Unsettled: true, Lineage: lineage})
	return err == nil && len(orders) > 0
}

// inherited is what this run has finished of what earlier ones began.
type inherited struct {
	deleted map[string]deletion // by lineage
	revoked []Revoked
}

// keep says that a certificate in place is as it should be: because this run has finished what an earlier one began, or
// since long.
func (s *Server) keep(r *Result, l *certbot.Lineage) {
	r.Outcome = Kept
	if done := s.host.Finished.Of(s.host.Files.OrderName(l.Name)); done != nil && r.Order == 0 {
		r.Outcome, r.Order, r.Resumed = Issued, done.ID, true
		if done.Request.Rehearsal {
			r.Outcome = Rehearsed
		}
	}
	r.Path, r.Key, r.Expires = l.Renewal.FullChain, l.Renewal.PrivKey, l.Certificate.NotAfter
	for _, note := range l.Renewal.DueNotes() {
		r.Notes = append(r.Notes, note.String())
	}
	if at, err := s.dueAt(l); err == nil {
		r.DueAt = at
	}
}

// fulfil runs the engine for a decision, which is made again under the lineage's lock.
func (s *Server) fulfil(ctx context.Context, w Wish, d Decision, result *Result) error {
	engine, err := s.engineFor(ctx, w)
	if err != nil {
		return err
	}
	if err := s.host.Ports.Reserve(ctx, w.Port(d.Current)); err != nil {
		return err
	}
	defer s.host.Ports.Rest()
	outcome, err := s.obtain(ctx, engine, s.host.Files.OrderName(d.Lineage), w.Names, d.Current, s.enough(w, d), func(ctx context.Context) (*order.Plan, error) {
		closed := w
		closed.closed = true
		again, err := s.decide(closed, s.Clock.Now())
		if err = stoppedOr(ctx, err); err != nil {
			return nil, err
		}
		if again.Lineage != d.Lineage {
			return nil, errMoved
		}
		if !again.Needed && !s.Settings.Rehearsal {
			return nil, nil
		}
		request, err := w.request(again, engine.Account.KeyID)
		if err != nil {
			return nil, err
		}
		plan := &order.Plan{Request: request, Force: s.Settings.Force, Urgent: again.Current != nil && s.pressing(again.Current)}
		return plan, s.attempt(ctx, engine, &plan.Request)
	})
	return s.conclude(d.Lineage, outcome, err, result)
}

// attempt says what begins, unless it is certain already that preflight will refuse.
func (s *Server) attempt(ctx context.Context, e *drive.Engine, r *ledger.Request) error {
	s.addReplaces(ctx, e, r)
	if r.LostKey = r.LostKey || s.host.Lineages.Abandoned(r.Lineage) != ""; r.LostKey {
		s.host.Voice.WarnOnce(fmt.Sprintf("the private key of %s is lost; the certificate is renewed with a new one", r.Lineage))
	}
	s.host.Files.Rehearse(r)
	if s.left != nil {
		restrict(r, s.left)
	}
	s.host.Roots.Refresh(ctx, r)
	if e.Account.ID != 0 && !s.host.Checks.Hopeless(ctx, *r) { // who has no account yet hears of that first
		s.announce(*r)
	}
	return nil
}

// addReplaces names the certificate that the new one replaces (RFC 9773 §5), where this ledger knows that the same account
// got it: a CA refuses the mention of another's.
func (s *Server) addReplaces(ctx context.Context, e *drive.Engine, r *ledger.Request) {
	if r.New || s.Settings.Rehearsal {
		return
	}
	last, err := s.Ledger.Certificate(ctx, r.Lineage)
	if err == nil && last.AccountID == e.Account.ID {
		r.Replaces = last.RenewalID
	}
}

func (s *Server) announce(r ledger.Request) {
	verb := "Renewing an existing certificate"
	switch {
	case len(r.CSR) > 0 && !r.Rehearsal:
		verb = "Requesting a certificate"
	case (r.New || len(r.CSR) > 0) && r.Rehearsal:
		verb = "Simulating a certificate request"
	case r.Rehearsal:
		verb = "Simulating renewal of an existing certificate"
	case r.New:
		verb = "Requesting a certificate"
	}
	s.Report.Say("%s for %s", verb, listNames(r.Names))
}

// conclude reads what was put in place.
func (s *Server) conclude(lineage string, outcome drive.Outcome, err error, result *Result) error {
	if outcome.Order != nil {
		result.Order, result.Resumed = outcome.Order.ID, outcome.Resumed
	}
	if err != nil {
		return err
	}
	if outcome.Order != nil {
		s.host.Hooks.Renewed(outcome.Order.Request.Names)
	}
	if s.Settings.Rehearsal {
		result.Outcome, result.Path = Rehearsed, filepath.Join(s.Disk.Dirs.Config, "live", lineage, "fullchain.pem")
		if l, err := s.Disk.Open(lineage); err == nil && outcome.Order != nil {
			result.Note = s.host.Hooks.NoteInstaller(l, outcome.Order.Request.Hooks.Deploy, s.Settings.Installer)
		}
		return nil
	}
	l, err := s.Disk.Open(lineage)
	if err != nil {
		return err
	}
	s.keep(result, l)
	result.Names = l.Certificate.Names
	if outcome.Order != nil {
		result.Outcome = Issued
		result.Note = s.host.Hooks.NoteInstaller(l, outcome.Order.Request.Hooks.Deploy, s.Settings.Installer)
	}
	return nil
}

// lastWord is how long a post-hook may take after a signal. With the time that a request under way is given it keeps the
// whole within two seconds; a hook that needs longer is ended and paid by the next run.
const lastWord = 400 * time.Millisecond

// Finish runs the post-hooks this run owes, also after a signal: a service that a pre-hook stopped must not stay down. It
// is called once, after everything else.
func (s *Server) Finish(ctx context.Context) error {
	s.host.Ports.Close() // a post-hook may start the web server whose port it was
	defer s.host.Ports.Free()
	if ctx.Err() == nil {
		return s.host.Hooks.PayOwn(ctx)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastWord)
	defer cancel()
	return s.host.Hooks.PayOwn(ctx)
}
