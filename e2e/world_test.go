package e2e_test

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"orderly/testca"
)

// patience bounds what is waited for where nothing can be seen to move. It is for what hangs; a verdict that it decides says
// so, and no machine is so slow that it comes to it.
const patience = 10 * time.Minute

// world is one test's CA, web server and hosts.
type world struct {
	t    *testing.T
	ca   *testca.CA
	web  *webServer
	dir  string
	root string // file with the certificate of the CA's ACME server

	recorder *recorder // nil unless what every cell does is recorded
}

// newWorld starts a CA with its web server. The CA validates at that web server.
func newWorld(t *testing.T, config testca.Config) *world {
	t.Helper()
	w := &world{t: t, dir: t.TempDir(), web: newWebServer(t)}
	if config.HTTPPort == 0 {
		config.HTTPPort = w.web.port
	}
	w.recorder = newRecorder(t)
	if w.recorder != nil {
		config.Mark = w.recorder.commits
	}
	var err error
	if w.ca, err = testca.Start(config); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			w.explain()
		}
		if err := w.ca.Close(); err != nil {
			t.Errorf("closing the CA: %v", err)
		}
	})
	w.root = filepath.Join(w.dir, "root.pem")
	w.write(w.root, string(w.ca.RootPEM()))
	t.Cleanup(w.record)
	return w
}

// explain logs what the CA saw, for a person who looks for the reason of a failure.
func (w *world) explain() {
	truth := w.ca.Truth()
	for _, r := range truth.Requests {
		w.t.Logf("CA: %-13s %s -> %d %s %s", r.Kind, r.Path, r.Status, r.Problem, r.Fault)
	}
	for _, o := range truth.Orders {
		w.t.Logf("CA: order %s of %v is %s", o.URL, o.Names, o.Status)
		for _, a := range o.Authorizations {
			w.t.Logf("CA:   %s is %s, %d validations", a.Name, a.Status, a.Validations)
		}
	}
}

func (w *world) write(path, content string) {
	w.t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		w.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) read(path string) string {
	w.t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		w.t.Fatal(err)
	}
	return string(content)
}

// site makes a document root that the web server serves under the names.
func (w *world) site(names ...string) string {
	w.t.Helper()
	root := filepath.Join(w.dir, "sites", names[0])
	w.write(filepath.Join(root, "index.html"), names[0])
	for _, name := range names {
		w.web.serve(name, root)
	}
	return root
}

// host is one server: its configuration directory and what goes with it.
type host struct {
	*world
	config, working, logs string
	env                   []string
	longest               time.Duration // what the program is told a validation takes at most
}

// host makes a server without any configuration.
func (w *world) host(name string) *host {
	dir := filepath.Join(w.dir, "host", name)
	return &host{world: w, config: filepath.Join(dir, "etc"), working: filepath.Join(dir, "lib"), logs: filepath.Join(dir, "log"),
		longest: 2 * time.Second, env: []string{
			"PATH=" + os.Getenv("PATH"), "HOME=" + w.dir, "TMPDIR=" + w.dir, "LC_ALL=C.UTF-8",
			"SSL_CERT_FILE=" + w.root, "REQUESTS_CA_BUNDLE=" + w.root, "ORDERLY_HOST=" + name, "ORDERLY_NO_RANDOM_SLEEP=1",
			"ORDERLY_RESOLVER=" + w.ca.Resolver(), "ORDERLY_PREFLIGHT_PORT=" + strconv.Itoa(w.web.port),
		}}
}

// dirs are the flags that every command takes.
func (h *host) dirs() []string {
	return []string{"--config-dir", h.config, "--work-dir", h.working, "--logs-dir", h.logs}
}

// certonly is the command line for a certificate for names, all in one document root.
func (h *host) certonly(root string, names ...string) []string {
	args := []string{"certonly", "--webroot", "-w", root}
	for _, name := range names {
		args = append(args, "-d", name)
	}
	return append(args, "-n", "--agree-tos", "--register-unsafely-without-email", "--server", h.ca.DirectoryURL(),
		"--longest-validation", h.longest.String())
}

// orderly runs the program to its end.
func (h *host) orderly(args ...string) result {
	h.t.Helper()
	return h.start(args...).wait()
}

// start starts the program with the host's directories.
func (h *host) start(args ...string) *child {
	h.t.Helper()
	return h.spawn(program, slices.Concat(args, h.dirs())...)
}

// must runs the program and wants exit code 0.
func (h *host) must(args ...string) result {
	h.t.Helper()
	r := h.orderly(args...)
	if r.code != 0 {
		h.t.Fatalf("orderly %s: exit %d\n%s", strings.Join(args, " "), r.code, r)
	}
	return r
}

// hold makes the nth request of a kind wait at the CA, before or after it is processed.
func (w *world) hold(kind string, nth int, after bool) {
	w.ca.Inject(testca.Fault{Kind: kind, Nth: nth, Action: testca.Hold, After: after})
}

// held waits until the CA holds a request of c, which is watched for signs of life.
func (w *world) held(c *child) testca.Held {
	w.t.Helper()
	held, ok := w.heldOrEnded(c)
	if !ok {
		w.t.Fatalf("the program ended before it came to the request to be held\n%s", c.wait())
	}
	return held
}

// heldOrEnded reports whether the CA holds a request of c, or c ended first.
func (w *world) heldOrEnded(c *child) (testca.Held, bool) {
	select {
	case held := <-w.ca.Held():
		return held, true
	case <-c.done:
		return testca.Held{}, false
	}
}

// interrupt runs the program until the CA holds the given request, sends the signal, and returns how it ended.
func (h *host) interrupt(at point, signal syscall.Signal, args ...string) result {
	h.t.Helper()
	h.hold(at.kind, at.nth, at.after)
	c := h.start(args...)
	h.held(c)
	c.signal(signal)
	r := c.wait()
	h.ca.ClearFaults()
	return r
}

// point is a moment of an issuance: the nth request of a kind has arrived at the CA, or has been processed there but not
// been answered.
type point struct {
	kind  string
	nth   int
	after bool
}

func (p point) String() string {
	when := "before"
	if p.after {
		when = "after"
	}
	return when + " " + p.kind + " " + strconv.Itoa(p.nth)
}
