package cli_test

// What each command refuses, and in which sentence.

import (
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"orderly/testca"
)

func TestBadInputOfAccountCommandsGetsOneSentence(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testca.Config{})
	h := w.host("one")
	const nowhere = "https://127.0.0.1:1/dir"
	for _, one := range []struct {
		code int
		says string
		args []string
	}{
		{1, "You should register before running non-interactively, or provide --agree-tos and --email <email_address> flags.", []string{"register"}},
		{1, "You should register before running non-interactively, or provide --agree-tos and --email <email_address> flags.", []string{"register", "-m", "a@example.com"}},
		{2, "--email nobody: not an address", []string{"register", "--agree-tos", "-m", "nobody"}},
		{2, "an external account needs a key identifier and a key", []string{"register", "--agree-tos", "-m", "a@example.com", "--eab-kid", "x"}},
		{2, "the key given with --eab-hmac-key is not base64", []string{"register", "--agree-tos", "-m", "a@example.com", "--eab-kid", "x", "--eab-hmac-key", "?"}},
		{2, `"HS1" is no algorithm`, []string{"register", "--agree-tos", "-m", "a@example.com", "--eab-kid", "x", "--eab-hmac-key", "eA", "--eab-hmac-alg", "HS1"}},
		{1, "Could not find an existing account for server " + nowhere + ".", []string{"show_account"}},
		{1, "Could not find an existing account for server " + nowhere + ".", []string{"update_account", "-m", "a@example.com"}},
		{1, "Could not find existing account for server " + nowhere + ".", []string{"unregister"}},
		{1, "--server value conflicts with --staging", []string{"show_account", "--staging"}},
	} {
		r := h.orderly(append(one.args, "-n", "--server", nowhere)...)
		if r.code != one.code || strings.Count(r.stderr, one.says) != 1 ||
			strings.Contains(r.stderr, "goroutine") || r.stdout != "" {
			t.Errorf("%v: not %d and %q: %s", one.args, one.code, one.says, r)
		}
	}
	if n := w.requests(""); n != 0 {
		t.Errorf("%d requests were made", n)
	}
	h.must(h.onServer("register", "--agree-tos", "-m", "a@example.com")...)
	h.orderly(h.onServer("update_account")...).says(t, 1,
		"You should register before running non-interactively")
	h.orderly(h.onServer("unregister", "--account", "0123")...).says(t, 1, "/0123 does not exist")
}

func TestBadInputOfDeleteGetsOneSentence(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testca.Config{})
	h := w.host("one")
	h.orderly("delete", "-n").says(t, 1, "No existing certificates found.")
	for _, name := range []string{"a.example.com", "b.example.com"} {
		h.must(h.certonly(w.site(name), name)...)
	}
	h.orderly("delete", "-n").says(t, 1,
		"Missing command line flag or config entry for this setting:\nWhich certificate(s) would you like to delete?\nChoices: ['a.example.com', 'b.example.com']")
	h.orderly("delete", "--cert-name", "a.example.com", "--cert-name", "none", "-n").says(t, 1,
		fmt.Sprintf("No certificate found with name none (expected %s/renewal/none.conf).", h.config))
	h.orderly("delete", "--cert-name", "../x", "-n").says(t, 1, "No certificate found with name ../x")
	h.goodPair("a.example.com", "a.example.com")
}

func TestBadInputOfRevokeGetsOneSentence(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testca.Config{})
	h := w.host("one")
	for _, name := range []string{"a.example.com", "b.example.com"} {
		h.must(h.certonly(w.site(name), name)...)
	}
	cert, key := filepath.Join(h.config, "live/a.example.com/cert.pem"),
		filepath.Join(h.config, "live/b.example.com/privkey.pem")
	before := w.requests("revoke")
	for _, one := range []struct {
		code int
		says string
		args []string
	}{
		{1, "Error! Exactly one of --cert-path or --cert-name must be specified!", nil},
		{1, "Error! Exactly one of --cert-path or --cert-name must be specified!", []string{"--cert-name", "a.example.com", "--cert-path", cert}},
		{2, `"foo" is no reason to revoke a certificate`, []string{"--cert-path", cert, "--reason", "foo"}},
		{1, "No certificate found with name none (expected " + h.config + "/renewal/none.conf).", []string{"--cert-name", "none"}},
		{1, "open " + w.dir + "/none.pem: no such file", []string{"--cert-path", w.dir + "/none.pem"}},
		{1, w.root + ": it holds no private key", []string{"--cert-path", cert, "--key-path", w.root}},
		{1, "the private key is not that of the certificate", []string{"--cert-path", cert, "--key-path", key}},
		{1, "You should register before running non-interactively", []string{"--cert-path", w.root}},
	} {
		r := h.orderly(append([]string{"revoke", "-n"}, one.args...)...)
		if r.code != one.code || strings.Count(r.stderr, one.says) != 1 ||
			strings.Contains(r.stderr, "goroutine") || strings.Contains(r.stdout, "Congratulations") {
			t.Errorf("%v: not %d and %q: %s", one.args, one.code, one.says, r)
		}
	}
	if n := w.requests("revoke") - before; n != 0 {
		t.Errorf("%d requests were made", n)
	}
}

func TestBadInputOfReconfigureGetsOneSentence(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testca.Config{})
	h := w.host("one")
	h.orderly("reconfigure", "-n").says(t, 1, "No existing certificates found.")
	name := "a.example.com"
	h.must(h.certonly(w.site(name), name)...)
	before, conf := w.requests(""), h.read(h.conf(name))
	for _, one := range []struct {
		code int
		says string
		args []string
	}{
		{1, "Which certificate would you like to reconfigure?\nChoices: ['a.example.com']", nil},
		{1, "An existing certificate with name none could not be found.\nremedy: `orderly certificates", []string{"--cert-name", "none"}},
		{1, "You have specified domains, but this function cannot be used to modify the domains in a certificate.", []string{"--cert-name", name, "-d", name}},
		{1, "Using reconfigure to change the ACME account or server is not supported.", []string{"--cert-name", name, "--server", "https://ca.example/dir"}},
		{1, "Using reconfigure to change the ACME account or server is not supported.", []string{"--cert-name", name, "--staging"}},
		{1, "Using reconfigure to change the ACME account or server is not supported.", []string{"--cert-name", name, "--account", "0123"}},
		{1, "Unable to find post-hook command nothing-of-this-name in the PATH.", []string{"--cert-name", name, "--post-hook", "nothing-of-this-name"}},
		{1, w.dir + "/none does not exist or is not a directory", []string{"--cert-name", name, "-w", w.dir + "/none"}},
		{2, "--key-type dsa: only ecdsa and rsa are known", []string{"--cert-name", name, "--key-type", "dsa"}},
	} {
		r := h.orderly(append([]string{"reconfigure", "-n"}, one.args...)...)
		if r.code != one.code || strings.Count(r.stderr, one.says) != 1 ||
			strings.Contains(r.stderr, "goroutine") {
			t.Errorf("%v: not %d and %q: %s", one.args, one.code, one.says, r)
		}
	}
	if n := w.requests("") - before; n != 0 || h.read(h.conf(name)) != conf {
		t.Errorf("%d requests were made, or the file changed: %s", n, h.read(h.conf(name)))
	}
}

func TestFlagsOfSolversThatCannotBe(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testca.Config{})
	h, port := w.host("one"), w.web.port
	root := h.site("a.example.com")
	for _, one := range []struct {
		flags []string
		code  int
		text  string
	}{
		{[]string{"--standalone", "--webroot", "-w", root}, 1, "Too many flags setting configurators/installers/authenticators 'standalone' -> 'webroot'"},
		{[]string{"-a", "standalone", "--manual"}, 1, "Too many flags setting configurators/installers/authenticators 'standalone' -> 'manual'"},
		{[]string{"--manual"}, 1, "An authentication script must be provided with --manual-auth-hook when using the manual plugin non-interactively."},
		{[]string{"--manual", "--manual-auth-hook", "/nowhere/auth"}, 1, "Unable to find manual-auth-hook command /nowhere/auth in the PATH."},
		{[]string{"--standalone", "--preferred-challenges", "dns"}, 1, "None of the preferred challenges are supported by the selected plugin"},
		{[]string{"--standalone", "--preferred-challenges", "tls"}, 2, "Unrecognized challenges: tls"},
		{[]string{"--standalone", "--http-01-port", "65536"}, 2, "--http-01-port 65536: not a port"},
		{[]string{"--standalone", "--http-01-address", "127.0.0.1:80"}, 2, "--http-01-address 127.0.0.1:80: not an address"},
		{[]string{"--standalone", "-d", "*.example.com"}, 1, "is a wildcard, which no web server can prove"},
		{[]string{"--manual", "--manual-auth-hook", "true", "--preferred-challenges", "http", "-d", "*.example.com"}, 1, "only a DNS record can prove"},
	} {
		r := h.orderly(h.proven(port, one.flags, "a.example.com")...)
		if r.code != one.code || !strings.Contains(r.stderr, one.text) {
			t.Errorf("%q: %s", one.flags, r)
		}
	}
	if n := len(h.ca.Truth().Requests); n != 0 {
		t.Errorf("the CA was asked %d times", n)
	}
}

// Where no other Orderly can be known of, the port itself tells, before anything is ordered.
func TestAPortThatAnotherProgramHasCostsTheCANothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testca.Config{})
	h, port := w.host("one"), w.web.port // which the web server has
	own := []string{"--standalone", "--http-01-address", "127.0.0.1", "--http-01-port",
		strconv.Itoa(port)}
	r := h.orderly(h.proven(port, own, "a.example.com")...)
	want := fmt.Sprintf("Could not bind TCP port %d because it is already in use by another "+
		"process on this system (such as a web server).", port)
	if r.code != 1 || !strings.Contains(r.stderr, want) {
		t.Errorf("%s", r)
	}
	if n := h.ca.Truth().RequestsByKind["new-order"]; n != 0 {
		t.Errorf("%d orders were made", n)
	}
}

// A program that was called as certbot, with a server and directories of its own, gives remedies
// that are to be called so.
func TestARemedyIsBuiltFromHowTheProgramWasCalled(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testca.Config{})
	h := w.host("it's one")
	r := h.orderly("show_account", "--server", w.ca.DirectoryURL())
	for _, want := range []string{"`orderly register --agree-tos -m ADDRESS --config-dir '", `it'\''s one`, "--work-dir", "--server " + w.ca.DirectoryURL()} {
		if !strings.Contains(r.stderr, want) {
			t.Errorf("no %s: %s", want, r)
		}
	}
	h.linked("show_account", "--server", w.ca.DirectoryURL()).says(t, 1, "`certbot register --agree-tos")
}

// proven is the command line for certificates that are proven by these flags.
func (h *host) proven(port int, flags []string, names ...string) []string {
	args := slices.Concat([]string{"certonly"}, flags, []string{"-n", "--agree-tos",
		"--register-unsafely-without-email", "--server", h.ca.DirectoryURL(),
		"--longest-validation", "2s", "--preflight-port", strconv.Itoa(port)})
	for _, name := range names {
		args = append(args, "-d", name)
	}
	return args
}
