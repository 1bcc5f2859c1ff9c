package acme_test

import (
	"io"
	"net/http"
	"testing"

	"orderly/acme"
)

// step-ca answers with the list itself; what else is no list must not be taken for an empty one, which would prove that an
// order was never made.
func TestAListOfOrdersIsReadInBothForms(t *testing.T) {
	for body, want := range map[string]int{
		`{"orders":["https://x/1","https://x/2"]}`: 2, `["https://x/1"]`: 1, `{"orders":[]}`: 0, `[]`: 0,
		`null`: -1, `{"orders":null}`: -1, `{}`: -1, `"https://x/1"`: -1, `<html>`: -1, ``: -1, `[1]`: -1,
		`{"orders":{"a":"b"}}`: -1,
	} {
		ca := newFakeCA(t)
		_, a := ca.ready(t)
		ca.on("/orders", ca.located(200, "", body))
		list, err := a.Orders(t.Context(), ca.URL+"/orders")
		if got := len(list.URLs); (err != nil) != (want < 0) || err == nil && got != want {
			t.Errorf("%s: %d orders, %v", body, got, err)
		}
	}
}

// A proxy's page says nothing of what the CA did.
func TestAPageIsToldApartFromTheCAsAnswer(t *testing.T) {
	for _, c := range []struct {
		body, nonce string
		page        bool
	}{
		{"<html>", "", true}, {"", "", true}, {"<html>", "fresh-nonce", false}, {"", "fresh-nonce", false},
		{`{"type":"urn:ietf:params:acme:error:serverInternal"}`, "", false}, {`{"message":"upstream"}`, "", true},
	} {
		ca := newFakeCA(t)
		_, a := ca.ready(t)
		ca.on("/order/1", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Del("Replay-Nonce")
			if c.nonce != "" {
				w.Header().Set("Replay-Nonce", c.nonce)
			}
			w.WriteHeader(502)
			_, _ = io.WriteString(w, c.body)
		})
		_, err := a.Order(t.Context(), ca.URL+"/order/1")
		if p := err.(*acme.Problem); p.Page != c.page {
			t.Errorf("%q with the nonce %q: a page is %v", c.body, c.nonce, p.Page)
		}
	}
}

func TestWhetherNewOrderIsAnsweredCostsNoOrder(t *testing.T) {
	for _, c := range []struct {
		status       int
		body         string
		takes, nonce bool
	}{
		{400, `{"type":"urn:ietf:params:acme:error:malformed"}`, true, true},
		{429, `{"type":"urn:ietf:params:acme:error:rateLimited"}`, true, true},
		{405, "", true, true},
		{502, "<html>", false, false},
		{200, "<html>", false, false},
		{404, "<html>", false, false},
		{500, `{"type":"urn:ietf:params:acme:error:serverInternal"}`, false, true},
	} {
		ca := newFakeCA(t)
		_, a := ca.ready(t)
		ca.on("/new-order", func(w http.ResponseWriter, _ *http.Request) {
			if !c.nonce {
				w.Header().Del("Replay-Nonce")
			}
			w.WriteHeader(c.status)
			_, _ = io.WriteString(w, c.body)
		})
		if err := a.TakesOrders(t.Context()); (err == nil) != c.takes {
			t.Errorf("%d %s: %v", c.status, c.body, err)
		}
		if n := ca.count("/new-order"); n != 1 {
			t.Errorf("%d requests", n)
		}
		if last := ca.posts[len(ca.posts)-1]; last.path != "/new-order" || len(last.payload) != 0 {
			t.Errorf("%s was sent %q", last.path, last.payload)
		}
	}
}

// An order without a Location is certain, if all is in it that is needed to go on with it.
func TestAnOrderWithoutALocationIsOne(t *testing.T) {
	ca := newFakeCA(t)
	_, a := ca.ready(t)
	ca.on("/new-order", ca.located(201, "", ca.order("pending")))
	o, err := newOrder(t.Context(), a)
	if err != nil || o.URL != "" || o.Finalize == "" || len(o.Authorizations) != 1 {
		t.Errorf("%+v, %v", o, err)
	}
}
