package testca_test

import (
	"encoding/json"
	"testing"

	"orderly/testca"
)

func TestARewrittenAnswerLeavesTheTruthAlone(t *testing.T) {
	l := start(t, testca.Config{})
	c := l.client()
	l.ca.Inject(testca.Fault{Kind: "new-order", Nth: 1, Action: testca.Rewrite,
		Patch:  json.RawMessage(`{"expires":7,"finalize":null,"odd":{"a":1}}`),
		Header: map[string]string{"Content-Type": "text/plain", "X-Odd": "yes", "Replay-Nonce": ""}})
	odd := c.order("a.example.com").want(t, 201, "")
	var body map[string]any
	if err := json.Unmarshal([]byte(odd.text), &body); err != nil {
		t.Fatal(err)
	}
	if _, has := body["finalize"]; has || body["expires"] != 7.0 || body["status"] != "pending" || body["odd"] == nil {
		t.Errorf("answered %s", odd.text)
	}
	if odd.header.Get("Content-Type") != "text/plain" || odd.header.Get("X-Odd") != "yes" || odd.header.Get("Replay-Nonce") != "" {
		t.Errorf("answered with %v", odd.header)
	}
	if orders := l.ca.Truth().Orders; len(orders) != 1 || orders[0].Status != "pending" {
		t.Errorf("made %+v", orders)
	}
}

func TestARespondedProblemCanHaveMore(t *testing.T) {
	l := start(t, testca.Config{})
	c := l.client()
	l.ca.Inject(testca.Fault{Kind: "new-order", Nth: 1, Action: testca.Respond, Status: 403, Problem: "userActionRequired",
		Patch:  json.RawMessage(`{"instance":"https://ca.example/terms"}`),
		Header: map[string]string{"Link": `<https://ca.example/new-terms>;rel="terms-of-service"`}})
	refused := c.order("a.example.com").want(t, 403, "userActionRequired")
	if refused.str("instance") != "https://ca.example/terms" || refused.header.Get("Link") == "" ||
		refused.header.Get("Content-Type") != "application/problem+json" {
		t.Errorf("answered %v %s", refused.header, refused.text)
	}
	if n := len(l.ca.Truth().Orders); n != 0 {
		t.Errorf("%d orders were made", n)
	}
}

func TestARewriteThatChangesNothingIsAMistake(t *testing.T) {
	l := start(t, testca.Config{})
	for _, f := range []testca.Fault{{Action: testca.Rewrite}, {Action: testca.Rewrite, Patch: json.RawMessage("{")},
		{Action: testca.Drop, Header: map[string]string{"A": "b"}}} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%+v is taken", f)
				}
			}()
			l.ca.Inject(f)
		}()
	}
}
