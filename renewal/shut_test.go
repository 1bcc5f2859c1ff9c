package renewal_test

import (
	"net"
	"strings"
	"testing"
	"time"

	"orderly/failure"
	"orderly/renewal"
	"orderly/testca"
)

// Nothing listens on this host's own port, or no resolver answers: that delays each certificate, at
// the cost of nothing at the CA. After a day one attempt each is let through, and not another one
// on the same day.
func TestAServerThatIsDownOrdersNothing(t *testing.T) {
	shut := func(network string) (string, int) {
		if network == "udp" {
			c, err := net.ListenPacket(network, "127.0.0.1:0")
			must(t, err)
			defer c.Close()
			return c.LocalAddr().String(), 0
		}
		l, err := net.Listen(network, "127.0.0.1:0")
		must(t, err)
		defer l.Close()
		return "", l.Addr().(*net.TCPAddr).Port
	}
	for what, one := range map[string]struct {
		down  func(h *machine)
		class failure.Class
		says  string
	}{
		"web server": {func(h *machine) { _, h.set.PreflightPort = shut("tcp") }, failure.HTTPUnreached, "an address of this host"},
		"resolver":   {func(h *machine) { h.set.Resolver, _ = shut("udp") }, failure.DNSSilent, "no DNS answer"},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			h := newHost(t, testca.Config{})
			names := []string{"a.example.com", "b.example.com", "c.example.com"}
			h.has(names...)
			one.down(h)
			orders := len(h.ca.Truth().Orders)
			for range 2 {
				results, err := h.renew(renewal.Round{Renew: true})
				must(t, err)
				for _, r := range results {
					if r.Class != one.class || !strings.Contains(r.Sentence, one.says) || r.Remedy == "" {
						t.Errorf("%+v", r)
					}
				}
			}
			if n := len(h.ca.Truth().Orders) - orders; n != 0 {
				t.Errorf("%d orders were made", n)
			}
			h.clock.skip(25 * time.Hour)
			for i, want := range []string{renewal.Issued, renewal.Failed} { // the CA finds the sites, whatever is seen here
				results, err := h.renew(renewal.Round{Renew: true})
				must(t, err)
				for _, r := range results {
					if r.Outcome != want {
						t.Errorf("attempt %d after a day: %+v", i+1, r)
					}
				}
			}
			if n := h.ca.Truth().Pending(); n != 0 {
				t.Errorf("%d authorizations are pending", n)
			}
		})
	}
}
