package drive_test

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"orderly/failure"
	"orderly/ledger"
	"orderly/limit"
	"orderly/order"
	"orderly/order/drive"
	"orderly/testca"
)

// whole asks for the long forms.
var whole = os.Getenv("ORDERLY_E2E") == "all"

// profiled gives an engine what an operator's file says of the world's CA.
func (w *world) profiled(e *drive.Engine, settings string) *drive.Engine {
	w.t.Helper()
	profiles, err := limit.Load(fmt.Sprintf("[[ca]]\ndirectory = %q\n%s", w.ca.DirectoryURL(), settings), "ca.toml")
	must(w.t, err)
	e = drive.Changed(e, func(c *drive.Config) { c.Profiles = profiles })
	return e
}

func (w *world) left(name, key string, l limit.Limit) int64 {
	w.t.Helper()
	buckets, err := w.store.Buckets(w.t.Context(), w.row.ID)
	must(w.t, err)
	for _, b := range buckets {
		if b.Name == name && b.Key == key {
			return l.Check(b.TAT, w.clock.Now(), 1).Remaining
		}
	}
	return l.Count
}

const threeOrders = "[ca.limits]\nNewOrdersPerAccount = \"3/3h\"\nFailedAuthorizationsPerDomainPerAccount = \"5/1h\"\n"

func TestABudgetThatIsSpentKeepsOrdersFromBeingRefused(t *testing.T) {
	w := newWorld(t, testca.Config{Limits: testca.Limits{NewOrdersPerAccount: testca.Limit{Count: 3, Period: 3 * time.Hour}}})
	for i := range 3 {
		r := request(fmt.Sprintf("s%d", i), fmt.Sprintf("s%d.example.com", i))
		if _, err := obtain(t.Context(), w.profiled(w.engine(), threeOrders), order.Plan{Request: r}); err != nil {
			t.Fatal(err)
		}
	}
	requests := len(w.ca.Truth().Requests)
	r := request("late", "late.example.com")
	_, err := obtain(t.Context(), w.profiled(w.engine(), threeOrders), order.Plan{Request: r})
	if failure.ClassOf(err) != failure.RateLimited || failure.RemedyOf(err) == "" {
		t.Errorf("the fourth: %v", err)
	}
	if n := len(w.ca.Truth().Requests); n != requests {
		t.Errorf("it cost the CA %d requests", n-requests)
	}
	// A renewal is exempt, and an hour later there is a token again.
	// It is known by its names: the CA asks for no lineage.
	for _, lineage := range []string{"s0", "renamed"} {
		renewal := request(lineage, "S0.example.com")
		if _, err := obtain(t.Context(), w.profiled(w.engine(), threeOrders), order.Plan{Request: renewal}); err != nil {
			t.Errorf("a renewal by %s: %v", lineage, err)
		}
	}
	w.clock.skip(61 * time.Minute)
	if _, err := obtain(t.Context(), w.profiled(w.engine(), threeOrders), order.Plan{Request: r}); err != nil {
		t.Errorf("an hour later: %v", err)
	}
	if n := w.ca.Truth().RateLimited; n != 0 {
		t.Errorf("the CA refused %d", n)
	}
}

// What one server alone spends, a name set's certificates and a name's failures, is not divided by a share of the account;
// and what is divided says so, with the date.
func TestAShareIsOfTheAccountAlone(t *testing.T) {
	w := newWorld(t, testca.Config{})
	const settings = "share = \"1/20\"\n[ca.limits]\nNewOrdersPerAccount = \"20/3h\"\nCertificatesPerFQDNSet = \"5/168h\"\n" +
		"FailedAuthorizationsPerDomainPerAccount = \"5/1h\"\n"
	for i := range 3 {
		if _, err := obtain(t.Context(), w.profiled(w.engine(), settings), order.Plan{Request: request("a", "a.example.com")}); err != nil {
			t.Fatalf("certificate %d of the set: %v", i+1, err)
		}
	}
	_, err := obtain(t.Context(), w.profiled(w.engine(), settings), order.Plan{Request: request("b", "b.example.com")})
	if failure.ClassOf(err) != failure.RateLimited {
		t.Fatalf("the account's second new order: %v", err)
	}
	want := fmt.Sprintf("the budget NewOrdersPerAccount (1 in 3h, which is share = 1/20 of the account's 20) has nothing left before %s",
		w.clock.Now().UTC().Add(3*time.Hour).Format("2006-01-02T15"))
	if !strings.HasPrefix(err.Error(), want) || !strings.Contains(string(failure.RemedyOf(err)), "larger share") {
		t.Errorf("%v\n%s\nwanted %s", err, failure.RemedyOf(err), want)
	}
}

func TestWhatTheCARefusedIsGivenBack(t *testing.T) {
	w := newWorld(t, testca.Config{})
	l := limit.Limit{Count: 3, Period: 3 * time.Hour}
	w.ca.Inject(testca.Fault{Kind: "new-order", Action: testca.Respond, Status: 403, Problem: "rejectedIdentifier", Detail: "no"})
	r := request("a", "a.example.com")
	_, err := obtain(t.Context(), w.profiled(w.engine(), threeOrders), order.Plan{Request: r})
	if failure.ClassOf(err) != failure.BadName {
		t.Fatal(err)
	}
	if n := w.left(limit.NewOrdersPerAccount, "", l); n != 3 {
		t.Errorf("%d of 3 are left after a refusal", n)
	}
	w.ca.ClearFaults()
	w.ca.Inject(testca.Fault{Kind: "new-order", Nth: 1, Action: testca.Drop})
	if _, err := obtain(t.Context(), w.profiled(w.engine(), threeOrders), order.Plan{Request: r}); err != nil {
		t.Fatal(err)
	}
	if n := w.left(limit.NewOrdersPerAccount, "", l); n != 1 {
		t.Errorf("%d of 3 are left after one without an answer and one that was answered: unknown counts as spent", n)
	}
}

func TestA429CorrectsTheBucket(t *testing.T) {
	w := newWorld(t, testca.Config{})
	w.ca.Inject(testca.Fault{Kind: "new-order", Nth: 1, Action: testca.Respond, Status: 429, Problem: "rateLimited", RetryAfter: "1200",
		Detail: "too many new orders (3) from this account in the last 3h0m0s: see https://letsencrypt.org/docs/rate-limits/#new-orders-per-account"})
	_, err := obtain(t.Context(), w.profiled(w.engine(), threeOrders), order.Plan{Request: request("a", "a.example.com")})
	if failure.ClassOf(err) != failure.RateLimited {
		t.Fatal(err)
	}
	l := limit.Limit{Count: 3, Period: 3 * time.Hour}
	if n := w.left(limit.NewOrdersPerAccount, "", l); n != 0 {
		t.Errorf("%d are left", n)
	}
	w.clock.skip(20 * time.Minute)
	if n := w.left(limit.NewOrdersPerAccount, "", l); n != 1 {
		t.Errorf("%d are left when the CA said there is one", n)
	}
}

func TestAClockThatWasAheadDoesNotEmptyTheBudget(t *testing.T) {
	w := newWorld(t, testca.Config{})
	far := func(time.Time) (time.Time, error) { return w.clock.Now().AddDate(10, 0, 0), nil }
	must(t, w.store.Commit(t.Context(), &ledger.Change{Spends: []ledger.Spend{{AccountID: w.row.ID, Name: limit.NewOrdersPerAccount, Next: far}}}))
	r := request("a", "a.example.com")
	_, err := obtain(t.Context(), w.profiled(w.engine(), threeOrders), order.Plan{Request: r})
	if failure.ClassOf(err) != failure.RateLimited {
		t.Fatalf("unknown counts as spent: %v", err)
	}
	w.clock.skip(time.Hour + time.Minute)
	if _, err := obtain(t.Context(), w.profiled(w.engine(), threeOrders), order.Plan{Request: r}); err != nil {
		t.Errorf("but it fills from then on: %v", err)
	}
}

// together obtains certificates for so many names at once, by one engine. ended is told of each that
// has come to its end.
func (w *world) together(e *drive.Engine, n int, ended func(done int)) (failures []error) {
	w.t.Helper()
	var all sync.WaitGroup
	var mu sync.Mutex
	done := 0
	for i := range n {
		all.Go(func() {
			r := request(fmt.Sprintf("s%d", i), fmt.Sprintf("s%d.example.com", i))
			_, err := obtain(w.t.Context(), e, order.Plan{Request: r})
			mu.Lock()
			defer mu.Unlock()
			if done++; err != nil {
				failures = append(failures, err)
			}
			if ended != nil {
				ended(done)
			}
		})
	}
	all.Wait()
	return failures
}

// Eight at once, and three orders left: nobody spends what another has spent.
func TestManyAtOnceKeepToTheBudget(t *testing.T) {
	w := newWorld(t, testca.Config{Limits: testca.Limits{NewOrdersPerAccount: testca.Limit{Count: 3, Period: 3 * time.Hour}}})
	failures := w.together(w.profiled(w.engine(), threeOrders), 8, nil)
	for _, err := range failures {
		if failure.ClassOf(err) != failure.RateLimited {
			t.Error(err)
		}
	}
	if truth := w.ca.Truth(); len(failures) != 5 || len(truth.Orders) != 3 || truth.RateLimited != 0 {
		t.Errorf("%d failed, %d orders, %d refused by the CA", len(failures), len(truth.Orders), truth.RateLimited)
	}
}

// Eight at once at a CA that lets three be pending: all are admitted before the first order is made,
// and yet the CA refuses none.
func TestManyAtOnceLeaveRoomForWhatIsPending(t *testing.T) {
	w := newWorld(t, testca.Config{Limits: testca.Limits{PendingAuthorizations: testca.Limit{Count: 3}}})
	w.ca.Inject(testca.Fault{Kind: "challenge", Action: testca.Hold})
	e := w.profiled(w.engine(), "counts_pending = 3\ncharges_deactivation = false\n")
	failures := w.together(e, 8, func(done int) {
		if done == 5 {
			w.ca.ClearFaults()
			w.ca.Release()
		}
	})
	for _, err := range failures {
		if failure.ClassOf(err) != failure.RateLimited || failure.RemedyOf(err) == "" {
			t.Error(err)
		}
	}
	if truth := w.ca.Truth(); len(failures) != 5 || len(truth.Orders) != 3 || truth.RateLimited != 0 || truth.Pending() != 0 {
		t.Errorf("%d failed, %d orders, %d refused by the CA, %d pending", len(failures), len(truth.Orders), truth.RateLimited, truth.Pending())
	}
}

const countsPending = "counts_pending = 300\ncharges_deactivation = false\n"

// The provider's case: 160 lineages whose document root vanishes between check and write, on a CA that counts what is
// pending. No client but this one gets through it.
func TestAHundredAndSixtyBrokenSitesDoNotBlockTheAccount(t *testing.T) {
	w := newWorld(t, testca.Config{Limits: testca.Limits{PendingAuthorizations: testca.Limit{Count: 300}}})
	const sites = 160
	var requests []ledger.Request
	for i := range sites {
		name := fmt.Sprintf("site%03d.example.com", i)
		requests = append(requests, request(name, name, "www."+name))
	}
	lock := func(locked bool) {
		for _, r := range requests {
			for _, root := range rootsOf(r) {
				w.web.lock(root, locked)
			}
		}
	}
	lock(true)
	for round := range 5 {
		e := w.profiled(w.engine(), countsPending)
		for _, r := range requests {
			_, err := obtain(t.Context(), e, order.Plan{Request: r})
			if failure.ClassOf(err) != failure.WebrootLocked {
				t.Fatalf("%s: %v", r.Lineage, err)
			}
			if n := w.ca.Truth().Pending(); n > 0 {
				t.Fatalf("%d authorizations are pending after %s", n, r.Lineage)
			}
		}
		fresh := fmt.Sprintf("new%d.example.com", round)
		if _, err := obtain(t.Context(), e, order.Plan{Request: request(fresh, fresh)}); err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		w.clock.skip(24 * time.Hour)
		if !whole {
			break // 320 authorizations are more than 300 already; the other four rounds are for the long form
		}
	}
	lock(false)
	e := w.profiled(w.engine(), countsPending)
	for _, r := range requests {
		if _, err := obtain(t.Context(), e, order.Plan{Request: r}); err != nil {
			t.Fatalf("mended: %v", err)
		}
	}
	if truth := w.ca.Truth(); truth.Pending() != 0 || truth.RateLimited != 0 {
		t.Errorf("%d are pending, %d were refused", truth.Pending(), truth.RateLimited)
	}
}

func TestWhereDeactivationIsChargedAnOrderIsKept(t *testing.T) {
	w := newWorld(t, testca.Config{Reuse: true, HideProcessing: true, Boulder: true})
	r := request("a", "a.example.com", "www.a.example.com")
	w.web.lock("/srv/a.example.com", true)
	for range 7 {
		w.fails(order.Plan{Request: r}, failure.WebrootLocked)
	}
	if n := w.requests("new-order"); n != 1 {
		t.Errorf("%d newOrders for one broken name", n)
	}
	w.web.lock("/srv/a.example.com", false)
	w.get(r)
	w.settled(r)
	if truth := w.ca.Truth(); len(truth.Orders) != 1 || truth.Pending() != 0 || truth.RateLimited != 0 {
		t.Errorf("%d orders, %d pending, %d refused", len(truth.Orders), truth.Pending(), truth.RateLimited)
	}
}

func TestTheOperatorReleasesAnOrder(t *testing.T) {
	w := newWorld(t, testca.Config{Boulder: true, HideProcessing: true})
	r := request("a", "a.example.com", "www.a.example.com")
	w.web.lock("/srv/a.example.com", true)
	w.fails(order.Plan{Request: r}, failure.WebrootLocked)
	e := w.engine()
	o := w.orders("a")[0]
	if ca, err := e.Habits(t.Context()); err != nil || ca.Cost(o) != "one failed authorization for one name, of five an hour" {
		t.Errorf("%q, %v", ca.Cost(o), err)
	}
	if err := e.Release(t.Context(), o); failure.ClassOf(err) != failure.WebrootLocked && failure.ClassOf(err) != failure.Released {
		t.Errorf("%v", err)
	}
	for _, a := range w.orders("a")[0].Authorizations {
		if !a.Final() || a.Placement != "" {
			t.Errorf("%s is left %s", a.Name, a.Status)
		}
	}
	if got := w.states("a"); got != "released" {
		t.Errorf("the order is %s", got)
	}
	if n := w.ca.Truth().Pending(); n != 0 {
		t.Errorf("%d are pending", n)
	}
	charges, err := w.store.Charges(t.Context(), w.row.ID, r.Names, w.clock.Now().Add(-time.Hour))
	must(t, err)
	if len(charges) != 1 {
		t.Errorf("%d charges are booked for one deactivation", len(charges))
	}
	if err := e.Release(t.Context(), o); err != nil {
		t.Errorf("again: %v", err)
	}
}
