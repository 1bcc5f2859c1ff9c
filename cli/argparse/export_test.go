package argparse

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
	for _, g := range p.given {
		out = append(out, Setting{g.name, g.value})
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
	Group        string
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
		all = append(all, Flag{r.names, r.short, r.value != "", r.newer, r.kind == refused, r.why,
			r.use, r.group, at})
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
