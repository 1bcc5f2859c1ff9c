package e2e_test

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"orderly/testca"
)

// panel is a command that prints the document root of a name, as a provider's own tool would: from a file for each name.
func (h *host) panel() string {
	h.t.Helper()
	path := filepath.Join(h.dir, "panel")
	h.write(path, "#!/bin/sh\necho \"$1\" >> "+path+".asked\n[ \"$1\" = \"$CERTBOT_DOMAIN\" ] || exit 9\nexec cat "+h.dir+"/roots/\"$1\"\n")
	if err := os.Chmod(path, 0o755); err != nil {
		h.t.Fatal(err)
	}
	return path
}

// tells lets the panel know a document root.
func (h *host) tells(root string, names ...string) {
	for _, name := range names {
		h.write(filepath.Join(h.dir, "roots", name), root+"\n")
	}
}

// asked is for which names the panel was asked, each time.
func (h *host) asked() []string {
	text, _ := os.ReadFile(filepath.Join(h.dir, "panel.asked"))
	return strings.Fields(string(text))
}

// relocated moves a document root, and the web server with it.
func (h *host) relocated(from string, names ...string) string {
	h.t.Helper()
	to := from + "-moved"
	if err := os.Rename(from, to); err != nil {
		h.t.Fatal(err)
	}
	for _, name := range names {
		h.web.serve(name, to)
	}
	return to
}

func (h *host) confHas(lineage string, lines ...string) {
	h.t.Helper()
	text := h.read(filepath.Join(h.config, "renewal", lineage+".conf"))
	for _, line := range lines {
		if !strings.Contains("\n"+text, "\n"+line+"\n") {
			h.t.Errorf("%s.conf lacks %q:\n%s", lineage, line, text)
		}
	}
}

// A document root moves between two renewals, twice, with a renewal by certbot between: it keeps whom to ask, since that
// stands where certbot leaves alone what it does not know. The command is asked with every order, also the first one, where it cannot say anything yet and -w serves.
func TestAMovedDocumentRootIsAskedFor(t *testing.T) {
	t.Parallel()
	w := newWorld(t, withPebbleDates())
	h := w.host("one")
	names := someNames(2)
	root := w.site(names...)
	panel := h.panel()
	h.must(append(h.certonly(root, names...), "--webroot-from", panel)...)
	if asked := h.asked(); len(asked) != 2 {
		t.Errorf("asked for %q", asked)
	}
	h.confHas(names[0], "orderly_webroot_from = "+panel, names[0]+" = "+root)

	root = h.relocated(root, names...)
	h.tells(root, names...)
	h.must("renew", "--force-renewal")
	h.confHas(names[0], "orderly_webroot_from = "+panel, names[0]+" = "+root, names[1]+" = "+root, "webroot_path = "+root+",")
	if asked := h.asked(); len(asked) != 4 {
		t.Errorf("asked for %q", asked)
	}

	h.mustCertbot("renew", "--force-renewal", "--no-random-sleep-on-renew")
	h.confHas(names[0], "orderly_webroot_from = "+panel, names[0]+" = "+root)
	root = h.relocated(root, names...)
	h.tells(root, names...)
	h.must("renew", "--force-renewal")
	h.confHas(names[0], "orderly_webroot_from = "+panel, names[0]+" = "+root)
	h.readByCertbot(names[0], names...)
	h.kept(promise{names: names, certificates: 4})
}

func TestDocumentRootsAfterAPattern(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testca.Config{})
	h := w.host("one")
	names := someNames(2)
	for _, name := range names {
		w.site(name)
	}
	pattern := filepath.Join(w.dir, "sites", "{domain}")
	command := []string{"certonly", "--webroot-from", pattern, "-d", names[0], "-d", names[1], "-n", "--agree-tos",
		"--register-unsafely-without-email", "--server", w.ca.DirectoryURL(), "--longest-validation", "2s"}
	h.must(command...)
	h.confHas(names[0], "orderly_webroot_from = "+pattern, names[1]+" = "+filepath.Join(w.dir, "sites", names[1]))
	h.must("renew", "--force-renewal")
	h.kept(promise{names: names, certificates: 2})
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
	if r := h.orderly("renew", "--force-renewal"); r.code != 1 || !strings.Contains(r.stderr, "no document root is configured for "+name) {
		t.Errorf("%s", r)
	}
	h.must("renew", "--force-renewal", "--webroot-from", "echo "+w.dir+`/sites/"$1"`)
	h.confHas(name, `orderly_webroot_from = 'echo `+w.dir+`/sites/"$1"'`, name+" = "+filepath.Join(w.dir, "sites", name))
	h.must("renew", "--force-renewal")
	h.kept(promise{names: []string{name}, certificates: 3})
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
		if r.code != 1 || !strings.Contains(r.stderr, c.says) || !strings.Contains(r.stderr, "--webroot-from "+c.from) || !strings.Contains(r.stderr, "sites/"+name) {
			t.Errorf("%s: %s", c.from, r)
		}
	}
	for _, from := range []string{"no-such-program", "cat %(x)s", "/bin/ls {domain}"} {
		if r := h.orderly("renew", "--webroot-from", from); r.code == 0 || !strings.Contains(r.stderr, "webroot-from") {
			t.Errorf("%s: %s", from, r)
		}
	}
	if n := w.requests("") - requests; n != 0 {
		t.Errorf("%d requests were made", n)
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

// The root moves while an order is open that a killed run left.
func TestAnOpenOrderFindsItsMovedRoot(t *testing.T) {
	t.Parallel()
	for _, next := range []string{"resume", "renew", "the same again"} {
		t.Run(next, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, characters()[2].config)
			h := w.host("one")
			names := someNames(2)
			root := w.site(names...)
			command := append(h.certonly(root, names...), "--webroot-from", h.panel())
			h.interrupt(point{"authorization", 2, true}, syscall.SIGKILL, command...)
			root = h.relocated(root, names...)
			h.tells(root, names...)
			if next == "the same again" {
				command = append(h.certonly(root, names...), "--webroot-from", h.panel())
				h.must(command...)
			} else {
				h.must(next)
			}
			h.confHas(names[0], names[0]+" = "+root, names[1]+" = "+root)
			h.kept(promise{names: names})
		})
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
