package preflight_test

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"orderly/failure"
	"orderly/preflight"
)

// memory is what earlier runs of a test saw.
type memory struct {
	learnt            []string
	served, elsewhere time.Time
	veiled            bool // a CA alone has reached the name
}

func (m memory) Learnt() map[netip.Addr]bool {
	learnt := map[netip.Addr]bool{}
	for _, a := range m.learnt {
		learnt[netip.MustParseAddr(a)] = true
	}
	return learnt
}

func (m memory) Seen(string) (time.Time, time.Time) { return m.served, m.elsewhere }

func (m memory) Reaches(string) bool { return !m.veiled }

// sight is what the checks saw of a.example; ok is false for nothing.
func sight(r preflight.Report) (s preflight.Sight, ok bool) {
	i := slices.IndexFunc(r.Sights, func(s preflight.Sight) bool { return s.Name == "a.example" })
	if i < 0 {
		return s, false
	}
	return r.Sights[i], true
}

func TestANameIsElsewhereOnlyWhereThatIsCertain(t *testing.T) {
	const own, other, other6 = "198.41.0.4", global, "2606:2800:220:1::2"
	was, since := time.Date(2026, 9, 1, 12, 0, 0, 0, time.UTC), time.Date(2026, 10, 3, 4, 5, 0, 0, time.UTC)
	strange := http.NotFoundHandler()
	for _, test := range []struct {
		name      string
		prepare   func(w *world)
		elsewhere bool
		class     failure.Class
		words     []string
	}{
		{"another's page", func(*world) {}, true, failure.DNSElsewhere, []string{other, "status 404"}},
		{"since when", func(w *world) { w.checker.Memory = memory{served: was, elsewhere: since} }, true, failure.DNSElsewhere,
			[]string{"since 2026-10-03 04:05 UTC", "last reached under it 2026-09-01 12:00 UTC"}},
		{"an address of the fleet", func(w *world) {
			w.checker.Fleet = []netip.Prefix{netip.MustParsePrefix("93.184.216.0/24")}
		}, false, failure.HTTPWrong, nil},
		{"an address that was learnt", func(w *world) { w.checker.Memory = memory{learnt: []string{other}} }, false, failure.HTTPWrong, nil},
		{"one address of several is ours", func(w *world) { w.points("a.example", other, own) }, false, failure.HTTPWrong, nil},
		{"behind NAT nothing is known", func(w *world) { w.owns("10.1.2.3", "127.0.0.1", "fe80::1") }, false, failure.HTTPWrong, nil},
		{"NAT, and the fleet is known", func(w *world) {
			w.owns("10.1.2.3")
			w.checker.Fleet = []netip.Prefix{netip.MustParsePrefix("198.41.0.0/28")}
		}, true, failure.DNSElsewhere, nil},
		{"NAT, and another name taught it", func(w *world) {
			w.owns("10.1.2.3")
			w.checker.Memory = memory{learnt: []string{own}}
		}, true, failure.DNSElsewhere, nil},
		{"what leads to loopback teaches nothing", func(w *world) {
			w.owns("10.1.2.3")
			w.checker.Memory = memory{learnt: []string{"127.0.0.1"}}
		}, false, failure.HTTPWrong, nil},
		{"of IPv6 nothing is known", func(w *world) {
			w.points("a.example", other6)
			w.host("["+other6+"]:80", strange)
		}, false, failure.HTTPWrong, nil},
		{"half of DNS is silent", func(w *world) {
			w.answers("a.example", func(_ int, kind uint16) ([]string, int) {
				if kind == dns.TypeAAAA {
					return nil, dns.RcodeServerFailure
				}
				return []string{"a.example. 60 IN A " + other}, dns.RcodeSuccess
			})
		}, false, failure.HTTPWrong, nil},
		{"a redirect in a circle", func(w *world) { w.host(other+":80", leadTo(302, "http://a.example/")) }, true, failure.DNSElsewhere, nil},
		{"not reached, and never was", func(w *world) { w.points("a.example", "198.41.0.5") }, true, failure.HTTPUnreached, nil},
		{"not reached, and once was", func(w *world) {
			w.points("a.example", "198.41.0.5")
			w.checker.Memory = memory{served: was}
		}, true, failure.DNSElsewhere, []string{"198.41.0.5", "cannot be reached"}},
		{"NAT, not reached, and only learnt addresses speak against it", func(w *world) {
			w.owns("10.1.2.3")
			w.points("a.example", "198.41.0.5")
			w.checker.Memory = memory{served: was, learnt: []string{own}}
		}, false, failure.HTTPUnreached, nil},
		{"NAT, not reached, and the fleet is known", func(w *world) {
			w.owns("10.1.2.3")
			w.points("a.example", "198.41.0.5")
			w.checker.Memory = memory{served: was}
			w.checker.Fleet = []netip.Prefix{netip.MustParsePrefix("198.41.0.4/32")}
		}, true, failure.DNSElsewhere, nil},
		{"not reached, and only a CA ever was", func(w *world) {
			w.points("a.example", "198.41.0.5")
			w.checker.Memory = memory{served: was, veiled: true}
		}, false, failure.HTTPUnreached, nil},
		{"where nobody may dial", func(w *world) { w.points("a.example", "10.9.9.9") }, true, failure.AddressRefuse, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t)
			w.owns(own)
			w.host(other+":80", strange)
			w.host(own+":80", strange)
			test.prepare(w)
			report := w.check()
			r := result(t, report, preflight.HTTP)
			if r.Class != test.class || !r.Class.Network() || r.Local {
				t.Errorf("class %q, local %t: %s", r.Class, r.Local, r.Sentence)
			}
			if seen, ok := sight(report); !ok || seen.Elsewhere != test.elsewhere || seen.Served || seen.Dead || len(seen.Addresses) == 0 {
				t.Errorf("%+v, %t", seen, ok)
			}
			for _, word := range test.words {
				if !strings.Contains(r.Sentence, word) {
					t.Errorf("%q does not say %q", r.Sentence, word)
				}
			}
			if r.Class == failure.DNSElsewhere && (r.Verdict != preflight.Refuse || !strings.Contains(string(r.Remedy), string(failure.Do(failure.FleetAddresses, "FILE")))) {
				t.Errorf("%+v", r)
			}
		})
	}
}

// A CDN in front is no move, and what is served with a blank too many is served from here.
func TestWhatIsServedIsNotElsewhere(t *testing.T) {
	for name, after := range map[string]string{"as it is": "", "with blanks": strings.Repeat(" ", 200)} {
		w := newWorld(t)
		w.owns("198.41.0.4")
		w.checker.Memory = memory{elsewhere: time.Now()}
		w.host(global+":80", w.serveProbe(after))
		if seen, ok := sight(w.check()); !ok || !seen.Served || seen.Elsewhere || !slices.Equal(seen.Addresses, []netip.Addr{netip.MustParseAddr(global)}) {
			t.Errorf("%s: %+v, %t", name, seen, ok)
		}
	}
}

func TestADeadNameIsSeenAsOne(t *testing.T) {
	for _, test := range []struct {
		name      string
		code      int
		seen, die bool
	}{{"NXDOMAIN", dns.RcodeNameError, true, true}, {"no address", dns.RcodeSuccess, true, true},
		{"SERVFAIL", dns.RcodeServerFailure, false, false}} {
		w := newWorld(t)
		w.code("a.example", test.code)
		if seen, ok := sight(w.check()); ok != test.seen || seen.Dead != test.die || seen.Elsewhere || seen.Served {
			t.Errorf("%s: %+v, %t", test.name, seen, ok)
		}
	}
}

// A site that was moved away is tidied up: its document root is gone. The verdict is the document root's.
func TestWhereANameLeadsIsSeenThoughItsDocumentRootIsGone(t *testing.T) {
	w := newWorld(t)
	w.owns("198.41.0.4")
	gone := preflight.Site{Name: "a.example", Root: w.root + "/gone"}
	if _, ok := sight(w.checkAll(gone)); ok || w.questions()["a.exampleA"] > 0 {
		t.Error("it was looked up though nobody remembers it")
	}
	w.checker.Memory = memory{}
	report := w.checkAll(gone)
	if seen, ok := sight(report); !ok || !seen.Elsewhere || seen.Served {
		t.Errorf("%+v, %t", seen, ok)
	}
	if bad := report.Refusal(); bad == nil || bad.Class != failure.WebrootGone || len(w.dials()) > 0 {
		t.Errorf("%+v, dialled %v", bad, w.dials())
	}
}

// What is learnt of addresses is nobody's mending: it lifts no back-off.
func TestWhatIsLearntDoesNotChangeTheFingerprint(t *testing.T) {
	w := newWorld(t)
	w.owns("198.41.0.4")
	w.host(global+":80", http.NotFoundHandler())
	before := w.check()
	w.checker.Memory = memory{learnt: []string{global}, served: time.Now()}
	after := w.check()
	if result(t, before, preflight.HTTP).Class == result(t, after, preflight.HTTP).Class || before.Fingerprint != after.Fingerprint {
		t.Errorf("%s and %s", before.Fingerprint, after.Fingerprint)
	}
}

// What ended before an answer came shows nothing.
func TestWhatWasNotFoundOutIsNoSight(t *testing.T) {
	w := newWorld(t)
	w.owns("198.41.0.4")
	w.checker.Skip = map[string]bool{preflight.HTTP: true}
	if seen, ok := sight(w.check()); ok {
		t.Errorf("not fetched, as asked for: %+v", seen)
	}
	w.checker.Skip = nil
	hook := preflight.Site{Name: "a.example", Elsewhere: "a hook"}
	if seen, ok := sight(w.checkAll(hook)); ok {
		t.Errorf("proven by a hook: %+v", seen)
	}
}

// A resolver that keeps silent costs a refusal that is certain already next to nothing, and shows nothing.
func TestASilentResolverDoesNotKeepARefusal(t *testing.T) {
	w := newWorld(t)
	w.owns("198.41.0.4")
	w.checker.Memory = memory{}
	w.checker.DNSTimeout, w.checker.Timeout = time.Hour, time.Hour // only the look's own bound ends it
	w.code("a.example", -1)
	report := w.checkAll(preflight.Site{Name: "a.example", Root: w.root + "/gone"})
	if seen, ok := sight(report); ok || report.Refusal() == nil || report.Refusal().Class != failure.WebrootGone {
		t.Errorf("%+v, %+v", seen, report.Refusal())
	}
}
