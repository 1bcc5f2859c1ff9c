package drive_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"testing"

	"orderly/failure"
	"orderly/ledger"
	"orderly/order"
	"orderly/order/drive"
	"orderly/testca"
)

// killed is what a process that dies panics with.
type killed struct{}

// mortal is a ledger that kills its process at a commit.
type mortal struct {
	ledger.Store
	commits, at int
	after       bool
}

// Commit implements ledger.Store.
func (m *mortal) Commit(ctx context.Context, c *ledger.Change) error {
	m.commits++
	if m.commits == m.at && !m.after {
		panic(killed{})
	}
	err := m.Store.Commit(ctx, c)
	if m.commits == m.at && m.after {
		panic(killed{})
	}
	return err
}

// death is a moment at which a process dies: around its nth commit or its nth request.
type death struct {
	commit, request int
	after           bool
}

func (d death) String() string {
	when := "before"
	if d.after {
		when = "after"
	}
	if d.commit > 0 {
		return fmt.Sprintf("%s commit %d", when, d.commit)
	}
	return fmt.Sprintf("%s request %d", when, d.request)
}

// dying runs a process that is to die at d, and reports whether it did.
func (w *world) dying(r ledger.Request, d death) (died bool) {
	w.t.Helper()
	w.wire.forget()
	w.wire.before = func(n int, _ string, _ *http.Request) {
		if n == d.request && !d.after {
			panic(killed{})
		}
	}
	w.wire.after = func(n int, _ string, answer *http.Response) *http.Response {
		if n == d.request && d.after {
			_, _ = io.Copy(io.Discard, answer.Body) // the CA is done with it
			_ = answer.Body.Close()
			panic(killed{})
		}
		return answer
	}
	defer w.wire.forget()
	defer func() {
		if p := recover(); p != nil {
			if _, ok := p.(killed); !ok {
				panic(p)
			}
			died = true
		}
	}()
	e := w.engine()
	e = drive.Changed(e, func(c *drive.Config) { c.Store = &mortal{Store: w.store, at: d.commit, after: d.after} })
	_, err := obtain(context.Background(), e, order.Plan{Request: r})
	if failure.ClassOf(err) == failure.AnswerLost { // which is what many deaths in a row come to
		w.ghosts += w.orders(r.Lineage)[0].CreateSends
	} else if err != nil {
		w.t.Errorf("%s: a process that was not to die ended: %v", d, err)
	}
	return false
}

// character is how a CA behaves where it matters to who lost an answer.
type character struct {
	name   string
	config testca.Config
	// An order whose newOrder was not answered is found in a list, or handed back by the next newOrder.
	lists, reuses bool
}

func (c character) finds() bool { return c.lists || c.reuses }

func characters() []character {
	return []character{
		{"plain", testca.Config{}, false, false},
		{"with an orders list", testca.Config{OrdersList: true}, true, false},
		{"like Boulder", testca.Config{Boulder: true, Reuse: true, HideProcessing: true, AuthzReuse: true}, false, true},
	}
}

// kept wants the promise to be kept for a lineage: one certificate, every order known, nothing validated twice, nothing
// left pending but what a phantom stands for.
func (w *world) kept(r ledger.Request, phantoms int) {
	w.t.Helper()
	w.settled(r)
	known, ghosts, live := map[string]bool{}, 0, 0
	for _, o := range w.orders(r.Lineage) {
		known[o.URL] = true
		if o.State == ledger.Phantom {
			ghosts++
		}
		if o.State.Live() {
			live++
		}
	}
	unknown, issued := 0, 0
	for _, o := range w.truth(r.Names...) {
		if o.Serial != "" {
			issued++
		}
		if !known[o.URL] {
			unknown++
		}
		for _, a := range o.Authorizations {
			if a.Validations > 1 {
				w.t.Errorf("%s was validated %d times", a.Name, a.Validations)
			}
			if known[o.URL] && a.Status == "pending" {
				w.t.Errorf("%s is left pending at the CA", a.Name)
			}
		}
	}
	if issued != 1 {
		w.t.Errorf("%d certificates were issued", issued)
	}
	if ghosts > phantoms || unknown > ghosts || live > 0 {
		w.t.Errorf("%d phantoms (%d allowed), %d orders that the ledger does not know, %d live", ghosts, phantoms, unknown, live)
	}
	if !w.t.Failed() {
		return
	}
	w.explain()
}

func TestAProcessMayDieAtAnyMoment(t *testing.T) {
	for _, c := range characters() {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, c.config)
			cell := 0
			fresh := func() ledger.Request {
				cell++
				name := fmt.Sprintf("n%d.example", cell)
				return request(name, name, "www."+name)
			}
			for _, kind := range []string{"commit", "request"} {
				for _, after := range []bool{false, true} {
					for k := 1; ; k++ {
						d := death{after: after, request: k}
						if kind == "commit" {
							d = death{after: after, commit: k}
						}
						r := fresh()
						died := w.dying(r, d)
						if !died {
							break
						}
						if k > 60 {
							t.Fatal("the process never comes to its end")
						}
						if !w.revived(t, r, d, c) {
							return
						}
					}
				}
			}
			if cell < 36 {
				t.Errorf("only %d moments were tried", cell)
			}
		})
	}
}

// revived lets another process go on after a death, and reports whether the promise was kept.
func (w *world) revived(t *testing.T, r ledger.Request, d death, c character) bool {
	return t.Run(d.String(), func(t *testing.T) {
		outer := w.t
		w.t = t
		defer func() { w.t = outer }()
		phantoms := w.allowed(r, c)
		w.goOn(r)
		w.looksFirst(d)
		w.kept(r, phantoms)
	})
}

// allowed is how many phantoms may come of the newOrder that a dead process left unanswered: none where the CA has a list,
// and none where it made the order and hands it back.
func (w *world) allowed(r ledger.Request, c character) int {
	for _, o := range w.orders(r.Lineage) {
		if o.State == ledger.Creating && !c.lists && (!c.reuses || len(w.truth(r.Names...)) == 0) {
			return 1
		}
	}
	return 0
}

// goOn lets another process go on, which wants a certificate only if none is in place. It returns how many phantoms were
// made because newOrder stayed unanswered as often as it may be sent; then a third process gets the certificate.
func (w *world) goOn(r ledger.Request) (phantoms int) {
	w.t.Helper()
	_, err := w.engine().Obtain(w.t.Context(), r.Lineage, r.Names, func(context.Context) (*order.Plan, error) {
		if w.disk.has(r.Lineage) {
			return nil, nil
		}
		return &order.Plan{Request: r}, nil
	})
	if failure.ClassOf(err) == failure.AnswerLost {
		return w.orders(r.Lineage)[0].CreateSends + w.goOn(r)
	}
	if err != nil {
		w.explain()
		w.t.Fatalf("%s: %v", r.Lineage, err)
	}
	return 0
}

// looksFirst wants rule 1: whoever takes an order over sees it before it changes anything.
func (w *world) looksFirst(d death) {
	w.t.Helper()
	kinds := w.wire.kinds()
	seen := slices.IndexFunc(kinds, func(k string) bool { return k == "order" || k == "new-order" })
	acted := slices.IndexFunc(kinds, func(k string) bool { return k == "challenge" || k == "finalize" })
	if acted >= 0 && (seen < 0 || seen > acted) {
		w.t.Errorf("%s: the next process acts before it looks: %v", d, kinds)
	}
}

func TestAnyNumberOfDeathsEndsInOneCertificate(t *testing.T) {
	for _, c := range characters() {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			seed := rand.Uint64()
			t.Logf("seed %d", seed)
			dice := rand.New(rand.NewPCG(seed, 0))
			w := newWorld(t, c.config)
			for round := range 12 {
				name := fmt.Sprintf("r%d.example", round)
				r := request(name, name, "www."+name)
				phantoms := 0
				w.ghosts = 0
				for range 1 + dice.IntN(5) {
					if w.disk.installs[name] > 0 {
						break // what is left is for finishLineage
					}
					d := death{after: dice.IntN(2) == 0, request: 1 + dice.IntN(12)}
					if dice.IntN(2) == 0 {
						d = death{after: d.after, commit: 1 + dice.IntN(7)}
					}
					if !w.dying(r, d) {
						break
					}
					phantoms += w.allowed(r, c)
				}
				phantoms += w.goOn(r) + w.ghosts
				w.kept(r, phantoms)
				if t.Failed() {
					t.Fatalf("round %d, seed %d", round, seed)
				}
			}
		})
	}
}

// lose makes the nth request of a kind be processed and its answer be lost.
func (w *world) lose(kind string, nth int) {
	w.ca.Inject(testca.Fault{Kind: kind, Nth: nth, Action: testca.LoseAnswer})
}

func TestALostAnswerIsNotResentBlindly(t *testing.T) {
	for _, c := range characters() {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, c.config)
			for i, kind := range []string{"new-order", "challenge", "finalize", "certificate", "order", "authorization"} {
				name := fmt.Sprintf("lost%d.example", i)
				r := request(name, name, "www."+name)
				w.lose(kind, 1)
				w.get(r)
				phantoms := 0
				if kind == "new-order" && !c.finds() {
					phantoms = 1
				}
				w.kept(r, phantoms)
				w.ca.ClearFaults()
			}
		})
	}
}

func TestTwoLostNewOrdersInARowLeaveNoOrderUnknown(t *testing.T) {
	for _, c := range characters() {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, c.config)
			r := request("a.example", "a.example")
			w.lose("new-order", 1)
			w.lose("new-order", 2)
			_, err := obtain(t.Context(), w.engine(), order.Plan{Request: r})
			w.ca.ClearFaults()
			if err != nil {
				w.get(r)
			}
			phantoms := 0
			if !c.lists {
				phantoms = 2
			}
			w.kept(r, phantoms)
		})
	}
}

// respond makes an HTTP answer.
func respond(status int, header http.Header, body string) *http.Response {
	if header == nil {
		header = http.Header{}
	}
	return &http.Response{StatusCode: status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: header,
		Body: io.NopCloser(bytes.NewBufferString(body)), ContentLength: int64(len(body))}
}

// The list was walked before the second newOrder was sent, so it says nothing about what became of that one.
func TestAListIsWalkedAgainAfterTheNextLostNewOrder(t *testing.T) {
	w := newWorld(t, testca.Config{OrdersList: true})
	r := request("a.example", "a.example")
	w.ca.Inject(testca.Fault{Kind: "new-order", Nth: 1, Action: testca.Drop})
	w.lose("new-order", 2)
	w.get(r)
	w.kept(r, 0)
	if n := len(w.truth("a.example")); n != 1 {
		t.Errorf("%d orders were made", n)
	}
}

func TestAnUnreadableAnswerToNewOrderIsStillTheOrder(t *testing.T) {
	for _, c := range characters() {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, c.config)
			r := request("a.example", "a.example", "b.example")
			done := false
			w.wire.after = func(_ int, kind string, answer *http.Response) *http.Response {
				if kind == "new-order" && !done {
					done = true
					_ = answer.Body.Close()
					return respond(answer.StatusCode, answer.Header, "<html>")
				}
				return answer
			}
			w.get(r)
			w.kept(r, 0)
		})
	}
}
