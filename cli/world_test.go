package cli_test

// Whole commands against the test CA, in this process: what needs no kill, no signal and no other
// program is tried here, where no program has to be built and started for each call. The world is
// that of package e2e, as far as it is needed.

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"orderly/cli"
	"orderly/schedule"
	"orderly/solver/webroot"
	"orderly/testca"
)

func TestMain(m *testing.M) {
	if code, ours := webroot.Helper(os.Args); ours {
		os.Exit(code)
	}
	os.Exit(m.Run())
}

// world is one test's CA, web server and hosts.
type world struct {
	t    *testing.T
	ca   *testca.CA
	web  *webServer
	dir  string
	root string // file with the certificate of the CA's ACME server
}

// newWorld starts a CA with its web server. The CA validates at that web server.
func newWorld(t *testing.T, config testca.Config) *world {
	t.Helper()
	w := &world{t: t, dir: t.TempDir(), web: newWebServer(t)}
	if config.HTTPPort == 0 {
		config.HTTPPort = w.web.port
	}
	var err error
	if w.ca, err = testca.Start(config); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.ca.Close(); err != nil {
			t.Errorf("closing the CA: %v", err)
		}
	})
	w.root = filepath.Join(w.dir, "root.pem")
	w.write(w.root, string(w.ca.RootPEM()))
	return w
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

func (w *world) remove(path string) {
	w.t.Helper()
	if err := os.RemoveAll(path); err != nil {
		w.t.Fatal(err)
	}
}

// requests is how many requests of a kind the CA had; "" for all.
func (w *world) requests(kind string) int {
	truth := w.ca.Truth()
	if kind == "" {
		return len(truth.Requests)
	}
	return truth.RequestsByKind[kind]
}

// account is the only account at the CA.
func (w *world) account() testca.TruthAccount {
	w.t.Helper()
	accounts := w.ca.Truth().Accounts
	if len(accounts) != 1 {
		w.t.Fatalf("the CA has the accounts %+v", accounts)
	}
	return accounts[0]
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
	program               string // what it is called as
	env                   map[string]string
}

// host makes a server without any configuration.
func (w *world) host(name string) *host {
	dir := filepath.Join(w.dir, "host", name)
	return &host{world: w, config: filepath.Join(dir, "etc"), working: filepath.Join(dir, "lib"),
		logs: filepath.Join(dir, "log"), program: "orderly", env: map[string]string{
			"PATH": os.Getenv("PATH"), "HOME": w.dir, "SSL_CERT_FILE": w.root, "ORDERLY_HOST": name,
			"ORDERLY_NO_RANDOM_SLEEP": "1", "ORDERLY_RESOLVER": w.ca.Resolver(),
			"ORDERLY_PREFLIGHT_PORT": strconv.Itoa(w.web.port),
		}}
}

// result is how a command ended.
type result struct {
	code           int
	stdout, stderr string
}

func (r result) String() string {
	return fmt.Sprintf("exit %d\nstdout: %s\nstderr: %s", r.code, r.stdout, r.stderr)
}

// says wants an exit code, and texts on one of the outputs.
func (r result) says(t *testing.T, code int, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if r.code != code || !strings.Contains(r.stdout+r.stderr, text) {
			t.Errorf("not %d and %q: %s", code, text, r)
		}
	}
}

// orderly runs a command with the host's directories to its end.
func (h *host) orderly(args ...string) result {
	h.t.Helper()
	return h.run(h.t.Context(), args...)
}

// run is orderly, until ctx ends it as a signal does.
func (h *host) run(ctx context.Context, args ...string) result {
	var out, problems bytes.Buffer
	env := h.call(args...)
	env.Stdout, env.Stderr = &out, &problems
	code := cli.Main(ctx, env)
	return result{code, out.String(), problems.String()}
}

// stoppedAt runs a command until the CA has a request of a kind, stops it there, and lets the CA go
// on.
func (h *host) stoppedAt(kind string, args ...string) {
	h.t.Helper()
	ctx, stop := context.WithCancel(h.t.Context())
	defer stop()
	h.ca.Inject(testca.Fault{Kind: kind, Nth: 1, Action: testca.Hold})
	go func() {
		select {
		case <-h.ca.Held():
		case <-ctx.Done():
		}
		stop()
	}()
	if r := h.run(ctx, args...); r.code != 75 {
		h.t.Errorf("not stopped: %s", r)
	}
	h.ca.ClearFaults()
	h.ca.Release()
}

// call is a call of the program on this host.
func (h *host) call(args ...string) cli.Env {
	env := maps.Clone(h.env)
	return cli.Env{Program: h.program, PID: os.Getpid(),
		Args: slices.Concat(args, []string{"--config-dir", h.config, "--work-dir", h.working,
			"--logs-dir", h.logs}),
		Getenv:   func(name string) string { return env[name] },
		Renewals: schedule.Host{Root: h.dir}}
}

// linked runs the program by the name of certbot.
func (h *host) linked(args ...string) result {
	h.t.Helper()
	named := *h
	named.program = "/usr/bin/certbot"
	return named.orderly(args...)
}

// must runs a command and wants exit code 0.
func (h *host) must(args ...string) result {
	h.t.Helper()
	r := h.orderly(args...)
	if r.code != 0 {
		h.t.Fatalf("orderly %s: %s", strings.Join(args, " "), r)
	}
	return r
}

// certonly is the command line for a certificate for names, all in one document root.
func (h *host) certonly(root string, names ...string) []string {
	args := []string{"certonly", "--webroot", "-w", root}
	for _, name := range names {
		args = append(args, "-d", name)
	}
	return append(args, "-n", "--agree-tos", "--register-unsafely-without-email", "--server",
		h.ca.DirectoryURL(),
		"--longest-validation", (2 * time.Second).String())
}

// lineages obtains a certificate for each of the names.
func (h *host) lineages(names ...string) {
	h.t.Helper()
	for _, name := range names {
		h.must(h.certonly(h.site(name), name)...)
	}
}

// onServer puts the CA's URL behind a command.
func (h *host) onServer(args ...string) []string {
	return append(args, "-n", "--server", h.ca.DirectoryURL())
}

// conf is a lineage's renewal file.
func (h *host) conf(lineage string) string {
	return filepath.Join(h.config, "renewal", lineage+".conf")
}

func (h *host) live(lineage, file string) string {
	return filepath.Join(h.config, "live", lineage, file)
}

// settings is what a lineage's renewal file says.
func (h *host) settings(lineage string) string {
	h.t.Helper()
	return h.read(h.conf(lineage))
}

// confHas wants lines in a lineage's renewal file.
func (h *host) confHas(lineage string, lines ...string) {
	h.t.Helper()
	for _, line := range lines {
		if text := h.settings(lineage); !strings.Contains("\n"+text, "\n"+line+"\n") {
			h.t.Errorf("%s.conf lacks %q:\n%s", lineage, line, text)
		}
	}
}

// someNames are names for one certificate.
func someNames(count int) []string {
	names := []string{"a.example.com"}
	for i := 1; i < count; i++ {
		names = append(names, fmt.Sprintf("www%d.a.example.com", i))
	}
	return names
}
