package preflight_test

import (
	"context"
	"io"
	"log"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/miekg/dns"

	"orderly/failure"
	"orderly/preflight"
	"orderly/solver/webroot"
)

// global is where a.example points unless a test says otherwise: an address a CA would connect to.
const global = "93.184.216.34"

// world is the Internet as the checker sees it: a DNS server, hosts behind addresses, and a document root.
type world struct {
	t       testing.TB
	root    string
	checker preflight.Checker

	mu      sync.Mutex
	zone    map[string]func(times int, kind uint16) ([]string, int)
	asked   map[string]int
	hosts   map[string]string // IP:PORT to where it really listens
	dialled []string
}

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{t: t, root: t.TempDir(), zone: map[string]func(int, uint16) ([]string, int){}, asked: map[string]int{}, hosts: map[string]string{}}
	w.checker = preflight.Checker{
		Resolver: w.serveDNS(), Writer: w.writer(), UserAgent: "orderly-test", DNSTimeout: 5 * time.Second, Dial: w.dial,
		OwnAddresses: func() ([]net.Addr, error) { return nil, nil },
	}
	w.points("a.example", global)
	w.host(global+":80", http.FileServer(http.Dir(w.root)))
	return w
}

func TestMain(m *testing.M) {
	if code, ours := webroot.Helper(os.Args); ours {
		os.Exit(code)
	}
	os.Exit(m.Run())
}

func (w *world) writer() *webroot.Writer {
	writer := new(webroot.Writer)
	w.t.Cleanup(writer.Close)
	return writer
}

// points lets a name have these addresses.
func (w *world) points(name string, addresses ...string) {
	w.answers(name, func(_ int, kind uint16) ([]string, int) {
		var records []string
		for _, a := range addresses {
			if netip.MustParseAddr(a).Is4() == (kind == dns.TypeA) {
				records = append(records, name+". 60 IN "+dns.TypeToString[kind]+" "+a)
			}
		}
		return records, dns.RcodeSuccess
	})
}

// answers lets a name be answered with records and a code; a negative code means no answer. times counts questions of
// the kind from 1.
func (w *world) answers(name string, with func(times int, kind uint16) ([]string, int)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.zone[name] = with
}

func (w *world) code(name string, code int) {
	w.answers(name, func(int, uint16) ([]string, int) { return nil, code })
}

func (w *world) serveDNS() string {
	w.t.Helper()
	packets, streams := listenBoth(w.t)
	for _, server := range []*dns.Server{{PacketConn: packets, Handler: dns.HandlerFunc(w.answer)}, {Listener: streams, Handler: dns.HandlerFunc(w.answer)}} {
		started, ended := make(chan struct{}), make(chan struct{})
		server.NotifyStartedFunc = func() { close(started) }
		go func() { defer close(ended); _ = server.ActivateAndServe() }()
		<-started
		w.t.Cleanup(func() { _ = server.Shutdown(); <-ended })
	}
	return packets.LocalAddr().String()
}

// listenBoth listens at one port for both transports. The kernel picks it for one of them; the other may find it taken.
func listenBoth(t testing.TB) (net.PacketConn, net.Listener) {
	t.Helper()
	for range 100 {
		streams, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		packets, err := net.ListenPacket("udp", streams.Addr().String())
		if err == nil {
			return packets, streams
		}
		_ = streams.Close()
	}
	t.Fatal("no port is free for both transports")
	return nil, nil
}

func (w *world) answer(to dns.ResponseWriter, question *dns.Msg) {
	q := question.Question[0]
	name := strings.ToLower(strings.TrimSuffix(q.Name, "."))
	w.mu.Lock()
	with := w.zone[name]
	w.asked[name+dns.TypeToString[q.Qtype]]++
	times := w.asked[name+dns.TypeToString[q.Qtype]]
	w.mu.Unlock()
	reply := new(dns.Msg).SetRcode(question, dns.RcodeNameError)
	if with != nil {
		records, code := with(times, q.Qtype)
		if code < 0 {
			return
		}
		reply.Rcode = code
		for _, text := range records {
			record, err := dns.NewRR(text)
			if err != nil {
				w.t.Errorf("record %q: %v", text, err)
			}
			reply.Answer = append(reply.Answer, record)
		}
	}
	if _, udp := to.LocalAddr().(*net.UDPAddr); udp {
		reply.Truncate(dns.MinMsgSize)
	}
	_ = to.WriteMsg(reply)
}

// host serves handler at IP:PORT.
func (w *world) host(address string, handler http.Handler) {
	server := httptest.NewServer(handler)
	w.t.Cleanup(server.Close)
	w.at(address, server.Listener.Addr().String())
}

// tlsHost serves handler with a certificate of nobody.
func (w *world) tlsHost(address string, handler http.Handler) {
	server := httptest.NewUnstartedServer(handler)
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // a failing handshake is what some tests are about
	server.StartTLS()
	w.t.Cleanup(server.Close)
	w.at(address, server.Listener.Addr().String())
}

func (w *world) at(address, really string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.hosts[address] = really
}

// raw serves each connection to address with talk.
func (w *world) raw(address string, talk func(net.Conn)) {
	w.t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		w.t.Fatal(err)
	}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			all.Go(func() { defer conn.Close(); talk(conn) })
		}
	})
	w.t.Cleanup(func() { _ = listener.Close(); all.Wait() })
	w.at(address, listener.Addr().String())
}

func (w *world) dial(ctx context.Context, network, address string) (net.Conn, error) {
	w.mu.Lock()
	w.dialled = append(w.dialled, address)
	really, ok := w.hosts[address]
	w.mu.Unlock()
	if !ok {
		return nil, &net.OpError{Op: "dial", Net: network, Err: syscall.ECONNREFUSED}
	}
	return new(net.Dialer).DialContext(ctx, network, really)
}

// questions are those that DNS was asked, by name and type, and how often.
func (w *world) questions() map[string]int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return maps.Clone(w.asked)
}

func (w *world) dials() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]string(nil), w.dialled...)
}

// check checks a.example.
func (w *world) check() preflight.Report {
	w.t.Helper()
	return w.checkAll(preflight.Site{Name: "a.example", Root: w.root})
}

func (w *world) checkAll(sites ...preflight.Site) preflight.Report {
	w.t.Helper()
	report := w.checker.Check(w.t.Context(), sites)
	if len(report.Results) != 4*len(sites) {
		w.t.Fatalf("%d results for %d sites", len(report.Results), len(sites))
	}
	for i, r := range report.Results {
		if r.Check != preflight.Checks()[i%4] || r.Name != sites[i/4].Name || r.Sentence == "" {
			w.t.Errorf("result %d out of order or without a sentence: %+v", i, r)
		}
		if failing := r.Verdict == preflight.Warn || r.Verdict == preflight.Refuse; failing != (r.Class != "") || failing != (r.Remedy != "") {
			w.t.Errorf("class or remedy and verdict do not agree: %+v", r)
		}
	}
	return report
}

// result returns what a check came to for a.example.
func result(t testing.TB, report preflight.Report, check string) preflight.Result {
	t.Helper()
	for _, r := range report.Results {
		if r.Check == check && r.Name == "a.example" {
			return r
		}
	}
	t.Fatalf("no result of %s in %+v", check, report)
	return preflight.Result{}
}

// want fails unless the check came to this; words are to stand in the sentence.
func (w *world) want(check string, verdict preflight.Verdict, class failure.Class, words ...string) preflight.Result {
	w.t.Helper()
	r := result(w.t, w.check(), check)
	if r.Verdict != verdict || r.Class != class {
		w.t.Errorf("%s: %s %q, want %s %q: %s", check, r.Verdict, r.Class, verdict, class, r.Sentence)
	}
	for _, word := range words {
		if !strings.Contains(r.Sentence, word) {
			w.t.Errorf("%q does not say %q", r.Sentence, word)
		}
	}
	return r
}

// probe finds the probe that is in the document root while a request is answered.
func (w *world) probe() (path string, content []byte) {
	found, err := filepath.Glob(filepath.Join(w.root, ".well-known/acme-challenge/orderly-*"))
	if err != nil || len(found) != 1 {
		w.t.Errorf("probes in the document root: %v %v", found, err)
		return "", nil
	}
	content, err = os.ReadFile(found[0])
	if err != nil {
		w.t.Error(err)
	}
	return strings.TrimPrefix(found[0], w.root), content
}

// serveProbe answers every request with the probe and what follows.
func (w *world) serveProbe(after string) http.HandlerFunc {
	return func(to http.ResponseWriter, _ *http.Request) {
		_, content := w.probe()
		_, _ = to.Write(append(content, after...))
	}
}

// leadTo answers every request with a redirect.
func leadTo(status int, location string) http.HandlerFunc {
	return func(to http.ResponseWriter, _ *http.Request) {
		to.Header().Set("Location", location)
		to.WriteHeader(status)
	}
}
