package renewal

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"slices"
	"strings"

	"orderly/failure"
	"orderly/ledger"
	"orderly/order"
)

// A lineage is deleted with what would bring it back: its unfinished orders go first. A run that is
// killed meanwhile leaves a task, which the next one finishes.

// deletions deletes lineages.
type deletions struct {
	*base
	*engines
	deleted map[string]deletion // what this run has deleted, by lineage
}

// CertificateNames checks that there is a certificate of each name, so that nothing is deleted if
// one was mistyped. A list separated by commas is taken for several names, unless a certificate is
// called so.
func (s *deletions) CertificateNames(ctx context.Context, given []string) ([]string, error) {
	there, err := s.Disk.Names()
	if err != nil {
		return nil, err
	}
	tasks, err := s.Ledger.Tasks(ctx)
	if err != nil {
		return nil, err
	}
	for _, t := range tasks {
		if t.Kind == ledger.DeleteTask || t.Kind == ledger.RetireTask {
			// a killed run may have come so far that nothing of it is on disk
			there = append(there, t.Subject)
		}
	}
	var names []string
	for _, text := range given {
		list := []string{text}
		if !slices.Contains(there, text) {
			list = strings.Split(text, ",")
		}
		for _, name := range list {
			if name = strings.TrimSpace(name); name == "" || slices.Contains(names, name) {
				continue
			}
			if !slices.Contains(there, name) {
				return nil, s.noCertificate(name)
			}
			names = append(names, name)
		}
	}
	return names, nil
}

// deletion is the payload of a DeleteTask, and of a RetireTask.
type deletion struct {
	// File is the SHA-256 of the renewal file that is deleted. Another one under the same name is
	// another lineage, made since by certbot or by hand, and stays.
	File    string `json:"file"`
	Revoked bool   `json:"revoked,omitempty"` // it is deleted because its certificate was revoked
	Spared  bool   `json:"spared,omitempty"`  // it is put aside because nothing used it at that time
}

// Delete removes a lineage from the disk, as certbot's delete does. Its unfinished orders go first,
// so that nothing of it comes back: one that the CA has issued, or is about to, is given up; of
// another one the names become valid with the next run, so that nothing stays pending, and no
// certificate is made. A run that is killed meanwhile leaves a task, which the next one finishes.
func (s *deletions) Delete(ctx context.Context, name string) error {
	if _, done := s.deleted[name]; done {
		return nil // this run has just finished what an earlier one began
	}
	unlock, err := s.lock(ctx, order.LineageLock(name))
	if err != nil {
		return err
	}
	defer func() { _ = unlock() }()
	return s.delete(ctx, name, nil)
}

// delete is Delete for one who holds the lineage's lock. Revoked is the task that ends where the
// deletion begins; nil for none.
func (s *deletions) delete(ctx context.Context, name string, revoked *ledger.Task) error {
	if err := s.Disk.Deletable(name); err != nil {
		return err
	}
	ctx = context.WithoutCancel(ctx)
	p := deletion{File: s.renewalSum(name), Revoked: revoked != nil}
	var t *ledger.Task
	err := s.forsake(ctx, name, order.LineageDeleted, func(change ledger.Change) (err error) {
		if revoked != nil {
			revoked.EndedAt = s.Clock.Now()
			change.Tasks = append(change.Tasks, revoked)
		}
		t, err = s.tasks().Undertake(ctx, ledger.DeleteTask, name, p, change)
		return err
	})
	if err != nil {
		return err
	}
	return s.erase(ctx, t, p)
}

// renewalSum is the SHA-256 of a renewal file, "" where there is none that can be read.
func (s *deletions) renewalSum(name string) string {
	text, err := os.ReadFile(s.Disk.Dirs.Renewal(name))
	if err != nil {
		return ""
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

// erase removes the files of a deletion whose intent is durable. The renewal file goes last, so
// that without one nothing is left to do.
func (s *deletions) erase(ctx context.Context, t *ledger.Task, p deletion) error {
	_, err := os.Lstat(s.Disk.Dirs.Renewal(t.Subject))
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case p.File != s.renewalSum(t.Subject):
		s.Report.Warn("the deletion of %s, which run %d began, is given up: %s was changed since; run: %s",
			t.Subject, t.RunID, s.Disk.Dirs.Renewal(t.Subject),
			failure.Do(failure.Delete, t.Subject))
		return s.tasks().End(ctx, t, ledger.Event{Lineage: t.Subject, Kind: "deletion given up"})
	default:
		if err := s.Disk.Delete(t.Subject); err != nil {
			return err
		}
	}
	if err := s.tasks().End(ctx, t,
		ledger.Event{Lineage: t.Subject, Kind: "lineage deleted"}); err != nil {
		return err
	}
	if s.deleted == nil {
		s.deleted = map[string]deletion{}
	}
	s.deleted[t.Subject] = p
	s.Report.Say("Deleted all files relating to certificate %s.", t.Subject)
	return nil
}

// goOnDeleting finishes a deletion that another run began. A lineage that somebody works on is left
// to a later run.
func (s *deletions) goOnDeleting(ctx context.Context, t *ledger.Task) error {
	var p deletion
	if err := json.Unmarshal([]byte(t.Payload), &p); err != nil {
		return err
	}
	unlock, free, err := s.Locks.TryLock(order.LineageLock(t.Subject))
	if err != nil || !free {
		return err
	}
	defer func() { _ = unlock() }()
	s.Report.Tell("Going on with the deletion of %s, which run %d began.", t.Subject, t.RunID)
	return s.erase(context.WithoutCancel(ctx), t, p)
}

// forsake lets nothing come of a lineage's unfinished orders. commit writes that.
func (s *deletions) forsake(ctx context.Context, name string, why order.Reason,
	commit func(ledger.Change) error) error {
	orders, err := s.Ledger.Orders(ctx, ledger.OrderFilter{Unsettled: true, Lineage: name})
	if err == nil {
		err = s.abandon(ctx, why, orders, commit)
	}
	if err != nil {
		return err
	}
	for _, o := range orders {
		what := "given up"
		if o.SettledAt.IsZero() {
			what = "superseded"
		}
		s.Report.Tell("Order %d for %s, which an earlier run left, is %s: nothing of it comes back.", o.ID, name, what)
	}
	return nil
}
