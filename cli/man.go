package cli

// The manual pages are written from the command tree, so that they cannot say anything else than
// help does.

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"orderly/cli/argparse"
	"orderly/failure"
	"orderly/ownfile"
)

func newMan(env Env, p *printer) *cobra.Command {
	f := &places{}
	c := &cobra.Command{
		Use:   "man DIR",
		Short: "Write the manual pages into a directory",
		Args:  oneArgument("a directory for the pages", ""),
		RunE: func(c *cobra.Command, args []string) error {
			p.quiet, p.json = f.quiet, f.json
			if err := os.MkdirAll(args[0], 0o755); err != nil {
				return failure.Wrap(err, failure.Config, "Name a directory that can be made.",
					"no manual pages can be written to %s", args[0])
			}
			pages, err := writePages(c.Root(), args[0], pagesDate(built(), env.Getenv))
			if err != nil {
				return err
			}
			if p.json {
				p.print(struct {
					Version int      `json:"version"`
					Pages   []string `json:"pages"`
				}{1, pages})
			}
			p.Say("%s", strings.Join(pages, "\n"))
			return nil
		},
	}
	f.add(c.Flags())
	return c
}

// writePages writes the page of a command and those of the commands below it, with a date on each, and
// returns their paths.
func writePages(c *cobra.Command, dir, date string) ([]string, error) {
	name := strings.ReplaceAll(c.CommandPath(), " ", "-") + ".1"
	pages := []string{filepath.Join(dir, name)}
	if err := ownfile.Replace(pages[0], []byte(page(c, date)), 0o644); err != nil {
		return nil, failure.Wrap(err, failure.Config, "Make room, or name another directory.",
			"the manual page %s cannot be written", name)
	}
	for _, sub := range c.Commands() {
		if sub.IsAvailableCommand() && sub.Name() != "help" {
			more, err := writePages(sub, dir, date)
			if err != nil {
				return nil, err
			}
			pages = append(pages, more...)
		}
	}
	return pages, nil
}

// page is a command's manual page in man(7).
func page(c *cobra.Command, date string) string {
	var b strings.Builder
	title := strings.ToUpper(strings.ReplaceAll(c.CommandPath(), " ", "-"))
	fmt.Fprintf(&b, ".TH %s 1 %q \"orderly %s\"\n.SH NAME\n%s \\- %s\n", title,
		date, Version(), roff(strings.ReplaceAll(c.CommandPath(), " ", "-")), roff(c.Short))
	fmt.Fprintf(&b, ".SH SYNOPSIS\n%s\n", roff(c.UseLine()))
	if c.Long != "" {
		fmt.Fprintf(&b, ".SH DESCRIPTION\n%s\n", described(c.Long))
	}
	if c.HasAvailableLocalFlags() {
		b.WriteString(".SH OPTIONS\n")
		c.LocalFlags().VisitAll(func(f *pflag.Flag) { b.WriteString(option(f)) })
	}
	list(&b, "ACCEPTED WITHOUT EFFECT", c, true)
	list(&b, "REFUSED", c, false)
	if argparse.IsVerb(c) {
		b.WriteString(".SH FILES\n" +
			roff("/etc/letsencrypt/cli.ini, ~/.config/letsencrypt/cli.ini: long names of flags, "+
				"one a line, as key = value;") + "\n" +
			roff("the command line counts more. --config names another one.") + "\n.br\n" +
			roff("/var/log/letsencrypt/orderly.log, orderly.log.1 and so on: every step, a line each; "+
				"--logs-dir names another directory.") + "\n")
	}
	b.WriteString(".SH EXIT STATUS\n0: done, or nothing to do. 1: something failed. 2: the " +
		"command line is wrong. 75: stopped in time by a signal or\n" +
		"\\-\\-deadline; the next run goes on.\n.SH ENVIRONMENT\n" +
		"ORDERLY_RESOLVER, ORDERLY_PREFLIGHT_PORT, ORDERLY_HOST, ORDERLY_NO_RANDOM_SLEEP, " +
		"SSL_CERT_FILE,\nREQUESTS_CA_BUNDLE, HTTPS_PROXY, NO_COLOR.\n")
	if subs := c.Commands(); len(subs) > 0 {
		b.WriteString(".SH SEE ALSO\n")
		for _, sub := range subs {
			if sub.IsAvailableCommand() {
				fmt.Fprintf(&b, ".BR %s (1)\n",
					roff(strings.ReplaceAll(sub.CommandPath(), " ", "-")))
			}
		}
	}
	return b.String()
}

// described is a description whose settings of a file stand as they are typed: filled like prose,
// they would be one line that nothing can read.
func described(long string) string {
	paragraphs := strings.Split(long, "\n\n")
	for i, text := range paragraphs {
		first, _, _ := strings.Cut(text, "\n")
		key, _, setting := strings.Cut(first, " = ")
		paragraphs[i] = roff(text)
		if strings.HasPrefix(first, "[[") || setting && !strings.Contains(key, " ") {
			paragraphs[i] = ".nf\n" + roff(text) + "\n.fi"
		}
	}
	return strings.Join(paragraphs, "\n\n")
}

func option(f *pflag.Flag) string {
	if f.Hidden {
		return ""
	}
	value, usage := pflag.UnquoteUsage(f)
	names := "\\fB\\-\\-" + roff(f.Name) + "\\fR"
	if f.Shorthand != "" {
		names = "\\fB\\-" + f.Shorthand + "\\fR, " + names
	}
	if value != "" {
		names += " \\fI" + roff(value) + "\\fR"
	}
	return ".TP\n" + names + "\n" + roff(usage+defaultOf(f)) + "\n"
}

// defaultOf tells a flag's default, where it has one and its description does not tell it.
func defaultOf(f *pflag.Flag) string {
	switch f.DefValue {
	case "", "0", "0s", "false", "[]":
		return ""
	}
	if strings.Contains(f.Usage, "(default") {
		return ""
	}
	return " (default: " + f.DefValue + ")"
}

// list writes a section about flags of certbot's that a command has not.
func list(b *strings.Builder, title string, c *cobra.Command, accepted bool) {
	for _, o := range argparse.Others(c) {
		if o.Accepted != accepted {
			continue
		}
		if title != "" {
			b.WriteString(".SH " + title + "\n")
		}
		title = ""
		b.WriteString(".TP\n\\fB" + roff(o.Name) + "\\fR\n" + roff(o.Text) + "\n")
	}
}

// roff escapes what man(7) would take for its own.
func roff(s string) string {
	s = strings.NewReplacer(`\`, `\e`, "-", `\-`).Replace(s)
	if strings.HasPrefix(s, ".") || strings.HasPrefix(s, "'") {
		s = `\&` + s
	}
	return s
}
