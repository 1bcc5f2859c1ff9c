package webserver

import (
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// nginx's configuration as its own parser reads it (ngx_conf_file.c): words, quotes, escapes,
// comments, blocks. What `nginx -T` prints are the files one after the other; it is the includes
// that say where each belongs.

// marker begins each file in what `nginx -T` prints.
const marker = "# configuration file "

// dump takes apart what `nginx -T` printed. The first file is the main one.
func dump(text string) (main string, files map[string]string, twice bool) {
	files = map[string]string{}
	var file string
	var begun int
	at := 0
	finish := func(end int) {
		if file != "" {
			_, again := files[file]
			twice = twice || again
			files[file] = text[begun:end]
		}
	}
	for line := range strings.Lines(text) {
		name, found := strings.CutPrefix(strings.TrimRight(line, "\r\n"), marker)
		if found && strings.HasSuffix(name, ":") && strings.HasPrefix(name, "/") {
			finish(at)
			file, begun = strings.TrimSuffix(name, ":"), at+len(line)
			if main == "" {
				main = file
			}
		}
		at += len(line)
	}
	finish(len(text))
	return main, files, twice
}

// nginxText is a file that is taken apart.
type nginxText struct {
	file string
	text string
	at   int
	line int
}

// parseNginx takes a file apart as far as it can be; what is left unclosed ends with the file.
func parseNginx(file, text string) []statement {
	t := &nginxText{file: file, text: text, line: 1}
	var all []statement
	for t.at < len(t.text) {
		all = append(all, t.block(0)...) // a bracket too many closes nothing
	}
	return all
}

// block are the statements up to the closing bracket.
func (t *nginxText) block(depth int) []statement {
	var all []statement
	var s statement
	for {
		word, kind := t.next()
		switch kind {
		case aWord:
			if len(s.words) == 0 {
				s.Place = Place{t.file, t.line}
			}
			s.words = append(s.words, word)
			continue
		case aSemicolon:
			if len(s.words) > 0 {
				all = append(all, s)
			}
		case anOpening:
			s.open = t.line
			switch {
			case strings.HasSuffix(s.name(), "_by_lua_block") || depth >= mostDepth:
				t.skipBlock()
			default:
				s.block = t.block(depth + 1)
			}
			if s.block == nil {
				s.block = []statement{}
			}
			all = append(all, s)
		case aClosing, theEnd:
			return all
		}
		s = statement{}
	}
}

type tokenKind int

const (
	theEnd tokenKind = iota
	aWord
	aSemicolon
	anOpening
	aClosing
)

// next is the next word or sign.
func (t *nginxText) next() (string, tokenKind) {
	t.skipBlanks()
	if t.at >= len(t.text) {
		return "", theEnd
	}
	switch c := t.text[t.at]; c {
	case ';':
		t.at++
		return "", aSemicolon
	case '{':
		t.at++
		return "", anOpening
	case '}':
		t.at++
		return "", aClosing
	case '"', '\'':
		t.at++
		return t.quoted(c), aWord
	}
	return t.bare(), aWord
}

func (t *nginxText) skipBlanks() {
	for ; t.at < len(t.text); t.at++ {
		switch t.text[t.at] {
		case '\n':
			t.line++
		case ' ', '\t', '\r':
		case '#':
			end := strings.IndexByte(t.text[t.at:], '\n')
			if end < 0 {
				t.at = len(t.text)
				return
			}
			t.at += end - 1
		default:
			return
		}
	}
}

// escaped is what stands for a backslash and what follows it.
func escaped(c byte) (string, bool) {
	switch c {
	case '"', '\'', '\\':
		return string(c), true
	case 't':
		return "\t", true
	case 'r':
		return "\r", true
	case 'n':
		return "\n", true
	}
	return "\\" + string(c), false
}

func (t *nginxText) quoted(quote byte) string {
	var word strings.Builder
	for ; t.at < len(t.text); t.at++ {
		c := t.text[t.at]
		switch {
		case c == quote:
			t.at++
			return word.String()
		case c == '\\' && t.at+1 < len(t.text):
			t.at++
			c = t.text[t.at]
			text, _ := escaped(c)
			word.WriteString(text)
		default:
			word.WriteByte(c)
		}
		if c == '\n' {
			t.line++
		}
	}
	return word.String()
}

func (t *nginxText) bare() string {
	var word strings.Builder
	for ; t.at < len(t.text); t.at++ {
		c := t.text[t.at]
		switch c {
		case ' ', '\t', '\r', '\n', ';':
			return word.String()
		case '{':
			if !strings.HasSuffix(word.String(), "$") { // ${name} is a variable
				return word.String()
			}
		case '\\':
			if t.at+1 < len(t.text) {
				t.at++
				if t.text[t.at] == '\n' {
					t.line++
				}
				text, _ := escaped(t.text[t.at])
				word.WriteString(text)
				continue
			}
		}
		word.WriteByte(c)
	}
	return word.String()
}

// skipBlock passes over a block in another language, up to the bracket that closes it.
func (t *nginxText) skipBlock() {
	for open := 1; t.at < len(t.text) && open > 0; t.at++ {
		switch t.text[t.at] {
		case '{':
			open++
		case '}':
			open--
		case '\n':
			t.line++
		}
	}
}

// nginxFiles are the files of one configuration, whoever has read them.
type nginxFiles struct {
	prefix string // of what is named without a leading slash
	read   func(file string) (string, bool)
	glob   func(pattern string) []string

	parsed   map[string][]statement
	included int
}

// dumped are the files that `nginx -T` has printed.
func dumped(main string, files map[string]string) *nginxFiles {
	byDir := map[string][]string{}
	for file := range files {
		byDir[path.Dir(file)] = append(byDir[path.Dir(file)], file)
	}
	for _, names := range byDir {
		slices.Sort(names)
	}
	return &nginxFiles{prefix: path.Dir(main), parsed: map[string][]statement{},
		read: func(file string) (string, bool) { text, ok := files[file]; return text, ok },
		glob: func(pattern string) []string { return among(byDir, pattern) }}
}

// among are the files whose paths fit a pattern, in their order.
func among(byDir map[string][]string, pattern string) []string {
	dirs := []string{path.Dir(pattern)}
	if isGlob(dirs[0]) {
		dirs = dirs[:0]
		for dir := range byDir {
			if ok, _ := path.Match(path.Dir(pattern), dir); ok {
				dirs = append(dirs, dir)
			}
		}
		slices.Sort(dirs)
	}
	var found []string
	for _, dir := range dirs {
		for _, file := range byDir[dir] {
			if ok, _ := path.Match(pattern, file); ok {
				found = append(found, file)
			}
		}
	}
	return found
}

func isGlob(name string) bool { return strings.ContainsAny(name, "*?[") }

// load is a file with what it includes in the includes' places.
func (f *nginxFiles) load(file string, depth int) []statement {
	if all, ok := f.parsed[file]; ok {
		return all
	}
	text, ok := f.read(file)
	if !ok || depth > mostDepth {
		return nil
	}
	f.parsed[file] = nil // one that includes itself ends here
	f.parsed[file] = f.expand(parseNginx(file, text), depth)
	return f.parsed[file]
}

func (f *nginxFiles) expand(block []statement, depth int) []statement {
	var all []statement
	for _, s := range block {
		switch {
		case s.name() == "include" && s.block == nil && len(s.words) == 2:
			all = append(all, f.include(s.arg(1), depth)...)
		case s.block != nil:
			s.block = append([]statement{}, f.expand(s.block, depth)...) // an empty one is a block
			all = append(all, s)
		default:
			all = append(all, s)
		}
	}
	return all
}

func (f *nginxFiles) include(pattern string, depth int) []statement {
	if !filepath.IsAbs(pattern) {
		pattern = path.Join(f.prefix, pattern)
	}
	files := []string{pattern}
	if isGlob(pattern) {
		files = f.glob(pattern)
	}
	var all []statement
	for _, file := range files {
		if f.included++; f.included > mostIncludes {
			break
		}
		all = append(all, f.load(file, depth+1)...)
	}
	return all
}
