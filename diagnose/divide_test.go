package diagnose

import (
	"strings"
	"testing"
)

// A text of nothing but beginnings of lists is gone through once, and not from each of them to its end.
func TestSubproblemsAreReadOnce(t *testing.T) {
	for _, unit := range []string{`"subproblems":[{`, `{"subproblems":[{"type":"urn:ietf:params:acme:error:dns"}`} {
		if parts := divide(scan(strings.Repeat(unit, 1000))); len(parts) > 1003 {
			t.Errorf("%d parts of %q", len(parts), unit)
		}
	}
	if parts := divide(scan(strings.Repeat(`"subproblems":[{`, 1000))); len(parts) != 2 {
		t.Errorf("%d parts where one list is open", len(parts))
	}
}
