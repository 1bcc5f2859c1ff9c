package cli

// What the packages below tell a person holds names, paths and sentences that others wrote. They
// put it into a format, and nothing of what they put there breaks a line or colours it: only this
// package does, on its own behalf.

import (
	"context"

	"orderly/failure"
	"orderly/host"
)

// reporter is the printer as the packages below know it: host.Reporter.
type reporter struct {
	p     *printer
	about []any // for the log
}

// Under implements host.Apart.
func (r reporter) Under(ctx context.Context) host.Reporter {
	r.about = nil
	for _, a := range aboutOf(ctx) {
		r.about = append(r.about, a)
	}
	return r
}

// Say implements host.Reporter.
func (r reporter) Say(format string, args ...any) {
	r.p.saying(failure.Words(format, args...), r.about...)
}

// Tell implements host.Reporter.
func (r reporter) Tell(format string, args ...any) {
	r.p.telling(failure.Words(format, args...), r.about...)
}

// Warn implements host.Reporter.
func (r reporter) Warn(format string, args ...any) {
	r.p.warning(failure.Words(format, args...), r.about...)
}
