// Package cli is Orderly's command line: one file per command, and nothing in them but flags, calls and printing. It must
// never decide anything about an order, and never show a person a stack trace or an error without a sentence.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"runtime/debug"
	"slices"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"orderly/cli/argparse"
	"orderly/failure"
	"orderly/schedule"
)

// Env is what the command line sees of the world. Everything a command reads or writes beside files goes through it.
type Env struct {
	// Program is what the program was called as; as certbot it speaks as certbot does where the two differ.
	Program string
	Args    []string // without the program's name
	// ConfigFiles are read before the one that -c names; nil for certbot's places.
	ConfigFiles []string

	// Renewals is where schedules of renewals are looked for, once a certificate is there.
	Renewals schedule.Host

	Getenv func(string) string
	Stdin  io.Reader
	Stdout io.Writer
	Stderr io.Writer
	PID    int

	ending context.Context // what ends the command
}

// Main runs the command line and returns the exit code: certbot's 0, 1 and 2, and 75 (EX_TEMPFAIL) for what was stopped in
// time and will be continued. A signal ends ctx; every command then ends within two seconds.
func Main(ctx context.Context, env Env) (code int) {
	env.ending = ctx
	out := &witness{Writer: guard{env.Stdout, isTerminal(env.Stdout)}, watched: isTerminal(env.Stdout)}
	env.Stderr = after{guard{env.Stderr, isTerminal(env.Stderr)}, out}
	defer out.flush()
	p := &printer{out: out, err: env.Stderr, getenv: env.Getenv, certbot: argparse.AsCertbot(env.Program), tty: out.watched, renewals: env.Renewals}
	defer func() {
		if r := recover(); r != nil {
			// A person must never see a Go stack trace; the log has it.
			p.log("panic", fmt.Sprint(r), "stack", string(debug.Stack()))
			p.problem(failure.New(failure.Internal, "Run the command again: what was begun goes on. Please report this with the log.",
				"a defect of Orderly ended the command: %v", r))
			code = 1
		}
	}()
	p.json = slices.Contains(env.Args, "--json") // also for an error that is found before any flag is read
	root := newRoot(env, p)
	root.SetOut(out)
	root.SetErr(env.Stderr)
	line, err := argparse.Rewrite(argparse.Input{Program: env.Program, Args: env.Args,
		Files: func(named string) iter.Seq2[argparse.File, error] { return configTexts(env, named) }}, root)
	p.json, p.quiet = line.JSON, line.Quiet
	if err != nil {
		return finish(p, line.Command, err)
	}
	if line.Version {
		p.printVersion()
		return finish(p, root, out.failure())
	}
	root.SetArgs(line.Args)
	command, err := root.ExecuteContextC(ctx)
	if err == nil {
		err = out.failure()
	}
	return finish(p, command, err)
}

// witness remembers that something could not be written: a list that is cut short must not look like a whole one.
type witness struct {
	io.Writer
	held    held
	watched bool // by a person, at a terminal
	err     error
}

// Write implements io.Writer.
func (w *witness) Write(b []byte) (int, error) {
	w.flush()
	return w.note(w.Writer.Write(b))
}

// Unwrap returns the writer itself.
func (w *witness) Unwrap() io.Writer { return w.Writer }

func (w *witness) note(n int, err error) (int, error) {
	if err != nil && w.err == nil && !errors.Is(err, syscall.EPIPE) { // a reader that goes away wanted no more
		w.err = err
	}
	return n, err
}

func (w *witness) failure() error {
	w.flush()
	if w.err == nil {
		return nil
	}
	return failure.Wrap(w.err, failure.Config, "Make room where the output goes.", "the output could not be written whole")
}

// finish prints an error and gives its exit code.
func finish(p *printer, command *cobra.Command, err error) int {
	if err == nil {
		return 0
	}
	if done, ok := errors.AsType[*exitError](err); ok {
		if done.code == 1 {
			p.trailer()
		}
		return done.code // everything was said
	}
	if p.given == nil && command != nil {
		p.given = command.Flags()
	}
	class := failure.ClassOf(err)
	if class == failure.Internal && !p.started {
		// Before a command starts, only cobra and pflag make errors without a class, and only about the command line.
		err = failure.Wrap(err, failure.Usage, "", "%s", command.CommandPath())
		class = failure.Usage
	}
	if class == failure.Stopped && failure.RemedyOf(err) == "" {
		err = failure.Wrap(err, failure.Stopped, "Run the same command again: it goes on where it stopped.", "stopped in time")
	}
	switch {
	case class == failure.Usage && p.certbot && !p.json:
		p.certbotUsage(err)
		return class.ExitCode()
	case class == failure.Usage:
		fmt.Fprint(p.err, usageLine(command))
	case !p.json:
		p.asCertbot(err)
	}
	p.problem(err)
	if class.ExitCode() == 1 {
		p.trailer()
	}
	return class.ExitCode()
}

// usageLine is what argparse prints before its error.
func usageLine(command *cobra.Command) string {
	return fmt.Sprintf("usage: %s\n       %s --help lists the flags\n", command.UseLine(), command.CommandPath())
}

// oneArgument is cobra.ExactArgs(1) with a sentence that says what is missing.
func oneArgument(what string) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if len(args) == 1 {
			return nil
		}
		return failure.New(failure.Usage, "", "%s takes %s, and nothing else", c.CommandPath(), what)
	}
}

// wrongValue says in plain words what is wrong with a flag's value, where pflag quotes Go's own.
func wrongValue(err error) error {
	bad, ok := errors.AsType[*pflag.InvalidValueError](err)
	if !ok {
		return err
	}
	wanted := map[string]string{"int": "a whole number", "int64": "a whole number", "duration": "a time such as 90s or 10m", "bool": "true or false"}
	kind, known := wanted[bad.GetFlag().Value.Type()]
	if !known {
		return err
	}
	return failure.New(failure.Usage, "", "--%s %s: not %s", bad.GetFlag().Name, failure.Clean(bad.GetValue()), kind)
}

// exitError ends a command whose result was printed already.
type exitError struct{ code int }

// Error says the code.
func (e *exitError) Error() string { return fmt.Sprintf("exit %d", e.code) }

func newRoot(env Env, p *printer) *cobra.Command {
	root := &cobra.Command{
		Use:   "orderly",
		Short: "TLS certificates without lost, vain or forgotten orders",
		Long: "Orderly obtains and renews TLS certificates over ACME. It takes certbot's place in scripts:\n" +
			"the same flags, the same files, the same exit codes, and 75 for a run that was stopped in\n" +
			"time and will be continued. A run may be killed at any instant; the next one goes on with it.",
		Version:       Version(),
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          argparse.NoArguments,
		RunE:          func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	root.PersistentPreRun = func(c *cobra.Command, _ []string) { p.started, p.given = true, c.Flags() }
	root.SetVersionTemplate("orderly {{.Version}}\n")
	root.Flags().Bool("version", false, "print the version") // without cobra's -v, which means verbose everywhere else
	new(places).add(root.Flags())                            // for the commands, before whose names they may stand
	root.CompletionOptions.DisableDefaultCmd = true
	root.SetHelpCommand(newHelp())
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		if c == root && len(env.Args) > 0 && !strings.HasPrefix(env.Args[0], "-") {
			return argparse.NoArguments(c, env.Args) // the flags of a command that is none
		}
		if known, ok := errors.AsType[*failure.Error](err); ok {
			return known // without what pflag puts before it: scripts look for certbot's sentence
		}
		if plain := wrongValue(err); plain != err {
			return plain
		}
		return failure.Wrap(err, failure.Usage, "", "%s", c.CommandPath())
	})
	for _, add := range []func(Env, *printer) *cobra.Command{
		newCertonly, newRenew, newCertificates, newDelete, newRevoke, newRegister, newShowAccount, newUpdateAccount, newUnregister,
		newReconfigure, newPlugins, newPending, newOrder, newLimits, newUnpause, newRuns, newResume, newLedger, newMan, newCompletion,
	} {
		root.AddCommand(add(env, p))
	}
	root.AddCommand(refusals(p)...)
	addConfigFlag(root)
	return root
}

// Version is the module's version as the build knows it, "devel" for a build from a working tree.
func Version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" || info.Main.Version == "(devel)" {
		return unreleased
	}
	return strings.TrimPrefix(info.Main.Version, "v")
}

// unreleased is the version that CHANGELOG.md speaks of.
const unreleased = "0.1.0"
