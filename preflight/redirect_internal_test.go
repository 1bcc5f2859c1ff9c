package preflight

import (
	"regexp"
	"strings"
	"testing"
)

// Hosts are told by hand, since 253 characters make a large expression of which every process would
// pay; they are told as the expression would.
func TestHostNamesAreTold(t *testing.T) {
	want := regexp.MustCompile(`^[a-z0-9_]([a-z0-9_.-]{0,251}[a-z0-9_.])?$`)
	long := strings.Repeat("a.b-c", 51)
	for _, host := range []string{"", "a", "_", "-", ".", "a.", "a-", ".a", "-a", "a.b", "a-b", "a..b", "a_b.c",
		"A", "a b", "ä", "a\n", "\na", "a\xff", "a/b", "9", "_a", long[:253], long[:254], long[:252] + "-",
		long[:252] + ".", "-" + long[:252]} {
		if got := isHostName(host); got != want.MatchString(host) {
			t.Errorf("%q: %v", host, got)
		}
	}
}
