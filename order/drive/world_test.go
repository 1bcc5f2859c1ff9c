package drive_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"orderly/acme"
	"orderly/failure"
	"orderly/ledger"
	"orderly/ledger/memory"
	"orderly/lock"
	"orderly/order"
	"orderly/order/drive"
	"orderly/order/keys"
	"orderly/preflight"
	"orderly/testca"
)

// clock is the real time plus what was slept through, so that a wait of a minute costs a few milliseconds. CA and engine
// share one, so that they agree.
type clock struct {
	mu      sync.Mutex
	skipped time.Duration
	nap     time.Duration // the longest real sleep
}

// Now implements order.Clock.
func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Now().Add(c.skipped)
}

// Sleep implements order.Clock. A short real sleep remains, in which the CA can get something done.
func (c *clock) Sleep(ctx context.Context, d time.Duration) error {
	began := time.Now()
	timer := time.NewTimer(max(0, min(d, c.nap)))
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-timer.C:
	}
	c.skip(max(0, d-time.Since(began)))
	return nil
}

func (c *clock) skip(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.skipped += d
}

// web is the web server of every name and the solver that writes into its document roots.
type web struct {
	mu     sync.Mutex
	roots  map[string]string            // the root that a name is really served from
	tokens map[string]map[string]string // root → token → content
	locked map[string]bool              // roots that cannot be written
	fetch  func(name string)            // called before a token is served
}

var errLocked = errors.New("the document root cannot be written")

// ServeHTTP serves tokens.
func (w *web) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	name := strings.ToLower(r.Host)
	if host, _, err := net.SplitHostPort(name); err == nil {
		name = host
	}
	w.mu.Lock()
	hook := w.fetch
	root, moved := w.roots[name]
	if !moved {
		root = "/srv/" + name
	}
	content, found := w.tokens[root][filepath.Base(r.URL.Path)]
	w.mu.Unlock()
	if hook != nil {
		hook(name)
	}
	if !found {
		http.NotFound(rw, r)
		return
	}
	_, _ = rw.Write([]byte(content))
}

// Challenge implements order.Solver. That a wildcard is asked for by DNS is all that is done about it.
func (w *web) Challenge(_ ledger.Request, wildcard bool) order.Way {
	if wildcard {
		return order.Way{Type: ledger.DNS01}
	}
	return order.Way{Type: ledger.HTTP01}
}

// Plan implements order.Solver. A placement is ROOT TOKEN.
func (w *web) Plan(_ context.Context, r ledger.Request, p order.Proof, _ string) (string, error) {
	root := rootsOf(r)[p.Name]
	if root == "" {
		return "", failure.New(failure.WebrootUnset, "Name it.", "no document root for %s", p.Name)
	}
	return root + " " + p.Token, nil
}

// Suits implements order.Solver.
func (w *web) Suits(placement string, r ledger.Request, p order.Proof) bool {
	return placement == rootsOf(r)[p.Name]+" "+p.Token
}

// Place implements order.Solver.
func (w *web) Place(_ context.Context, placement, content string) (string, error) {
	root, token, _ := strings.Cut(placement, " ")
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.locked[root] {
		return placement, failure.Wrap(errLocked, failure.WebrootLocked, "Unlock it.", "%s", root)
	}
	if w.tokens[root] == nil {
		w.tokens[root] = map[string]string{}
	}
	w.tokens[root][token] = content
	return placement, nil
}

// Leaving implements order.Solver.
func (w *web) Leaving(placement string) string { return placement }

// Remove implements order.Solver.
func (w *web) Remove(_ context.Context, placement string) error {
	root, token, _ := strings.Cut(placement, " ")
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.tokens[root], token)
	return nil
}

func (w *web) lock(root string, locked bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.locked[root] = locked
}

// left lists the roots in which tokens stand.
func (w *web) left() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var roots []string
	for root, tokens := range w.tokens {
		if len(tokens) > 0 {
			roots = append(roots, root)
		}
	}
	slices.Sort(roots)
	return roots
}

// disk is the installer.
type disk struct {
	mu       sync.Mutex
	installs map[string]int // by lineage
	deploys  map[string]int
	refuse   error
	// superseded is what has taken the place of each certificate that comes; "" for nothing.
	superseded string
	onDeploy   func()
	hookless   bool   // no hook is run by Deploy
	key        []byte // that came with the last certificate
}

// Install implements order.Installer. A key that is not the certificate's fails.
func (d *disk) Install(_ context.Context, o *ledger.Order, privateKey, chain []byte) (order.Installation, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.refuse != nil {
		return order.Installation{}, d.refuse
	}
	if _, err := tls.X509KeyPair(chain, privateKey); err != nil && len(o.Request.CSR) == 0 {
		return order.Installation{}, failure.Wrap(err, failure.Internal, "", "the pair for %s", o.Lineage)
	}
	if d.superseded != "" {
		return order.Installation{Superseded: d.superseded}, nil
	}
	d.installs[o.Lineage]++
	d.key = privateKey
	return order.Installation{}, nil
}

// Deploy implements order.Installer.
func (d *disk) Deploy(_ context.Context, o *ledger.Order) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.deploys[o.Lineage]++
	if d.onDeploy != nil {
		d.onDeploy()
	}
	return nil
}

// Deploys implements order.Installer.
func (d *disk) Deploys(*ledger.Order) bool { return !d.hookless }

// has reports whether a lineage's certificate is in place.
func (d *disk) has(lineage string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.installs[lineage] > 0
}

// world is a CA, a web server, a ledger and a host. Its engines are the processes that come one after the other.
type world struct {
	t     *testing.T
	ca    *testca.CA
	clock *clock
	web   *web
	disk  *disk
	store *memory.Store
	locks *lock.File
	keys  *keys.Store
	key   *acme.Key
	row   *ledger.Account
	run   *ledger.Run
	wire  *wire

	solver  order.Solver // w.web, unless a test says otherwise
	report  func(names []string) preflight.Report
	mu      sync.Mutex
	checked [][]string // names of each preflight
	ghosts  int        // newOrders that were given up, unanswered
}

// newWorld makes a world with one account.
func newWorld(t *testing.T, config testca.Config) *world {
	t.Helper()
	w := &world{t: t, clock: &clock{nap: 8 * time.Millisecond}, disk: &disk{installs: map[string]int{}, deploys: map[string]int{}}}
	w.web = &web{roots: map[string]string{}, tokens: map[string]map[string]string{}, locked: map[string]bool{}}
	w.solver = w.web
	w.report = func(names []string) preflight.Report { return passing("as it was", names...) }
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	server := &http.Server{Handler: w.web, ReadHeaderTimeout: time.Minute}
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(func() { _ = server.Close() })
	config.HTTPPort, config.Now = listener.Addr().(*net.TCPAddr).Port, w.clock.Now
	w.ca, err = testca.Start(config)
	must(t, err)
	t.Cleanup(func() { must(t, w.ca.Close()) })
	dir := t.TempDir()
	w.locks, err = lock.Open(filepath.Join(dir, "locks"))
	must(t, err)
	t.Cleanup(func() { _ = w.locks.Close() })
	w.store = memory.New()
	w.keys = &keys.Store{Dir: filepath.Join(dir, "keys")}
	w.wire = newWire(w)
	w.register()
	return w
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func newKey(t *testing.T) *acme.Key {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	key, err := acme.NewKey(private)
	must(t, err)
	return key
}

func (w *world) register() {
	w.t.Helper()
	w.key = newKey(w.t)
	object, err := w.client().NewAccount(w.t.Context(), w.key, acme.Registration{TermsOfServiceAgreed: true})
	must(w.t, err)
	w.row = &ledger.Account{Server: w.ca.DirectoryURL(), KeyID: "k", URL: object.URL, CreatedAt: w.clock.Now()}
	w.run = &ledger.Run{Command: "test", StartedAt: w.clock.Now()}
	must(w.t, w.store.Commit(w.t.Context(), &ledger.Change{Account: w.row, Run: w.run}))
	w.wire.forget()
}

func (w *world) client() *acme.Client {
	w.t.Helper()
	client, err := acme.New(w.ca.DirectoryURL(), acme.Options{HTTP: &http.Client{Transport: w.wire}, Now: w.clock.Now})
	must(w.t, err)
	return client
}

func (w *world) roots() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(w.ca.RootPEM())
	return pool
}

// engine is a new process: it knows what the ledger knows.
func (w *world) engine() *drive.Engine {
	w.t.Helper()
	client := w.client()
	row, err := w.store.AccountByID(context.Background(), w.row.ID)
	must(w.t, err)
	return w.made(drive.NewSession(client, w.key, row))
}

// made is an engine over a session.
func (w *world) made(s *drive.Session) *drive.Engine {
	w.t.Helper()
	e, err := drive.New(drive.Config{
		Store: w.store, Session: s, Host: w.machine(), Clock: w.clock, Log: slog.New(slog.DiscardHandler), Run: w.run, Effort: patient,
	})
	must(w.t, err)
	return e
}

// patient is the effort of most tests: everything happens in order.
var patient = drive.Effort{Parallel: 1, Patience: drive.DefaultPatience, LongestWait: drive.DefaultLongestWait}

// parallel is the same with so many requests at once.
func parallel(n int) drive.Effort {
	effort := patient
	effort.Parallel = n
	return effort
}

// passing is the report of a preflight that found nothing.
func passing(fingerprint string, names ...string) preflight.Report {
	r := preflight.Report{Fingerprint: fingerprint}
	for _, name := range names {
		r.Results = append(r.Results, preflight.Result{Check: preflight.HTTP, Name: name, Verdict: preflight.Pass})
	}
	return r
}

// refusing is the report of a preflight that refuses one name.
func refusing(fingerprint, name string, class failure.Class, local bool) preflight.Report {
	return preflight.Report{Fingerprint: fingerprint, Results: []preflight.Result{{Check: preflight.HTTP, Name: name,
		Verdict: preflight.Refuse, Class: class, Local: local, Sentence: name + " is refused", Remedy: failure.Remedy("Mend " + name)}}}
}

// request is what a lineage asks for, its names in document roots of their own.
func request(lineage string, names ...string) ledger.Request {
	roots := map[string]string{}
	for _, name := range ledger.CanonicalNames(names) {
		roots[name] = "/srv/" + name
	}
	return inRoots(ledger.Request{Lineage: lineage, Names: names, KeyType: "ecdsa"}, roots)
}

// wants is what this host wants with an order.
type wants struct {
	Roots map[string]string `json:"roots,omitempty"` // document root of each name
	DNS   bool              `json:"dns,omitempty"`   // all names are proven by DNS
	Hook  bool              `json:"hook,omitempty"`  // somebody's command proves them
}

func inRoots(r ledger.Request, roots map[string]string) ledger.Request {
	return wanting(r, wants{Roots: roots})
}

func wanting(r ledger.Request, w wants) ledger.Request {
	text, _ := json.Marshal(w)
	r.Host = ledger.Payload(text)
	return r
}

func wantsOf(r ledger.Request) (w wants) {
	_ = json.Unmarshal([]byte(r.Host), &w) // an order that was only seen has none
	return w
}

func rootsOf(r ledger.Request) map[string]string { return wantsOf(r).Roots }

// obtain asks an engine for a certificate.
func obtain(ctx context.Context, e *drive.Engine, p order.Plan) (drive.Outcome, error) {
	return e.Obtain(ctx, p.Request.Lineage, p.Request.Names, func(context.Context) (*order.Plan, error) { return &p, nil })
}

// get asks a new engine for a certificate and wants it.
func (w *world) get(r ledger.Request) drive.Outcome {
	w.t.Helper()
	e := w.engine()
	out, err := obtain(w.t.Context(), e, order.Plan{Request: r})
	if err != nil {
		w.explain()
		w.t.Fatalf("%s: %v", r.Lineage, err)
	}
	e.Synced() // as with the run's end
	return out
}

// fails asks a new engine for a certificate and wants an error of a class.
func (w *world) fails(p order.Plan, class failure.Class) (drive.Outcome, error) {
	w.t.Helper()
	out, err := obtain(w.t.Context(), w.engine(), p)
	if failure.ClassOf(err) != class {
		w.explain()
		w.t.Fatalf("%s: class %q, not %q: %v", p.Request.Lineage, failure.ClassOf(err), class, err)
	}
	return out, err
}

// orders are the ledger's orders of a lineage, oldest first.
func (w *world) orders(lineage string) []*ledger.Order {
	w.t.Helper()
	found, err := w.store.Orders(context.Background(), ledger.OrderFilter{Lineage: lineage})
	must(w.t, err)
	return found
}

// states are the states of a lineage's orders, oldest first.
func (w *world) states(lineage string) string {
	w.t.Helper()
	var all []string
	for _, o := range w.orders(lineage) {
		all = append(all, string(o.State))
	}
	return strings.Join(all, " ")
}

// truth are the CA's orders for exactly these names.
func (w *world) truth(names ...string) []testca.TruthOrder {
	var found []testca.TruthOrder
	for _, o := range w.ca.Truth().Orders {
		if slices.Equal(o.Names, ledger.CanonicalNames(names)) {
			found = append(found, o)
		}
	}
	return found
}

func (w *world) requests(kind string) int { return w.ca.Truth().RequestsByKind[kind] }

// explain logs what the CA saw and what the ledger says.
func (w *world) explain() {
	w.t.Helper()
	truth := w.ca.Truth()
	for _, r := range truth.Requests[max(0, len(truth.Requests)-60):] {
		w.t.Logf("CA: %-13s %s -> %d %s %s", r.Kind, r.Path, r.Status, r.Problem, r.Fault)
	}
	events, err := w.store.Events(context.Background(), 0, 0)
	must(w.t, err)
	for _, e := range events[max(0, len(events)-60):] {
		w.t.Logf("ledger: order %d: %s: %s", e.OrderID, e.Kind, e.Detail)
	}
}

// settled wants that everything of a lineage has come to rest: nothing unsettled, no token left, no authorization pending at
// the CA that the ledger does not call a phantom.
func (w *world) settled(r ledger.Request) {
	w.t.Helper()
	for _, o := range w.orders(r.Lineage) {
		if o.SettledAt.IsZero() {
			w.t.Errorf("order %d of %s is left %s", o.ID, r.Lineage, o.State)
		}
		for _, a := range o.Authorizations {
			if a.Placement != "" || !a.Final() {
				w.t.Errorf("authorization %s is left %s, token at %q", a.Name, a.Status, a.Placement)
			}
		}
	}
	for _, name := range ledger.CanonicalNames(r.Names) {
		if slices.Contains(w.web.left(), rootsOf(r)[name]) {
			w.t.Errorf("a token is left in the document root of %s", name)
		}
	}
	if w.disk.installs[r.Lineage] == 0 || w.disk.deploys[r.Lineage] == 0 {
		w.t.Errorf("%s: installed %d times, deployed %d times", r.Lineage, w.disk.installs[r.Lineage], w.disk.deploys[r.Lineage])
	}
}

func count[T any](list []T, want func(T) bool) int {
	n := 0
	for _, v := range list {
		if want(v) {
			n++
		}
	}
	return n
}
