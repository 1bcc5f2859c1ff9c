package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"orderly/certbot"
	"orderly/failure"
	"orderly/ownfile"
)

// item is a line of a cli.ini.
type item struct {
	key    string
	values []string // one, or the elements of a list
	list   bool
	place  string // file and line
}

// The lines of ConfigArgParse's DefaultConfigFileParser: key, an optional = or : or blank, a value that may be quoted, and a
// comment behind a blank. Go has no back-references, so there is one expression for each kind of quotes.
const (
	blank    = `[\s\x0b\x1c-\x1f\x85\p{Z}]`
	lineHead = `^([^:=;#\s\x0b\x1c-\x1f\x85\p{Z}]+)` + blank + `*(?:([:=]|` + blank + `)` + blank + `*`
	lineTail = blank + `*(?:` + blank + `[;#].*)?$`
)

var lineForms = []*regexp.Regexp{
	regexp.MustCompile(lineHead + `'(.+?)?')` + lineTail),
	regexp.MustCompile(lineHead + `"(.+?)?")` + lineTail),
	regexp.MustCompile(lineHead + `(.+?)?)?` + lineTail),
}

// readItems reads a file in the syntax of ConfigArgParse: comments, sections (which mean nothing), `key = value`,
// `key: value`, `key value` and a bare key. A key that stands twice has the later value, at the place of the first.
func readItems(text, name string) ([]item, error) {
	var items []item
	number := 0
	for line := range strings.Lines(strings.TrimPrefix(text, "\ufeff")) {
		number++
		place := fmt.Sprintf("%s line %d", name, number)
		line = strings.TrimSpace(line)
		if line == "" || strings.ContainsRune("#;[", rune(line[0])) || strings.HasPrefix(line, "---") {
			continue
		}
		it, ok := readItem(line)
		if !ok {
			return nil, failure.New(failure.Usage, "Write key = value, with a flag's long name as the key.", "%s: Unexpected line %s", place, failure.Clean(line))
		}
		it.place = place
		if at := slices.IndexFunc(items, func(other item) bool { return other.key == it.key }); at >= 0 {
			items[at] = it
		} else {
			items = append(items, it)
		}
	}
	return items, nil
}

func readItem(line string) (item, bool) {
	for _, form := range lineForms {
		m := form.FindStringSubmatchIndex(line)
		if m == nil {
			continue
		}
		it := item{key: line[m[2]:m[3]]}
		switch {
		case m[6] >= 0:
			it.setValue(line[m[6]:m[7]])
		case m[4] >= 0 && line[m[4]:m[5]] != " ":
			it.values = []string{""}
		default:
			it.values = []string{"true"}
		}
		return it, true
	}
	return item{}, false
}

// setValue takes [a, b] for a list, in JSON or without quotes.
func (it *item) setValue(text string) {
	it.values = []string{text}
	if !strings.HasPrefix(text, "[") || !strings.HasSuffix(text, "]") || len(text) < 2 {
		return
	}
	it.list, it.values = true, nil
	var elements []any
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.UseNumber()
	if err := decoder.Decode(&elements); err == nil && !decoder.More() {
		for _, e := range elements {
			it.values = append(it.values, fmt.Sprint(e))
		}
		return
	}
	for part := range strings.SplitSeq(text[1:len(text)-1], ",") {
		it.values = append(it.values, strings.TrimSpace(part))
	}
}

// configFiles are the files that certbot reads whatever --config-dir says (constants.CLI_DEFAULTS), and then the one of -c.
func configFiles(env Env, named string) []string {
	files := env.ConfigFiles
	if files == nil {
		files = []string{filepath.Join(certbot.DefaultDirs().Config, "cli.ini"), filepath.Join(userConfig(env.Getenv), "letsencrypt", "cli.ini")}
	}
	files = slices.Clone(files)
	if named != "" {
		files = append(files, home(env.Getenv, named))
	}
	return files
}

func userConfig(getenv func(string) string) string {
	if dir := getenv("XDG_CONFIG_HOME"); dir != "" {
		return home(getenv, dir)
	}
	return home(getenv, "~/.config")
}

// home replaces ~ as certbot does. System services often have no HOME; then the account's directory is looked up.
func home(getenv func(string) string, path string) string {
	rest, ok := strings.CutPrefix(path, "~/")
	if !ok {
		return path
	}
	dir := getenv("HOME")
	if u, err := user.Current(); dir == "" && err == nil {
		dir = u.HomeDir
	}
	if dir == "" {
		return path
	}
	return filepath.Join(dir, rest)
}

// readConfig reads the configuration files, the most important last. Only the one that was named must be there.
func readConfig(env Env, named string, read func(string) ([]byte, error)) ([][]item, error) {
	var all [][]item
	files := configFiles(env, named)
	for i, name := range files {
		last := named != "" && i == len(files)-1
		if !last {
			if err := obeyable(name); err != nil {
				return nil, err
			}
		}
		text, err := read(name)
		switch {
		case last && err != nil:
			return nil, failure.Wrap(err, failure.Usage, "Name a file that can be read.", "Unable to open config file: %s", failure.Clean(name))
		case errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrInvalid):
			continue
		case err != nil:
			return nil, failure.Wrap(err, failure.Config, "Make the file readable, or remove it.", "the configuration file cannot be read")
		}
		items, err := readItems(string(text), name)
		if err != nil {
			return nil, err
		}
		all = append(all, items)
	}
	return all, nil
}

// obeyable refuses a file that nobody named and that another user can write: it may name hooks, which root would run. HOME is
// another user's where sudo keeps it. Who can write certbot's own directory can write renewal files, and their hooks, anyhow.
func obeyable(name string) error {
	dir := filepath.Dir(name)
	if dir == certbot.DefaultDirs().Config && ownfile.Others(dir) {
		return nil
	}
	return ownfile.Obeyable(name)
}

// unseen is the error of a file that cannot even be seen, such as below the HOME of another user: for who may not see it,
// it is not there. certbot looks for its files by their names (glob), and passes over what does not show itself.
type unseen struct{ error }

// Unwrap returns what the system says.
func (e unseen) Unwrap() error { return e.error }

// Is makes it a file that is not there.
func (unseen) Is(target error) bool { return target == fs.ErrNotExist }

// mostConfig is how much of a configuration file is read; -c may name a device that never ends.
const mostConfig = 1 << 20

func readFile(name string) ([]byte, error) {
	file, err := os.Open(name)
	if err != nil {
		if _, hidden := os.Lstat(name); hidden != nil {
			return nil, unseen{err}
		}
		return nil, err
	}
	defer func() { _ = file.Close() }()
	text, err := io.ReadAll(io.LimitReader(file, mostConfig+1))
	if err == nil && len(text) > mostConfig {
		return nil, failure.New(failure.Config, "", "%s is larger than a megabyte", failure.Clean(name))
	}
	return text, err
}

// repeatable are the flags for which a list in a file means that they are given once for each element.
func repeatable(name string) bool {
	return slices.Contains([]string{"domain", "webroot-path", "preferred-challenges", "ip-address"}, name)
}

// arguments turns a line into what it would be on the command line (configargparse.convert_item_to_command_line_arg).
func (it item) arguments(s *syntax) ([]string, error) {
	name := "--" + strings.Trim(it.key, "-")
	o, known := s.options[name]
	switch {
	case known && !o.value:
		return it.toggle(name, o)
	case known && it.list && !repeatable(o.name):
		return nil, failure.New(failure.Usage, "Give one value.", "%s: %s can't be set to a list", it.place, failure.Clean(it.key))
	}
	var args []string
	for _, value := range it.values {
		args = append(args, name+"="+value)
	}
	return args, nil
}

// toggle reads a switch's value. What says no takes nothing back: certbot leaves it out.
func (it item) toggle(name string, o argFlag) ([]string, error) {
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
	return nil, failure.New(failure.Usage, "", "%s: Unexpected value for %s: '%s'. Expecting 'true', 'false', 'yes', 'no', '1' or '0'", it.place,
		failure.Clean(it.key), failure.Clean(value))
}
