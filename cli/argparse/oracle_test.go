package argparse_test

import (
	"bytes"
	"encoding/json"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"orderly/cli/argparse"
)

// debianPython has certbot's and ConfigArgParse's modules (scripts/deps installs them).
const debianPython = "/usr/bin/python3"

// ask gives a Python program its input as JSON and reads its answer.
func ask(t *testing.T, program string, in, out any) {
	t.Helper()
	text, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	c := exec.Command(debianPython, "-c", program)
	c.Stdin = bytes.NewReader(text)
	var complaint bytes.Buffer
	c.Stderr = &complaint
	answer, err := c.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, &complaint)
	}
	if err := json.Unmarshal(answer, out); err != nil {
		t.Fatal(err)
	}
}

const certbotsFlags = `
import json
from certbot._internal import cli
from certbot._internal.plugins import disco
cli.prepare_and_parse_args(disco.PluginsRegistry.find_all(), ["certonly", "-n"])
print(json.dumps([[a.option_strings, a.nargs != 0] for a in cli.helpful_parser.parser._actions if a.option_strings]))`

// The table must have every flag of the certbot that is installed, spelled and valued as there:
// else abbreviations differ.
func TestTheTableIsCertbots(t *testing.T) {
	t.Parallel()
	var theirs [][]any
	ask(t, certbotsFlags, nil, &theirs)
	ours := map[string]argparse.Flag{}
	for _, f := range argparse.Flags() {
		for _, name := range strings.Fields(f.Names) {
			ours["--"+name] = f
		}
		if f.Short != "" {
			ours["-"+f.Short] = f
		}
	}
	seen := map[string]bool{}
	for _, action := range theirs {
		first := ""
		for _, spelled := range action[0].([]any) {
			name := spelled.(string)
			f, ok := ours[name]
			seen[name] = true
			switch {
			case !ok:
				t.Errorf("certbot has %s, the table has not", name)
			case f.Value != action[1].(bool):
				t.Errorf("%s takes a value: certbot says %v", name, action[1])
			case first != "" && ours[first].Names != f.Names:
				t.Errorf("%s and %s are the same flag to certbot", first, name)
			}
			first = name
		}
	}
	if len(seen) < 100 {
		t.Fatalf("certbot showed %d spellings only", len(seen))
	}
	for name, f := range ours {
		if !seen[name] && !f.Newer && !f.Refused {
			t.Errorf("the installed certbot has no %s", name)
		}
	}
}

// certbot's flags in real argparse, with nothing behind them.
const realArgparse = `
import argparse, json, sys
inp = json.load(sys.stdin)
out = []
class Record(argparse.Action):
    def __call__(self, parser, namespace, value, option_string=None):
        namespace.seen.append([self.dest, "" if value == [] else value])
class Wrong(Exception): pass
class Parser(argparse.ArgumentParser):
    def error(self, message): raise Wrong(message)
p = Parser(add_help=False)
for f in inp["flags"]:
    p.add_argument(*f["spelled"], dest=f["dest"], action=Record, nargs=None if f["value"] else 0)
for args in inp["lines"]:
    try:
        ns, extras = p.parse_known_args(args, argparse.Namespace(seen=[]))
        out.append({"seen": ns.seen, "extras": extras, "error": ""})
    except Wrong as e:
        out.append({"seen": [], "extras": [], "error": str(e)})
print(json.dumps(out))`

type flagOfArgparse struct {
	Spelled []string `json:"spelled"`
	Dest    string   `json:"dest"`
	Value   bool     `json:"value"`
}

func oldFlags() []flagOfArgparse {
	var all []flagOfArgparse
	known := map[string]bool{}
	for _, f := range argparse.Flags() {
		if f.Newer || known[f.Names] {
			continue
		}
		known[f.Names] = true
		one := flagOfArgparse{Dest: strings.Fields(f.Names)[0], Value: f.Value}
		for _, name := range strings.Fields(f.Names) {
			one.Spelled = append(one.Spelled, "--"+name)
		}
		if f.Short != "" {
			one.Spelled = append(one.Spelled, "-"+f.Short)
		}
		all = append(all, one)
	}
	return all
}

// commandLines are every prefix of every flag, and what is odd.
func commandLines() [][]string {
	var lines [][]string
	for _, f := range oldFlags() {
		for _, spelled := range f.Spelled {
			for end := 3; end <= len(spelled); end++ {
				lines = append(lines, []string{spelled[:end]}, []string{spelled[:end], "a"}, []string{spelled[:end] + "=a", "-n"})
			}
		}
	}
	for _, text := range []string{
		"", "-", "--", "-- -n", "-n --", "-d a -d b,c -w x", "-nq", "-nqv", "-nqd a", "-nda", "-ndq", "-d=a", "-d=", "-da=b", "-n=q", "-nx", "-x", "-xn", "-n=",
		"--domains=a=b", "--domain", "--domain -n", "--domain -5", "--domain -.5", "--domain -5x", "--domain -", "--domain -- a", "--domain -- -a b",
		"--domain a b c", "a -n b", "--text --text", "--=a", "--no-such", "--no-such=a b", "--domain --no-such", "-d a --agree-tos=yes", "--verbose=1", "-v1", "-vv2",
		"---", "---x", "--n", "--no", "--non-i", "--e=a", "--eab-k a --eab-h b", "-wa -db", "-w a -d -w",
	} {
		lines = append(lines, strings.Fields(text))
	}
	return append(lines, []string{"--domain", "-a b"}, []string{"--domain", ""}, []string{"--domain", "--x y"}, []string{"-x y"}, []string{"--agree tos"}, []string{"-n q"}, []string{"-d a"})
}

func TestCommandLinesAreTakenApartAsArgparseDoes(t *testing.T) {
	t.Parallel()
	lines := commandLines()
	var theirs []struct {
		Seen   [][]any
		Extras []string
		Error  string
	}
	ask(t, realArgparse, map[string]any{"flags": oldFlags(), "lines": lines}, &theirs)
	if len(theirs) != len(lines) || len(lines) < 2000 {
		t.Fatalf("%d answers for %d command lines", len(theirs), len(lines))
	}
	for i, line := range lines {
		settings, extras, err := argparse.Parse(line)
		their := theirs[i]
		if err != nil || their.Error != "" {
			compareErrors(t, line, err, their.Error)
			continue
		}
		ours := [][]any{}
		for _, s := range settings {
			ours = append(ours, []any{s.Name, s.Text})
		}
		same := len(ours) == len(their.Seen)
		for j := range ours {
			same = same && ours[j][0] == their.Seen[j][0] && ours[j][1] == their.Seen[j][1]
		}
		left := slices.DeleteFunc(slices.Clone(their.Extras), func(s string) bool { return s == "--" })
		slices.Sort(left)
		slices.Sort(extras)
		if !same || !slices.Equal(left, extras) {
			t.Errorf("%q: argparse sees %v and leaves %q; we see %v and leave %q", line, their.Seen, left, ours, extras)
		}
	}
}

// compareErrors wants an error of the same kind from both. Before 3.12, argparse took two spellings
// of one flag for an ambiguity.
func compareErrors(t *testing.T, line []string, ours error, theirs string) {
	t.Helper()
	kinds := []string{"ambiguous option", "expected one argument", "ignored explicit argument"}
	kind := func(text string) int {
		return slices.IndexFunc(kinds, func(k string) bool { return strings.Contains(text, k) })
	}
	switch {
	case ours == nil && kind(theirs) == 0:
		settings, _, _ := argparse.Parse(line)
		for _, name := range strings.Split(theirs[strings.Index(theirs, "could match ")+len("could match "):], ", ") {
			if full, _, err := argparse.Parse(append([]string{name}, line[1:]...)); err == nil && full[0].Name != settings[0].Name {
				t.Errorf("%q: %s, we take it for --%s", line, theirs, settings[0].Name)
			}
		}
	case ours != nil && kind(theirs) == 0: // of one flag's spellings, with another fault behind it
	case ours == nil || kind(ours.Error()) != kind(theirs) || kind(theirs) < 0:
		t.Errorf("%q: argparse says %q, we say %v", line, theirs, ours)
	}
}

const configargparse = `
import io, json, sys, configargparse
out = []
for text in json.load(sys.stdin):
    try:
        items = configargparse.DefaultConfigFileParser().parse(io.StringIO(text))
        out.append([[k, v if isinstance(v, list) else [v], isinstance(v, list)] for k, v in items.items()])
    except configargparse.ConfigFileParserException:
        out.append(None)
print(json.dumps(out))`

func configTexts() []string {
	texts := []string{
		"", "# c\n; c\n[section]\n---\n--- x\n", "a = b", "a=b", "a:b", "a: b", "a b", "a\tb", "--a b", "--a=b", "a", "a =", "a:", "a = ", "a = b # c", "a = b #c", "a = b#c",
		"a = b ; c", "a # c", "a #", "a = 'b c'", `a = "b c"`, `a = "b`, `a = b"`, `a = 'b"`, `a = ''`, `a = ""`, "a = 'b' # c", "a = 'b # c'", "a = 'b' c", "a = b = c", "a = = b",
		"= b", ": b", "a == b", "a  =  b", "a 'b'", "a = [x, y]", "a = [x]", "a = []", "a = [ x , y ]", `a = ["x", "y, z"]`, "a = [1, 2.5, -3]", "a = [x", "a = x]", "[a] = b",
		"a = b\na = c\nd = e", "  a = b  ", "a = b c d", "a:b:c", "a-b = c", "a_b=c", `webroot-map = {"a.example":"/var/www"}`, "a = https://x/y", "a;b = c", "a#b = c", "a = #b", "a = ;b",
		"a =# b", "a = 'b''c'", "a = 'b'c'", "a = # b", "ä = ö", "max-log-backups = 0\npreconfigured-renewal = True\n", "a = b\r\nc = d\r\n",
	}
	for _, key := range []string{"a", "a ", "a=", "a =", "a: ", "a  "} {
		for _, value := range []string{"", "x", "'x'", `"x"`, "'x", "x y", "x #y", "'x' #y", "#", "'#'", "' x '", "[x,'y']", "''x''", " ; "} {
			texts = append(texts, key+value)
		}
	}
	return texts
}

func TestConfigurationFilesAreReadAsConfigArgParseDoes(t *testing.T) {
	t.Parallel()
	texts := configTexts()
	var theirs [][][]any
	ask(t, configargparse, texts, &theirs)
	for i, text := range texts {
		items, err := argparse.ReadItems(text)
		if (err != nil) != (theirs[i] == nil) {
			t.Errorf("%q: we say %v, ConfigArgParse reads %v", text, err, theirs[i])
			continue
		}
		var ours []string
		for _, it := range items {
			ours = append(ours, shown(it.Key, it.Values, it.List))
		}
		var want []string
		for _, it := range theirs[i] {
			values := []string{}
			for _, v := range it[1].([]any) {
				values = append(values, plain(v))
			}
			want = append(want, shown(it[0].(string), values, it[2].(bool)))
		}
		if !slices.Equal(ours, want) {
			t.Errorf("%q: we read %s, ConfigArgParse %s", text, ours, want)
		}
	}
}

func shown(key string, values []string, list bool) string {
	text, _ := json.Marshal(map[string]any{key: values, "list": list})
	if len(values) == 0 {
		text, _ = json.Marshal(map[string]any{key: []string{}, "list": list})
	}
	return string(text)
}

func plain(v any) string {
	if s, ok := v.(string); ok {
		return s
	}
	text, _ := json.Marshal(v)
	return string(text)
}
