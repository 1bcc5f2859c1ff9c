package cli

import (
	"errors"
	"io"
	"io/fs"
	"strings"

	"github.com/spf13/cobra"
)

// Rewritten is what tests see of a rewritten command line.
type Rewritten struct {
	Args    []string
	Version bool
	// Parse is cobra's opinion about Args: nil, or what it finds wrong with a flag or a value.
	Parse func() error
}

// Rewrite rewrites a command line. Files are configuration files by name; they are read in the order of names, and no others.
func Rewrite(program string, args []string, names []string, files map[string]string) (Rewritten, error) {
	env := Env{Program: program, Args: args, ConfigFiles: append([]string{}, names...), Getenv: func(string) string { return "" }}
	root := newRoot(env, &printer{getenv: env.Getenv})
	line, err := rewrite(env, root, func(name string) ([]byte, error) {
		text, ok := files[name]
		if !ok {
			return nil, fs.ErrNotExist
		}
		return []byte(text), nil
	})
	return Rewritten{line.args, line.version, func() error { return parseFlags(line) }}, err
}

func parseFlags(l line) error {
	if l.command == nil || l.command == l.command.Root() || len(l.args) == 0 || l.command.DisableFlagParsing {
		return nil
	}
	words := len(strings.Fields(l.command.CommandPath())) - 1
	return l.command.ParseFlags(l.args[min(words, len(l.args)):])
}

// Setting is one flag of a command line that was taken apart.
type Setting struct{ Name, Text string }

// Parse takes a command line apart with the flags that Debian's certbot has, and no others.
func Parse(args []string) ([]Setting, []string, error) {
	var table []row
	for _, r := range flagTable() {
		if !r.newer {
			table = append(table, r)
		}
	}
	p, err := newSyntax(table).parse(args)
	var out []Setting
	for _, s := range p.settings {
		out = append(out, Setting{s.name, s.text})
	}
	return out, append(p.unknown, p.words...), err
}

// Flag is a row of the table, for a test that compares it with certbot's own.
type Flag struct {
	Names, Short string
	Value        bool
	Newer        bool
	Refused      bool
	Why, Use     string
	Verbs        []string
}

// Flags is the table.
func Flags() []Flag {
	var all []Flag
	for _, r := range flagTable() {
		var at []string
		for _, verb := range verbs() {
			if r.at(verb) {
				at = append(at, verb)
			}
		}
		all = append(all, Flag{r.names, r.short, r.value != "", r.newer, r.kind == refused, r.why, r.use, at})
	}
	return all
}

// Item is a line of a configuration file.
type Item struct {
	Key    string
	Values []string
	List   bool
}

// ReadItems reads a configuration file.
func ReadItems(text string) ([]Item, error) {
	items, err := readItems(text, "cli.ini")
	var out []Item
	for _, it := range items {
		out = append(out, Item{it.key, it.values, it.list})
	}
	return out, err
}

// FlagsOf are the flags of one of certbot's verbs, by name, with whether each takes a value. It is an error to ask for a verb
// that there is not.
func FlagsOf(verb string) (map[string]bool, error) {
	env := Env{Getenv: func(string) string { return "" }}
	r := &rewriter{root: newRoot(env, &printer{getenv: env.Getenv})}
	c := r.find(verb)
	if c == nil {
		return nil, errors.New("there is no command " + verb)
	}
	out := map[string]bool{}
	s := newSyntax(nil, c.Flags())
	for name, f := range s.options {
		out[strings.TrimLeft(name, "-")] = f.value
	}
	return out, nil
}

// Root is the whole command tree.
func Root() *cobra.Command {
	env := Env{Getenv: func(string) string { return "" }}
	return newRoot(env, &printer{getenv: env.Getenv})
}

// Page is a command's manual page.
func Page(c *cobra.Command) string { return page(c) }

// Guard is the way out for what is printed.
func Guard(w io.Writer, terminal bool) io.Writer { return guard{w, terminal} }

// Red is text that is to be red at a terminal.
func Red(text string) string { return markRed + text + markPlain }
