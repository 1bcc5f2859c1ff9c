package renewal_test

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"orderly/account"
	"orderly/certbot"
	"orderly/host"
	"orderly/ledger"
	"orderly/ledger/memory"
	"orderly/lock"
	"orderly/renewal"
	"orderly/solver/webroot"
	"orderly/testca"
)

func TestMain(m *testing.M) {
	if code, ours := webroot.Helper(os.Args); ours {
		os.Exit(code)
	}
	// Tests wait most of their time, for a CA or a hook: more of them run at once than there are
	// processors.
	flag.Parse()
	if err := flag.Set("test.parallel", "12"); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}

// clock is the real one, set forward.
type clock struct {
	host.Clock
	mu    sync.Mutex
	by    time.Duration
	hasty bool
}

// Sleep implements order.Clock.
func (c *clock) Sleep(ctx context.Context, d time.Duration) error {
	c.mu.Lock()
	hasty := c.hasty
	c.mu.Unlock()
	if !hasty {
		return c.Clock.Sleep(ctx, d)
	}
	c.skip(max(d, 0))
	return context.Cause(ctx)
}

// hasten lets pauses pass at once, where nothing that takes its time is waited for.
func (c *clock) hasten(hasty bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.hasty = hasty
}

// Now implements order.Clock.
func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Now().Add(c.by)
}

func (c *clock) skip(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.by += d
}

// report keeps what a person would read.
type report struct{ lines, warnings []string }

// Say implements host.Reporter.
func (r *report) Say(format string, args ...any) {
	r.lines = append(r.lines, fmt.Sprintf(format, args...))
}

// Tell implements host.Reporter.
func (r *report) Tell(format string, args ...any) { r.Say(format, args...) }

// Warn implements host.Reporter.
func (r *report) Warn(format string, args ...any) {
	r.warnings = append(r.warnings, fmt.Sprintf(format, args...))
}

// machine is one web server with its CA.
type machine struct {
	t       *testing.T
	ca      *testca.CA
	clock   *clock
	report  *report
	tells   host.Reporter // in its stead, where set
	dir     string
	config  string // name of the configuration directory in it
	port    int    // of its web server
	ledger  *memory.Store
	through ledger.Store // what the next process sees the ledger through, where set
	locks   *lock.File
	set     renewal.Settings
	// visited, where set, is told of each fetch before it is served.
	visited func(path string)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// serveSites starts the host's web server.
func (h *machine) serveSites() {
	t := h.t
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	h.port = listener.Addr().(*net.TCPAddr).Port
	server := &http.Server{ReadHeaderTimeout: time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name, _, err := net.SplitHostPort(r.Host)
		if err != nil {
			name = r.Host
		}
		if h.visited != nil {
			h.visited(r.URL.Path)
		}
		http.FileServerFS(os.DirFS(h.root(name))).ServeHTTP(w, r)
	})}
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(func() { _ = server.Close() })
}

// newHost starts a CA and a host whose web server serves every name from a directory of its own.
// Where the CA is told a port, the host has no web server.
func newHost(t *testing.T, config testca.Config) *machine {
	t.Helper()
	h := &machine{t: t, clock: &clock{}, report: &report{}, dir: t.TempDir(), config: "etc", port: config.HTTPPort}
	if h.port == 0 {
		h.serveSites()
	}
	var err error
	config.HTTPPort, config.Now = h.port, h.clock.Now
	if config.Lifetimes.Certificate == 0 {
		config.Backdate = 30 * day
	}
	h.ca, err = testca.Start(config)
	must(t, err)
	t.Cleanup(func() { must(t, h.ca.Close()) })
	h.openLocks()
	h.ledger = memory.New()
	h.set = renewal.Settings{Settings: host.Settings{Resolver: h.ca.Resolver(), PreflightPort: h.port}, LongestValidation: time.Second}
	return h
}

// openLocks gives up every lock, as the death of a process does, and opens the file anew.
func (h *machine) openLocks() {
	h.t.Helper()
	if h.locks != nil {
		must(h.t, h.locks.Close())
	}
	var err error
	h.locks, err = lock.Open(filepath.Join(h.dir, "locks"))
	must(h.t, err)
	locks := h.locks
	h.t.Cleanup(func() { _ = locks.Close() })
}

func (h *machine) root(name string) string { return filepath.Join(h.dir, "srv", name) }

// site makes the document roots of names.
func (h *machine) site(names ...string) {
	h.t.Helper()
	for _, name := range names {
		must(h.t, os.MkdirAll(h.root(name), 0o755))
	}
}

func (h *machine) disk() *certbot.Store {
	return &certbot.Store{Now: h.clock.Now,
		Dirs: certbot.Dirs{Config: filepath.Join(h.dir, h.config), Work: filepath.Join(h.dir, "lib"), Logs: filepath.Join(h.dir, "log")}}
}

// process begins a run.
func (h *machine) process(command string) *renewal.Server {
	h.t.Helper()
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(h.ca.RootPEM())
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}
	h.t.Cleanup(transport.CloseIdleConnections)
	disk := h.disk()
	must(h.t, disk.Dirs.Prepare())
	writer := new(webroot.Writer)
	h.t.Cleanup(writer.Close)
	s := renewal.New(h.t.Context(), renewal.Parts{Writer: writer, Disk: disk, Ledger: cmp.Or[ledger.Store](h.through, h.ledger), Locks: h.locks, HTTP: &http.Client{Transport: transport}, Clock: h.clock,
		Log: slog.New(slog.DiscardHandler), Report: cmp.Or[host.Reporter](h.tells, h.report), Settings: h.set, KeyDir: filepath.Join(h.dir, "keys")})
	must(h.t, s.Begin(h.t.Context(), command, os.Getpid(), nil))
	return s
}

// wish asks for a certificate for names, each in its own document root.
func (h *machine) wish(names ...string) renewal.Wish {
	w := renewal.Wish{Said: host.Said{Webroots: map[string]string{}, Server: h.ca.DirectoryURL()}, Names: names, Registration: account.Registration{AgreeTOS: true, NoEmail: true}}
	for _, name := range names {
		w.Webroots[name] = h.root(name)
		w.WebrootPaths = append(w.WebrootPaths, h.root(name))
	}
	return w
}

// has makes a host have a certificate for each name.
func (h *machine) has(names ...string) {
	h.t.Helper()
	for _, name := range names {
		h.site(name)
		s := h.process("certonly")
		if r := s.Obtain(h.t.Context(), h.wish(name)); r.Outcome != renewal.Issued {
			h.t.Fatalf("%s: %+v", name, r)
		}
		must(h.t, s.Finish(h.t.Context()))
		must(h.t, s.End("done", 0, ""))
	}
}

// renew is a run of renew.
func (h *machine) renew(round renewal.Round) ([]renewal.Result, error) {
	h.t.Helper()
	s := h.process("a round, in whatever words")
	results, err := s.RenewAll(h.t.Context(), round)
	must(h.t, s.Finish(h.t.Context()))
	code := renewal.Exit(results, err)
	outcome := map[bool]string{true: "done", false: "failed"}[code == 0]
	must(h.t, s.End(outcome, code, ""))
	return results, err
}

// outcomes are the outcomes of results by lineage.
func outcomes(results []renewal.Result) string {
	var all []string
	for _, r := range results {
		all = append(all, r.Lineage+" "+r.Outcome)
	}
	slices.Sort(all)
	return strings.Join(all, ", ")
}

// edit changes a renewal file.
func (h *machine) edit(lineage, old, replacement string) {
	h.t.Helper()
	path := h.disk().Dirs.Renewal(lineage)
	text, err := os.ReadFile(path)
	must(h.t, err)
	if !strings.Contains(string(text), old) {
		h.t.Fatalf("%s has no %q:\n%s", path, old, text)
	}
	must(h.t, os.WriteFile(path, []byte(strings.Replace(string(text), old, replacement, 1)), 0o644))
}

// due makes lineages due now, by their renewal files: certificates here begin a month before they
// are made.
func (h *machine) due(lineages ...string) {
	h.t.Helper()
	for _, lineage := range lineages {
		h.edit(lineage, "version = ", "renew_before_expiry = 100 days\nversion = ")
	}
}

// note is a hook that writes a line, and what it has written.
func (h *machine) note(word string) string {
	return fmt.Sprintf("echo %s $RENEWED_DOMAINS >> %s", word, filepath.Join(h.dir, "notes"))
}

func (h *machine) notes() string {
	h.t.Helper()
	text, err := os.ReadFile(filepath.Join(h.dir, "notes"))
	if err != nil && !os.IsNotExist(err) {
		h.t.Fatal(err)
	}
	var words []string
	for line := range strings.Lines(string(text)) {
		words = append(words, strings.TrimSpace(line))
	}
	return strings.Join(words, "; ")
}

func (h *machine) debts() []ledger.Task {
	h.t.Helper()
	debts, err := h.ledger.Tasks(h.t.Context())
	must(h.t, err)
	return debts
}
