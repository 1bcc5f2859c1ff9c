package cli

// What the packages below tell a person holds names, paths and sentences that others wrote. They
// put it into a format, and nothing of what they put there breaks a line or colours it: only this
// package does, on its own behalf.

import "orderly/failure"

// reporter is the printer as the packages below know it: host.Reporter.
type reporter struct{ p *printer }

// Say implements host.Reporter.
func (r reporter) Say(format string, args ...any) { r.p.Say("%s", failure.Words(format, args...)) }

// Tell implements host.Reporter.
func (r reporter) Tell(format string, args ...any) {
	r.p.Tell("%s", failure.Words(format, args...))
}

// Warn implements host.Reporter.
func (r reporter) Warn(format string, args ...any) {
	r.p.Warn("%s", failure.Words(format, args...))
}
