package cli

import (
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"orderly/failure"
)

// refusals are certbot's verbs that Orderly does not have.
func refusals(p *printer) []*cobra.Command {
	const server = "Orderly obtains and renews certificates and changes no web server's configuration"
	var commands []*cobra.Command
	for _, v := range []struct{ name, short, why, use string }{
		{"run", "Obtain a certificate and install it (certbot's; refused)", "certbot without a command, and run, install the certificate in a web server: " + server, useWebroot},
		{"install", "Install a certificate (certbot's; refused)", server, "Name the files of live/NAME in the web server's configuration once; renewals keep their names. " + useHook},
		{"enhance", "Harden a web server (certbot's; refused)", server, useServer},
		{"rollback", "Take an installation back (certbot's; refused)", server, "Restore the web server's configuration from its own backup."},
		{"update_symlinks", "Make the links in live/ anew (certbot's; refused)", "the links of a lineage are mended when it is renewed", "Use renew --cert-name NAME."},
	} {
		commands = append(commands, &cobra.Command{
			Use: v.name, Short: v.short, Hidden: true, DisableFlagParsing: true,
			RunE: func(*cobra.Command, []string) error {
				return failure.New(failure.Config, p.asCalled(v.use), "%s", v.why)
			},
		})
	}
	return commands
}

// isVerb reports whether a command is one of certbot's.
func isVerb(c *cobra.Command) bool {
	return c.Parent() == c.Root() && slices.Contains(verbs(), c.Name()) && !c.DisableFlagParsing
}

// other is a flag of certbot's for which a command has none of its own.
type other struct {
	name string
	text string
	kind kind
}

// otherHelp is the end of a verb's help.
func otherHelp(c *cobra.Command) string {
	accepted, refusals := " ", " "
	for _, o := range otherFlags(c) {
		name, _, _ := strings.Cut(o.name, ", --")
		if o.kind == harmless {
			accepted += " " + name
		} else {
			refusals += " " + name
		}
	}
	return "\nFlags of certbot's that are accepted and change nothing:\n" + accepted + "\n\nFlags of certbot's that are refused (the manual page says what to use instead):\n" + refusals + "\n"
}

// otherFlags are those that a verb accepts without effect or refuses, for help and the manual.
func otherFlags(c *cobra.Command) []other {
	if !isVerb(c) {
		return nil
	}
	r := &rewriter{root: c.Root(), table: flagTable()}
	var all []other
	for _, row := range r.table {
		if f := r.flagOf(c, row.spellings()[0]); !row.at(c.Name()) || f != nil && !f.Hidden {
			continue
		}
		o := other{name: strings.ReplaceAll(row.describe(), "/", ", "), text: row.why, kind: row.kind}
		if row.group != "" {
			o.name = "--" + row.group
		}
		switch row.kind {
		case refused:
			o.text += ". " + row.use
		case absent:
			o.text = "there is no such flag here"
		}
		if !slices.ContainsFunc(all, func(before other) bool { return before.name == o.name }) {
			all = append(all, o)
		}
	}
	return all
}
