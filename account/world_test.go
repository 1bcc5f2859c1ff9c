package account_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"log/slog"
	"net/http"
	"sync"
	"testing"
	"time"

	"orderly/account"
	"orderly/acme"
	"orderly/certbot"
	"orderly/ledger"
	"orderly/ledger/memory"
	"orderly/order"
	"orderly/task"
	"orderly/testca"
)

// world is a host with nothing but its accounts, and their CA.
type world struct {
	t     *testing.T
	ca    *testca.CA
	disk  *certbot.Store
	store *memory.Store
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func newWorld(t *testing.T, config testca.Config) *world {
	t.Helper()
	ca, err := testca.Start(config)
	must(t, err)
	t.Cleanup(func() { must(t, ca.Close()) })
	dir := t.TempDir()
	w := &world{t: t, ca: ca, store: memory.New(),
		disk: &certbot.Store{Now: time.Now, Dirs: certbot.Dirs{Config: dir + "/etc", Work: dir + "/lib", Logs: dir + "/log"}}}
	must(t, w.disk.Dirs.Prepare())
	return w
}

// Now implements order.Clock.
func (w *world) Now() time.Time { return time.Now() }

// Sleep implements order.Clock: nothing here waits for anybody but the CA, which answers at once.
func (w *world) Sleep(ctx context.Context, _ time.Duration) error { return ctx.Err() }

// Say implements account.Reporter, as Tell and Warn do.
func (w *world) Say(format string, args ...any) {
	w.t.Logf(format, args...)
}
func (w *world) Tell(format string, args ...any) { w.Say(format, args...) }
func (w *world) Warn(format string, args ...any) { w.Say(format, args...) }

// alone are the locks of a host with one process.
type alone struct{ sync.Mutex }

// Lock implements order.KernelLocks.
func (a *alone) Lock(context.Context, string) (func() error, error) {
	a.Mutex.Lock()
	return func() error { a.Unlock(); return nil }, nil
}

// TryLock implements order.KernelLocks.
func (a *alone) TryLock(string) (func() error, bool, error) {
	ok := a.Mutex.TryLock()
	return func() error { a.Unlock(); return nil }, ok, nil
}

// run begins a run and returns its hold on the accounts.
func (w *world) run() *account.Keeper {
	w.t.Helper()
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(w.ca.RootPEM())
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}
	w.t.Cleanup(transport.CloseIdleConnections)
	run := &ledger.Run{Command: "test", StartedAt: time.Now()}
	must(w.t, w.store.Commit(w.t.Context(), &ledger.Change{Run: run}))
	clients := &account.Clients{HTTP: &http.Client{Transport: transport}, Now: time.Now, Log: slog.New(slog.DiscardHandler), Date: func(time.Time) {}}
	return &account.Keeper{Disk: w.disk, Ledger: w.store, Clients: clients, Locks: &alone{}, Clock: w, Report: w,
		Tasks:    task.Book{Ledger: w.store, Clock: w, Run: run},
		Solitary: func(context.Context) bool { return true },
		Finish:   func(context.Context, *ledger.Order) error { return nil },
		Abandon: func(_ context.Context, _ order.Reason, _ []*ledger.Order, commit func(ledger.Change) error) error {
			return commit(ledger.Change{})
		},
	}
}

// registered makes the host's account.
func (w *world) registered() *certbot.Account {
	w.t.Helper()
	a, err := w.run().RegisterNew(w.t.Context(), w.ca.DirectoryURL(), account.Registration{AgreeTOS: true, NoEmail: true})
	must(w.t, err)
	return a
}

// agree fails the test unless the CA has one account, and the host has it by the key that the CA
// knows.
func (w *world) agree(status string) {
	w.t.Helper()
	theirs := w.ca.Truth().Accounts
	if len(theirs) != 1 || theirs[0].Status != status {
		w.t.Fatalf("the CA has %+v", theirs)
	}
	if status != "valid" {
		return
	}
	a, err := w.disk.Accounts().Choose(w.ca.DirectoryURL(), "")
	must(w.t, err)
	key, err := acme.NewKey(a.Key)
	must(w.t, err)
	if theirs[0].URL != a.URL || theirs[0].Thumbprint != key.Thumbprint() {
		w.t.Errorf("the CA has %+v, the host %+v", theirs[0], a)
	}
}

// nothingLeft fails the test if a task or a change of key is not ended.
func (w *world) nothingLeft() {
	w.t.Helper()
	tasks, err := w.store.Tasks(w.t.Context())
	must(w.t, err)
	changes, err := w.disk.Accounts().KeyChanges()
	must(w.t, err)
	if len(tasks)+len(changes) != 0 {
		w.t.Errorf("left: %+v, %+v", tasks, changes)
	}
}

func (w *world) requests(kind string) int { return w.ca.Truth().RequestsByKind[kind] }
