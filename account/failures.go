package account

import (
	"cmp"
	"context"
	"errors"

	"orderly/acme"
	"orderly/failure"
)

// What a CA says against an account is told apart here: whether it is gone, or the answer is.

// explain says why a request about an account came to nothing.
func explain(err error, format string, args ...any) error {
	class, remedy := acme.Class(err), cmp.Or(acme.Advice("the CA", err), "Run the same command again later.")
	switch {
	case unknown(err):
		class = failure.Account
		remedy = "If it is not wanted any more, " + failure.Do(failure.ForgetAccount) +
			" removes it from this host."
	case class == failure.CARefused, class == failure.RateLimited:
		remedy = ""
	case isLost(err):
		class = failure.AnswerLost
	}
	return failure.Wrap(err, class, remedy, format, args...)
}

func isLost(err error) bool {
	_, ok := errors.AsType[*acme.Lost](err)
	return ok && !errors.Is(err, context.Canceled)
}

// unknown reports whether the CA refuses a request because the account it is signed for is
// deactivated or unknown (RFC 8555 §7.3.6; accountDoesNotExist in §6.7).
func unknown(err error) bool {
	if _, ok := errors.AsType[*acme.NotSent](err); ok {
		return false
	}
	p, ok := errors.AsType[*acme.Problem](err)
	return ok && p.Status < 500 && (p.IsType("unauthorized") || p.IsType("accountDoesNotExist"))
}
