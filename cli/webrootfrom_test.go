package cli_test

// Document roots that are asked for.

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"orderly/testca"
)

func TestDocumentRootsAfterAPattern(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testca.Config{})
	h := w.host("one")
	names := someNames(2)
	for _, name := range names {
		w.site(name)
	}
	pattern := filepath.Join(w.dir, "sites", "{domain}")
	command := []string{"certonly", "--webroot-from", pattern, "-d", names[0], "-d", names[1], "-n",
		"--agree-tos",
		"--register-unsafely-without-email", "--server", w.ca.DirectoryURL(), "--longest-validation", "2s"}
	h.must(command...)
	h.confHas(names[0], "orderly_webroot_from = "+pattern,
		names[1]+" = "+filepath.Join(w.dir, "sites", names[1]))
	h.must("renew", "--force-renewal")
	h.kept(2, names...)
}

// renew can be told for all lineages at once, those whose renewal file lost its map included.
func TestRenewAsksWhereTheMapIsLost(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testca.Config{})
	h := w.host("one")
	name := "a.example.com"
	h.lineages(name)
	conf := filepath.Join(h.config, "renewal", name+".conf")
	text := h.read(conf)
	head, _, _ := strings.Cut(text, "[[webroot_map]]")
	h.write(conf, strings.Replace(head, "webroot_path = ", "no_longer = ", 1)+"[[webroot_map]]\n")
	if r := h.orderly("renew", "--force-renewal"); r.code != 1 ||
		!strings.Contains(r.stderr, "no document root is configured for "+name) {
		t.Errorf("%s", r)
	}
	h.must("renew", "--force-renewal", "--webroot-from", "echo "+w.dir+`/sites/"$1"`)
	h.confHas(name, `orderly_webroot_from = 'echo `+w.dir+`/sites/"$1"'`,
		name+" = "+filepath.Join(w.dir, "sites", name))
	h.must("renew", "--force-renewal")
	h.kept(3, name)
}

// Where the command does not help, the CA is not asked, and the sentence says who said what.
func TestAnAnswerThatDoesNotHelpIsTold(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testca.Config{})
	h := w.host("one")
	name := "a.example.com"
	h.lineages(name)
	h.remove(filepath.Join(w.dir, "sites", name))
	requests := w.requests("")
	for _, c := range []struct{ from, says string }{
		{"echo /no/such/place; #", "it said /no/such/place, which is no directory"},
		{"echo relative; #", `it said "relative", which is not one absolute path`},
		{"echo /tmp; echo /var; #", "which is not one absolute path"},
		{"echo /; #", "which is no document root"},
		{"true", "it said nothing"},
		{"echo no such customer >&2; exit 3", "failed (exit status 3) and said: no such customer"},
		{filepath.Join(w.dir, "nowhere", "{domain}"), "it leads to " + filepath.Join(w.dir, "nowhere", name) + ", which is no directory"},
	} {
		r := h.orderly("renew", "--force-renewal", "--webroot-from", c.from)
		if r.code != 1 || !strings.Contains(r.stderr, c.says) ||
			!strings.Contains(r.stderr, "--webroot-from "+c.from) ||
			!strings.Contains(r.stderr, "sites/"+name) {
			t.Errorf("%s: %s", c.from, r)
		}
	}
	for _, from := range []string{"no-such-program", "cat %(x)s", "/bin/ls {domain}"} {
		if r := h.orderly("renew", "--webroot-from", from); r.code == 0 ||
			!strings.Contains(r.stderr, "webroot-from") {
			t.Errorf("%s: %s", from, r)
		}
	}
	if n := w.requests("") - requests; n != 0 {
		t.Errorf("%d requests were made", n)
	}
}

// A certificate that does not exist yet has nothing that could be reconfigured.
func TestTheFirstCertificateIsToldADocumentRoot(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testca.Config{})
	h := w.host("one")
	for _, from := range []string{"exit 3", "echo /nope; #"} {
		r := h.orderly("certonly", "--webroot-from", from, "-d", "a.example.com", "-n", "--agree-tos",
			"--register-unsafely-without-email", "--server", w.ca.DirectoryURL())
		if r.says(t, 1, "add it to this command: -w DIR."); strings.Contains(r.stderr, "reconfigure") {
			t.Errorf("%s", r)
		}
	}
}

// What answers is as untrusted as -w: a customer who can turn the path elsewhere gains nothing.
func TestAnAnswerIsNotTrusted(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testca.Config{})
	h := w.host("one")
	name := "a.example.com"
	h.lineages(name)
	h.remove(filepath.Join(w.dir, "sites", name))
	open := filepath.Join(w.dir, "open")
	if err := os.Mkdir(open, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(open, 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/etc", filepath.Join(open, name)); err != nil {
		t.Fatal(err)
	}
	if err := os.Lchown(filepath.Join(open, name), 65534, 65534); err != nil {
		t.Fatal(err)
	}
	requests := w.requests("")
	r := h.orderly("renew", "--force-renewal", "--webroot-from", open+"/{domain}")
	if r.code != 1 || !strings.Contains(r.stderr, "may not") || w.requests("") != requests {
		t.Errorf("%s", r)
	}
}

func TestReconfigureLearnsWhomToAsk(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testca.Config{})
	h := w.host("one")
	h.lineages("a.example.com")
	h.must("reconfigure", "--cert-name", "a.example.com", "--webroot-from", w.dir+"/sites/{domain}")
	h.confHas("a.example.com", "orderly_webroot_from = "+w.dir+"/sites/{domain}")
}
