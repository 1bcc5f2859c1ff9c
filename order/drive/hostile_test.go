package drive_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"orderly/acme"
	"orderly/failure"
	"orderly/ledger"
	"orderly/order"
	"orderly/order/drive"
	"orderly/order/keys"
	"orderly/testca"
)

// rewrite changes the JSON object in every answer of a kind on its way to the engine.
func (w *world) rewrite(kind string, change func(header http.Header, object map[string]any)) {
	w.wire.after = func(_ int, k string, answer *http.Response) *http.Response {
		if k != kind || answer.StatusCode >= 300 {
			return answer
		}
		body, err := io.ReadAll(answer.Body)
		_ = answer.Body.Close()
		object := map[string]any{}
		if err == nil {
			err = json.Unmarshal(body, &object)
		}
		if err != nil {
			panic(err)
		}
		change(answer.Header, object)
		text, err := json.Marshal(object)
		if err != nil {
			panic(err)
		}
		answer.Header.Del("Content-Length")
		return respond(answer.StatusCode, answer.Header, string(text))
	}
}

// Whatever a CA answers for ever, a run comes to its end after a bounded number of requests and a bounded time, and the next
// run, when the CA is well again, gets the certificate.
func TestNoAnswerKeepsARunForEver(t *testing.T) {
	kinds := []string{"new-order", "order", "authorization", "challenge", "finalize", "certificate", "account", "orders"}
	for _, status := range []int{0, 400, 403, 404, 409, 429, 500, 503} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			t.Parallel()
			for i, kind := range kinds {
				w := newWorld(t, testca.Config{OrdersList: kind == "orders"})
				if kind == "orders" || kind == "account" {
					w.lose("new-order", 1)
				}
				fault := testca.Fault{Kind: kind, Action: testca.Respond, Status: status, Problem: "serverInternal", Detail: "no"}
				if status == 0 {
					fault = testca.Fault{Kind: kind, Action: testca.Drop}
				}
				w.ca.Inject(fault)
				r := request("a.example", "a.example", "b.example")
				began := w.clock.Now()
				_, err := obtain(t.Context(), w.engine(), order.Plan{Request: r})
				took, sent := w.clock.Now().Sub(began), len(w.wire.kinds())
				if sent > 60 || took > 15*time.Minute {
					t.Errorf("%s: %d requests in %s: %v", kind, sent, took, err)
				}
				// finding another way is as good as an error: an order is polled, a list is done without
				if kind != "account" && kind != "orders" && kind != "order" && (err == nil || failure.ClassOf(err) == failure.Internal) {
					t.Errorf("%s: error %v", kind, err)
				}
				w.ca.ClearFaults()
				w.clock.skip(25 * time.Hour) // past any hold and pause
				if err != nil {
					_, err = obtain(t.Context(), w.engine(), order.Plan{Request: r})
				}
				if err != nil {
					w.explain()
					t.Fatalf("%d %s, then well again: %v", i, kind, err)
				}
			}
		})
	}
}

func TestACAThatNeverComesToAResultIsLeft(t *testing.T) {
	for _, after := range []int{0, 3, 7200} {
		t.Run(fmt.Sprintf("Retry-After %d", after), func(t *testing.T) {
			w := newWorld(t, testca.Config{AsyncFinalize: true, FinalizeDelay: 24 * time.Hour, PollRetryAfter: &after})
			r := request("a.example", "a.example")
			began := w.clock.Now()
			out, _ := w.fails(order.Plan{Request: r}, failure.Stopped)
			if took := w.clock.Now().Sub(began); took > 4*time.Minute || took < 0 {
				t.Errorf("it was waited for %s", took)
			}
			if out.Order.State != ledger.Processing {
				t.Errorf("the order is %s", out.Order.State)
			}
			if after == 7200 {
				w.wire.forget()
				w.fails(order.Plan{Request: r}, failure.RateLimited)
				if sent := w.wire.kinds(); len(sent) > 0 {
					t.Errorf("the CA asked for two hours of rest and got %v", sent)
				}
			}
			w.clock.skip(25 * time.Hour)
			w.get(r)
			w.kept(r, 0)
		})
	}
}

// A minute of short pauses looked like a run that hangs: nothing was said of them.
func TestAPersonIsToldOfALongWaitInShortPauses(t *testing.T) {
	w := newWorld(t, testca.Config{AsyncFinalize: true, FinalizeDelay: 24 * time.Hour})
	e := w.engine()
	var told []string
	on(e).tell = func(format string, args ...any) { told = append(told, fmt.Sprintf(format, args...)) }
	_, err := obtain(t.Context(), e, order.Plan{Request: request("a.example", "a.example")})
	if failure.ClassOf(err) != failure.Stopped {
		t.Fatalf("the CA never comes to a result: %v", err)
	}
	if want := "Waiting for the CA: the order for a.example is processing."; len(told) != 1 || told[0] != want {
		t.Errorf("told: %q, not %q once", told, want)
	}
}

// corrected is a clock that is ahead by two weeks until its host has slept for the third time.
type corrected struct {
	*clock
	sleeps int
}

func (c *corrected) Now() time.Time {
	if c.sleeps < 3 {
		return c.clock.Now().Add(14 * 24 * time.Hour)
	}
	return c.clock.Now()
}

func (c *corrected) Sleep(ctx context.Context, d time.Duration) error {
	c.sleeps++
	return c.clock.Sleep(ctx, d)
}

// Patience counted by a clock that was ahead would otherwise last for two weeks.
func TestAClockThatIsSetBackDoesNotKeepARun(t *testing.T) {
	w := newWorld(t, testca.Config{AsyncFinalize: true, FinalizeDelay: 24 * time.Hour})
	r := request("a.example", "a.example")
	e := w.engine()
	e = drive.Changed(e, func(c *drive.Config) { c.Clock = &corrected{clock: w.clock} })
	began := w.clock.Now()
	out, err := obtain(t.Context(), e, order.Plan{Request: r})
	if took := w.clock.Now().Sub(began); took > 5*time.Minute || took < 0 {
		t.Errorf("it was waited for %s", took)
	}
	if failure.ClassOf(err) != failure.Stopped || out.Order.State != ledger.Processing {
		t.Errorf("the order is %s: %v", out.Order.State, err)
	}
}

func TestNothingIsSentElsewhere(t *testing.T) {
	const elsewhere = "https://elsewhere.invalid/x"
	for _, c := range []struct{ kind, member string }{
		{"directory", "newOrder"}, {"new-order", "Location"}, {"new-order", "authorizations"}, {"authorization", "challenge"},
		{"order", "finalize"}, {"finalize", "certificate"}, {"account", "orders"},
	} {
		t.Run(c.kind+" "+c.member, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, testca.Config{OrdersList: true})
			if c.kind == "account" {
				w.ca.Inject(testca.Fault{Kind: "new-order", Nth: 1, Action: testca.Drop})
			}
			w.rewrite(c.kind, func(header http.Header, object map[string]any) {
				switch c.member {
				case "Location":
					header.Set("Location", elsewhere)
				case "authorizations":
					object[c.member] = []string{elsewhere}
				case "challenge":
					for _, challenge := range object["challenges"].([]any) {
						challenge.(map[string]any)["url"] = elsewhere
					}
				default:
					object[c.member] = elsewhere
				}
			})
			w.wire.before = func(_ int, kind string, r *http.Request) {
				if strings.Contains(r.URL.Host, "elsewhere") {
					t.Errorf("%s was sent to %s", kind, r.URL)
				}
			}
			r := request("a.example", "a.example")
			_, err := obtain(t.Context(), w.engine(), order.Plan{Request: r})
			sent := len(w.wire.kinds())
			if c.kind != "account" && failure.ClassOf(err) != failure.CARefused || c.kind == "account" && err != nil || sent > 20 {
				t.Errorf("%d requests, error %v", sent, err)
			}
			w.wire.forget()
			w.clock.skip(8 * 24 * time.Hour)
			if err != nil {
				w.get(r) // no such answer blocks the lineage for good
			}
		})
	}
}

func TestOddAuthorizations(t *testing.T) {
	t.Run("named twice", func(t *testing.T) {
		w := newWorld(t, testca.Config{})
		w.rewrite("new-order", func(_ http.Header, object map[string]any) {
			urls := object["authorizations"].([]any)
			object["authorizations"] = append(urls, urls...)
		})
		r := request("a.example", "a.example", "b.example")
		w.get(r)
		w.kept(r, 0)
	})
	t.Run("none", func(t *testing.T) {
		w := newWorld(t, testca.Config{})
		w.rewrite("new-order", func(_ http.Header, object map[string]any) { object["authorizations"] = []string{} })
		r := request("a.example", "a.example")
		w.get(r) // the next look at the order names them
		w.kept(r, 0)
		w.rewrite("order", func(_ http.Header, object map[string]any) { object["authorizations"] = []string{} })
		inner := w.wire.after
		w.wire.after = func(n int, kind string, answer *http.Response) *http.Response {
			if kind == "new-order" {
				kind = "order"
			}
			return inner(n, kind, answer)
		}
		w.fails(order.Plan{Request: request("b.example", "b.example")}, failure.Stopped)
	})
	t.Run("ten thousand", func(t *testing.T) {
		w := newWorld(t, testca.Config{})
		more := func(_ http.Header, object map[string]any) {
			urls := object["authorizations"].([]any)
			for i := range 10_000 {
				urls = append(urls, fmt.Sprintf("%s/%d", urls[0], i))
			}
			object["authorizations"] = urls
		}
		w.rewrite("new-order", more)
		w.get(request("b.example", "b.example")) // the next look at the order names its own alone
		inner := w.wire.after
		w.wire.after = func(n int, kind string, answer *http.Response) *http.Response {
			if kind == "order" {
				kind = "new-order"
			}
			return inner(n, kind, answer)
		}
		r := request("a.example", "a.example")
		w.wire.log = nil
		out, _ := w.fails(order.Plan{Request: r}, failure.CARefused)
		if sent := len(w.wire.kinds()); sent > 60 || len(out.Order.Authorizations) > 4 {
			t.Errorf("%d requests for %d authorizations", sent, len(out.Order.Authorizations))
		}
	})
	t.Run("in upper case", func(t *testing.T) {
		w := newWorld(t, testca.Config{})
		w.rewrite("authorization", func(_ http.Header, object map[string]any) {
			identifier := object["identifier"].(map[string]any)
			identifier["value"] = strings.ToUpper(identifier["value"].(string))
		})
		r := request("a.example", "A.Example", "b.EXAMPLE")
		w.get(r)
		w.kept(r, 0)
	})
	t.Run("of a name that was not asked for", func(t *testing.T) {
		w := newWorld(t, testca.Config{})
		w.rewrite("authorization", func(_ http.Header, object map[string]any) {
			object["identifier"].(map[string]any)["value"] = "victim.example"
		})
		w.fails(order.Plan{Request: request("a.example", "a.example")}, failure.WebrootUnset)
		if n := w.requests("challenge"); n > 0 {
			t.Errorf("%d challenges for it were answered", n)
		}
	})
	t.Run("without http-01", func(t *testing.T) {
		w := newWorld(t, testca.Config{})
		w.rewrite("authorization", func(_ http.Header, object map[string]any) {
			object["challenges"] = []any{map[string]any{"type": "dns-persist-01", "status": "pending", "token": 7}}
		})
		w.fails(order.Plan{Request: request("a.example", "a.example")}, failure.CARefused)
	})
}

// An order that came of a newOrder without `expires`, and is not known any more, does not hold its lineage for ever.
func TestAnOrderWithoutAnEndIsGivenUpInTheEnd(t *testing.T) {
	w := newWorld(t, testca.Config{})
	w.rewrite("new-order", func(_ http.Header, object map[string]any) { delete(object, "expires") })
	r := request("a.example", "a.example")
	ctx, cancel := context.WithCancel(t.Context())
	w.wire.before = func(_ int, kind string, _ *http.Request) {
		if kind == "authorization" {
			cancel()
		}
	}
	_, err := obtain(ctx, w.engine(), order.Plan{Request: r})
	if failure.ClassOf(err) != failure.Stopped {
		t.Fatal(err)
	}
	w.wire.forget()
	w.clock.skip(9 * 24 * time.Hour)
	w.get(r)
	if got := w.states("a.example"); got != "expired installed" {
		t.Errorf("the orders are %s", got)
	}
}

// A CA that refuses to issue and keeps the order ready is asked once by each run, and then with a back-off: not until the order
// expires, run by run. What has happened to the order meanwhile is looked at all the same.
func TestAFinalizeThatIsRefusedIsSentOnceByARun(t *testing.T) {
	for name, c := range map[string]struct {
		fault testca.Fault
		class failure.Class
		said  string
	}{
		"caa":     {testca.Fault{Status: 403, Problem: "caa", Detail: "CAA forbids it"}, failure.CAAForbids, "CAA forbids it"},
		"no type": {testca.Fault{Status: 403, Problem: "unauthorized", Detail: "not today"}, failure.CARefused, "not today"},
		"404":     {testca.Fault{Status: 404, Problem: "malformed", Detail: "no such order"}, failure.CARefused, "no such order"},
		"the CSR": {testca.Fault{Status: 400, Problem: "badCSR", Detail: "weak key"}, failure.BadCSR, "weak key"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, testca.Config{})
			c.fault.Kind, c.fault.Action = "finalize", testca.Respond
			w.ca.Inject(c.fault)
			p := order.Plan{Request: request("a.example", "a.example")}
			sends := func(want int, class failure.Class) {
				t.Helper()
				_, err := w.fails(p, class)
				if n := w.requests("finalize"); n != want || !strings.Contains(err.Error(), c.said) {
					w.explain()
					t.Errorf("finalize was sent %d times, not %d: %v", n, want, err)
				}
			}
			sends(1, c.class)
			looks := w.requests("order") // before, the CA validated, and was looked at as long as it took
			sends(2, c.class)            // a person has mended it, perhaps
			for i, rest := range []time.Duration{time.Minute, 10 * time.Minute, 100 * time.Minute, 24 * time.Hour} {
				sends(2+i, failure.BackOff)
				w.clock.skip(rest - 5*time.Second)
				sends(2+i, failure.BackOff)
				w.clock.skip(10 * time.Second)
				sends(3+i, c.class)
			}
			if n := w.requests("order") - looks; n > 20 {
				t.Errorf("%d looks", n)
			}
			w.ca.ClearFaults()
			p.Force = true
			_, err := obtain(t.Context(), w.engine(), p)
			must(t, err)
			w.served("a.example", 1, true)
		})
	}
}

// The same where the CA calls the order pending, or processing, and lets finalize be tried only because its names are proven.
func TestAFinalizeThatIsRefusedOfAnOrderThatIsCalledOtherwiseEnds(t *testing.T) {
	for _, called := range []string{"pending", "processing"} {
		w := newWorld(t, testca.Config{})
		w.calls("ready", called)
		w.ca.Inject(testca.Fault{Kind: "finalize", Action: testca.Respond, Status: 403, Problem: "caa", Detail: "CAA forbids it"})
		p := order.Plan{Request: request("a.example", "a.example")}
		if _, err := obtain(t.Context(), w.engine(), p); err == nil || w.requests("finalize") > 1 || !strings.Contains(err.Error(), "CAA forbids it") {
			t.Errorf("%s: %d finalizes: %v", called, w.requests("finalize"), err)
		}
	}
}

// Another kind of key is another matter: what was refused was refused of the first one.
func TestARefusedKeyIsFollowedByAnotherAtOnce(t *testing.T) {
	w := newWorld(t, testca.Config{})
	w.ca.Inject(testca.Fault{Kind: "finalize", Action: testca.Respond, Status: 400, Problem: "badCSR", Detail: "weak key"})
	p := order.Plan{Request: request("a.example", "a.example")}
	w.fails(p, failure.BadCSR)
	w.fails(p, failure.BadCSR)
	w.fails(p, failure.BackOff)
	w.ca.ClearFaults()
	clear(w.wire.csrs) // the CA has refused the first CSR, so that another is no breach of I5
	p.Request.KeyType = "rsa"
	w.get(p.Request)
	w.served("a.example", 1, true)
}

// An order that dies of the refusal is not called ready, and its CA's word for it is what is read.
func TestAnOrderThatDiesOfARefusedFinalizeSaysWhy(t *testing.T) {
	w := newWorld(t, testca.Config{})
	w.ca.Inject(testca.Fault{Kind: "finalize", Action: testca.Respond, Status: 403, Problem: "caa", Detail: "CAA forbids it"})
	w.rewrite("order", func(_ http.Header, object map[string]any) {
		if w.requests("finalize") > 0 {
			object["status"] = "invalid"
		}
	})
	p := order.Plan{Request: request("a.example", "a.example")}
	_, err := w.fails(p, failure.CAAForbids)
	if !strings.Contains(err.Error(), "CAA forbids it") || !strings.Contains(string(failure.RemedyOf(err)), "CAA record") {
		t.Errorf("%v\n%s", err, failure.RemedyOf(err))
	}
	if n := w.requests("finalize"); n != 1 || w.states("a.example") != "invalid" {
		t.Errorf("%d finalizes, the orders are %s", n, w.states("a.example"))
	}
	w.silent(func() { w.fails(p, failure.BackOff) })
}

// otherHolder finalizes an order with a key of its own.
func (w *world) otherHolder(url string) {
	w.t.Helper()
	account := w.client().Account(w.key, w.row.URL)
	var o acme.Order
	var err error
	for range 200 {
		if o, err = account.Order(w.t.Context(), url); err != nil || o.Status != "pending" {
			break
		}
		must(w.t, w.clock.Sleep(w.t.Context(), time.Second))
	}
	must(w.t, err)
	fake := &ledger.Order{Names: o.Names, Request: ledger.Request{KeyType: "ecdsa"}}
	made := &keys.Store{Dir: w.t.TempDir()}
	fake.Key, fake.CSR, err = made.Make(fake)
	must(w.t, err)
	material, ok := made.Load(fake)
	if !ok {
		w.t.Fatal("the key just made is gone")
	}
	rt := w.wire.real
	client, err := acme.New(w.ca.DirectoryURL(), acme.Options{HTTP: &http.Client{Transport: rt}, Now: w.clock.Now})
	must(w.t, err)
	if _, err := client.Account(w.key, w.row.URL).Finalize(w.t.Context(), o.Finalize, material.CSR); err != nil {
		w.t.Fatal(err)
	}
}

// A certificate or a CSR may name anything; what is no name costs the CA no request.
func TestWhatIsNoNameIsNotOrdered(t *testing.T) {
	w := newWorld(t, testca.Config{})
	for _, name := range []string{"Our web server", "\x1b[2Jevil.example", "a..example", "", "a.example\n"} {
		w.silent(func() {
			w.fails(order.Plan{Request: request("x", "a.example", name)}, failure.BadName)
		})
	}
}
