package configobj_test

import (
	"errors"
	"strings"
	"testing"

	"orderly/certbot/configobj"
)

const renewalFile = `# renew_before_expiry = 30 days
version = 2.1.0
archive_dir = /etc/letsencrypt/archive/example.com

# Options used in the renewal process
[renewalparams]
account   =   0123   # the shared one
authenticator = webroot
webroot_path = /var/www/html,
[[webroot_map]]
example.com = /var/www/html
# the end`

func parse(t *testing.T, text string) *configobj.File {
	t.Helper()
	f, err := configobj.Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func section(t *testing.T, f *configobj.File, names ...string) *configobj.Section {
	t.Helper()
	s, ok := f.Section(names...)
	if !ok {
		t.Fatalf("no section %v", names)
	}
	return s
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestWhatIsChangedKeepsItsPlaceAndTheRestItsBytes(t *testing.T) {
	f := parse(t, renewalFile)
	params := section(t, f, "renewalparams")
	must(t, params.Set("account", "4567, #8"))
	must(t, params.Set("key_type", "ecdsa"))
	must(t, params.SetList("webroot_path", []string{"/srv/a", "/srv/b"}))
	must(t, f.Root().Set("version", "2.1.0"))
	must(t, f.Root().Set("cert", "/x/cert.pem"))
	must(t, section(t, f, "renewalparams", "webroot_map").Set("www.example.com", "/srv/b"))
	want := strings.NewReplacer(
		"0123   #", `"4567, #8"   #`,
		"webroot_path = /var/www/html,\n", "webroot_path = /srv/a, /srv/b\nkey_type = ecdsa\n",
		"/archive/example.com\n", "/archive/example.com\ncert = /x/cert.pem\n",
		"\n# the end", "\nwww.example.com = /srv/b\n# the end",
	).Replace(renewalFile)
	if got := string(f.Bytes()); got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
	again := parse(t, want)
	if v, ok := section(t, again, "renewalparams").Get("account"); !ok || v.String() != "4567, #8" || v.IsList {
		t.Errorf("account reads %q", v)
	}
}

func TestANewFileLooksAsCertbotsDo(t *testing.T) {
	f := configobj.New()
	must(t, f.Root().Set("version", "2.1.0"))
	params, err := f.Root().AddSection("renewalparams", "", "Options used in the renewal process")
	must(t, err)
	roots, err := params.AddSection("webroot_map")
	must(t, err)
	must(t, roots.Set("a.example", "/srv/a"))
	must(t, params.SetList("webroot_path", []string{"/srv/a"}))
	again, err := params.AddSection("webroot_map")
	must(t, err)
	if again != roots {
		t.Error("AddSection made a second section of the same name")
	}
	want := "version = 2.1.0\n\n# Options used in the renewal process\n[renewalparams]\nwebroot_path = /srv/a,\n[[webroot_map]]\na.example = /srv/a\n"
	if got := string(f.Bytes()); got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}

func TestDeleteTakesKeyOrSectionAndLeavesComments(t *testing.T) {
	f := parse(t, "a = 1\n# about b\nb = '''x\ny'''\n[s]\nc = 3\n[[t]]\nd = 4\n# about e\n[[u]]\ne = 5\n")
	f.Root().Delete("b")
	f.Root().Delete("b")
	s := section(t, f, "s")
	s.DeleteSection("t")
	s.DeleteSection("t")
	if got, want := string(f.Bytes()), "a = 1\n# about b\n[s]\nc = 3\n# about e\n[[u]]\ne = 5\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if _, ok := f.Section("s", "t"); ok || len(s.Sections()) != 1 {
		t.Error("the deleted section is still found")
	}
}

func TestErrorsNameTheLine(t *testing.T) {
	for in, want := range map[string]string{
		"a = 1\nb\n":              "line 2: neither a section marker nor key = value",
		"a = 1\n\na = 2\n":        `line 3: duplicate key "a"`,
		"a: 1\n":                  "line 1: neither a section marker nor key = value",
		"[s]\n[[t]]\n[[t]]\n":     `line 3: duplicate section "t"`,
		"a = 1\nb = '''x\ny\n":    "line 2: badly quoted value of several lines",
		"a = 1\nb = \"x\n":        "line 2: badly quoted value or list",
		"a = 1\nb = caf\xe9\nc\n": "line 2: not UTF-8",
	} {
		_, err := configobj.Parse([]byte(in))
		var p *configobj.ParseError
		if !errors.As(err, &p) || err.Error() != want {
			t.Errorf("%q: got %v, want %s", in, err, want)
		}
	}
	f := parse(t, "a = 1\nb = %(c)s\n[s]\nx = 1\n")
	if v, _ := f.Root().Get("b"); v.Err == nil || v.Err.Error() != "line 2: %(c)s refers to a key that does not exist" {
		t.Errorf("interpolation: %v", v.Err)
	}
	if f.Root().Line("b") != 2 || f.Root().Line("s") != 3 || f.Root().Line("none") != 0 {
		t.Error("Line is wrong")
	}
}

func TestWhatConfigObjCannotHoldIsRefusedAndChangesNothing(t *testing.T) {
	const before = "a = 1\n[s]\nb = 2\n"
	for _, w := range []struct {
		key   string
		value any
	}{
		{"a", "%(x)s"}, {"a", "x\r\ny"}, {"a=b", "v"}, {"s", "v"}, {"a\nb", "v"}, {"a", []string{"x\ny"}},
		{"a", `"""` + "\n'''"}, {"a", []string{`'",`}},
	} {
		f := parse(t, before)
		if err := set(f.Root(), w.key, w.value); err == nil {
			t.Errorf("%v was accepted: %q", w, f.Bytes())
		}
		if got := string(f.Bytes()); got != before {
			t.Errorf("%v changed the file: %q", w, got)
		}
	}
	f := parse(t, before)
	for _, name := range []string{"a", "x]y]", "\n"} {
		if _, err := f.Root().AddSection(name); err == nil {
			t.Errorf("section %q was accepted: %q", name, f.Bytes())
		}
	}
}

func TestLineEndsAndIndentationAreTheFiles(t *testing.T) {
	f := parse(t, "\ufeffa = 1\r\n[s]\r\n\tb = 2")
	must(t, section(t, f, "s").Set("c", "3"))
	must(t, f.Root().Set("a", "1\n2"))
	if got, want := string(f.Bytes()), "\ufeffa = '''1\n2'''\r\n[s]\r\n\tb = 2\r\n\tc = 3\r\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func FuzzParse(f *testing.F) {
	for _, in := range inputs {
		f.Add([]byte(in), "key", "value")
	}
	f.Add([]byte(renewalFile), "a", "x, 'y' # z")
	f.Fuzz(func(t *testing.T, data []byte, key, value string) {
		file, err := configobj.Parse(data)
		if err != nil {
			return
		}
		if got := file.Bytes(); string(got) != string(data) {
			t.Fatalf("%q comes out as %q", data, got)
		}
		for _, names := range [][]string{nil, {"s"}, {"renewalparams"}} {
			s, ok := file.Section(names...)
			if !ok || s.Set(key, value) != nil {
				continue
			}
			again, err := configobj.Parse(file.Bytes())
			if err != nil {
				t.Fatalf("Set(%q, %q) broke %q: %v", key, value, data, err)
			}
			s, ok = again.Section(names...)
			if !ok {
				t.Fatalf("Set(%q, %q) lost section %q of %q", key, value, names, data)
			}
			if v, ok := s.Get(key); !ok || v.Err != nil || v.String() != value || v.IsList {
				t.Fatalf("Set(%q, %q) on %q reads back %v, %v", key, value, data, v, ok)
			}
		}
	})
}
