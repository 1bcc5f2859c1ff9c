package account

import (
	"context"
	"errors"
	"io"
	"syscall"
	"time"

	"orderly/acme"
	"orderly/order"
)

// A request about an account, or a revocation, does no harm when it is sent again: newAccount
// answers a known key with the account it has, a certificate that is revoked stays revoked,
// contacts are replaced by the same. So one whose answer was lost is asked once more in the same
// run; a person would do nothing else, and cron would only next night.

// pauseBefore is how long a CA that has just lost an answer is left in peace, and the longest
// Retry-After that is waited for where it was out of order instead.
const (
	pauseBefore   = 300 * time.Millisecond
	longestBefore = 5 * time.Second
)

// Again sends a request, and once more where the answer to it, or to what had to be asked before
// it, was lost. What it returns is what is known at the end: an answer that was lost counts more
// than a second try that could not be sent.
func Again(ctx context.Context, clock order.Clock, send func() error) error {
	err := send()
	pause, repeat := repeatable(err)
	if !repeat || clock.Sleep(ctx, pause) != nil {
		return err
	}
	again := send()
	if _, unsent := errors.AsType[*acme.NotSent](again); unsent && acme.Undecided(err) {
		return err
	}
	return again
}

func repeatable(err error) (pause time.Duration, repeat bool) {
	if p, ok := errors.AsType[*acme.Problem](err); ok && p.HasRetryAfter {
		return max(p.RetryAfter, pauseBefore), acme.Undecided(err) && p.RetryAfter <= longestBefore
	}
	if errors.Is(err, context.Canceled) {
		return 0, false
	}
	return pauseBefore, acme.Undecided(err) || broken(err)
}

// broken reports whether a connection that had come about was cut before the request could be sent.
func broken(err error) bool {
	_, answered := errors.AsType[*acme.Problem](err)
	cut := errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
	return !answered && cut
}
