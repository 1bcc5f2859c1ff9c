package webserver

import (
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// Apache's configuration as its own parser reads it: lines, continued by a backslash; sections in
// angle brackets; variables, which are filled in before a line is understood. Sections that depend on
// modules and definitions are decided here, by what Apache itself says of both.

// apacheFiles are the files of one configuration.
type apacheFiles struct {
	root      string // ServerRoot
	variables map[string]string
	modules   map[string]bool
	read      func(file string) (string, bool)
	included  int
	looked    int // names that were looked at for includes
	puzzles   []Note
	active    map[string]bool // files that are being read
	// confined: what is read is a customer's .htaccess. It must not have root read, or look for, any
	// file that he names, nor define anything for others.
	confined bool
}

// confine is for what a customer wrote.
func (f *apacheFiles) confine() *apacheFiles {
	return &apacheFiles{root: f.root, variables: f.variables, modules: f.modules, confined: true,
		read: func(string) (string, bool) { return "", false }, active: map[string]bool{}}
}

func newApacheFiles(root string, variables map[string]string, modules map[string]bool) *apacheFiles {
	return &apacheFiles{root: root, variables: variables, modules: modules, read: readFile,
		active: map[string]bool{}}
}

// load is a file with what it includes in the includes' places.
func (f *apacheFiles) load(file string) []statement {
	text, ok := f.read(file)
	if !ok || f.active[file] || len(f.active) > mostDepth {
		return nil
	}
	f.active[file] = true
	defer delete(f.active, file)
	return f.parse(file, text)
}

// parse takes a text apart. A section that is not closed ends with the text.
func (f *apacheFiles) parse(file, text string) []statement {
	p := &apacheText{files: f, file: file, lines: strings.Split(text, "\n")}
	var all []statement
	for p.at < len(p.lines) {
		all = append(all, p.block("", 0, true)...)
	}
	return all
}

// apacheText is a file that is taken apart.
type apacheText struct {
	files *apacheFiles
	file  string
	lines []string
	at    int
}

// line is the next one, with those that continue it.
func (p *apacheText) line() (text string, number int) {
	number = p.at + 1
	var all strings.Builder
	for p.at < len(p.lines) {
		line := strings.TrimRight(p.lines[p.at], "\r")
		p.at++
		part, continued := strings.CutSuffix(line, `\`)
		all.WriteString(part)
		if !continued {
			break
		}
	}
	return strings.TrimSpace(all.String()), number
}

// block are the statements up to the end of the section; live says whether they count.
func (p *apacheText) block(section string, depth int, live bool) []statement {
	var all []statement
	for p.at < len(p.lines) {
		text, number := p.line()
		switch {
		case text == "" || text[0] == '#':
			continue
		case strings.HasPrefix(text, "</"):
			if depth > 0 {
				return all
			}
			continue
		}
		s := statement{Place: Place{p.file, number}, text: text}
		opens := strings.HasPrefix(text, "<")
		if opens {
			text = strings.TrimSuffix(text, ">")
		}
		text, s.foggy = p.files.fill(text)
		s.words = apacheWords(text)
		s.words[0] = strings.ToLower(s.words[0])
		if !opens {
			if live {
				all = append(all, p.files.statement(s)...)
			}
			continue
		}
		all = append(all, p.section(s, depth, live)...)
	}
	return all
}

// section is a section, or what is in it where it only says whether that counts.
func (p *apacheText) section(s statement, depth int, live bool) []statement {
	counts, transparent := p.files.holds(s)
	if s.name() == "<macro" {
		counts, transparent = false, true
	}
	if depth >= mostDepth {
		counts = false
	}
	inner := p.block(s.name(), depth+1, live && counts)
	switch {
	case !live || !counts:
		return nil
	case transparent:
		return inner
	}
	s.block, s.end = append([]statement{}, inner...), p.at
	return []statement{s}
}

// fill fills in variables; foggy where one has no value here.
func (f *apacheFiles) fill(text string) (string, bool) {
	foggy := false
	for from := 0; ; {
		begin := strings.Index(text[from:], "${")
		if begin < 0 {
			return text, foggy
		}
		begin += from
		end := strings.IndexByte(text[begin:], '}')
		if end < 0 {
			return text, foggy
		}
		value, ok := f.variables[text[begin+2:begin+end]]
		if !ok || len(text) > 1<<16 {
			foggy = foggy || !strings.Contains(text[begin:begin+end], ":") // rewrite maps look so
			from = begin + end
			continue
		}
		text = text[:begin] + value + text[begin+end+1:]
		from = begin + len(value) // a value is not filled in again
	}
}

// apacheWords are the words of a line, at least one.
func apacheWords(text string) []string {
	var words []string
	for text = strings.TrimSpace(text); text != ""; text = strings.TrimLeft(text, " \t") {
		quote := text[0]
		if quote != '"' && quote != '\'' {
			word, rest, _ := strings.Cut(strings.ReplaceAll(text, "\t", " "), " ")
			words, text = append(words, word), rest
			continue
		}
		var word strings.Builder
		i := 1
		for ; i < len(text) && text[i] != quote; i++ {
			if text[i] == '\\' && i+1 < len(text) && (text[i+1] == quote || text[i+1] == '\\') {
				i++
			}
			word.WriteByte(text[i])
		}
		words, text = append(words, word.String()), text[min(i+1, len(text)):]
	}
	if len(words) == 0 {
		return []string{""}
	}
	return words
}

// statement is what a line comes to: itself, what it includes, or nothing.
func (f *apacheFiles) statement(s statement) []statement {
	if f.confined {
		return []statement{s} // Apache allows none of the following there
	}
	switch s.name() {
	case "define":
		f.variables[s.arg(1)] = s.arg(2)
		return nil
	case "undefine":
		delete(f.variables, s.arg(1))
		return nil
	case "include", "includeoptional":
		if s.foggy {
			f.puzzles = append(f.puzzles, doubt(s, "a variable is not known"))
			return nil
		}
		return f.include(s.arg(1))
	case "use":
		f.puzzles = append(f.puzzles, doubt(s, "macros are not understood"))
		return nil
	}
	return []statement{s}
}

func (f *apacheFiles) include(pattern string) []statement {
	var all []statement
	for _, file := range f.matching(from(f.root, pattern)) {
		if f.included++; f.included > mostIncludes {
			break
		}
		all = append(all, f.load(file)...)
	}
	return all
}

// matching are the files that an include means: those of a directory with what is below it, too.
func (f *apacheFiles) matching(pattern string) []string {
	found := []string{pattern}
	if isGlob(pattern) {
		found, _ = filepath.Glob(pattern) // one that is none fits nothing
	}
	var files []string
	for _, name := range found {
		if f.looked++; f.looked > mostIncludes {
			break // links that lead round and round multiply with each level
		}
		info, err := os.Stat(name)
		if err == nil && info.IsDir() {
			entries, _ := os.ReadDir(name)
			if len(files)+len(entries) <= mostIncludes && strings.Count(name, "/") < mostDepth {
				for _, e := range entries {
					files = append(files, f.matching(path.Join(name, e.Name()))...)
				}
			}
			continue
		}
		files = append(files, name)
	}
	slices.Sort(files)
	return files
}

// holds reports whether what is in a section counts, and whether the section is nothing else.
func (f *apacheFiles) holds(s statement) (counts, transparent bool) {
	word, negated := strings.CutPrefix(s.arg(1), "!")
	switch s.name() {
	case "<ifmodule":
		return f.loaded(word) != negated, true
	case "<ifdefine":
		_, defined := f.variables[word]
		return defined != negated, true
	case "<iffile":
		if f.confined {
			return true, false // whether it is there is a doubt
		}
		_, err := os.Stat(from(f.root, word))
		return (err == nil) != negated, true
	case "<ifdirective", "<ifsection":
		return !negated, true
	case "<ifversion":
		return f.isVersion(s.args()), true
	case "<limit":
		return slices.ContainsFunc(s.args(), func(m string) bool { return strings.EqualFold(m, "GET") }), true
	case "<limitexcept":
		return !slices.ContainsFunc(s.args(), func(m string) bool { return strings.EqualFold(m, "GET") }), true
	}
	return true, false
}

// loaded reports whether a module is, by its own name or by that of its source. Where nothing is
// known of modules, all are.
func (f *apacheFiles) loaded(name string) bool {
	name = strings.ToLower(name)
	if source, ok := strings.CutSuffix(name, ".c"); ok {
		name = strings.TrimPrefix(source, "mod_") + "_module"
	}
	return len(f.modules) == 0 || f.modules[name]
}

// isVersion answers <IfVersion> for any Apache 2.4.
func (f *apacheFiles) isVersion(args []string) bool {
	operator, version := "=", strings.Join(args, " ")
	if len(args) > 1 {
		operator, version = args[0], args[1]
	}
	is24 := version == "2.4" || strings.HasPrefix(version, "2.4.")
	negated := strings.HasPrefix(operator, "!")
	operator = strings.TrimPrefix(operator, "!")
	holds := false
	switch operator {
	case ">", ">=":
		holds = is24 || version < "2.4"
	case "<", "<=":
		holds = !is24 && version > "2.4" || version == "2.4.99"
	default:
		holds = is24
	}
	return holds != negated
}
