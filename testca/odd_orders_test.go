package testca_test

import (
	"fmt"
	"strings"
	"testing"

	"orderly/testca"
)

// A misshapen answer is one to a request that was done.
func TestAMisshapenAnswerIsToARequestThatWasDone(t *testing.T) {
	for _, c := range []struct {
		kind  string
		shape testca.Shape
		want  string // in what the client is shown
	}{
		{"new-order", testca.PageInstead, "502 Bad Gateway"},
		{"order", testca.NoWildcard, `"value":"bücher.example"`},
		{"order", testca.TrailingDot, `"*.xn--bcher-kva.example."`},
		{"order", testca.UpperCase, `"*.XN--BCHER-KVA.EXAMPLE"`},
		{"order", testca.UnicodeNames, `"*.bücher.example"`},
		{"order", testca.OddNames, `"(name 0)"`},
		{"orders", testca.BareArray, "["},
		{"orders", testca.NullList, "null"},
	} {
		t.Run(string(c.shape), func(t *testing.T) {
			l := start(t, testca.Config{OrdersList: true})
			client := l.client()
			l.ca.Inject(testca.Fault{Kind: c.kind, Action: testca.Misshape, Shape: c.shape})
			order := client.order("*.xn--bcher-kva.example")
			shown := order
			switch c.kind {
			case "order":
				shown = client.get(order.url())
			case "orders":
				shown = client.get(client.get(client.kid).str("orders"))
			}
			text := strings.Join(strings.Fields(string(shown.text)), "")
			if c.shape == testca.NoWildcard {
				text = strings.ReplaceAll(text, "xn--bcher-kva", "bücher")
			}
			if want := strings.ReplaceAll(c.want, " ", ""); !strings.Contains(text, want) {
				t.Errorf("shown %s, want %s in it", text, want)
			}
			if c.kind == "new-order" && shown.url() != "" {
				t.Errorf("the Location %s is shown", shown.url())
			}
			if c.shape == testca.PageInstead && shown.header.Get("Replay-Nonce") != "" {
				t.Error("a proxy's page has a nonce")
			}
			if n := len(l.ca.Truth().Orders); n != 1 {
				t.Errorf("%d orders", n)
			}
		})
	}
}

func TestAShapeThatDoesNotExistIsAMistakeOfTheTest(t *testing.T) {
	l := start(t, testca.Config{})
	defer func() {
		if said := fmt.Sprint(recover()); !strings.Contains(said, "no shape") {
			t.Errorf("it says %s", said)
		}
	}()
	l.ca.Inject(testca.Fault{Action: testca.Misshape})
}
