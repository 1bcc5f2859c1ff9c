package host

import (
	"testing"

	"orderly/order"
	"orderly/solver/webroot"
)

// A token that the CA does not look for any more is not left standing in the place of the one that
// it does: the answer would fail.
func TestAFormerTokenDoesNotSuit(t *testing.T) {
	r := Request{Payload: Payload{Webroots: map[string]string{"a.example": "/srv/a"}}}
	for token, want := range map[string]bool{"now": true, "former": false} {
		p := webroot.Placement{Root: "/srv/a", Token: token}
		if suitsFile(p, r, order.Proof{Name: "a.example", Token: "now"}) != want {
			t.Errorf("%s: not %v", token, want)
		}
	}
}
