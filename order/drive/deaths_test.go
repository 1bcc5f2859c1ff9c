package drive_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"orderly/acme"
	"orderly/failure"
	"orderly/ledger"
	"orderly/ledger/sqlite"
	"orderly/lock"
	"orderly/order"
	"orderly/order/drive"
	"orderly/testca"
)

// errDead is what all that a dead process does comes to.
var errDead = errors.New("the process is dead")

// life is one process of many goroutines. It dies at one of its requests: before it is sent, or with its answer. From then on
// nothing that it does reaches the CA, the ledger or the disk.
type life struct {
	real  http.RoundTripper
	at    int64 // the request at which it dies; 0: it does not
	after bool
	end   context.CancelFunc
	n     atomic.Int64
	dead  atomic.Bool
}

func (l *life) die() error {
	l.dead.Store(true)
	l.end()
	return errDead
}

// RoundTrip implements http.RoundTripper.
func (l *life) RoundTrip(r *http.Request) (*http.Response, error) {
	n := l.n.Add(1)
	if l.dead.Load() || n == l.at && !l.after {
		return nil, l.die()
	}
	answer, err := l.real.RoundTrip(r)
	if err == nil && (l.dead.Load() || n == l.at) {
		_ = answer.Body.Close()
		return nil, l.die()
	}
	return answer, err
}

// does does something unless the process is dead.
func (l *life) does(f func() error) error {
	if l.dead.Load() {
		return errDead
	}
	return f()
}

// mortalStore and mortalMachine are the ledger and the host as such a process has them.
type mortalStore struct {
	ledger.Store
	life *life
}

func (s mortalStore) Commit(ctx context.Context, c *ledger.Change) error {
	return s.life.does(func() error { return s.Store.Commit(ctx, c) })
}

type mortalMachine struct {
	*machine
	life *life
}

func (m mortalMachine) Place(ctx context.Context, placement, content string) (now string, err error) {
	return now, m.life.does(func() (err error) { now, err = m.machine.Place(ctx, placement, content); return err })
}

func (m mortalMachine) Remove(ctx context.Context, placement string) error {
	return m.life.does(func() error { return m.machine.Remove(ctx, placement) })
}

func (m mortalMachine) Install(ctx context.Context, o *ledger.Order, key, chain []byte) (done order.Installation, err error) {
	return done, m.life.does(func() (err error) { done, err = m.machine.Install(ctx, o, key, chain); return err })
}

func (m mortalMachine) Deploy(ctx context.Context, o *ledger.Order) error {
	return m.life.does(func() error { return m.machine.Deploy(ctx, o) })
}

// open opens the SQLite ledger of a directory, as a process does.
func (w *world) open(dir string) ledger.Store {
	w.t.Helper()
	locks, err := lock.Open(filepath.Join(w.t.TempDir(), "lock"))
	must(w.t, err)
	store, err := sqlite.Open(w.t.Context(), sqlite.Options{Dir: dir, Host: "host", Now: w.clock.Now,
		Lock: func(ctx context.Context) (func() error, error) { return locks.Lock(ctx, "ledger") }})
	must(w.t, err)
	w.t.Cleanup(func() { _, _ = store.Close(), locks.Close() })
	return store
}

// live brings up a process over a ledger that obtains certificates for all requests at once, and returns what failed.
func (w *world) live(store ledger.Store, l *life, requests []ledger.Request) []error {
	w.t.Helper()
	ctx, cancel := context.WithCancel(w.t.Context())
	defer cancel()
	l.real, l.end = w.wire.real, cancel
	row, err := store.Account(ctx, w.row.Server, w.row.URL)
	must(w.t, err)
	client, err := acme.New(w.ca.DirectoryURL(), acme.Options{HTTP: &http.Client{Transport: l}, Now: w.clock.Now})
	must(w.t, err)
	run := &ledger.Run{Command: "renew", StartedAt: w.clock.Now()}
	must(w.t, store.Commit(ctx, &ledger.Change{Run: run}))
	e, err := drive.New(drive.Config{Store: mortalStore{store, l}, Session: drive.NewSession(client, w.key, row),
		Host: mortalMachine{w.machine(), l}, Clock: w.clock, Log: slog.New(slog.DiscardHandler), Run: run, Effort: parallel(4)})
	must(w.t, err)
	w.profiled(e, "reuses_orders = true\nlongest_validation = \"1s\"\n")
	failures := make([]error, len(requests))
	var all sync.WaitGroup
	for i, r := range requests {
		all.Go(func() {
			_, failures[i] = e.Obtain(ctx, r.Lineage, r.Names, func(context.Context) (*order.Plan, error) {
				if w.disk.has(r.Lineage) {
					return nil, nil
				}
				return &order.Plan{Request: r}, nil
			})
		})
	}
	all.Wait()
	return slices.DeleteFunc(failures, func(err error) bool { return err == nil })
}

// Two hundred orders are driven at once by one engine over one ledger, whose process dies three times with everything that it
// knew: there are two hundred orders at the CA, two hundred certificates, and nothing is left.
func TestTwoHundredOrdersAtOnceSurviveThreeDeaths(t *testing.T) {
	const orders, deaths = 200, 3
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	dice := rand.New(rand.NewPCG(seed, 3))
	w := newWorld(t, testca.Config{Reuse: true})
	w.clock.nap = time.Hour // real time: each of two hundred that skipped a wait would make all others late
	dir := t.TempDir()
	must(t, w.open(dir).Commit(t.Context(), &ledger.Change{Account: &ledger.Account{Server: w.row.Server, KeyID: w.row.KeyID,
		URL: w.row.URL, CreatedAt: w.row.CreatedAt}}))
	var requests []ledger.Request
	for i := range orders {
		requests = append(requests, request(fmt.Sprintf("l%03d", i), fmt.Sprintf("l%03d.example.com", i)))
	}
	for i := range deaths {
		// However slow this machine is, a process asks so often: twice for each that nothing was ordered for, and later once for
		// each that has no certificate, but for the few whose newOrder was under way at a death.
		least := 2 * orders
		if i > 0 {
			least = len(slices.DeleteFunc(slices.Clone(requests), func(r ledger.Request) bool { return w.disk.has(r.Lineage) })) - 8*i
		}
		l := &life{at: 1 + dice.Int64N(int64(least)), after: dice.IntN(2) == 0}
		if len(w.live(w.open(dir), l, requests)) == 0 || !l.dead.Load() {
			t.Fatalf("seed %d: a process did not die at its request %d", seed, l.at)
		}
	}
	store := w.open(dir)
	for round := 0; ; round++ {
		left := w.live(store, &life{}, requests)
		if len(left) == 0 {
			break
		}
		if round == 2 || slices.ContainsFunc(left, func(err error) bool { return failure.ClassOf(err) != failure.AnswerLost }) {
			t.Fatalf("seed %d: %d orders do not come to an end: %v", seed, len(left), left[0])
		}
		w.clock.skip(25 * time.Hour) // whose newOrder was lost three times is left to a later run
	}
	truth := w.ca.Truth()
	if len(truth.Orders) != orders || len(truth.Issued) != orders || truth.Pending() != 0 {
		t.Errorf("seed %d: %d orders, %d certificates, %d pending", seed, len(truth.Orders), len(truth.Issued), truth.Pending())
	}
	pending, err := store.Pending(t.Context(), w.clock.Now())
	must(t, err)
	open, err := store.Orders(t.Context(), ledger.OrderFilter{Unsettled: true})
	must(t, err)
	pending = slices.DeleteFunc(pending, func(p ledger.Pending) bool {
		return p.State == ledger.Phantom // of a newOrder that never arrived, as nobody can know where there is no list
	})
	if len(pending) > 0 || len(open) > 0 || len(w.web.left()) > 0 {
		t.Errorf("seed %d: %d are shown as pending, %d unsettled, tokens in %v", seed, len(pending), len(open), w.web.left())
	}
	for _, r := range requests {
		if !w.disk.has(r.Lineage) {
			t.Errorf("seed %d: %s has no certificate", seed, r.Lineage)
		}
	}
}
