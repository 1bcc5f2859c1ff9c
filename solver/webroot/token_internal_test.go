package webroot

import (
	"regexp"
	"strings"
	"testing"
)

// Tokens and probes are told by hand, since two hundred characters make a large expression of which
// every process would pay; they are told as the expressions would.
func TestTokensAndProbesAreTold(t *testing.T) {
	token := regexp.MustCompile(`^[A-Za-z0-9_-]{1,200}$`)
	probe := regexp.MustCompile(`^` + probePrefix + `[A-Za-z0-9_-]{35}$`)
	long := strings.Repeat("aZ9_-", 40)
	for _, text := range []string{"", "a", long, long + "a", long[:199] + ".", "a/b", "../a", ".", "a.b", "ä",
		"a\x00", "a\n", "\na", "a\xff", "a=", "a+b", NewProbe().Token, NewProbe().Token + "a",
		NewProbe().Token[1:], probePrefix + long[:35], probePrefix + long[:34], probePrefix + long[:36],
		probePrefix + long[:34] + "\n", probePrefix + long[:34] + "/"} {
		if got, want := checkToken(text) == nil, token.MatchString(text); got != want {
			t.Errorf("%q is a token: %v, want %v", text, got, want)
		}
		if got, want := isProbe(text), probe.MatchString(text); got != want {
			t.Errorf("%q is a probe: %v, want %v", text, got, want)
		}
	}
}
