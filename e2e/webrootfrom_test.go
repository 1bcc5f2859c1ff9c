package e2e_test

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
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
