package argparse

// What configuration files say is turned here into what it would be on the command line, and put
// before it. The command line counts more than any file, and the file of -c more than the user's,
// that more than the system's.

import (
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"orderly/failure"
)

// configured puts what the configuration files say before what the command line does.
func (r *rewriter) configured(s *syntax, c *cobra.Command, all []given) ([]given, error) {
	named := ""
	for _, g := range all {
		if g.name == "config" {
			named = g.value
		}
	}
	files, err := r.files(named)
	if err != nil {
		return nil, err
	}
	for _, items := range slices.Backward(files) { // the most important first
		var added []given
		for _, it := range items {
			more, err := it.given(s, all)
			if _, odd := errors.AsType[*unknownKey](err); odd && r.elsewhere(it) {
				continue
			}
			if err != nil {
				return nil, err
			}
			added = append(added, more...)
		}
		all = append(added, all...)
	}
	if c.Name() == "renew" { // certbot/issues/4096: cli.ini's names are for other commands
		all = slices.DeleteFunc(all,
			func(g given) bool { return g.name == "domain" && g.place != "" })
	}
	return all, nil
}

// unknownKey is a key for which the command has no flag.
type unknownKey struct{ key string }

func (e *unknownKey) Error() string { return "unrecognized arguments: --" + failure.Clean(e.key) }

// elsewhere reports whether a line is about a flag that another command has: a file is read by all of
// them, and what it says of renewals must not keep a certificate from being obtained.
func (r *rewriter) elsewhere(it item) bool {
	_, known := newSyntax(r.table, r.everyFlag()...).options["--"+strings.Trim(it.key, "-")]
	return known
}

// files are the lines of each configuration file, the most important file last.
func (r *rewriter) files(named string) ([][]item, error) {
	var all [][]item
	for file, err := range r.in.Files(named) {
		if err != nil {
			return nil, err
		}
		items, err := readItems(file.Text, file.Name)
		if err != nil {
			return nil, err
		}
		all = append(all, items)
	}
	return all, nil
}

// given is what a line of a file adds to what counts more.
func (it item) given(s *syntax, stronger []given) ([]given, error) {
	args, err := it.arguments(s)
	if err != nil {
		return nil, err
	}
	var added []given
	for _, arg := range args {
		p, err := s.parse([]string{arg})
		switch {
		case err != nil:
			return nil, failure.Wrap(errors.New(err.Error()), failure.Usage, failure.RemedyOf(err),
				"%s", it.place)
		case len(p.given) != 1:
			return nil, failure.Wrap(&unknownKey{strings.Trim(it.key, "-")}, failure.Usage,
				"Use the long names of flags as keys.", "%s", it.place)
		}
		g := p.given[0]
		g.place = it.place
		if !slices.ContainsFunc(stronger, func(other given) bool { return other.name == g.name }) {
			added = append(added, g)
		}
	}
	return added, nil
}

// repeatable are the flags for which a list in a file means that they are given once for each
// element.
func repeatable(name string) bool {
	return slices.Contains([]string{"domain", "webroot-path", "preferred-challenges", "ip-address"},
		name)
}

// arguments turns a line into what it would be on the command line
// (configargparse.convert_item_to_command_line_arg).
func (it item) arguments(s *syntax) ([]string, error) {
	name := "--" + strings.Trim(it.key, "-")
	o, known := s.options[name]
	switch {
	case known && !o.takes:
		return it.toggle(name, o)
	case known && it.list && !repeatable(o.name):
		return nil, failure.New(failure.Usage, "Give one value.", "%s: %s can't be set to a list",
			it.place, failure.Clean(it.key))
	}
	var args []string
	for _, value := range it.values {
		args = append(args, name+"="+value)
	}
	return args, nil
}

// toggle reads a switch's value. What says no takes nothing back: certbot leaves it out.
func (it item) toggle(name string, o option) ([]string, error) {
	value := strings.ToLower(strings.Join(it.values, ","))
	if slices.Contains([]string{"true", "yes", "1"}, value) {
		return []string{name}, nil
	}
	if slices.Contains([]string{"false", "no", "0"}, value) {
		return nil, nil
	}
	if count, err := strconv.Atoi(value); err == nil && o.name == "verbose" && count > 0 {
		return []string{name}, nil
	}
	return nil, failure.New(failure.Usage, "",
		"%s: Unexpected value for %s: '%s'. Expecting 'true', 'false', 'yes', 'no', '1' or '0'",
		it.place, failure.Clean(it.key), failure.Clean(value))
}

// directories are the flags for the directories that a cli.ini names and args do not.
func (r *rewriter) directories(args []string) ([]string, error) {
	files, err := r.files("")
	if err != nil {
		return nil, err
	}
	var out []string
	for _, it := range slices.Concat(files...) {
		flag := "--" + strings.Trim(it.key, "-")
		there := func(arg string) bool { return arg == flag || strings.HasPrefix(arg, flag+"=") }
		directory := slices.Contains([]string{"--config-dir", "--work-dir", "--logs-dir"}, flag)
		if directory && !it.list && !slices.ContainsFunc(args, there) {
			out = append(out, flag+"="+it.values[0])
		}
	}
	return out, nil
}
