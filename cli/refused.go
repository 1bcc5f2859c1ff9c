package cli

// The verbs and flags of certbot's that Orderly does not have are answered, not unknown: with what
// to use instead, and in help. Package argparse knows them.

import (
	"strings"

	"github.com/spf13/cobra"

	"orderly/cli/argparse"
	"orderly/failure"
)

// refusals are certbot's verbs that Orderly does not have.
func refusals(p *printer) []*cobra.Command {
	var commands []*cobra.Command
	for _, v := range argparse.RefusedVerbs() {
		commands = append(commands, &cobra.Command{
			Use: v.Name, Short: v.Short, Hidden: true, DisableFlagParsing: true,
			RunE: func(*cobra.Command, []string) error {
				return failure.New(failure.Config, failure.Remedy(p.asCalled(v.Use)), "%s", v.Why)
			},
		})
	}
	return commands
}

// otherHelp is the end of a verb's help.
func otherHelp(c *cobra.Command) string {
	accepted, refusals := " ", " "
	for _, o := range argparse.Others(c) {
		name, _, _ := strings.Cut(o.Name, ", --")
		if o.Accepted {
			accepted += " " + name
		} else {
			refusals += " " + name
		}
	}
	return "\nFlags of certbot's that are accepted and change nothing:\n" + accepted +
		"\n\nFlags of certbot's that are refused (the manual page says what to use instead):\n" +
		refusals + "\n"
}
