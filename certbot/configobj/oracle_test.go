package configobj_test

import (
	"bytes"
	"encoding/json"
	"os/exec"
	"reflect"
	"testing"

	"orderly/certbot/configobj"
)

// readOracle lets Debian's python3-configobj read each input of a JSON list and prints what it made of it.
const readOracle = `
import configobj, io, json, sys
def tree(section):
    out = {}
    for key in section.scalars + section.sections:
        try:
            value = section[key]
        except (configobj.InterpolationError, TypeError):
            value = {"uninterpolated": True}
        out[key] = tree(value) if isinstance(value, configobj.Section) else value
    return out
results = []
for text in json.load(sys.stdin):
    try:
        with open(sys.argv[1], "wb") as f:
            f.write(text.encode("utf-8"))
        parsed = configobj.ConfigObj(sys.argv[1], encoding="utf-8", default_encoding="utf-8")
        results.append({"tree": tree(parsed)})
    except configobj.ConfigObjError as e:
        results.append({"line": (e.errors[0] if getattr(e, "errors", None) else e).line_number})
json.dump(results, sys.stdout)
`

// writeOracle prints for each [key, value] the file that ConfigObj writes, or null where it refuses.
const writeOracle = `
import configobj, io, json, sys
results = []
for key, value in json.load(sys.stdin):
    c = configobj.ConfigObj(encoding="utf-8", default_encoding="utf-8")
    c[key] = value
    out = io.BytesIO()
    try:
        c.write(out)
        results.append(out.getvalue().decode())
    except configobj.ConfigObjError:
        results.append(None)
json.dump(results, sys.stdout)
`

// ask runs a script of Debian's Python with in as JSON on its input and reads its output into out.
func ask(t *testing.T, script string, in, out any) {
	t.Helper()
	question, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("/usr/bin/python3", "-c", script, t.TempDir()+"/in.conf")
	cmd.Stdin = bytes.NewReader(question)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	answer, err := cmd.Output()
	if err != nil {
		t.Fatalf("Debian's python3-configobj is needed: %v\n%s", err, stderr.String())
	}
	if err := json.Unmarshal(answer, out); err != nil {
		t.Fatal(err)
	}
}

var inputs = []string{
	"",
	"\n\n# only a comment\n",
	"a = b\n",
	"a=b",
	"  a   =   b   \n",
	"a = b # comment\n",
	"a = b#no blank before the comment\n",
	"a = \"b # c\"  # d\n",
	"a = 'b # c'\n",
	"a = b, c\n",
	"a = b,\n",
	"a = b, \n",
	"a = b,c,\n",
	"a = ,\n",
	"a = ,b\n",
	"a = b,,c\n",
	"a = \"b, c\", 'd', e # f\n",
	"a = \"\"\n",
	"a =\n",
	"a = # nothing\n",
	"a = \"b\"c\n",
	"a = \"b\n",
	"a = b\"c\"\n",
	"a = 'it''s'\n",
	"a = it's\n",
	"a = \"\n",
	"a = b 'c' \"d\"\n",
	"a = '''b'''\n",
	"a = '''b\n  c # d\n\ne''' # f\nx = y\n",
	"a = \"\"\"b'''\"\"\"\n",
	"a = '''b\nc\n",
	"a = '''b''' c\n",
	"a = '''b\nc''' d\n",
	"a = '''b''''\n",
	"a : b\n",
	"bare\n",
	"ok = 1\n\nbare word\nok = 2\n",
	"a = 1\nb = 2\na = 3\n",
	"a = 1\n[a]\n",
	"[s]\nx = 1\n[s]\n",
	"[s]\nx = 1\n[[t]]\ny = 2\n[u]\nz = 3\n",
	"[s]\n[[[t]]]\n",
	"[[t]]\n",
	"[s]\n[[t]]\n[[[u]]]\na = 1\n[[v]]\nb = 2\n",
	"[s\n",
	"[s]]\n",
	"[ s ] # comment\n",
	"[\"s # t\"]\n",
	"[ [ s ] ]\n",
	"[]\n",
	"[s] junk\n",
	"\ufeffa = b\n",
	"a = b\r\nc = d\r\n[s]\r\ne = f\r\n",
	"a = b\rc = d\n",
	"*.example.com = /var/www/a b\n",
	"\"quoted key\" = 1\n'other' = 2\n",
	"\"\" = 1\n",
	"a = b = c\n",
	"= b\n",
	"a = %(b)s\n",
	"b = x\na = y%(b)sz\n",
	"a = %(b)s\nb = %(a)s\n",
	"b = x\n[s]\na = %(b)s, %(c)s\n",
	"[DEFAULT]\nb = x\n[s]\na = %(b)s\n",
	"b = 1, 2\na = %(b)s\n",
	"a = date +%F %(\n",
	"a\u00a0=\u00a0b\u00a0\n",
	"a = b\u2003#c\n",
	"\u2003# comment\n\u0085\nb = ü\u001f\n",
	"a = b\u2028c\n",
	"post_hook = systemctl reload nginx, systemctl reload postfix\n",
	"[renewalparams]\nwebroot_path = /var/www/html,\n[[webroot_map]]\nexample.com = /var/www/html\npost_hook = x\n",
	"\tindented = 1\n\t[s]\n\t\tx = 1\n",
}

func TestDebiansConfigObjReadsTheSame(t *testing.T) {
	var want []struct {
		Tree map[string]any
		Line int
	}
	ask(t, readOracle, inputs, &want)
	for i, in := range inputs {
		f, err := configobj.Parse([]byte(in))
		if err != nil {
			got := err.(*configobj.ParseError).Line
			if got != want[i].Line {
				t.Errorf("%q: error on line %d (%v), ConfigObj: line %d, %v", in, got, err, want[i].Line, want[i].Tree)
			}
			continue
		}
		if got := tree(f.Root(), f); want[i].Line != 0 || !reflect.DeepEqual(got, want[i].Tree) {
			t.Errorf("%q:\n got %v\nwant %v (error on line %d)", in, got, want[i].Tree, want[i].Line)
		}
		if got := string(f.Bytes()); got != in {
			t.Errorf("%q comes out as %q", in, got)
		}
	}
}

func tree(s *configobj.Section, f *configobj.File, path ...string) map[string]any {
	out := map[string]any{}
	for _, key := range s.Keys() {
		v, _ := s.Get(key)
		switch {
		case v.Err != nil:
			out[key] = map[string]any{"uninterpolated": true}
		case v.IsList:
			list := []any{}
			for _, item := range v.List() {
				list = append(list, item)
			}
			out[key] = list
		default:
			out[key] = v.String()
		}
	}
	for _, name := range s.Sections() {
		below := append(append([]string(nil), path...), name)
		sub, _ := f.Section(below...)
		out[name] = tree(sub, f, below...)
	}
	return out
}

var writes = []struct {
	key   string
	value any // string or []string
}{
	{"a", "plain"}, {"a", "with blanks inside"}, {"a", ""}, {"a", " led by a blank"}, {"a", "x, y"}, {"a", "x # y"},
	{"a", `say "hi"`}, {"a", `"hi"`}, {"a", "it's"}, {"a", "'quoted'"}, {"a", `it's "both"`}, {"a", "two\nlines"},
	{"a", `x, "y"`}, {"a", `x, y's`}, {"a", `x#'y'"z"`}, {"a", "x\t"},
	{"a", []string{}}, {"a", []string{"one"}}, {"a", []string{"one", "two"}}, {"a", []string{"/srv/a, b", "c"}},
	{"a", []string{""}}, {"a", []string{"x#y"}}, {"a", []string{`a"b'c,`}}, {"a", []string{"two\nlines"}},
	{"*.example.com", "/srv"}, {"with blank", "v"}, {"with,comma", "v"}, {"#hash", "v"},
}

func TestNewKeysAreQuotedAsConfigObjQuotes(t *testing.T) {
	var questions [][2]any
	for _, w := range writes {
		questions = append(questions, [2]any{w.key, w.value})
	}
	var want []*string
	ask(t, writeOracle, questions, &want)
	for i, w := range writes {
		f := configobj.New()
		err := set(f.Root(), w.key, w.value)
		switch {
		case err == nil && want[i] == nil:
			t.Errorf("%v: ConfigObj refuses, we wrote %q", w, f.Bytes())
		case err != nil && want[i] != nil:
			t.Errorf("%v: ConfigObj writes %q, we say %v", w, *want[i], err)
		case err == nil && string(f.Bytes()) != *want[i]:
			t.Errorf("%v: ConfigObj writes %q, we %q", w, *want[i], f.Bytes())
		}
	}
}

func set(s *configobj.Section, key string, value any) error {
	if list, ok := value.([]string); ok {
		return s.SetList(key, list)
	}
	return s.Set(key, value.(string))
}
