package cli

// Errors for what stands beside flags. cobra's own quote its inner workings; scripts and people get
// one sentence.

import (
	"github.com/spf13/cobra"

	"orderly/failure"
)

// oneArgument is cobra.ExactArgs(1) with a sentence that says what is missing.
// found says where such arguments are listed, "" where nowhere.
func oneArgument(what string, found failure.Remedy) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if len(args) == 1 {
			return nil
		}
		return failure.New(failure.Usage, found, "%s takes %s, and nothing else", c.CommandPath(),
			what)
	}
}

// noCommand is the error for the name of a command that there is not.
func noCommand(c *cobra.Command, name string) error {
	return failure.New(failure.Usage,
		failure.Remedy("`"+c.CommandPath()+" --help` lists the commands."),
		"there is no command %s %s", c.CommandPath(), failure.Clean(name))
}
