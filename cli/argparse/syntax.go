package argparse

// A command line is taken apart here as argparse takes it: abbreviations, bundled short flags,
// values that are attached or follow, "--", numbers that look like flags. Scripts rely on each of
// these, and Go's flag libraries know none of the first and read some of the others differently; a
// value that is taken for a flag, or a flag for a value, is another command.

import (
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"orderly/failure"
)

// option is a flag as a command line may spell it.
type option struct {
	name  string // the canonical one, without hyphens
	shown string // as argparse names it in errors
	takes bool   // it takes a value
	own   bool   // certbot does not know it
	late  bool   // it must not make an abbreviation ambiguous that Debian's certbot takes
}

// given is an option that was given, with its value, in the order of the command line.
type given struct {
	option
	spelled  string // the long name that was meant, or the short one
	value    string
	hasValue bool
	place    string // file and line; "" on the command line
}

// syntax knows what options there are: "--name" and "-x".
type syntax struct {
	options map[string]option
	longs   []string // sorted, for messages
}

// newSyntax makes the syntax of a command: certbot's flags, and the command's own.
func newSyntax(table []row, sets ...*pflag.FlagSet) *syntax {
	s := &syntax{options: map[string]option{}}
	for _, r := range table {
		o := option{
			name: r.spellings()[0], shown: r.describe(), takes: r.value != "", late: r.newer,
		}
		for _, name := range r.spellings() {
			s.options["--"+name] = o
		}
		if r.short != "" {
			s.options["-"+r.short] = o
		}
	}
	for _, set := range sets {
		set.VisitAll(s.addOwn)
	}
	for name := range s.options {
		if strings.HasPrefix(name, "--") {
			s.longs = append(s.longs, name)
		}
	}
	slices.Sort(s.longs)
	return s
}

func (s *syntax) addOwn(f *pflag.Flag) {
	if _, known := s.options["--"+f.Name]; known {
		return
	}
	o := option{
		name: f.Name, shown: "--" + f.Name, takes: f.NoOptDefVal == "", own: true, late: true,
	}
	s.options["--"+f.Name] = o
	if _, known := s.options["-"+f.Shorthand]; f.Shorthand != "" && !known {
		s.options["-"+f.Shorthand] = o
	}
}

// word is what one argument is, as argparse's _parse_optional sees it.
type word struct {
	isOption bool
	known    bool
	option   option
	spelled  string
	value    string
	attached bool // the value
}

// isNegative reports whether argparse takes this for a number and not for an option: its own
// expression is ^-\d+$|^-\d*\.\d+$.
func isNegative(arg string) bool {
	const digits = "0123456789"
	number, minus := strings.CutPrefix(arg, "-")
	whole, fraction, point := strings.Cut(number, ".")
	if !point {
		fraction = whole
	}
	return minus && fraction != "" && strings.Trim(whole, digits) == "" &&
		strings.Trim(fraction, digits) == ""
}

func (s *syntax) look(arg string) (word, error) {
	if len(arg) < 2 || arg[0] != '-' {
		return word{}, nil
	}
	if o, ok := s.options[arg]; ok {
		return word{isOption: true, known: true, option: o, spelled: arg}, nil
	}
	name, value, attached := strings.Cut(arg, "=")
	full := func(name string) word {
		return word{isOption: true, known: true, option: s.options[name], spelled: name,
			value: value, attached: attached}
	}
	if _, ok := s.options[name]; ok {
		return full(name), nil
	}
	if strings.HasPrefix(arg, "--") {
		long, err := s.complete(name)
		if err != nil {
			return word{}, err
		}
		if long != "" {
			return full(long), nil
		}
	} else if o, ok := s.options[arg[:2]]; ok {
		return word{isOption: true, known: true, option: o, spelled: arg[:2], value: arg[2:],
			attached: true}, nil
	}
	if isNegative(arg) || strings.Contains(arg, " ") {
		return word{}, nil
	}
	return word{isOption: true, spelled: arg}, nil
}

// complete finds the one long flag that begins with prefix, "" where none does. What Debian's
// certbot takes for one flag is that flag here, whatever flags came later.
func (s *syntax) complete(prefix string) (string, error) {
	var old, late []string
	for _, name := range s.longs {
		switch {
		case !strings.HasPrefix(name, prefix):
		case s.options[name].late:
			late = append(late, name)
		default:
			old = append(old, name)
		}
	}
	for _, found := range [][]string{old, late} {
		if len(found) == 0 {
			continue
		}
		first := s.options[found[0]].name
		another := func(name string) bool { return s.options[name].name != first }
		if slices.ContainsFunc(found, another) {
			return "", failure.New(failure.Usage, "Write it out.", "ambiguous option: %s could match %s",
				failure.Clean(prefix), strings.Join(slices.Concat(old, late), ", "))
		}
		return found[0], nil
	}
	return "", nil
}

// parsed is a command line taken apart.
type parsed struct {
	given   []given
	unknown []string // flags that nobody knows
	words   []string // what is no flag and no flag's value
	places  []int    // where the words stand
}

// has reports whether an option was given.
func (p parsed) has(name string) bool {
	return slices.ContainsFunc(p.given, func(g given) bool { return g.name == name })
}

// parse takes a command line apart as argparse does. Only what a flag cannot mean is an error;
// unknown flags and words are left to the caller.
func (s *syntax) parse(args []string) (parsed, error) {
	var p parsed
	for i := 0; i < len(args); i++ {
		if args[i] == "--" {
			p.rest(args, i+1)
			break
		}
		w, err := s.look(args[i])
		switch {
		case err != nil:
			return p, err
		case !w.isOption:
			p.words, p.places = append(p.words, args[i]), append(p.places, i)
			continue
		case !w.known:
			p.unknown = append(p.unknown, args[i])
			continue
		}
		used, err := s.take(&p, w, args[i+1:])
		if err != nil {
			return p, err
		}
		i += used
	}
	return p, nil
}

func (p *parsed) rest(args []string, from int) {
	for i := from; i < len(args); i++ {
		p.words, p.places = append(p.words, args[i]), append(p.places, i)
	}
}

// take records an option, and those bundled with it, and returns how many of the arguments that
// follow belong to it.
func (s *syntax) take(p *parsed, w word, follow []string) (int, error) {
	for !w.option.takes && w.attached && len(w.spelled) == 2 && w.value != "" {
		p.given = append(p.given, given{option: w.option, spelled: w.spelled})
		next, known := s.options["-"+w.value[:1]]
		if !known {
			return 0, explicit(w)
		}
		w = word{option: next, spelled: "-" + w.value[:1], value: w.value[1:],
			attached: len(w.value) > 1}
	}
	g := given{option: w.option, spelled: w.spelled, value: w.value, hasValue: w.attached}
	switch {
	case w.option.own && w.attached, w.option.takes == w.attached:
		p.given = append(p.given, g)
		return 0, nil
	case !w.option.takes:
		return 0, explicit(w)
	}
	if err := s.value(w, follow); err != nil {
		return 0, err
	}
	g.value, g.hasValue = follow[0], true
	p.given = append(p.given, g)
	return 1, nil
}

// value finds the value of an option: the next argument, if it is no option.
func (s *syntax) value(w word, follow []string) error {
	missing := failure.New(failure.Usage,
		failure.Remedy("A value that begins with a hyphen is given as --"+w.option.name+"=VALUE."),
		"argument %s: expected one argument", w.option.shown)
	if len(follow) == 0 || follow[0] == "--" {
		return missing
	}
	next, err := s.look(follow[0])
	if err == nil && next.isOption {
		return missing
	}
	return err
}

// explicit is the error for a value that a switch was given.
func explicit(w word) error {
	return failure.New(failure.Usage, "It takes no value.",
		"argument %s: ignored explicit argument %q",
		w.option.shown, failure.Clean(w.value))
}
