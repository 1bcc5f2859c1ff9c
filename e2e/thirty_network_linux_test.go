package e2e_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httputil"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"

	"orderly/e2e/namespace"
	"orderly/zone/zonetest"
)

// wardDNS is what DNS says of the sites.
type wardDNS struct {
	zone   *zonetest.Zone
	server *zonetest.Server
	broken sync.Map // names whose name server fails
}

func newWardDNS(t *testing.T) *wardDNS {
	world := zonetest.New()
	t.Cleanup(world.Close)
	w := &wardDNS{zone: zonetest.NewZone("example.com", "@ A 127.0.0.1")}
	w.server = world.Serve("192.0.2.53", w.zone, zonetest.NewZone("com"), zonetest.NewZone("."))
	w.server.Twist(func(asked, answer *dns.Msg, _ bool) *dns.Msg {
		if _, fails := w.broken.Load(strings.ToLower(strings.TrimSuffix(asked.Question[0].Name, "."))); fails {
			return new(dns.Msg).SetRcode(asked, dns.RcodeServerFailure)
		}
		return answer
	})
	return w
}

// Addresses in a network where nobody else has them: only the first is this host's.
const (
	public    = "93.184.215.1"
	elsewhere = "93.184.215.14" // of a server to which a site has moved
	inFront   = "93.184.215.20" // of a proxy with a certificate of its own
)

// neighbours are web servers of somebody else's: they know none of the sites, but for the proxy, which passes all on.
func (d *ward) neighbours() {
	d.t.Helper()
	if err := namespace.Neighbourhood(netip.MustParseAddr(public)); err != nil {
		d.t.Fatal(err)
	}
	stranger := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "a neighbour") })
	for _, address := range []string{"127.0.0.2", "::1", elsewhere} {
		d.listen(address, d.front.port, stranger, nil)
	}
	ours := &url.URL{Scheme: "http", Host: net.JoinHostPort("127.0.0.1", strconv.Itoa(d.front.port))}
	d.listen(inFront, d.front.port, &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(ours)
		r.Out.Host = r.In.Host
	}}, nil)
	d.listen(inFront, d.https, stranger, &tls.Config{GetCertificate: func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
		return selfSigned(hello.ServerName)
	}})
}

// listen serves at an address until the test ends.
func (d *ward) listen(address string, port int, handler http.Handler, secure *tls.Config) {
	d.t.Helper()
	listener, err := net.Listen("tcp", net.JoinHostPort(address, strconv.Itoa(port)))
	if err != nil {
		d.t.Fatal(err)
	}
	if secure != nil {
		listener = tls.NewListener(listener, secure)
	}
	server := &http.Server{Handler: handler, ErrorLog: log.New(io.Discard, "", 0)}
	done := make(chan struct{})
	go func() { defer close(done); _ = server.Serve(listener) }()
	d.t.Cleanup(func() { _ = server.Close(); <-done })
}

// selfSigned is what a panel serves until it has something better.
func selfSigned(name string) (*tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	now := time.Now()
	// it is no older than the site's own, so that nobody forgot to reload
	made := &x509.Certificate{SerialNumber: big.NewInt(now.UnixNano()), DNSNames: []string{name}, NotBefore: now.AddDate(0, 0, 1),
		NotAfter: now.AddDate(1, 0, 0), Issuer: pkix.Name{CommonName: "a panel"}, Subject: pkix.Name{CommonName: "a panel"}}
	der, err := x509.CreateCertificate(rand.Reader, made, made, key.Public(), key)
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, err
}

// says lets DNS say something else of a site's name.
func (p *sick) says(records ...string) {
	p.dns.zone.Remove(p.domain)
	for _, record := range records {
		p.dns.zone.Add(p.domain + ". " + record)
	}
}

// inDNS is something wrong in DNS, which the customer mends there as the finding says.
func inDNS(id string, records ...string) illness {
	return illness{id: id, befall: func(p *sick) { p.says(records...) }, mend: func(p *sick) { p.says("A 127.0.0.1") }}
}

func illnessesOfNet() []illness {
	return []illness{
		inDNS("D38"),
		inDNS("D38", "TXT none"), // the name exists, and has no address
		inDNS("D40", "A 127.0.0.1", "A 127.0.0.2"),
		inDNS("D41", "A 127.0.0.1", "AAAA ::1"),
		inDNS("D42", "A 192.0.2.7"),
		inDNS("D39", "A "+elsewhere),
		inDNS("D49", "A "+inFront),
		inDNS("D45", "A 127.0.0.1", `CAA 0 issue "other-ca.example"`),
		{id: "D43", befall: func(p *sick) { p.dns.broken.Store(p.domain, true) }, mend: func(p *sick) { p.dns.broken.Delete(p.domain) }},
	}
}

func illnessesOfFiles() []illness {
	return []illness{
		{id: "D15", apache: true, befall: func(p *sick) {
			p.write(p.archived("privkey1.pem"), p.read(filepath.Join(p.config, "archive", p.all[0].domain, "privkey1.pem")))
		}},
		{id: "D16", apache: true, befall: func(p *sick) {
			text := p.read(p.archived("fullchain1.pem"))
			p.write(p.archived("fullchain1.pem"), text[:len(text)-len(text)/4])
		}},
		{id: "D17", befall: func(p *sick) {
			p.open(p.archived("privkey1.pem"), p.dir)
			for _, key := range p.accountKeys() {
				p.open(key, p.dir)
			}
		}},
	}
}

func (p *sick) archived(file string) string {
	return filepath.Join(p.config, "archive", p.domain, file)
}

// open lets every user read a file, and enter the directories up to one.
func (p *sick) open(file, top string) {
	p.t.Helper()
	mode := os.FileMode(0o644)
	for path := file; len(path) >= len(top); path, mode = filepath.Dir(path), 0o755 {
		if err := os.Chmod(path, mode); err != nil {
			p.t.Fatal(err)
		}
	}
}

func (h *host) accountKeys() []string {
	all, err := filepath.Glob(filepath.Join(h.config, "accounts", "*", "*", "*", "private_key.json"))
	if err != nil || len(all) == 0 {
		h.t.Fatal("no account has a key: ", err)
	}
	return all
}

// accountTold wants the account's key, which is open to everybody, told once: it is of no site.
func (d *ward) accountTold(found []doctorsFinding) {
	d.t.Helper()
	told := 0
	for _, f := range found {
		if f.ID == "D13" && f.Remedy != "" {
			told++
		}
	}
	if want := len(d.accountKeys()); told != want {
		d.t.Errorf("%d findings are about the keys of accounts, not %d", told, want)
	}
}
