package cli

import (
	"errors"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"orderly/failure"
)

// called tells whether the program runs under a name of certbot's (letsencrypt-auto and certbot3 are some): then it speaks
// as certbot does where the two differ.
func called(program string) bool {
	name := filepath.Base(program)
	return strings.HasPrefix(name, "certbot") || strings.HasPrefix(name, "letsencrypt")
}

// line is a command line as cobra takes it: the command first, every flag by its long name with its value attached.
type line struct {
	args        []string
	command     *cobra.Command // whose usage an error is about
	version     bool           // only the version was asked for
	json, quiet bool           // how an error is to be told that is found before the command begins
}

// rewriter turns certbot's command lines, as argparse takes them, into cobra's.
type rewriter struct {
	env   Env
	root  *cobra.Command
	table []row
	read  func(name string) ([]byte, error)
}

// rewrite is the whole way of a command line. Orderly's own commands are left as they are but for the directories that a
// cli.ini names.
func rewrite(env Env, root *cobra.Command, read func(string) ([]byte, error)) (line, error) {
	r := &rewriter{env: env, root: root, table: flagTable(), read: read}
	if len(env.Args) == 0 && !called(env.Program) {
		return line{args: env.Args, command: root}, nil
	}
	all := newSyntax(r.table, r.everyFlag()...)
	p, err := all.parse(env.Args)
	if own := r.own(env.Args, p); own > 0 {
		return r.passOn(env.Args, p, own-1)
	}
	at, verb := r.verb(env.Args, p)
	if line, ok := r.help(p, verb); ok {
		return line, nil
	}
	switch {
	case verb == "" && err != nil:
		return line{command: root}, err
	case has(p, "version"):
		return line{command: root, version: true}, nil
	case verb == "" && len(p.words) > 0:
		return line{command: root}, r.stray(root, p.words)
	case verb == "" && len(p.unknown) > 0 && !called(env.Program):
		return line{command: root}, failure.New(failure.Usage, "`orderly --help` lists the commands and flags.", "orderly: unknown flag: %s", failure.Clean(p.unknown[0]))
	case verb == "":
		return r.certbot("run", env.Args)
	}
	return r.certbot(verb, slices.Delete(slices.Clone(env.Args), at, at+1))
}

// everyFlag is the flags of all of certbot's verbs: which of them take a value must be known before the verb is.
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
	if len(p.words) == 0 || slices.Contains(verbs(), p.words[0]) || slices.Contains(args[:p.places[0]], "--") {
		return 0
	}
	first := p.words[0]
	if slices.Contains([]string{"help", "completion", cobra.ShellCompRequestCmd, cobra.ShellCompNoDescRequestCmd}, first) || r.find(first) != nil {
		return p.places[0] + 1
	}
	return 0
}

// verb finds the first word that is a verb. certbot takes the first argument that equals one, also where it is a flag's value.
func (r *rewriter) verb(args []string, p parsed) (int, string) {
	end := slices.Index(args, "--")
	for i, word := range p.words {
		if slices.Contains(verbs(), word) && (end < 0 || p.places[i] < end) {
			return p.places[i], word
		}
	}
	return -1, ""
}

func has(p parsed, name string) bool {
	return slices.ContainsFunc(p.settings, func(s setting) bool { return s.name == name })
}

// help answers --help before or behind a verb or topic; topics that are none of Orderly's commands get the overview.
func (r *rewriter) help(p parsed, verb string) (line, bool) {
	if !has(p, "help") {
		return line{}, false
	}
	if c := r.find(verb); verb != "" && c != nil && !c.DisableFlagParsing {
		return line{args: []string{c.Name(), "--help"}, command: c}, true
	}
	return line{args: []string{"--help"}, command: r.root}, true
}

// stray is the error for words where none belong.
func (r *rewriter) stray(c *cobra.Command, words []string) error {
	if called(r.env.Program) {
		return unrecognized(words)
	}
	return noArguments(c, words)
}

func unrecognized(args []string) error {
	return failure.New(failure.Usage, "", "unrecognized arguments: %s", failure.Clean(strings.Join(args, " ")))
}

// certbot rewrites what follows a verb.
func (r *rewriter) certbot(verb string, args []string) (line, error) {
	c := r.find(verb)
	if c == nil {
		return line{command: r.root}, failure.New(failure.Config, "`orderly --help` lists the commands.", "Orderly has no command %s", verb)
	}
	out := line{command: c}
	s := newSyntax(r.table, c.Flags())
	p, err := s.parse(args)
	switch {
	case err != nil:
		return out, err
	case len(p.unknown) > 0 && called(r.env.Program):
		return out, unrecognized(slices.Concat(p.unknown, p.words))
	case len(p.unknown) > 0:
		return out, failure.New(failure.Usage, "", "%s: unknown flag: %s", c.CommandPath(), failure.Clean(p.unknown[0]))
	case len(p.words) > 0:
		return out, r.stray(c, p.words)
	}
	out.json, out.quiet = has(p, "json"), has(p, "quiet")
	settings, err := r.configured(s, c, p.settings)
	if err != nil {
		return out, err
	}
	if c.DisableFlagParsing { // a command that is refused whatever its flags say
		out.args = []string{c.Name()}
		return out, nil
	}
	if settings, err = agree(settings, r.heeds(c, "authenticator")); err != nil {
		return out, err
	}
	out.args, err = r.spell(c, settings)
	return out, err
}

// configured puts the settings of the configuration files before those of the command line, which beat them.
func (r *rewriter) configured(s *syntax, c *cobra.Command, settings []setting) ([]setting, error) {
	named := ""
	for _, given := range settings {
		if given.name == "config" {
			named = given.text
		}
	}
	files, err := readConfig(r.env, named, r.read)
	if err != nil {
		return nil, err
	}
	for _, items := range slices.Backward(files) { // the most important first
		var added []setting
		for _, it := range items {
			more, err := it.settings(s, settings)
			if err != nil {
				return nil, err
			}
			added = append(added, more...)
		}
		settings = append(added, settings...)
	}
	if c.Name() == "renew" { // certbot/issues/4096: cli.ini's names are for other commands
		settings = slices.DeleteFunc(settings, func(s setting) bool { return s.name == "domain" && s.place != "" })
	}
	return settings, nil
}

// settings are what a line of a file adds to those that count more.
func (it item) settings(s *syntax, stronger []setting) ([]setting, error) {
	args, err := it.arguments(s)
	if err != nil {
		return nil, err
	}
	var added []setting
	for _, arg := range args {
		p, err := s.parse([]string{arg})
		switch {
		case err != nil:
			return nil, failure.Wrap(errors.New(err.Error()), failure.Usage, failure.RemedyOf(err), "%s", it.place)
		case len(p.settings) != 1:
			return nil, failure.New(failure.Usage, "Use the long names of flags as keys.", "%s: unrecognized arguments: --%s", it.place, failure.Clean(strings.Trim(it.key, "-")))
		}
		p.settings[0].place = it.place
		if !slices.ContainsFunc(stronger, func(other setting) bool { return other.name == p.settings[0].name }) {
			added = append(added, p.settings[0])
		}
	}
	return added, nil
}

// heeds reports whether certbot heeds a flag at a command's verb.
func (r *rewriter) heeds(c *cobra.Command, name string) bool {
	return slices.ContainsFunc(r.table, func(row row) bool { return row.spellings()[0] == name && row.at(c.Name()) })
}

// spell writes the settings for cobra. What the command has no flag for is dropped where that is harmless, and refused
// otherwise.
func (r *rewriter) spell(c *cobra.Command, settings []setting) ([]string, error) {
	out := []string{c.Name()}
	for _, s := range settings {
		if s.name == "config" {
			continue
		}
		if f := r.flagOf(c, s.name); f != nil {
			arg := "--" + f.Name
			if s.given {
				arg += "=" + s.text
			}
			out = append(out, arg)
			continue
		}
		if err := r.without(c, s); err != nil {
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

// without says whether a setting may be left out.
func (r *rewriter) without(c *cobra.Command, s setting) error {
	for _, row := range r.table {
		if row.spellings()[0] != s.name || !row.at(c.Name()) {
			continue
		}
		switch {
		case row.kind == harmless, row.vainly && s.place != "":
			return nil
		case row.kind == refused:
			return failure.New(failure.Config, row.use, "%s%s: %s", before(s.place), s.spelled, row.why)
		}
		return failure.New(failure.Config, "`orderly "+c.Name()+" --help` lists what there is.", "%s%s has no flag %s", before(s.place), c.CommandPath(), s.spelled)
	}
	if strings.HasPrefix(s.name, "dns-") && !s.late { // of a plugin that the table does not know
		return failure.New(failure.Config, useWebroot, "%sThe requested %s plugin does not appear to be installed", before(s.place), failure.Clean(s.name))
	}
	return nil // certbot's verb does not heed it either
}

// passOn leaves one of Orderly's own commands as it is, moves flags that stood before it behind it, and adds the directories
// that a cli.ini names.
func (r *rewriter) passOn(args []string, p parsed, at int) (line, error) {
	words := []string{args[at]}
	c := r.find(args[at])
	if c == nil {
		return line{args: args, command: r.root}, nil // cobra's own
	}
	rest := args[at+1:]
	for len(rest) > 0 {
		sub, _, err := c.Find(rest[:1])
		if err != nil || sub == c {
			break
		}
		c, words, rest = sub, append(words, rest[0]), rest[1:]
	}
	out := line{args: slices.Concat(words, args[:at], rest), command: c}
	if has(p, "help") || c.Flags().Lookup("config-dir") == nil {
		return out, nil
	}
	dirs, err := r.directories(out.args)
	out.args = slices.Concat(words, dirs, out.args[len(words):])
	return out, err
}

// directories are the flags for the directories that a cli.ini names and args do not.
func (r *rewriter) directories(args []string) ([]string, error) {
	files, err := readConfig(r.env, "", r.read)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, items := range files {
		for _, it := range items {
			flag := "--" + strings.Trim(it.key, "-")
			there := func(arg string) bool { return arg == flag || strings.HasPrefix(arg, flag+"=") }
			if slices.Contains([]string{"--config-dir", "--work-dir", "--logs-dir"}, flag) && !it.list && !slices.ContainsFunc(args, there) {
				out = append(out, flag+"="+it.values[0])
			}
		}
	}
	return out, nil
}
