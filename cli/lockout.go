package cli

// certbot and Orderly never work beside each other: certbot's own locks see to that, shared among
// Orderlies. Who waits for one is told for whom.

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"orderly/failure"
	"orderly/host"
	"orderly/lock"
)

// lockOutCertbot takes certbot's own locks, shared: certbot and Orderly never run beside each
// other, Orderlies do. Who must be alone waits for those, too.
func (s *session) lockOutCertbot(ctx context.Context) error {
	bounded, cancel := context.WithTimeout(ctx, lockPatience)
	defer cancel()
	for _, dir := range []string{s.dirs.Config, s.dirs.Work} {
		whom := 0
		held, err := lock.Telling(bounded, filepath.Join(dir, ".certbot.lock"), s.alone, func(pid int) {
			whom = pid
			s.p.Tell("Waiting for %s, which is at work in %s.", s.lockedOutBy(ctx, pid), dir)
		})
		switch {
		case err == nil:
			s.onClose(held.Close)
		case errors.Is(err, context.Canceled):
			return failure.Wrap(err, failure.Stopped, "Run the same command again.",
				"stopped while %s was at work in %s", s.lockedOutBy(ctx, whom), dir)
		case errors.Is(err, context.DeadlineExceeded):
			remedy := "Look for a certbot that hangs, and end it."
			if whom != 0 {
				remedy = fmt.Sprintf("If it hangs, end it: kill %d", whom)
			}
			return failure.Wrap(err, failure.Locked, failure.Remedy(remedy),
				"Another instance of Certbot is already running. %s has been at work in %s for too long",
				s.lockedOutBy(ctx, whom), dir)
		default:
			return failure.Wrap(err, failure.Config,
				remedyOr(err, "Make the directory writable, or name another one."),
				"certbot's lock in %s cannot be taken", dir)
		}
	}
	return nil
}

// lockedOutBy names a process that holds certbot's lock: a run of Orderly, where the ledger knows
// it, and otherwise certbot.
func (s *session) lockedOutBy(ctx context.Context, pid int) string {
	if pid == 0 {
		return "another instance of certbot or Orderly"
	}
	if s.openLedger(ctx, false) == nil {
		if text := host.RunOf(ctx, s.ledger, s.locks, pid); text != "" {
			return text
		}
	}
	return fmt.Sprintf("another instance of certbot (process %d)", pid)
}
