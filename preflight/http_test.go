package preflight_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"orderly/failure"
	"orderly/preflight"
)

const secret = "what-the-page-says"

func TestWhatIsServedDecides(t *testing.T) {
	for _, test := range []struct {
		name    string
		prepare func(w *world)
		verdict preflight.Verdict
		class   failure.Class
		words   []string
	}{
		{"the probe", func(w *world) { w.host(global+":80", w.serveProbe("")) }, preflight.Pass, "", []string{global}},
		{"the probe and a line's end", func(w *world) { w.host(global+":80", w.serveProbe(" \r\n")) }, preflight.Pass, "", nil},
		{"the probe and blanks without end", func(w *world) { w.host(global+":80", w.serveProbe(strings.Repeat(" ", 200))) },
			preflight.Warn, failure.HTTPWrong, []string{"blanks"}},
		{"the probe and more", func(w *world) { w.host(global+":80", w.serveProbe(secret)) }, preflight.Refuse, failure.HTTPWrong, []string{global}},
		{"another page", func(w *world) {
			w.host(global+":80", http.HandlerFunc(func(to http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(to, secret) }))
		}, preflight.Refuse, failure.HTTPWrong, []string{"http://a.example/.well-known/acme-challenge/orderly-", global, "something else"}},
		{"nothing", func(w *world) { w.host(global+":80", http.NotFoundHandler()) }, preflight.Refuse, failure.HTTPWrong, []string{"status 404", global}},
		{"the probe with another status", func(w *world) {
			w.host(global+":80", http.HandlerFunc(func(to http.ResponseWriter, r *http.Request) {
				to.WriteHeader(http.StatusAccepted)
				w.serveProbe("")(to, r)
			}))
		}, preflight.Refuse, failure.HTTPWrong, []string{"status 202"}},
		{"a page without end", func(w *world) {
			w.host(global+":80", http.HandlerFunc(func(to http.ResponseWriter, _ *http.Request) {
				for {
					if _, err := io.WriteString(to, strings.Repeat(secret, 100)); err != nil {
						return
					}
				}
			}))
		}, preflight.Refuse, failure.HTTPWrong, nil},
		{"a header without end", func(w *world) {
			w.raw(global+":80", func(c net.Conn) {
				heard(c)
				_, err := io.WriteString(c, "HTTP/1.1 200 OK\r\n")
				for i := 0; err == nil; i++ {
					_, err = fmt.Fprintf(c, "X-%d: %s\r\n", i, secret)
				}
			})
		}, preflight.Refuse, failure.HTTPWrong, nil},
		{"no HTTP", func(w *world) {
			w.raw(global+":80", func(c net.Conn) {
				heard(c)
				_, _ = io.WriteString(c, "SSH-2.0-"+secret+"\r\n")
				readAll(c)
			})
		}, preflight.Refuse, failure.HTTPWrong, []string{"not HTTP"}},
		{"nobody listens", func(w *world) { w.points("a.example", "93.184.216.99") }, preflight.Warn, failure.HTTPUnreached,
			[]string{"93.184.216.99", "connection refused"}},
		{"the connection is cut", func(w *world) { w.raw(global+":80", func(net.Conn) {}) }, preflight.Warn, failure.HTTPUnreached, nil},
		{"no answer", func(w *world) { w.checker.Timeout = 500 * time.Millisecond; w.raw(global+":80", readAll) },
			preflight.Warn, failure.HTTPUnreached, []string{"in time"}},
		{"an answer that stops half-way", func(w *world) {
			w.checker.Timeout = 500 * time.Millisecond
			w.raw(global+":80", func(c net.Conn) {
				heard(c)
				_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nab")
				readAll(c)
			})
		}, preflight.Warn, failure.HTTPUnreached, []string{"in time"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t)
			test.prepare(w)
			r := w.want(preflight.HTTP, test.verdict, test.class, test.words...)
			if strings.Contains(r.Sentence+string(r.Remedy), secret) {
				t.Errorf("the page is shown: %+v", r)
			}
		})
	}
}

// readAll holds the connection until the other side gives up.
// heard waits for the end of a request's head: an answer that comes before is another case than one that comes after.
func heard(c net.Conn) {
	head := ""
	for b := make([]byte, 1); !strings.HasSuffix(head, "\r\n\r\n"); head += string(b) {
		if _, err := io.ReadFull(c, b); err != nil {
			return
		}
	}
}

func readAll(c net.Conn) { _, _ = io.Copy(io.Discard, c) }

func TestRedirectsAreFollowedAsBoulderDoes(t *testing.T) {
	const other = "93.184.216.40"
	chain := func(hops int) func(w *world) {
		return func(w *world) {
			w.host(global+":80", http.HandlerFunc(func(to http.ResponseWriter, r *http.Request) {
				n, _ := strconv.Atoi(r.URL.Query().Get("n"))
				if n == hops {
					w.serveProbe("")(to, r)
					return
				}
				http.Redirect(to, r, fmt.Sprintf("?n=%d", n+1), http.StatusFound)
			}))
		}
	}
	lead := func(status int, location string) func(w *world) {
		return func(w *world) {
			w.points("b.example", other)
			w.host(global+":80", leadTo(status, location))
			w.host(other+":80", w.serveProbe(""))
			w.tlsHost(other+":443", w.serveProbe(""))
		}
	}
	for _, test := range []struct {
		name    string
		prepare func(w *world)
		verdict preflight.Verdict
		class   failure.Class
		words   []string
	}{
		{"301", lead(301, "http://b.example/x"), preflight.Pass, "", []string{"redirects to http://b.example/x (" + other + ")"}},
		{"302", lead(302, "http://b.example/x"), preflight.Pass, "", nil},
		{"307", lead(307, "http://B.EXAMPLE:80/x?y=z"), preflight.Pass, "", nil},
		{"308 to https with a bad certificate", lead(308, "https://b.example/x"), preflight.Pass, "", nil},
		{"https with its port", lead(301, "https://b.example:443/x"), preflight.Pass, "", nil},
		{"303", lead(303, "http://b.example/x"), preflight.Refuse, failure.HTTPWrong, []string{"status 303"}},
		{"300", lead(300, "http://b.example/x"), preflight.Refuse, failure.HTTPWrong, []string{"status 300"}},
		{"an address", lead(301, "http://"+other+"/x"), preflight.Pass, "", nil},
		{"no location", lead(301, ""), preflight.Refuse, failure.HTTPWrong, []string{"status 301"}},
		{"ten", chain(10), preflight.Pass, "", nil},
		{"eleven", chain(11), preflight.Refuse, failure.HTTPWrong, []string{"10 times"}},
		{"a circle", func(w *world) {
			w.host(global+":80", http.HandlerFunc(func(to http.ResponseWriter, r *http.Request) { http.Redirect(to, r, "/x", http.StatusMovedPermanently) }))
		}, preflight.Refuse, failure.HTTPWrong, []string{"circle"}},
		{"another port", lead(301, "http://b.example:8080/"), preflight.Refuse, failure.HTTPWrong, []string{"port 8080"}},
		{"another scheme", lead(301, "ftp://b.example/"), preflight.Refuse, failure.HTTPWrong, []string{`scheme "ftp"`}},
		{"a file", lead(301, "file:///etc/passwd"), preflight.Refuse, failure.HTTPWrong, []string{`scheme "file"`}},
		{"a missing slash", lead(301, "https://b.example.well-known/x"), preflight.Refuse, failure.HTTPWrong, []string{"slash"}},
		{"no host", lead(301, "http:///x"), preflight.Refuse, failure.HTTPWrong, []string{"no host"}},
		{"no URL", lead(301, "http://[/"), preflight.Refuse, failure.HTTPWrong, []string{"no URL"}},
		{"too long", lead(301, "/"+strings.Repeat("x", 2001)), preflight.Refuse, failure.HTTPWrong, []string{"2000"}},
		{"long, and wrong at the end", func(w *world) {
			w.host(global+":80", http.HandlerFunc(func(to http.ResponseWriter, r *http.Request) {
				if strings.HasPrefix(r.URL.Path, "/x") {
					http.NotFound(to, r)
					return
				}
				http.Redirect(to, r, "/"+strings.Repeat("x", 1500), http.StatusMovedPermanently)
			}))
		}, preflight.Refuse, failure.HTTPWrong, []string{"status 404"}},
		{"a name that does not exist", lead(301, "http://gone.example/"), preflight.Refuse, failure.DNSMissing, []string{"gone.example", "NXDOMAIN"}},
		{"a name nobody answers for", func(w *world) {
			w.checker.DNSTimeout = 150 * time.Millisecond
			w.code("silent.example", -1)
			lead(301, "http://silent.example/")(w)
		}, preflight.Refuse, failure.DNSSilent, []string{"silent.example"}},
		{"HTTP to the port of TLS", lead(301, "http://b.example:443/x"), preflight.Refuse, failure.HTTPWrong, []string{"status 400"}},
		{"no TLS", func(w *world) {
			lead(301, "https://b.example/")(w)
			w.host(other+":443", w.serveProbe(""))
		}, preflight.Refuse, failure.HTTPWrong, []string{"TLS"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t)
			test.prepare(w)
			w.want(preflight.HTTP, test.verdict, test.class, test.words...)
		})
	}
}

func TestOnlyACheckedAddressIsDialled(t *testing.T) {
	lead := func(location string) func(w *world) {
		return func(w *world) { w.host(global+":80", leadTo(301, location)) }
	}
	points := func(addresses ...string) func(w *world) {
		return func(w *world) { w.points("a.example", addresses...) }
	}
	for _, test := range []struct {
		name    string
		prepare func(w *world)
		dialled []string
		word    string
	}{
		{"metadata", points("169.254.169.254"), nil, "169.254.169.254"},
		{"private", points("10.1.2.3", "192.168.1.1", "172.16.0.1"), nil, "10.1.2.3"},
		{"carrier-grade NAT", points("100.64.0.1"), nil, "100.64.0.1"},
		{"this network", points("0.0.0.0"), nil, "0.0.0.0"},
		{"multicast", points("224.0.0.1", "ff02::1"), nil, "224.0.0.1"},
		{"unique local", points("fd00::1"), nil, "fd00::1"},
		{"link-local", points("fe80::1"), nil, "fe80::1"},
		{"an IPv4 address in IPv6's clothes", points("::ffff:10.0.0.1"), nil, "::ffff:10.0.0.1"},
		{"loopback in IPv6's clothes", points("::ffff:127.0.0.1"), nil, "::ffff:127.0.0.1"},
		{"a translated one", points("64:ff9b::a9fe:a9fe"), nil, "64:ff9b::a9fe:a9fe"},
		{"6to4", points("2002:a9fe:a9fe::1"), nil, "2002:a9fe:a9fe::1"},
		{"Teredo", points("2001:0:a9fe:a9fe::1"), nil, "2001:0:a9fe:a9fe::1"},
		{"a redirect to metadata", lead("http://169.254.169.254/latest/meta-data/"), []string{global + ":80"}, "169.254.169.254"},
		{"a redirect to a name of metadata", func(w *world) {
			w.points("meta.example", "169.254.169.254")
			lead("http://meta.example/")(w)
		}, []string{global + ":80"}, "169.254.169.254"},
		{"a redirect to a decimal address", lead("http://2852039166/"), []string{global + ":80"}, ""},
		{"a redirect to loopback in IPv6's clothes", lead("http://[::ffff:127.0.0.1]/"), []string{global + ":80"}, "::ffff:127.0.0.1"},
		{"a name that points elsewhere the second time", func(w *world) {
			w.answers("a.example", func(times int, kind uint16) ([]string, int) {
				address := global
				if times > 1 {
					address = "10.0.0.1"
				}
				if kind != dns.TypeA {
					return nil, 0
				}
				return []string{"a.example. 0 IN A " + address}, 0
			})
			lead("/again")(w)
		}, []string{global + ":80"}, "10.0.0.1"},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t)
			test.prepare(w)
			r := result(t, w.check(), preflight.HTTP)
			if r.Verdict != preflight.Refuse || !strings.Contains(r.Sentence, test.word) {
				t.Errorf("%+v", r)
			}
			if test.word != "" && (r.Class != failure.AddressRefuse || !strings.Contains(string(r.Remedy), string(failure.AllowNetwork))) {
				t.Errorf("%+v", r)
			}
			if got := w.dials(); !slices.Equal(got, test.dialled) {
				t.Errorf("dialled %v, want %v", got, test.dialled)
			}
		})
	}
}

func TestAddressesThatMayBeDialled(t *testing.T) {
	for _, test := range []struct{ name, address, own, allow string }{
		{"global", global, "", ""},
		{"global IPv6", "2606:2800:220:1::1", "", ""},
		{"loopback", "127.0.0.2", "", ""},
		{"loopback IPv6", "::1", "", ""},
		{"an own private one", "10.1.2.3", "10.1.2.3/24", ""},
		{"an allowed private one", "10.1.2.3", "", "10.0.0.0/8"},
		{"an allowed unique local one", "fd00::1", "", "fd00::/8"},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t)
			w.points("a.example", test.address)
			if test.own != "" {
				ip, network, err := net.ParseCIDR(test.own)
				if err != nil {
					t.Fatal(err)
				}
				w.checker.OwnAddresses = func() ([]net.Addr, error) { return []net.Addr{&net.IPNet{IP: ip, Mask: network.Mask}}, nil }
			}
			if test.allow != "" {
				w.checker.Allow = []netip.Prefix{netip.MustParsePrefix(test.allow)}
			}
			w.host(net.JoinHostPort(test.address, "80"), w.serveProbe(""))
			w.want(preflight.HTTP, preflight.Pass, "", test.address)
		})
	}
}

func TestALinkLocalAddressOfThisHostIsNotDialled(t *testing.T) {
	w := newWorld(t)
	w.points("a.example", "169.254.169.254")
	w.checker.OwnAddresses = func() ([]net.Addr, error) {
		return []net.Addr{&net.IPNet{IP: net.IPv4(169, 254, 169, 254), Mask: net.CIDRMask(16, 32)}}, nil
	}
	w.want(preflight.HTTP, preflight.Refuse, failure.AddressRefuse)
}

func TestIPv6IsPreferredAndIPv4TriedOnceAfterIt(t *testing.T) {
	const six, second, four = "2606:2800:220:1::1", "2606:2800:220:1::2", global
	at := func(a string) string { return net.JoinHostPort(a, "80") }
	wrong := http.NotFoundHandler()
	for _, test := range []struct {
		name    string
		prepare func(w *world)
		verdict preflight.Verdict
		dialled []string
	}{
		{"IPv6 first", func(w *world) { w.host(at(six), w.serveProbe("")); w.host(at(four), wrong) }, preflight.Pass, []string{at(six)}},
		{"IPv4 when IPv6 does not connect", func(w *world) { w.host(at(four), w.serveProbe("")) }, preflight.Pass, []string{at(six), at(four)}},
		{"no IPv4 when IPv6 serves another site", func(w *world) { w.host(at(six), wrong); w.host(at(four), w.serveProbe("")) }, preflight.Refuse, []string{at(six)}},
		{"no IPv4 when IPv6 breaks off", func(w *world) { w.raw(at(six), func(net.Conn) {}); w.host(at(four), w.serveProbe("")) }, preflight.Warn, []string{at(six)}},
		{"neither", func(w *world) { delete(w.hosts, at(four)) }, preflight.Warn, []string{at(six), at(four)}},
		{"from the start when a redirect does not connect", func(w *world) {
			w.points("gone.example", "93.184.216.99")
			w.host(at(six), leadTo(301, "http://gone.example/"))
			w.host(at(four), w.serveProbe(""))
		}, preflight.Pass, []string{at(six), at("93.184.216.99"), at(four)}},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t)
			w.points("a.example", six, second, four, "93.184.216.35")
			test.prepare(w)
			r := result(t, w.check(), preflight.HTTP)
			if r.Verdict != test.verdict {
				t.Errorf("%+v", r)
			}
			if got := w.dials(); !slices.Equal(got, test.dialled) {
				t.Errorf("dialled %v, want %v", got, test.dialled)
			}
		})
	}
}

func TestRequestsTellNothing(t *testing.T) {
	w := newWorld(t)
	t.Setenv("HTTP_PROXY", "http://93.184.216.99:3128")
	requests := make(chan *http.Request, 10)
	w.host(global+":80", http.HandlerFunc(func(to http.ResponseWriter, r *http.Request) {
		requests <- r
		if r.URL.Path == "/second" {
			w.serveProbe("")(to, r)
			return
		}
		http.SetCookie(to, &http.Cookie{Name: "id", Value: "1"})
		http.Redirect(to, r, "http://user:password@a.example/second#part", http.StatusFound)
	}))
	w.want(preflight.HTTP, preflight.Pass, "")
	for range 2 {
		r := <-requests
		if r.Method != http.MethodGet || r.Host != "a.example" || r.UserAgent() != "orderly-test" || r.Header.Get("Accept") != "*/*" || !r.Close {
			t.Errorf("%s %s %v", r.Method, r.Host, r.Header)
		}
		for _, header := range []string{"Cookie", "Authorization", "Referer", "Proxy-Authorization"} {
			if got := r.Header.Get(header); got != "" {
				t.Errorf("%s: %s", header, got)
			}
		}
	}
	if got := w.dials(); !slices.Equal(got, []string{global + ":80", global + ":80"}) {
		t.Errorf("dialled %v", got)
	}
}

func TestTheChosenPortsStandInForEightyAndFourFourThree(t *testing.T) {
	w := newWorld(t)
	w.checker.Port, w.checker.TLSPort = 5002, 5001
	hosts := make(chan string, 10)
	w.host(global+":5002", http.HandlerFunc(func(to http.ResponseWriter, r *http.Request) {
		hosts <- r.Host
		switch r.URL.Path {
		case "/1":
			http.Redirect(to, r, "http://a.example:80/2", http.StatusMovedPermanently)
		case "/2":
			http.Redirect(to, r, "http://a.example:5002/3", http.StatusMovedPermanently)
		case "/3":
			http.Redirect(to, r, "https://a.example/4", http.StatusMovedPermanently)
		default:
			http.Redirect(to, r, "http://a.example/1", http.StatusMovedPermanently)
		}
	}))
	w.tlsHost(global+":5001", w.serveProbe(""))
	w.want(preflight.HTTP, preflight.Pass, "", "http://a.example:5002/.well-known/acme-challenge/")
	if first := <-hosts; first != "a.example:5002" {
		t.Errorf("Host: %s", first)
	}
	if got, want := w.dials(), slices.Concat(slices.Repeat([]string{global + ":5002"}, 4), []string{global + ":5001"}); !slices.Equal(got, want) {
		t.Errorf("dialled %v", got)
	}
}

func TestASlowNameDoesNotHoldUpTheOthers(t *testing.T) {
	w := newWorld(t)
	w.checker.Timeout = time.Second
	w.points("slow.example", "93.184.216.50")
	w.raw("93.184.216.50:80", readAll)
	report := w.checkAll(preflight.Site{Name: "slow.example", Root: w.root}, preflight.Site{Name: "a.example", Root: w.root})
	if got := report.Results[3]; got.Verdict != preflight.Warn || got.Class != failure.HTTPUnreached {
		t.Errorf("%+v", got)
	}
	if got := report.Results[7]; got.Verdict != preflight.Pass {
		t.Errorf("%+v", got)
	}
}

func TestTheEndOfTheContextEndsAFetch(t *testing.T) {
	w := newWorld(t)
	ctx, cancel := context.WithCancel(t.Context())
	w.raw(global+":80", func(c net.Conn) { cancel(); readAll(c) })
	w.checker.Timeout = time.Hour
	report := w.checker.Check(ctx, []preflight.Site{{Name: "a.example", Root: w.root}})
	if r := result(t, report, preflight.HTTP); r.Verdict != preflight.Warn || r.Class != failure.Stopped {
		t.Errorf("%+v", r)
	}
	if r := result(t, report, preflight.DNS); r.Verdict != preflight.Pass {
		t.Errorf("what was known is forgotten: %+v", r)
	}
}

// newLocalWorld uses the real dialer and the host's real interfaces.
func newLocalWorld(t testing.TB) *world {
	t.Helper()
	w := newWorld(t)
	w.checker.Dial, w.checker.OwnAddresses = nil, nil
	w.points("a.example", "127.0.0.1")
	w.points("b.example", "127.0.0.1")
	w.host("127.0.0.1:80", http.FileServer(http.Dir(w.root)))
	_, port, err := net.SplitHostPort(w.hosts["127.0.0.1:80"])
	if err != nil {
		t.Fatal(err)
	}
	if w.checker.Port, err = strconv.Atoi(port); err != nil {
		t.Fatal(err)
	}
	return w
}

func TestWithoutAnythingInjected(t *testing.T) {
	newLocalWorld(t).want(preflight.HTTP, preflight.Pass, "", "127.0.0.1")
}

func BenchmarkTwoHealthyNames(b *testing.B) {
	w := newLocalWorld(b)
	for b.Loop() {
		report := w.checkAll(preflight.Site{Name: "a.example", Root: w.root}, preflight.Site{Name: "b.example", Root: w.root})
		if report.Refusal() != nil {
			b.Fatal(report.Refusal())
		}
	}
}
