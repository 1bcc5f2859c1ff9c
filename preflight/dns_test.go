package preflight_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"orderly/failure"
	"orderly/preflight"
)

func TestWhatDNSAnswersDecides(t *testing.T) {
	for _, test := range []struct {
		name    string
		prepare func(w *world)
		verdict preflight.Verdict
		class   failure.Class
		words   []string
	}{
		{"an address", func(*world) {}, preflight.Pass, "", []string{global}},
		{"no such name", func(w *world) { w.code("a.example", dns.RcodeNameError) }, preflight.Refuse, failure.DNSMissing, []string{"a.example", "NXDOMAIN"}},
		{"no address", func(w *world) { w.code("a.example", dns.RcodeSuccess) }, preflight.Refuse, failure.DNSMissing, []string{"no address"}},
		{"SERVFAIL", func(w *world) { w.code("a.example", dns.RcodeServerFailure) }, preflight.Refuse, failure.DNSBroken, []string{"SERVFAIL"}},
		{"REFUSED", func(w *world) { w.code("a.example", dns.RcodeRefused) }, preflight.Refuse, failure.DNSBroken, []string{"REFUSED"}},
		{"silence", func(w *world) { w.code("a.example", -1); w.checker.DNSTimeout = 20 * time.Millisecond }, preflight.Refuse, failure.DNSSilent, []string{"no DNS answer"}},
		{"nobody listens", func(w *world) { w.checker.Resolver = closedPort(w.t) }, preflight.Refuse, failure.DNSSilent, []string{"no DNS answer"}},
		{"an alias", func(w *world) {
			w.answers("a.example", func(_ int, kind uint16) ([]string, int) {
				records := []string{"a.example. 60 IN CNAME B.example.", "b.example. 60 IN CNAME c.example."}
				if kind == dns.TypeA {
					records = append(records, "C.example. 60 IN A "+global, "d.example. 60 IN A 192.0.2.1")
				}
				return records, 0
			})
		}, preflight.Pass, "", []string{"a.example has " + global}},
		{"an alias to nowhere", func(w *world) {
			w.answers("a.example", func(int, uint16) ([]string, int) {
				return []string{"a.example. 60 IN CNAME b.example."}, dns.RcodeNameError
			})
		}, preflight.Refuse, failure.DNSMissing, nil},
		{"a ring of aliases", func(w *world) {
			w.answers("a.example", func(int, uint16) ([]string, int) {
				return []string{"a.example. 60 IN CNAME b.example.", "b.example. 60 IN CNAME a.example."}, 0
			})
		}, preflight.Refuse, failure.DNSMissing, nil},
		{"AAAA broken", func(w *world) {
			w.answers("a.example", func(_ int, kind uint16) ([]string, int) {
				if kind == dns.TypeAAAA {
					return nil, dns.RcodeServerFailure
				}
				return []string{"a.example. 60 IN A " + global}, 0
			})
		}, preflight.Warn, failure.DNSBroken, []string{global, "AAAA", "SERVFAIL"}},
		{"A broken and AAAA empty", func(w *world) {
			w.answers("a.example", func(_ int, kind uint16) ([]string, int) {
				if kind == dns.TypeA {
					return nil, dns.RcodeServerFailure
				}
				return nil, 0
			})
		}, preflight.Refuse, failure.DNSBroken, nil},
		{"A silent and AAAA empty", func(w *world) {
			w.checker.DNSTimeout = 20 * time.Millisecond
			w.answers("a.example", func(_ int, kind uint16) ([]string, int) {
				if kind == dns.TypeA {
					return nil, -1
				}
				return nil, 0
			})
		}, preflight.Refuse, failure.DNSSilent, nil},
		{"the first question lost", func(w *world) {
			w.checker.DNSTimeout = 300 * time.Millisecond
			w.answers("a.example", func(times int, kind uint16) ([]string, int) {
				if times == 1 {
					return nil, -1
				}
				if kind == dns.TypeA {
					return []string{"a.example. 60 IN A " + global}, 0
				}
				return nil, 0
			})
		}, preflight.Pass, "", nil},
		{"too long for a packet", func(w *world) {
			var many []string
			for i := range 100 {
				many = append(many, fmt.Sprintf("93.184.217.%d", i))
			}
			w.points("a.example", append([]string{global}, many...)...)
		}, preflight.Pass, "", []string{global, "97 more"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t)
			test.prepare(w)
			w.want(preflight.DNS, test.verdict, test.class, test.words...)
		})
	}
}

func TestWithoutAnAddressNothingIsFetched(t *testing.T) {
	for _, code := range []int{dns.RcodeNameError, dns.RcodeServerFailure} {
		w := newWorld(t)
		w.code("a.example", code)
		w.want(preflight.HTTP, preflight.Skipped, "", "no address")
	}
}

func TestAnAnswerToAnotherQuestionIsNonsense(t *testing.T) {
	for name, twist := range map[string]func(question []byte) []byte{
		"garbage":          func(q []byte) []byte { return append(q[:2:2], strings.Repeat("\xff", 30)...) },
		"another question": func(q []byte) []byte { m := unpack(q); m.Question[0].Name = "b.example."; return pack(m) },
		"no question":      func(q []byte) []byte { m := unpack(q); m.Question = nil; return pack(m) },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.checker.Resolver = echo(t, twist)
			w.want(preflight.DNS, preflight.Refuse, failure.DNSBroken, "nonsense")
		})
	}
}

func unpack(b []byte) *dns.Msg {
	m := new(dns.Msg)
	if err := m.Unpack(b); err != nil {
		panic(err)
	}
	m.Response = true
	return m
}

func pack(m *dns.Msg) []byte {
	b, err := m.Pack()
	if err != nil {
		panic(err)
	}
	return b
}

// echo answers each packet with what twist makes of it.
func echo(t *testing.T, twist func([]byte) []byte) string {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		buf := make([]byte, 512)
		for {
			n, from, err := conn.ReadFrom(buf)
			if err != nil {
				return
			}
			_, _ = conn.WriteTo(twist(buf[:n]), from)
		}
	}()
	t.Cleanup(func() { _ = conn.Close(); <-ended })
	return conn.LocalAddr().String()
}

// closedPort returns an address where nobody listens any more.
func closedPort(t testing.TB) string {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	return conn.LocalAddr().String()
}

func TestTheEndOfTheContextIsNotWaitedForByASilentServer(t *testing.T) {
	w := newWorld(t)
	ctx, cancel := context.WithCancel(t.Context())
	w.answers("a.example", func(int, uint16) ([]string, int) { cancel(); return nil, -1 })
	w.checker.DNSTimeout = time.Hour
	w.checker.Timeout = time.Hour
	report := w.checker.Check(ctx, []preflight.Site{{Name: "a.example", Root: w.root}})
	for _, check := range []string{preflight.DNS, preflight.HTTP} {
		if r := result(t, report, check); r.Verdict != preflight.Warn || r.Class != failure.Stopped {
			t.Errorf("%+v", r)
		}
	}
}

// Each resolver that does not answer has a remedy of its own.
func TestTheRemedyForASilentResolverNamesIt(t *testing.T) {
	for _, test := range []struct{ conf, server, remedy string }{
		{"nameserver 127.0.0.1\n", "", "Check this host's resolver (/etc/resolv.conf)"},
		{"", "", "Name a DNS server in /etc/resolv.conf, which has none"},
		{"", "closed", "Check that DNS server"},
	} {
		w := newWorld(t)
		w.checker.ResolvConf, w.checker.Resolver = filepath.Join(t.TempDir(), "resolv.conf"), ""
		if err := os.WriteFile(w.checker.ResolvConf, []byte(test.conf), 0o644); err != nil {
			t.Fatal(err)
		}
		if test.server != "" {
			w.checker.Resolver = closedPort(t)
		}
		w.checker.DNSTimeout = time.Nanosecond // whatever listens there has no time to answer
		if r := w.want(preflight.DNS, preflight.Refuse, failure.DNSSilent); !strings.HasPrefix(string(r.Remedy), test.remedy) {
			t.Errorf("%q: %+v", test.conf, r)
		}
	}
}
