package drive_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"orderly/ledger"
)

// wire is what lies between an engine and the CA. It sees every request, looks into the ledger whether its intent is there
// (invariant I1), and lets a test interfere.
type wire struct {
	w    *world
	real *http.Transport

	mu      sync.Mutex
	log     []string       // kinds of signed requests, in order, since forget
	posts   map[string]int // state-changing POSTs by URL
	csrs    map[string]map[[32]byte]bool
	wrong   []string // breaches of I1 and I5
	before  func(n int, kind string, r *http.Request)
	after   func(n int, kind string, r *http.Response) *http.Response
	replace func(kind string, r *http.Request) *http.Response // answers in the CA's place
	heard   func(kind string, payload []byte)                 // is told what is sent
}

func newWire(w *world) *wire {
	real := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: w.roots()}, MaxIdleConnsPerHost: 8, IdleConnTimeout: time.Second}
	w.t.Cleanup(real.CloseIdleConnections)
	x := &wire{w: w, real: real, posts: map[string]int{}, csrs: map[string]map[[32]byte]bool{}}
	w.t.Cleanup(func() {
		x.mu.Lock()
		defer x.mu.Unlock()
		for _, text := range x.wrong {
			w.t.Error(text)
		}
	})
	return x
}

// forget clears log and interference.
func (x *wire) forget() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.log, x.before, x.after, x.replace, x.heard = nil, nil, nil, nil, nil
}

func (x *wire) kinds() []string {
	x.mu.Lock()
	defer x.mu.Unlock()
	return append([]string(nil), x.log...)
}

// RoundTrip implements http.RoundTripper.
func (x *wire) RoundTrip(r *http.Request) (*http.Response, error) {
	body := []byte{}
	if r.Body != nil {
		var err error
		if body, err = io.ReadAll(r.Body); err != nil {
			return nil, err
		}
		_ = r.Body.Close()
		r.Body = io.NopCloser(bytes.NewReader(body))
	}
	payload := payloadOf(body)
	kind := kindOf(r, payload)
	x.mu.Lock()
	x.log = append(x.log, kind)
	n := len(x.log)
	before, after, replace, heard := x.before, x.after, x.replace, x.heard
	x.mu.Unlock()
	x.check(kind, r.URL.String(), payload)
	if heard != nil {
		heard(kind, payload)
	}
	if before != nil {
		before(n, kind, r)
	}
	if kind == "finalize" {
		x.checkCSR(r.URL.String(), payload)
	}
	if replace != nil {
		if answer := replace(kind, r); answer != nil {
			return answer, nil
		}
	}
	answer, err := x.real.RoundTrip(r)
	if err == nil && (answer.StatusCode == 429 || answer.StatusCode == 503) {
		x.mu.Lock()
		x.posts[kind+" "+r.URL.String()]-- // the CA did nothing
		x.mu.Unlock()
	}
	if err == nil && after != nil {
		answer = after(n, kind, answer)
	}
	return answer, err
}

func payloadOf(body []byte) []byte {
	var jws struct{ Payload string }
	if json.Unmarshal(body, &jws) != nil {
		return nil
	}
	payload, err := base64.RawURLEncoding.DecodeString(jws.Payload)
	if err != nil {
		return nil
	}
	return payload
}

// kindOf tells requests apart by the test CA's paths.
func kindOf(r *http.Request, payload []byte) string {
	path := r.URL.Path
	if rest, moved := strings.CutPrefix(path, "/form-"); moved { // see testca.Odd.Moved
		_, rest, _ = strings.Cut(rest, "/")
		path = "/" + rest
	}
	for _, p := range []struct{ prefix, kind string }{
		{"/dir", "directory"}, {"/nonce-plz", "new-nonce"}, {"/sign-me-up", "new-account"}, {"/my-account/", "account"},
		{"/list-orderz/", "orders"}, {"/order-plz", "new-order"}, {"/my-order/", "order"}, {"/finalize-order/", "finalize"},
		{"/authZ/", "authorization"}, {"/chalZ/", "challenge"}, {"/certZ/", "certificate"},
	} {
		if !strings.HasPrefix(path, p.prefix) {
			continue
		}
		if p.kind == "authorization" && len(payload) > 0 {
			return "deactivate"
		}
		return p.kind
	}
	return "other"
}

// check looks whether the ledger holds the intent of a request that changes something.
func (x *wire) check(kind, url string, payload []byte) {
	wrong := ""
	x.mu.Lock()
	x.posts[kind+" "+url]++
	sent := x.posts[kind+" "+url]
	x.mu.Unlock()
	switch kind {
	case "new-order":
		if len(payload) > 0 { // no order can be made of a POST-as-GET
			wrong = x.intendedOrder(payload)
		}
	case "challenge":
		wrong = x.intendedAnswer(url, sent)
	case "finalize":
		wrong = x.intendedFinalize(url)
	case "deactivate":
		wrong = x.intendedRelease(url)
	}
	if wrong != "" {
		x.mu.Lock()
		defer x.mu.Unlock()
		x.wrong = append(x.wrong, fmt.Sprintf("%s %s: %s", kind, url, wrong))
	}
}

// stored are the orders that anything may still be sent about. Settled ones are left out: a world of hundreds of orders
// would spend most of its time on reading them.
func (x *wire) stored() []*ledger.Order {
	orders, err := x.w.store.Orders(context.Background(), ledger.OrderFilter{AccountID: x.w.row.ID, Unsettled: true})
	if err != nil {
		panic(err)
	}
	return orders
}

// intendedRelease wants the order of an authorization that is deactivated to say that it is being released.
func (x *wire) intendedRelease(url string) string {
	for _, o := range x.stored() {
		for _, a := range o.Authorizations {
			if a.URL == url && o.Releasing {
				return ""
			}
		}
	}
	return "an authorization is deactivated without an intent"
}

func (x *wire) intendedOrder(payload []byte) string {
	var want struct{ Identifiers []struct{ Value string } }
	if err := json.Unmarshal(payload, &want); err != nil {
		return err.Error()
	}
	var names []string
	for _, i := range want.Identifiers {
		names = append(names, i.Value)
	}
	for _, o := range x.stored() {
		if o.State == ledger.Creating && !o.CreateSentAt.IsZero() && ledger.NameKey(o.Names) == ledger.NameKey(names) {
			return ""
		}
	}
	return "I1: no intent for it is in the ledger"
}

func (x *wire) intendedAnswer(url string, sent int) string {
	for _, o := range x.stored() {
		for _, a := range o.Authorizations {
			if a.ChallengeURL == url && a.Answers >= sent && !a.AnswerSentAt.IsZero() && a.Placement != "" {
				return ""
			}
		}
	}
	return fmt.Sprintf("I1: no intent for POST %d is in the ledger", sent)
}

// checkCSR wants that an order gets no second CSR.
func (x *wire) checkCSR(url string, payload []byte) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.csrs[url] == nil {
		x.csrs[url] = map[[32]byte]bool{}
	}
	x.csrs[url][sha256.Sum256(payload)] = true
	if different := len(x.csrs[url]); different > 1 {
		x.wrong = append(x.wrong, fmt.Sprintf("I5: %d CSRs were sent to %s", different, url))
	}
}

func (x *wire) intendedFinalize(url string) string {
	for _, o := range x.stored() {
		if o.Finalize == url && o.State == ledger.Processing && !o.FinalizeSentAt.IsZero() && o.CSR.Set() &&
			(o.Key.Set() || len(o.Request.CSR) > 0) {
			if _, ok := x.w.keys.Load(o); !ok {
				return "rule 7: key and CSR are not on disk"
			}
			return ""
		}
	}
	return "I1: no intent for it is in the ledger"
}
