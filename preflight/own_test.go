package preflight_test

import (
	"context"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/miekg/dns"

	"orderly/failure"
	"orderly/preflight"
	"orderly/solver/webroot"
)

// owns gives the checker's host addresses of its own.
func (w *world) owns(addresses ...string) {
	var all []net.Addr
	for _, text := range addresses {
		a := netip.MustParseAddr(text)
		all = append(all, &net.IPNet{IP: a.AsSlice(), Mask: net.CIDRMask(a.BitLen(), a.BitLen())})
	}
	w.checker.OwnAddresses = func() ([]net.Addr, error) { return all, nil }
}

// fails lets every connection come to this error.
func (w *world) fails(err error) {
	w.checker.Dial = func(context.Context, string, string) (net.Conn, error) {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: err}
	}
}

// What this host sees of its own port 80 the CA will see as well: there is to be no order. What it sees of another's address
// may be NAT's doing.
func TestAClosedPortOfThisHostDelays(t *testing.T) {
	const own, own6, other6 = "198.41.0.4", "2606:2800:220:1::1", "2606:2800:220:1::2"
	const nothing = "nothing listens on port 80 of "
	for _, test := range []struct {
		name    string
		prepare func(w *world)
		verdict preflight.Verdict
		words   string
	}{
		{"IPv4", func(w *world) { w.points("a.example", own) }, preflight.Refuse, nothing + own},
		{"IPv6", func(w *world) { w.points("a.example", own6) }, preflight.Refuse, nothing + own6},
		{"loopback", func(w *world) { w.points("a.example", "127.0.0.1") }, preflight.Refuse, nothing + "127.0.0.1"},
		{"loopback IPv6", func(w *world) { w.points("a.example", "::1") }, preflight.Refuse, nothing + "::1"},
		{"private", func(w *world) { w.owns("10.1.2.3"); w.points("a.example", "10.1.2.3") }, preflight.Refuse, nothing + "10.1.2.3"},
		{"both", func(w *world) { w.points("a.example", own, own6) }, preflight.Refuse, nothing},
		{"an address behind NAT", func(w *world) { w.points("a.example", "198.41.0.5") }, preflight.Warn, "198.41.0.5"},
		{"IPv6 elsewhere", func(w *world) { w.points("a.example", own, other6) }, preflight.Warn, own},
		{"IPv4 elsewhere", func(w *world) { w.points("a.example", own6, "198.41.0.5") }, preflight.Warn, "198.41.0.5"},
		{"IPv6 shut, IPv4 serves", func(w *world) {
			w.points("a.example", own, own6)
			w.host(own+":80", w.serveProbe(""))
		}, preflight.Pass, own},
		{"TLS", func(w *world) {
			w.points("a.example", own)
			w.host(own+":80", leadTo(301, "https://a.example/"))
		}, preflight.Refuse, "redirects to https://a.example/: nothing listens on port 443 of " + own},
		{"no way there", func(w *world) { w.points("a.example", own); w.fails(syscall.EHOSTUNREACH) }, preflight.Refuse, "firewall refuses connections to port 80 of " + own},
		{"a firewall that drops", func(w *world) {
			w.points("a.example", own)
			w.checker.Timeout = 400 * time.Millisecond
			w.checker.Dial = func(ctx context.Context, _, _ string) (net.Conn, error) {
				<-ctx.Done()
				return nil, &net.OpError{Op: "dial", Net: "tcp", Err: ctx.Err()}
			}
		}, preflight.Refuse, "no connection comes about to port 80 of " + own},
		{"no file descriptors", func(w *world) { w.points("a.example", own); w.fails(syscall.EMFILE) }, preflight.Warn, own},
		{"accepted and cut", func(w *world) { w.points("a.example", own); w.raw(own+":80", func(net.Conn) {}) }, preflight.Warn, own},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t)
			w.owns(own, own6)
			test.prepare(w)
			class := map[preflight.Verdict]failure.Class{preflight.Pass: "", preflight.Warn: failure.HTTPUnreached, preflight.Refuse: failure.HTTPUnreached}[test.verdict]
			r := w.want(preflight.HTTP, test.verdict, class, test.words)
			if r.Local || test.verdict == preflight.Refuse && (!r.Class.Network() || !strings.HasPrefix(string(r.Remedy), "Start the web server")) {
				t.Errorf("%+v", r)
			}
		})
	}
	w := newWorld(t)
	w.points("a.example", "127.0.0.1")
	serve := func(webroot.Probe) (func(), error) { return func() {}, nil } // on another port
	report := w.checkAll(preflight.Site{Name: "a.example", Serve: serve})
	if r := result(t, report, preflight.HTTP); r.Verdict != preflight.Refuse || !strings.Contains(string(r.Remedy), "lead to the port on which Orderly listens") {
		t.Errorf("%+v", r)
	}
}

// A redirect is a customer's to write: it leads to global addresses, or to where the fetch began, and nowhere else.
func TestARedirectLeadsToNoAddressOfThisHost(t *testing.T) {
	const own, second, metadata, otherGlobal = "10.1.2.3", "10.1.2.4", "169.254.169.254", "93.184.216.40"
	for _, test := range []struct {
		first, location string
		allow           string
		passes          bool
	}{
		{global, "http://127.0.0.1/x", "", false},
		{global, "https://127.0.0.1/x", "", false},
		{global, "http://root:secret@127.0.0.1/x", "", false},
		{global, "http://127.0.0.1:80/x", "", false},
		{global, "http://127.0.0.2/x", "", false},
		{global, "http://localhost/x", "", false},
		{global, "http://2130706433/x", "", false},
		{global, "http://0/x", "", false},
		{global, "http://0.0.0.0/x", "", false},
		{global, "http://[::1]/x", "", false},
		{global, "http://[::]/x", "", false},
		{global, "http://[::ffff:127.0.0.1]/x", "", false},
		{global, "http://[::127.0.0.1]/x", "", false},
		{global, "http://0x7f.1/x", "", false},
		{global, "http://0X7F000001/x", "", false},
		{global, "http://127.1/x", "", false},
		{global, "http://0177.0.0.1/x", "", false},
		{global, "http://127.0.0.1./x", "", false},
		{global, "http://" + own + "/x", "", false},
		{global, "http://own.example/x", "", false},
		{global, "http://loop.example/x", "", false},
		{global, "http://[fe80::1]/x", "", false},
		{global, "http://[fe80::1%25lo]/x", "", false},
		{global, "http://" + metadata + "/latest/meta-data/", "", false},
		{global, "http://192.168.0.1/x", "", false},
		{global, "http://[fd00::1]/x", "", false},
		{global, "http://" + otherGlobal + "/chain", "", false},
		{global, "gopher://127.0.0.1/x", "", false},
		{own, "http://" + second + "/x", "", false},
		{own, "http://127.0.0.1/x", "", false},
		{own, "http://" + own + "/x", "", true},
		{own, "https://own.example/x", "", true},
		{"127.0.0.1", "http://127.0.0.2/x", "", false},
		{"127.0.0.1", "http://[::1]/x", "", false},
		{"127.0.0.1", "http://127.0.0.1/x", "", false},
		{"127.0.0.1", "http://localhost/x", "", false},
		{"127.0.0.1", "http://a.localhost./x", "", false},
		{"127.0.0.1", "http://localhost.localdomain/x", "", false},
		{"127.0.0.1", "http://127.0.0.1/x", "127.0.0.1/32", true},
		{"127.0.0.1", "https://a.example/x", "", true},
		{"127.0.0.1", "https://loop.example/x", "", true},
		{global, "http://" + otherGlobal + "/x", "", true},
		{global, "http://127.0.0.1/x", "127.0.0.0/8", true},
		{own, "http://" + second + "/x", "10.0.0.0/8", true},
	} {
		t.Run(test.first+" to "+test.location+" "+test.allow, func(t *testing.T) {
			w := newWorld(t)
			w.owns(own, second, metadata, "fe80::1", otherGlobal)
			if test.allow != "" {
				w.checker.Allow = []netip.Prefix{netip.MustParsePrefix(test.allow)}
			}
			w.points("a.example", test.first)
			w.points("own.example", own)
			// A resolver that knows what the C library knows.
			for _, name := range []string{"loop.example", "a.localhost", "localhost.localdomain", "localhost", "2130706433", "0", "0x7f.1", "0x7f000001", "127.1", "0177.0.0.1", "127.0.0.1"} {
				w.points(name, "127.0.0.1")
			}
			for _, address := range []string{"127.0.0.1", "127.0.0.2", "::1", own, second, metadata, otherGlobal, "192.168.0.1"} {
				w.host(net.JoinHostPort(address, "80"), w.serveProbe(""))
				w.tlsHost(net.JoinHostPort(address, "443"), w.serveProbe(""))
			}
			w.host(otherGlobal+":80", http.HandlerFunc(func(to http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/chain" {
					leadTo(302, "http://127.0.0.1/x")(to, r)
					return
				}
				w.serveProbe("")(to, r)
			}))
			w.host(test.first+":80", http.HandlerFunc(func(to http.ResponseWriter, r *http.Request) {
				if strings.HasPrefix(r.URL.Path, "/.well-known/") {
					leadTo(301, test.location)(to, r)
					return
				}
				w.serveProbe("")(to, r)
			}))
			r := result(t, w.check(), preflight.HTTP)
			if passed := r.Verdict == preflight.Pass; passed != test.passes || !passed && r.Verdict != preflight.Refuse {
				t.Errorf("%+v", r)
			}
			wrong := func(address string) bool {
				return address != test.first+":80" && address != otherGlobal+":80"
			}
			if dials := w.dials(); !test.passes && slices.ContainsFunc(dials, wrong) {
				t.Errorf("dialled %v", dials)
			}
		})
	}
}

// A dead DNS server is not waited for as long by every name, and one that answers is asked first.
func TestADeadResolverIsRemembered(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	good := w.checker.Resolver
	w.checker.Hearing = new(preflight.Hearing)
	w.checker.Resolver, w.checker.DNSTimeout = silentServer(t), 50*time.Millisecond
	for range 3 {
		w.want(preflight.DNS, preflight.Refuse, failure.DNSSilent, w.checker.Resolver)
	}
	w.checker.DNSTimeout = time.Hour // which none is waited for any more
	w.want(preflight.DNS, preflight.Refuse, failure.DNSSilent)
	w.checker.Resolver = good
	w.want(preflight.DNS, preflight.Pass, "")
}

// silentServer is the address of a DNS server that never answers.
func silentServer(t *testing.T) string {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn.LocalAddr().String()
}

// A person who waits is told for what.
func TestAWaitIsTold(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		want    string
		prepare func(w *world, told chan string)
	}{
		{"Waiting for the DNS server ", func(w *world, told chan string) {
			w.checker.DNSTimeout = time.Minute
			w.answers("a.example", func(int, uint16) ([]string, int) { <-told; return nil, dns.RcodeNameError })
		}},
		{"Waiting for the web server of a.example", func(w *world, told chan string) {
			w.checker.Timeout = time.Minute
			w.host(global+":80", http.HandlerFunc(func(to http.ResponseWriter, r *http.Request) { <-told; http.NotFound(to, r) }))
		}},
	} {
		w := newWorld(t)
		told, said := make(chan string), ""
		w.checker.Tell = func(format string, _ ...any) { said = format; close(told) }
		test.prepare(w, told)
		w.check()
		if !strings.HasPrefix(strings.NewReplacer("%s", "a.example").Replace(said), test.want) {
			t.Errorf("told %q", said)
		}
	}
}
