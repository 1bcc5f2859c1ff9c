package argparse

// What help and manual pages say of the flags and verbs of certbot's that Orderly does not have:
// who comes from certbot looks there for what became of a flag.

import (
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

// Verb is one of certbot's that Orderly does not have.
type Verb struct{ Name, Short, Why, Use string }

// RefusedVerbs are those that have to do with web servers' configuration.
func RefusedVerbs() []Verb {
	const server = "Orderly obtains and renews certificates and changes no web server's configuration"
	return []Verb{
		{
			"run", "Obtain a certificate and install it (certbot's; refused)",
			"certbot without a command, and run, install the certificate in a web server: " +
				server,
			useWebroot,
		},
		{
			"install", "Install a certificate (certbot's; refused)", server,
			"Name the files of live/NAME in the web server's configuration once; renewals keep their " +
				"names. " + useHook,
		},
		{"enhance", "Harden a web server (certbot's; refused)", server, useServer},
		{
			"rollback", "Take an installation back (certbot's; refused)", server,
			"Restore the web server's configuration from its own backup.",
		},
		{
			"update_symlinks", "Make the links in live/ anew (certbot's; refused)",
			"the links of a lineage are mended when it is renewed", "Use renew --cert-name NAME.",
		},
	}
}

// IsVerb reports whether a command is one of certbot's.
func IsVerb(c *cobra.Command) bool {
	return c.Parent() == c.Root() && slices.Contains(verbs(), c.Name()) && !c.DisableFlagParsing
}

// Other is a flag of certbot's, or a group of them, for which a command has none of its own.
type Other struct {
	Name     string
	Text     string // why it may be left out, or what to use instead
	Accepted bool   // without effect
}

// Others are those that a verb accepts without effect or refuses.
func Others(c *cobra.Command) []Other {
	if !IsVerb(c) {
		return nil
	}
	r := &rewriter{root: c.Root(), table: flagTable()}
	var all []Other
	for _, row := range r.table {
		if f := r.flagOf(c, row.spellings()[0]); !row.at(c.Name()) || f != nil && !f.Hidden {
			continue
		}
		o := row.other()
		if !slices.ContainsFunc(all, func(before Other) bool { return before.Name == o.Name }) {
			all = append(all, o)
		}
	}
	return all
}

// other is a row as help and manual pages show it.
func (r row) other() Other {
	o := Other{Name: strings.ReplaceAll(r.describe(), "/", ", "), Text: r.why,
		Accepted: r.kind == harmless}
	if r.group != "" {
		o.Name = "--" + r.group
		o.Text = strings.ReplaceAll(o.Text, r.names, r.group) // it stands for all of them
	}
	switch r.kind {
	case refused:
		o.Text += ". " + r.use
	case absent:
		o.Text = "there is no such flag here"
	}
	return o
}
