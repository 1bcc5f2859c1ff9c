// Package cli is Orderly's command line: one file per command, and nothing in them but flags, calls
// and printing. It must never decide anything about an order, and never show a person a stack trace
// or an error without a sentence.
package cli

// The way of a command line through the program: taken apart by argparse, run by cobra, ended with
// certbot's exit codes. Whatever happens in between, a person reads one sentence and no stack
// trace.

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"orderly/cli/argparse"
	"orderly/failure"
	"orderly/parts"
)

// Main runs the command line and returns the exit code: certbot's 0, 1 and 2, and 75 (EX_TEMPFAIL)
// for what was stopped in time and will be continued. A signal ends ctx; every command then ends
// within two seconds.
func Main(ctx context.Context, env Env) (code int) {
	env.ending = ctx
	p, out := newPrinter(&env)
	defer out.flush()
	defer func() {
		if r := recover(); r != nil {
			// A person must never see a Go stack trace; the log has it.
			p.log("panic", fmt.Sprint(r), "stack", parts.StackOf(r))
			p.problem(failure.New(failure.Internal,
				"Run the command again: what was begun goes on. Please report this with the log.",
				"a defect of Orderly ended the command: %v", r))
			code = 1
		}
	}()
	// also for an error that is found before any flag is read
	p.json = slices.Contains(env.Args, "--json")
	root := newRoot(env, p)
	root.SetOut(out)
	root.SetErr(env.Stderr)
	line, err := argparse.Rewrite(argparse.Input{Program: env.Program, Args: env.Args,
		Files: func(named string) iter.Seq2[argparse.File,
			error] {
			return configTexts(env, named)
		}},
		root)
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

// Answer answers `--version` alone, which scripts ask before each run: it takes neither thirty
// commands with their flags nor the signals of a run. Of every other command line it says that it
// has no answer; Main has one to each.
func Answer(env Env) (code int, answered bool) {
	if !slices.Equal(env.Args, []string{"--version"}) {
		return 0, false
	}
	p, out := newPrinter(&env)
	p.printVersion()
	return finish(p, nil, out.failure()), true
}

// newPrinter makes what speaks to whoever called the program, and puts it before env's outputs.
func newPrinter(env *Env) (*printer, *witness) {
	out := &witness{Writer: guard{env.Stdout, isTerminal(env.Stdout)},
		watched: isTerminal(env.Stdout)}
	journalled := toJournal(env.Stderr, env.Getenv)
	env.Stderr = after{guard{env.Stderr, isTerminal(env.Stderr)}, out}
	if journalled { // what no one says otherwise of is an error
		env.Stderr = urgent{&journal{Writer: env.Stderr}, priorityErr}
	}
	return &printer{out: out, err: env.Stderr, getenv: env.Getenv,
		caller: caller{certbot: argparse.AsCertbot(env.Program)}, tty: out.watched,
		renewals: env.Renewals}, out
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
		// Before a command starts, only cobra and pflag make errors without a class, and only about
		// the command line.
		err = failure.Wrap(err, failure.Usage, "", "%s", command.CommandPath())
		class = failure.Usage
	}
	if class == failure.Stopped && failure.RemedyOf(err) == "" {
		err = failure.Wrap(err, failure.Stopped,
			"Run the same command again: it goes on where it stopped.", "stopped in time")
	}
	if class == failure.Usage && !p.certbot {
		err = helped(err, command)
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

// helped is an error about a command line, with where to look for one that says no better.
func helped(err error, command *cobra.Command) error {
	said, ok := errors.AsType[*failure.Error](err)
	if !ok || failure.RemedyOf(err) != "" {
		return err
	}
	list := "the flags"
	if command.HasSubCommands() {
		list = "the commands and flags"
	}
	with := *said
	with.Remedy = failure.Remedy("`" + command.CommandPath() + " --help` lists " + list + ".")
	return &with
}

// usageLine is what argparse prints before its error.
func usageLine(command *cobra.Command) string {
	return fmt.Sprintf("usage: %s\n       %s --help lists the flags\n", command.UseLine(),
		command.CommandPath())
}

// wrongValue says in plain words what is wrong with a flag's value, where pflag quotes Go's own.
func wrongValue(err error) error {
	bad, ok := errors.AsType[*pflag.InvalidValueError](err)
	if !ok {
		return err
	}
	wanted := map[string]string{"int": "a whole number", "int64": "a whole number",
		"duration": "a time such as 90s or 10m", "bool": "true or false"}
	kind, known := wanted[bad.GetFlag().Value.Type()]
	if !known {
		return err
	}
	return failure.New(failure.Usage, "", "--%s %s: not %s", bad.GetFlag().Name,
		failure.Clean(bad.GetValue()), kind)
}

func newRoot(env Env, p *printer) *cobra.Command {
	root := &cobra.Command{
		Use:   "orderly",
		Short: "TLS certificates without lost, vain or forgotten orders",
		Long: "Orderly obtains and renews TLS certificates over ACME. It takes certbot's place in scripts:\n" +
			"the same flags, the same files, the same exit codes, and 75 for a run that was stopped in\n" +
			"time and will be continued. A run may be killed at any instant; the next one goes on " +
			"with it.",
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          argparse.NoArguments,
		RunE:          func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	root.PersistentPreRun = func(c *cobra.Command, _ []string) {
		p.started, p.given = true,
			c.Flags()
	}
	// without cobra's -v, which means verbose everywhere else
	root.Flags().Bool("version", false, "print the version")
	// for the commands, before whose names they may stand
	new(places).add(root.Flags())
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
		newCertonly, newRenew, newCertificates, newDelete, newRetire, newRevoke, newRegister, newShowAccount,
		newUpdateAccount, newUnregister,
		newReconfigure, newPlugins, newPending, newOrder, newLimits, newUnpause, newRuns, newResume,
		newExplain, newWhy, newFailures, newDoctor, newDigest, newMetrics, newLedger, newMan, newCompletion,
	} {
		root.AddCommand(add(env, p))
	}
	root.AddCommand(refusals(p)...)
	addConfigFlag(root)
	for _, c := range root.Commands() {
		if c.Flags().Lookup("cert-name") != nil {
			// It fails where there is no such flag, and then TestAShellOffersTheLineages does.
			_ = c.RegisterFlagCompletionFunc("cert-name", lineagesForShell)
		}
	}
	return root
}

// addConfigFlag gives certbot's verbs the flag that is obeyed before cobra sees the command line,
// for help and completion.
func addConfigFlag(root *cobra.Command) {
	for _, c := range root.Commands() {
		if argparse.IsVerb(c) && c.Flags().Lookup("config") == nil {
			c.SetHelpFunc(func(c *cobra.Command, args []string) {
				root.HelpFunc()(c, args)
				fmt.Fprint(c.OutOrStdout(), otherHelp(c))
			})
			c.Flags().StringP("config", "c", "",
				"`file` with flags, beside /etc/letsencrypt/cli.ini and "+
					"~/.config/letsencrypt/cli.ini, which are always read")
		}
	}
}
