package drive_test

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"orderly/failure"
	"orderly/ledger"
	"orderly/order"
	"orderly/testca"
)

// challenges are those of an authorization on its way.
func challenges(object map[string]any) []map[string]any {
	var list []map[string]any
	for _, one := range object["challenges"].([]any) {
		list = append(list, one.(map[string]any))
	}
	return list
}

func nameOf(object map[string]any) any { return object["identifier"].(map[string]any)["value"] }

// An authorization that an earlier run saw valid, and that is pending by now, is answered; one that is over ends its order, and
// another one follows.
func TestAnAuthorizationThatWasValidIsAskedForAgain(t *testing.T) {
	w := newWorld(t, testca.Config{})
	w.rewrite("authorization", func(_ http.Header, object map[string]any) {
		if nameOf(object) == "b.example" {
			object["status"] = "valid"
		}
	})
	p := order.Plan{Request: request("a.example", "a.example", "b.example")}
	w.fails(p, failure.Stopped)
	w.wire.forget()
	w.get(p.Request)
	w.answeredOnce(p.Request)
	for _, status := range []string{"deactivated", "revoked", "expired"} {
		w := newWorld(t, testca.Config{})
		w.rewrite("authorization", func(_ http.Header, object map[string]any) {
			if nameOf(object) == "b.example" {
				object["status"] = status
			}
		})
		_, err := w.fails(p, failure.CARefused)
		if !strings.Contains(err.Error(), "b.example is "+status) {
			t.Errorf("%s: %v", status, err)
		}
		w.fails(p, failure.BackOff)
		w.wire.forget()
		w.clock.skip(2 * time.Minute)
		w.get(p.Request)
		if n := len(w.ca.Truth().Orders); n != 2 {
			t.Errorf("%s: %d orders", status, n)
		}
	}
}

// A token that the CA does not look for any more is replaced before the challenge is answered.
func TestATokenThatChangedIsPutInPlace(t *testing.T) {
	w := newWorld(t, testca.Config{})
	r := request("a.example", "a.example")
	w.dieAt(r, "authorization", 1, true)
	o := w.orders("a.example")[0]
	a := o.Authorizations[0]
	w.web.tokens["/srv/a.example"] = map[string]string{"former": "x"}
	a.Name, a.ChallengeType, a.Token, a.Placement = "a.example", ledger.HTTP01, "former", "/srv/a.example former"
	must(t, w.store.Commit(t.Context(), &ledger.Change{Orders: []*ledger.Order{o}}))
	w.get(r)
	w.answeredOnce(r)
}

// Of two challenges of one type, the one that can be answered is.
func TestTheChallengeThatCanBeAnsweredIs(t *testing.T) {
	for _, first := range []bool{true, false} {
		w := newWorld(t, testca.Config{})
		w.rewrite("authorization", func(_ http.Header, object map[string]any) {
			for _, c := range challenges(object) {
				if c["type"] != "http-01" {
					continue
				}
				other := map[string]any{"type": "http-01", "status": "invalid", "token": "another", "url": fmt.Sprint(c["url"], "x")}
				list := object["challenges"].([]any)
				if object["challenges"] = append(list, other); first {
					object["challenges"] = append([]any{other}, list...)
				}
			}
		})
		r := request("a.example", "a.example", "b.example")
		w.get(r)
		w.answeredOnce(r)
	}
}

// What a CA has issued and does not serve is waited for, and not for ever.
func TestACertificateThatCannotBeHadDoesNotBlockItsLineage(t *testing.T) {
	page := func(w *world) {
		w.wire.after = func(_ int, k string, answer *http.Response) *http.Response {
			if k != "certificate" {
				return answer
			}
			_ = answer.Body.Close()
			answer.Header.Del("Content-Length")
			return respond(200, answer.Header, "<html>")
		}
	}
	moved := func(url any) func(*world) {
		return func(w *world) {
			w.ca.Inject(testca.Fault{Kind: "order", Action: testca.Rewrite, Patch: patched("certificate", url)})
			w.ca.Inject(testca.Fault{Kind: "finalize", Action: testca.Rewrite, Patch: patched("certificate", url)})
		}
	}
	for name, broken := range map[string]func(*world){
		"a page": page, "nowhere": moved(nil), "elsewhere": moved("https://127.0.0.2/certificate"),
		"missing": func(w *world) {
			w.ca.Inject(testca.Fault{Kind: "certificate", Action: testca.Respond, Status: 404, Problem: "malformed"})
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, testca.Config{})
			broken(w)
			p := order.Plan{Request: request("a.example", "a.example")}
			for range 6 {
				if _, err := obtain(t.Context(), w.engine(), p); err == nil {
					t.Error("it is in place")
				}
				w.clock.skip(3 * time.Hour)
			}
			w.served("a.example", 1, false)
			w.clock.skip(7 * time.Hour)
			w.fails(p, failure.CARefused)
			w.fails(p, failure.BackOff)
			w.served("a.example", 1, false)
			w.ca.ClearFaults()
			w.wire.forget()
			w.clock.skip(10 * time.Minute)
			w.get(p.Request)
			w.served("a.example", 2, true)
		})
	}
}

// A certificate that begins soon is waited for, and so is one about which the CA's Date and this host's clock disagree.
func TestACertificateThatBeginsSoonIsWaitedFor(t *testing.T) {
	for name, odd := range map[string]func(*world){
		"it begins in two hours": func(w *world) { w.oddly(testca.OddCertificate{Begins: 2 * time.Hour}) },
		"the CA's Date is wrong": func(w *world) {
			w.wire.after = func(_ int, _ string, answer *http.Response) *http.Response {
				answer.Header.Set("Date", "Mon, 02 Jan 2006 15:04:05 GMT")
				return answer
			}
		},
	} {
		w := newWorld(t, testca.Config{})
		odd(w)
		p := order.Plan{Request: request("a.example", "a.example")}
		for range 3 {
			if _, err := w.fails(p, failure.CAUnavailable); !strings.Contains(err.Error(), "begins") {
				t.Errorf("%s: %v", name, err)
			}
		}
		w.served("a.example", 1, false)
		w.wire.forget()
		w.oddly(testca.OddCertificate{})
		w.clock.skip(2 * time.Hour)
		w.get(p.Request)
		w.served("a.example", 1, true)
	}
}

// The certificate of an earlier order with the same key is none for this one: put in place it would be due at once, with every run.
func TestTheCertificateOfAnEarlierOrderIsNotInstalledAgain(t *testing.T) {
	w := newWorld(t, testca.Config{})
	r := request("a.example", "a.example")
	first := w.get(r).Order
	r.OldKey = filepath.Join(t.TempDir(), "key.pem")
	must(t, os.WriteFile(r.OldKey, w.disk.key, 0o600))
	w.wire.after = func(_ int, k string, answer *http.Response) *http.Response {
		if k != "certificate" {
			return answer
		}
		_, _ = io.Copy(io.Discard, answer.Body)
		answer.Header.Del("Content-Length")
		return respond(200, answer.Header, string(first.Chain))
	}
	p := order.Plan{Request: r}
	for range 3 {
		if _, err := w.fails(p, failure.CAUnavailable); !strings.Contains(err.Error(), "earlier order") {
			t.Errorf("%v", err)
		}
	}
	w.served("a.example", 2, true)
	w.wire.forget()
	w.get(r)
	w.served("a.example", 2, true)
	if w.disk.installs["a.example"] != 2 {
		t.Errorf("%d installations", w.disk.installs["a.example"])
	}
}

// An order that is shown as processing long after its own end is over: another one may follow, once.
func TestAnOrderThatOutlivesItsEndIsOver(t *testing.T) {
	w := newWorld(t, testca.Config{AsyncFinalize: true, FinalizeDelay: 24 * 24 * time.Hour})
	var shown string
	w.wire.after = func(_ int, k string, answer *http.Response) *http.Response {
		finalized := k == "finalize" && shown == ""
		first := k == "order" && shown != "" && answer.Request.URL.String() == w.orders("a.example")[0].URL
		if !finalized && !first {
			return answer
		}
		if text, err := io.ReadAll(answer.Body); finalized && err == nil {
			shown = string(text)
		}
		answer.Header.Del("Content-Length")
		return respond(http.StatusOK, answer.Header, shown)
	}
	p := order.Plan{Request: request("a.example", "a.example")}
	for range 8 { // its end, and a day
		w.fails(p, failure.Stopped)
		w.clock.skip(23 * time.Hour)
	}
	w.served("a.example", 1, false)
	w.clock.skip(24 * time.Hour)
	_, _ = obtain(t.Context(), w.engine(), p)
	if states := w.states("a.example"); !strings.HasPrefix(states, "expired ") {
		t.Errorf("the orders are %s", states)
	}
	for range 3 {
		_, _ = obtain(t.Context(), w.engine(), p)
	}
	w.served("a.example", 2, false)
}

// What was proven may have to be proven again in the same run, which has taken the token away by then.
func TestATokenStandsAgainBeforeItsChallengeIsAnsweredAgain(t *testing.T) {
	w := newWorld(t, testca.Config{})
	w.ca.Inject(testca.Fault{Kind: "finalize", Nth: 1, Action: testca.Drop})
	answers, finalized, again := 0, false, false
	w.wire.before = func(_ int, kind string, _ *http.Request) {
		switch {
		case kind == "finalize" && !finalized:
			finalized, again = true, true
		case kind == "challenge":
			answers, again = answers+1, false
			if len(w.web.tokens["/srv/a.example"]) == 0 {
				t.Errorf("answer %d is sent, and no token stands", answers)
			}
		}
	}
	pending := func(_ http.Header, object map[string]any) {
		if again {
			object["status"] = "pending"
		}
	}
	w.rewrite("order", pending)
	ofOrders := w.wire.after
	w.rewrite("authorization", func(header http.Header, object map[string]any) {
		pending(header, object)
		for _, c := range challenges(object) {
			pending(header, c)
		}
	})
	ofAuthorizations := w.wire.after
	w.wire.after = func(n int, kind string, answer *http.Response) *http.Response {
		return ofAuthorizations(n, kind, ofOrders(n, kind, answer))
	}
	w.get(request("a.example", "a.example"))
	if answers != 2 {
		t.Errorf("%d answers", answers)
	}
}
