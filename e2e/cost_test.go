package e2e_test

import (
	"fmt"
	"testing"

	"orderly/testca"
)

// The price of one certificate with a registered account, at a CA that answers at once: eleven clients take 12 to 23
// requests for two names, and two libraries 34 and 35 for ten.
func TestTheCostOfACertificateInRequests(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ names, most int }{{1, 9}, {2, 11}, {10, 28}} {
		t.Run(fmt.Sprint(c.names), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, testca.Config{})
			h := w.host("one")
			h.lineages("first.example.com")
			before := w.requests("")
			names := someNames(c.names)
			h.must(h.certonly(w.site(names...), names...)...)
			if n := w.requests("") - before; n > c.most {
				t.Errorf("%d requests for %d names, more than %d", n, c.names, c.most)
			}
		})
	}
}

// As many names as Let's Encrypt takes.
func TestAHundredNames(t *testing.T) {
	t.Parallel()
	w := newWorld(t, characters()[2].config)
	h := w.host("one")
	names := someNames(100)
	h.must(h.certonly(w.site(names...), names...)...)
	h.kept(promise{names: names})
}
