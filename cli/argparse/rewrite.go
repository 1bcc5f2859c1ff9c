package argparse

// Here a command line finds its command and is spelled for cobra. certbot takes the verb wherever
// it stands, reads cli.ini before the command line, and accepts at each verb what only other verbs
// heed, since scripts give one set of flags to all: what is refused here that certbot takes is a
// script that breaks, and what is accepted here without being heeded is a certificate that is not
// the one asked for.

import (
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"orderly/failure"
)

// rewriter turns certbot's command lines, as argparse takes them, into cobra's.
type rewriter struct {
	in    Input
	root  *cobra.Command
	table []row
}

func (r *rewriter) rewrite() (Line, error) {
	args := r.in.Args
	if len(args) == 0 && !AsCertbot(r.in.Program) {
		return Line{Args: args, Command: r.root}, nil
	}
	p, err := newSyntax(r.table, r.everyFlag()...).parse(args)
	if own := r.own(args, p); own > 0 {
		return r.passOn(args, p, own-1)
	}
	at, verb := r.verb(args, p)
	if line, ok := r.help(p, verb); ok {
		return line, nil
	}
	switch {
	case verb == "" && err != nil:
		return Line{Command: r.root}, err
	case p.has("version"):
		return Line{Command: r.root, Version: true}, nil
	case verb == "" && len(p.words) > 0:
		return Line{Command: r.root}, r.stray(r.root, p.words)
	case verb == "" && len(p.unknown) > 0 && !AsCertbot(r.in.Program):
		return Line{Command: r.root}, failure.New(failure.Usage,
			"`orderly --help` lists the commands and flags.", "orderly: unknown flag: %s",
			failure.Clean(p.unknown[0]))
	case verb == "":
		return r.certbot("run", args)
	}
	return r.certbot(verb, slices.Delete(slices.Clone(args), at, at+1))
}

// everyFlag is the flags of all of certbot's verbs: which of them take a value must be known before
// the verb is.
func (r *rewriter) everyFlag() []*pflag.FlagSet {
	var sets []*pflag.FlagSet
	for _, verb := range verbs() {
		if c := r.find(verb); c != nil {
			sets = append(sets, c.Flags())
		}
	}
	return sets
}

// find is the command of a verb, nil where there is none.
func (r *rewriter) find(verb string) *cobra.Command {
	switch verb {
	case "auth":
		verb = "certonly"
	case "everything":
		verb = "run"
	}
	for _, c := range r.root.Commands() {
		if c.Name() == verb {
			return c
		}
	}
	return nil
}

// own is where the first word stands if it is a command that certbot does not have, counted from 1.
func (r *rewriter) own(args []string, p parsed) int {
	if len(p.words) == 0 || slices.Contains(verbs(), p.words[0]) ||
		slices.Contains(args[:p.places[0]], "--") {
		return 0
	}
	cobras := []string{"help", "completion", cobra.ShellCompRequestCmd,
		cobra.ShellCompNoDescRequestCmd}
	if slices.Contains(cobras, p.words[0]) || r.find(p.words[0]) != nil {
		return p.places[0] + 1
	}
	return 0
}

// verb finds the first word that is a verb. certbot takes the first argument that equals one, also
// where it is a flag's value.
func (r *rewriter) verb(args []string, p parsed) (int, string) {
	end := slices.Index(args, "--")
	for i, word := range p.words {
		if slices.Contains(verbs(), word) && (end < 0 || p.places[i] < end) {
			return p.places[i], word
		}
	}
	return -1, ""
}

// help answers --help before or behind a verb or topic; topics that are none of Orderly's commands
// get the overview.
func (r *rewriter) help(p parsed, verb string) (Line, bool) {
	if !p.has("help") {
		return Line{}, false
	}
	if c := r.find(verb); verb != "" && c != nil && !c.DisableFlagParsing {
		return Line{Args: []string{c.Name(), "--help"}, Command: c}, true
	}
	return Line{Args: []string{"--help"}, Command: r.root}, true
}

// stray is the error for words where none belong.
func (r *rewriter) stray(c *cobra.Command, words []string) error {
	if AsCertbot(r.in.Program) {
		return unrecognized(words)
	}
	return NoArguments(c, words)
}

func unrecognized(args []string) error {
	return failure.New(failure.Usage, "", "unrecognized arguments: %s",
		failure.Clean(strings.Join(args, " ")))
}

// certbot rewrites what follows a verb.
func (r *rewriter) certbot(verb string, args []string) (Line, error) {
	c := r.find(verb)
	if c == nil {
		return Line{Command: r.root}, failure.New(failure.Config,
			"`orderly --help` lists the commands.", "Orderly has no command %s", verb)
	}
	out := Line{Command: c}
	s := newSyntax(r.table, c.Flags())
	p, err := s.parse(args)
	switch {
	case err != nil:
		return out, err
	case len(p.unknown) > 0 && AsCertbot(r.in.Program):
		return out, unrecognized(slices.Concat(p.unknown, p.words))
	case len(p.unknown) > 0:
		return out, failure.New(failure.Usage, "", "%s: unknown flag: %s",
			c.CommandPath(), failure.Clean(p.unknown[0]))
	case len(p.words) > 0:
		return out, r.stray(c, p.words)
	}
	out.JSON, out.Quiet = p.has("json"), p.has("quiet")
	all, err := r.configured(s, c, p.given)
	if err != nil {
		return out, err
	}
	if c.DisableFlagParsing { // a command that is refused whatever its flags say
		out.Args = []string{c.Name()}
		return out, nil
	}
	if all, err = agree(all, r.heeds(c, "authenticator")); err != nil {
		return out, err
	}
	out.Args, err = r.spell(c, all)
	return out, err
}

// heeds reports whether certbot heeds a flag at a command's verb.
func (r *rewriter) heeds(c *cobra.Command, name string) bool {
	return slices.ContainsFunc(r.table, func(row row) bool {
		return row.spellings()[0] == name && row.at(c.Name())
	})
}

// spell writes for cobra what was given. What the command has no flag for is dropped where that is
// harmless, and refused otherwise.
func (r *rewriter) spell(c *cobra.Command, all []given) ([]string, error) {
	out := []string{c.Name()}
	for _, g := range all {
		if g.name == "config" {
			continue
		}
		if f := r.flagOf(c, g.name); f != nil {
			arg := "--" + f.Name
			if g.hasValue {
				arg += "=" + g.value
			}
			out = append(out, arg)
			continue
		}
		if err := r.without(c, g); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// flagOf is the command's flag by any of its names, nil where it has none.
func (r *rewriter) flagOf(c *cobra.Command, canonical string) *pflag.Flag {
	if f := c.Flags().Lookup(canonical); f != nil {
		return f
	}
	for _, row := range r.table {
		for _, name := range row.spellings() {
			if f := c.Flags().Lookup(name); row.spellings()[0] == canonical && f != nil {
				return f
			}
		}
	}
	return nil
}

// without is the error for an option that the command has no flag for, nil where it may be left
// out.
func (r *rewriter) without(c *cobra.Command, g given) error {
	for _, row := range r.table {
		if row.spellings()[0] != g.name || !row.at(c.Name()) {
			continue
		}
		switch {
		case row.kind == harmless, row.vainly && g.place != "":
			return nil
		case row.kind == refused:
			return failure.New(failure.Config,
				failure.Remedy(row.use), "%s%s: %s", before(g.place), g.spelled, row.why)
		}
		return failure.New(failure.Config,
			failure.Remedy("`orderly "+c.Name()+" --help` lists what there is."),
			"%s%s has no flag %s", before(g.place), c.CommandPath(), g.spelled)
	}
	if strings.HasPrefix(g.name, "dns-") && !g.late { // of a plugin that the table does not know
		return notInstalled(g.place, g.name)
	}
	return nil // certbot's verb does not heed it either
}

// passOn leaves one of Orderly's own commands as it is, moves flags that stood before it behind it,
// and adds the directories that a cli.ini names.
func (r *rewriter) passOn(args []string, p parsed, at int) (Line, error) {
	words := []string{args[at]}
	c := r.find(args[at])
	if c == nil {
		return Line{Args: args, Command: r.root}, nil // cobra's own
	}
	rest := args[at+1:]
	for len(rest) > 0 {
		sub, _, err := c.Find(rest[:1])
		if err != nil || sub == c {
			break
		}
		c, words, rest = sub, append(words, rest[0]), rest[1:]
	}
	out := Line{Args: slices.Concat(words, args[:at], rest), Command: c}
	if p.has("help") || c.Flags().Lookup("config-dir") == nil {
		return out, nil
	}
	dirs, err := r.directories(out.Args)
	out.Args = slices.Concat(words, dirs, out.Args[len(words):])
	return out, err
}

// NoArguments is cobra.NoArgs with a sentence that fits: a name without -d before it is no unknown
// command.
func NoArguments(c *cobra.Command, args []string) error {
	switch {
	case len(args) == 0:
		return nil
	case c.HasSubCommands():
		return failure.New(failure.Usage,
			failure.Remedy("`"+c.CommandPath()+" --help` lists the commands."),
			"there is no command %s %s", c.CommandPath(), failure.Clean(args[0]))
	}
	return failure.New(failure.Usage, "Write flags before values, such as -d NAME.",
		"%s takes no arguments, but %q was given", c.CommandPath(), failure.Clean(args[0]))
}
