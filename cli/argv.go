package cli

import (
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"orderly/failure"
)

// argFlag is a flag as a command line may spell it.
type argFlag struct {
	name  string // the canonical one, without hyphens
	shown string // as argparse names it in errors
	value bool   // it takes one
	own   bool   // certbot does not know it
	late  bool   // it must not make an abbreviation ambiguous that Debian's certbot takes
}

// setting is an option that was given, with its value, in the order of the command line.
type setting struct {
	argFlag
	spelled string // the long name that was meant, or the short one
	text    string
	given   bool // whether there is a text
	place   string
}

// syntax knows what options there are: "--name" and "-x".
type syntax struct {
	options map[string]argFlag
	longs   []string // sorted, for messages
}

// newSyntax makes the syntax of a command: certbot's flags, and the command's own.
func newSyntax(table []row, sets ...*pflag.FlagSet) *syntax {
	s := &syntax{options: map[string]argFlag{}}
	for _, r := range table {
		o := argFlag{name: r.spellings()[0], shown: r.describe(), value: r.value != "", late: r.newer}
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
	o := argFlag{name: f.Name, shown: "--" + f.Name, value: f.NoOptDefVal == "", own: true, late: true}
	s.options["--"+f.Name] = o
	if _, known := s.options["-"+f.Shorthand]; f.Shorthand != "" && !known {
		s.options["-"+f.Shorthand] = o
	}
}

// word is what one argument is, as argparse's _parse_optional sees it.
type word struct {
	isOption bool
	known    bool
	option   argFlag
	spelled  string
	text     string
	given    bool
}

// negative is what argparse takes for a number and not for an option.
var negative = regexp.MustCompile(`^-\d+$|^-\d*\.\d+$`)

func (s *syntax) look(arg string) (word, error) {
	if len(arg) < 2 || arg[0] != '-' {
		return word{}, nil
	}
	if o, ok := s.options[arg]; ok {
		return word{isOption: true, known: true, option: o, spelled: arg}, nil
	}
	name, text, given := strings.Cut(arg, "=")
	if o, ok := s.options[name]; ok {
		return word{isOption: true, known: true, option: o, spelled: name, text: text, given: given}, nil
	}
	if strings.HasPrefix(arg, "--") {
		full, err := s.complete(name)
		if err != nil {
			return word{}, err
		}
		if full != "" {
			return word{isOption: true, known: true, option: s.options[full], spelled: full, text: text, given: given}, nil
		}
	} else if o, ok := s.options[arg[:2]]; ok {
		return word{isOption: true, known: true, option: o, spelled: arg[:2], text: arg[2:], given: true}, nil
	}
	if negative.MatchString(arg) || strings.Contains(arg, " ") {
		return word{}, nil
	}
	return word{isOption: true, spelled: arg}, nil
}

// complete finds the one long flag that begins with prefix, "" where none does. What Debian's certbot takes for one flag is
// that flag here, whatever flags came later.
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
		if slices.ContainsFunc(found, func(name string) bool { return s.options[name].name != first }) {
			return "", failure.New(failure.Usage, "Write it out.", "ambiguous option: %s could match %s", failure.Clean(prefix), strings.Join(slices.Concat(old, late), ", "))
		}
		return found[0], nil
	}
	return "", nil
}

// parsed is a command line taken apart.
type parsed struct {
	settings []setting
	unknown  []string // flags that nobody knows
	words    []string // what is no flag and no flag's value
	places   []int    // where the words stand
}

// parse takes a command line apart as argparse does. Only what a flag cannot mean is an error; unknown flags and words are
// left to the caller.
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

// take records an option, and those bundled with it, and returns how many of the arguments that follow belong to it.
func (s *syntax) take(p *parsed, w word, follow []string) (int, error) {
	for !w.option.value && w.given && len(w.spelled) == 2 && w.text != "" {
		p.settings = append(p.settings, setting{argFlag: w.option, spelled: w.spelled})
		next, known := s.options["-"+w.text[:1]]
		if !known {
			return 0, explicit(w)
		}
		w = word{option: next, spelled: "-" + w.text[:1], text: w.text[1:], given: len(w.text) > 1}
	}
	switch {
	case w.option.own && w.given, w.option.value && w.given, !w.option.value && !w.given:
		p.settings = append(p.settings, setting{argFlag: w.option, spelled: w.spelled, text: w.text, given: w.given})
		return 0, nil
	case !w.option.value:
		return 0, explicit(w)
	}
	if err := s.value(w, follow); err != nil {
		return 0, err
	}
	p.settings = append(p.settings, setting{argFlag: w.option, spelled: w.spelled, text: follow[0], given: true})
	return 1, nil
}

// value finds the value of an option: the next argument, if it is no option.
func (s *syntax) value(w word, follow []string) error {
	missing := failure.New(failure.Usage, "A value that begins with a hyphen is given as "+longest(w)+"=VALUE.", "argument %s: expected one argument", w.option.shown)
	if len(follow) == 0 || follow[0] == "--" {
		return missing
	}
	next, err := s.look(follow[0])
	if err == nil && next.isOption {
		return missing
	}
	return err
}

func longest(w word) string { return "--" + w.option.name }

func explicit(w word) error {
	return failure.New(failure.Usage, "It takes no value.", "argument %s: ignored explicit argument %q", w.option.shown, failure.Clean(w.text))
}
