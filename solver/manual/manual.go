// Package manual proves names by commands of a person's own (certbot's --manual-auth-hook and
// --manual-cleanup-hook), for http-01 and dns-01. What an auth hook put in place somewhere is known
// to nobody else, so its cleanup hook is owed from before the auth hook runs until it has run
// itself. The package must never begin an auth hook whose cleanup is not recorded, and never let a
// hook that ends whoever runs it do so for ever.
package manual

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"time"

	"orderly/failure"
	"orderly/hook"
	"orderly/outside"
)

// Proof is one name with what its hooks are told.
type Proof struct {
	Auth    string `json:"auth"` // shell commands
	Cleanup string `json:"cleanup,omitempty"`

	Domain     string   `json:"domain"`          // CERTBOT_DOMAIN and CERTBOT_IDENTIFIER: the name, without "*."
	Validation string   `json:"validation"`      // CERTBOT_VALIDATION: what the CA is to find
	Token      string   `json:"token,omitempty"` // CERTBOT_TOKEN: the file's name, for http-01 alone
	Remaining  int      `json:"remaining"`       // CERTBOT_REMAINING_CHALLENGES
	All        []string `json:"all"`             // CERTBOT_ALL_DOMAINS
}

// Placement is the record of a Proof and of what its hooks have come to. It is JSON in the ledger.
type Placement struct {
	Proof
	Begun    int       `json:"begun,omitempty"`    // runs that began the auth hook for this token and did not see its end
	DoneAt   time.Time `json:"done_at,omitzero"`   // the auth hook ended well
	Output   string    `json:"output,omitempty"`   // CERTBOT_AUTH_OUTPUT: what it printed
	Cleaning int       `json:"cleaning,omitempty"` // runs that began the cleanup hook
}

// mostBegun is how many runs may begin a hook without seeing its end: one that ends whoever runs it
// (it restarts the panel that called us) would otherwise end every run from then on.
const mostBegun = 3

// freshFor is how long what an auth hook put in place is trusted to stand still, in a later run.
// After that the cleanup hook and then the auth hook run again: a host may have been started anew
// meanwhile.
const freshFor = time.Hour

// The kinds of hooks.
const (
	AuthHook    = "auth-hook"
	CleanupHook = "cleanup-hook"
)

// Solver runs the hooks.
type Solver struct {
	Now func() time.Time
	Env []string // beside this process's environment
	// Report is told what a hook printed, and how it ended if it did not end well: what kind
	// (AuthHook, CleanupHook), for which name.
	Report func(kind, domain string, r Result)
}

// Result is how a hook ended.
type Result struct {
	Stdout, Stderr outside.Printed
	Code           int // its exit code, -1 where it was ended by a signal or could not be started
}

// Plan says what is to be recorded before the auth hook runs. former is the record of an earlier
// run, or nil. An auth hook that ended too many runs is not begun again: an error of class Hook.
func (s *Solver) Plan(p Proof, former *Placement) (Placement, error) {
	next := Placement{Proof: p, Begun: 1}
	if former != nil && former.Token == p.Token && former.Validation == p.Validation && former.Auth == p.Auth && former.DoneAt.IsZero() {
		next.Begun = former.Begun + 1
	}
	if next.Begun > mostBegun {
		return next, failure.New(failure.Hook,
			"Run it by hand to see what it does, and change "+failure.Do(failure.ProofHook)+".",
			"%d runs ended while the auth hook for %s ran: %s", former.Begun,
			failure.Clean(p.Domain), failure.Clean(p.Auth))
	}
	return next, nil
}

// Suits reports whether what an earlier auth hook put in place can stay: the same commands with the
// same values, which ended well not long ago.
func (s *Solver) Suits(former Placement, p Proof) bool {
	same := former.Auth == p.Auth && former.Cleanup == p.Cleanup && former.Domain == p.Domain &&
		former.Validation == p.Validation && former.Token == p.Token
	age := s.Now().Sub(former.DoneAt)
	return same && !former.DoneAt.IsZero() && age < freshFor && age > -freshFor
}

// Place runs the auth hook, unless the record says that it has run. The record it returns says that
// it has, and what it printed. Where the hook fails there is nothing for the CA to find, so that an
// answer would be charged as a failure: the cleanup hook runs, and false says that nothing stands.
// certbot goes on in that case.
func (s *Solver) Place(ctx context.Context, p Placement) (after Placement, stands bool, err error) {
	if !p.DoneAt.IsZero() {
		return p, true, nil
	}
	result, err := s.run(ctx, AuthHook, p.Auth, p)
	if err != nil {
		return p, true, err // cut short: the next run cleans up
	}
	p.Output = strings.TrimSpace(result.Stdout.Arrived())
	if result.Code == 0 {
		p.DoneAt = s.Now()
		return p, true, nil
	}
	failed := failure.New(failure.Hook,
		"Mend the hook; one whose exit code means nothing must end with `exit 0`. The order is kept, and the next run begins the hook again.", "the auth hook for %s ended with code %d, so that the CA would find nothing: %s",
		failure.Clean(p.Domain), result.Code, failure.Clean(p.Auth))
	if err := s.Remove(ctx, p); err != nil {
		return p, true, errors.Join(failed, err)
	}
	return p, false, failed
}

// Leaving is the record to be made durable before Remove.
func (p Placement) Leaving() Placement {
	if p.Cleanup != "" {
		p.Cleaning++
	}
	return p
}

// Remove runs the cleanup hook. How it ends is reported and changes nothing, as with certbot; only
// the end of ctx is an error. One that ended too many runs is given up.
func (s *Solver) Remove(ctx context.Context, p Placement) error {
	if p.Cleanup == "" {
		return nil
	}
	if p.Cleaning > mostBegun {
		return failure.New(failure.Hook,
			"Run it by hand to see what it does, and change "+failure.Do(failure.ProofCleanup)+".",
			"%d runs ended while the cleanup hook for %s ran, which is given up: %s", p.Cleaning-1,
			failure.Clean(p.Domain), failure.Clean(p.Cleanup))
	}
	// no environment can hold NUL
	_, err := s.run(ctx, CleanupHook, p.Cleanup, p, "CERTBOT_AUTH_OUTPUT="+strings.ReplaceAll(p.Output, "\x00", ""))
	return err
}

// run runs a hook. Its error says that ctx ended before the hook did.
func (s *Solver) run(ctx context.Context, kind, command string, p Placement,
	more ...string) (Result, error) {
	var stdout, stderr hook.Output
	err := hook.Run(ctx, command, slices.Concat(s.Env, p.environment(), more), &stdout, &stderr)
	if ctx.Err() != nil {
		return Result{}, failure.Wrap(context.Cause(ctx), failure.Stopped, "Run the same command again: the hook is begun again.",
			"stopped while the %s for %s ran", kind, failure.Clean(p.Domain))
	}
	r := Result{Stdout: stdout.Printed(), Stderr: stderr.Printed()}
	exit, ended := errors.AsType[*exec.ExitError](err)
	switch {
	case ended:
		r.Code = exit.ExitCode()
	case err != nil:
		r.Code = -1
		r.Stderr = outside.PrintedBy(strings.TrimSpace(r.Stderr.Arrived() + "\n" + err.Error()))
	}
	s.Report(kind, p.Domain, r)
	return r, nil
}

// environment is what certbot tells its hooks (certbot/_internal/plugins/manual.py). CERTBOT_TOKEN
// is set for http-01 alone; hooks for both tell by it which it is.
func (p Placement) environment() []string {
	env := []string{
		"CERTBOT_DOMAIN=" + p.Domain,
		"CERTBOT_IDENTIFIER=" + p.Domain,
		"CERTBOT_VALIDATION=" + p.Validation,
		"CERTBOT_ALL_DOMAINS=" + strings.Join(p.All, ","),
		fmt.Sprintf("CERTBOT_REMAINING_CHALLENGES=%d", p.Remaining),
	}
	if p.Token != "" {
		env = append(env, "CERTBOT_TOKEN="+p.Token)
	}
	return env
}
