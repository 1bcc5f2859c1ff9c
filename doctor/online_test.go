package doctor_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/miekg/dns"

	"orderly/certbot"
	"orderly/certbot/damage"
	"orderly/doctor"
	"orderly/failure"
	"orderly/host"
	"orderly/ledger"
	"orderly/preflight"
	"orderly/solver/webroot"
	"orderly/vantage"
	"orderly/zone"
	"orderly/zone/zonetest"
)

// internet is what surrounds a host: name servers, and web servers behind addresses.
type internet struct {
	*place
	names  *zonetest.World
	root   *zonetest.Zone
	com    *zonetest.Zone
	shop   *zonetest.Zone
	server *zonetest.Server // of shop.com
	config zone.Config
	check  preflight.Checker
	dir    damage.Dir
	from   *vantage.Place // another place to look from

	account certbot.Account

	mu      sync.Mutex
	really  map[string]string // IP:PORT
	dialled []string
}

const (
	letsEncrypt = "https://acme-v02.api.letsencrypt.org/directory"
	home4       = "93.184.216.34"
	home6       = "2606:2800::1"
)

// newInternet makes one with a healthy site: shop.com and www.shop.com.
func newInternet(t *testing.T) *internet {
	w := &internet{place: newPlace(t), names: zonetest.New(), really: map[string]string{}}
	t.Cleanup(w.names.Close)
	w.com = zonetest.NewZone("com", "@ NS ns.nic.com.", "shop.com. NS ns1.shop.com.", "shop.com. NS ns2.shop.com.",
		"ns1.shop.com. A 8.1.0.1", "ns2.shop.com. A 8.1.0.2")
	w.root = zonetest.NewZone(".", "com. NS ns.nic.com.", "ns.nic.com. A 8.0.0.2")
	w.names.Serve("8.0.0.1", w.root)
	w.names.Serve("8.0.0.2", w.com)
	w.shop = zonetest.NewZone("shop.com", "@ A "+home4, "@ AAAA "+home6)
	w.server = w.names.Serve("8.1.0.1", w.shop)
	w.names.Serve("8.1.0.2", w.shop)
	w.dir = w.at("shop.com")
	w.dir.Server, w.dir.Others = letsEncrypt, []string{"www.shop.com"}
	w.register()
	w.dir.Left = -time.Hour // so that nothing succeeded lately
	writer := new(webroot.Writer)
	t.Cleanup(writer.Close)
	w.check = preflight.Checker{Writer: writer, UserAgent: "test", Dial: w.dial, Timeout: 20 * time.Second,
		OwnAddresses: func() ([]net.Addr, error) { return nil, nil }, Resolver: "192.0.2.53:53"}
	w.config = zone.Config{Roots: []zone.Server{{Name: "a.root", Addresses: []netip.Addr{netip.MustParseAddr("8.0.0.1")}}},
		Timeout: 20 * time.Second, Dial: w.names.Dial, Permits: w.check.PermitsServer, Now: func() time.Time { return w.now }}
	site := http.FileServer(http.Dir(w.dir.Root))
	w.web(home4, site)
	w.web(home6, site)
	return w
}

// register makes the account of the site.
func (w *internet) register() {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		w.t.Fatal(err)
	}
	disk := &certbot.Store{Dirs: certbot.Dirs{Config: w.dir.Config}}
	w.account, err = disk.Accounts().Save(certbot.Account{Server: letsEncrypt, URL: "https://acme.example/acct/8",
		Key: key, Created: w.now})
	if err != nil {
		w.t.Fatal(err)
	}
	w.dir.Account = w.account.ID
}

// www gives www.shop.com its own records.
func (w *internet) www(lines ...string) {
	for _, line := range lines {
		w.shop.Add("www " + line)
	}
}

// web lets handler answer at port 80 of an address.
func (w *internet) web(address string, handler http.Handler) {
	w.leads(net.JoinHostPort(address, "80"), w.site(handler))
}

// site starts a web server, and returns its IP:PORT.
func (w *internet) site(handler http.Handler) string {
	s := httptest.NewServer(handler)
	w.t.Cleanup(s.Close)
	return s.Listener.Addr().String()
}

// weak is a certificate for the site with a key that is too short.
func (w *internet) weak() tls.Certificate {
	key, err := rsa.GenerateKey(rand.Reader, 1024)
	var der []byte
	if err == nil {
		leaf := &x509.Certificate{SerialNumber: big.NewInt(7), DNSNames: []string{"shop.com", "www.shop.com"},
			NotBefore: w.now.Add(-time.Hour), NotAfter: w.now.Add(time.Hour)}
		der, err = x509.CreateCertificate(rand.Reader, leaf, leaf, &key.PublicKey, key)
	}
	if err != nil {
		w.t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// tls lets a web server with a certificate, or one of nobody, answer at port 443 of an address.
func (w *internet) tls(address string, with ...tls.Certificate) {
	s := httptest.NewUnstartedServer(http.NotFoundHandler())
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	if len(with) > 0 {
		s.TLS = &tls.Config{Certificates: with}
	}
	s.StartTLS()
	w.t.Cleanup(s.Close)
	w.leads(net.JoinHostPort(address, "443"), s.Listener.Addr().String())
}

func (w *internet) leads(address, to string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.really[address] = to
}

func (w *internet) dial(ctx context.Context, network, address string) (net.Conn, error) {
	w.mu.Lock()
	w.dialled = append(w.dialled, address)
	to, ok := w.really[address]
	w.mu.Unlock()
	if !ok {
		return nil, &net.OpError{Op: "dial", Net: network, Err: syscall.ECONNREFUSED}
	}
	return new(net.Dialer).DialContext(ctx, network, to)
}

// online looks at everything.
func (w *internet) online() doctor.Report {
	w.t.Helper()
	if _, err := os.Stat(w.dir.Conf()); err != nil {
		if err := w.dir.Healthy(); err != nil {
			w.t.Fatal(err)
		}
	}
	r, err := w.look(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	w.isClean()
	return r
}

func (w *internet) look(ctx context.Context) (doctor.Report, error) {
	w.check.Memory = &host.Sights{Ledger: w.store, Clock: host.Clock{}}
	disk := &certbot.Store{Dirs: certbot.Dirs{Config: filepath.Join(w.place.dir, "etc"),
		Work: filepath.Join(w.place.dir, "lib"), Logs: filepath.Join(w.place.dir, "log")}}
	return doctor.Examine(ctx, doctor.Host{Disk: disk, Ledger: w.store, Root: w.place.dir,
		Now: func() time.Time { return w.now }, Tell: w.t.Logf,
		Online: &doctor.Online{Zones: zone.New(w.config), Checker: &w.check, Abroad: w.from}},
		doctor.Wanted{Needs: []doctor.Needs{doctor.Network}})
}

// isClean: no probe is left in the document root.
func (w *internet) isClean() {
	w.t.Helper()
	left, _ := filepath.Glob(filepath.Join(w.dir.Root, ".well-known/acme-challenge/*"))
	if len(left) > 0 {
		w.t.Errorf("left behind: %v", left)
	}
}

// shown is each network finding as "ID severity class names".
func shown(r doctor.Report) (all []string) {
	for _, f := range r.Findings {
		if slices.ContainsFunc(doctor.Checks(), func(c doctor.Check) bool { return c.ID == f.ID && c.Needs == doctor.Network }) {
			all = append(all, strings.Join([]string{f.ID, string(f.Severity), string(f.Class), strings.Join(f.Names, " ")}, " "))
		}
	}
	slices.Sort(all)
	return all
}

func elsewhere(status int) http.Handler {
	return http.HandlerFunc(func(to http.ResponseWriter, _ *http.Request) { to.WriteHeader(status); fmt.Fprint(to, "hello") })
}

func TestWhatTheNetworkShowsIsFound(t *testing.T) {
	const other = "93.184.216.99"
	away := func(address string, handler http.Handler) func(w *internet) {
		return func(w *internet) { w.www("A " + address); w.web(address, handler) }
	}
	caa := func(records ...string) func(w *internet) {
		return func(w *internet) { w.www("A " + home4); w.www(records...) }
	}
	for _, test := range []struct {
		name string
		make func(w *internet)
		want []string
		say  string // in the sentence of the first
	}{
		{"nothing is wrong", func(w *internet) { w.www("A "+home4, "AAAA "+home6) }, nil, ""},
		{"an alias", func(w *internet) { w.www("CNAME shop.com.") }, nil, ""},
		{"another document root", away(other, elsewhere(404)), []string{"D37 fails http-wrong-answer www.shop.com"}, "404"},
		{"other content", away(other, elsewhere(200)), []string{"D37 fails http-wrong-answer www.shop.com"}, "something else"},
		{"an error", away(other, elsewhere(503)), []string{"D37 fails http-error www.shop.com"}, "503"},
		{"a redirect to another port", away(other, http.RedirectHandler("http://www.shop.com:8080/", http.StatusFound)), []string{"D37 fails redirect www.shop.com"}, "8080"},
		{"a redirect to a name that serves it", away(other, http.HandlerFunc(func(to http.ResponseWriter, r *http.Request) {
			http.Redirect(to, r, "http://shop.com"+r.URL.Path, http.StatusFound)
		})), nil, ""},
		{"nobody listens", func(w *internet) { w.www("A " + other) }, []string{"D37 doubtful http-unreachable www.shop.com"}, "refused"},
		{"no such name", func(w *internet) {}, []string{"D38 fails dns-missing www.shop.com"}, "NXDOMAIN"},
		{"no address", func(w *internet) { w.www("TXT x") }, []string{"D38 fails dns-missing www.shop.com"}, "neither A nor AAAA"},
		{"an alias to nowhere", func(w *internet) { w.www("CNAME gone.shop.com.") }, []string{"D38 fails dns-missing www.shop.com"}, "gone.shop.com, to which www.shop.com leads, does not exist"},
		{"an alias in a domain that has expired", func(w *internet) { w.www("CNAME x.expired.com.") }, []string{"D38 fails dns-missing www.shop.com"}, "expired.com is not registered"},
		{"aliases without an end", func(w *internet) { w.www("CNAME www") }, []string{"D43 fails dns-broken www.shop.com"}, "aliases"},
		{"one of two addresses is another host", func(w *internet) { w.www("A "+home4, "A "+other); w.web(other, elsewhere(404)) },
			[]string{"D40 fails http-wrong-answer www.shop.com"}, "1 of 2 addresses"},
		{"IPv4 is another host", func(w *internet) { w.www("AAAA "+home6, "A "+other); w.web(other, elsewhere(404)) },
			[]string{"D40 note http-wrong-answer www.shop.com"}, "only the IPv6"},
		{"IPv6 is another host", func(w *internet) {
			w.www("A "+home4, "AAAA 2606:2800::9")
			w.web("2606:2800::9", elsewhere(404))
		}, []string{"D41 fails ipv6-broken www.shop.com"}, "IPv6"},
		{"nobody answers at IPv6", func(w *internet) { w.www("A "+home4, "AAAA 2606:2800::9") }, []string{"D41 note ipv6-broken www.shop.com"}, "falls back"},
		{"a private address", func(w *internet) { w.www("A 10.0.0.1") }, []string{"D42 fails address-refused www.shop.com"}, "10.0.0.1"},
		{"a private address beside", func(w *internet) { w.www("A 10.0.0.1", "A "+home4) }, []string{"D42 note address-refused www.shop.com"}, "passes over"},
		{"a private address with a private CA", func(w *internet) {
			w.dir.Server = "https://ca.example/directory"
			w.www("A 10.0.0.1")
		}, []string{"D42 fails address-refused www.shop.com"}, "private CA"},
		{"a redirect to a private address", away(other, http.RedirectHandler("http://10.0.0.1/", http.StatusFound)),
			[]string{"D37 fails address-refused www.shop.com"}, "10.0.0.1"},
		{"a lame server", func(w *internet) {
			w.www("A " + home4)
			w.server.Twist(func(_, answer *dns.Msg, _ bool) *dns.Msg { answer.Authoritative = false; return answer })
		}, []string{"D43 note dns-broken shop.com www.shop.com"}, "ns1.shop.com (8.1.0.1) knows nothing of the zone (lame)"},
		{"all servers refuse", func(w *internet) {
			for i := range 2 {
				w.names.Serve(fmt.Sprintf("8.1.0.%d", i+1)) // which serve no zone
			}
		}, []string{"D43 fails dns-broken shop.com", "D43 fails dns-broken www.shop.com"}, "REFUSED"},
		{"two hundred servers that do not answer", func(w *internet) {
			w.names.Remove("8.1.0.1", "8.1.0.2")
			for i := range 200 {
				w.com.Add(fmt.Sprintf("shop.com. NS x%d.shop.com.", i), fmt.Sprintf("x%d.shop.com. A 8.2.0.%d", i, i))
			}
		}, []string{"D43 fails dns-silent shop.com", "D43 fails dns-silent www.shop.com"}, "of 202 servers, the first 8 were looked at"},
		{"CAA is not answered", func(w *internet) {
			w.www("A " + home4)
			for i := range 2 {
				w.names.Serve(fmt.Sprintf("8.1.0.%d", i+1), w.shop).Twist(func(asked, answer *dns.Msg, _ bool) *dns.Msg {
					if asked.Question[0].Qtype == dns.TypeCAA {
						return new(dns.Msg).SetRcode(asked, dns.RcodeNotImplemented)
					}
					return answer
				})
			}
		}, []string{"D43 fails dns-broken shop.com", "D43 fails dns-broken www.shop.com"}, "CAA"},
		{"signatures have ended", func(w *internet) {
			w.www("A " + home4)
			w.signed(-time.Hour)
		}, []string{"D44 fails dns-broken shop.com", "D44 fails dns-broken www.shop.com"}, "ended on"},
		{"signatures are about to end", func(w *internet) {
			w.www("A " + home4)
			w.signed(20 * time.Hour)
		}, []string{"D44 note dns-broken shop.com www.shop.com"}, "were not renewed"},
		{"signatures hold", func(w *internet) { w.www("A " + home4); w.signed(20 * 24 * time.Hour) }, nil, ""},
		{"CAA for this CA", caa(`CAA 0 issue "letsencrypt.org"`, `CAA 0 issue "other.example"`, `CAA 0 iodef "mailto:a@b.c"`), nil, ""},
		{"CAA for another", caa(`CAA 0 issue "other.example"`), []string{"D45 fails caa-forbids www.shop.com"}, "allow other.example alone, and not Let's Encrypt"},
		{"CAA for nobody", caa(`CAA 0 issue ";"`), []string{"D45 fails caa-forbids www.shop.com"}, "nobody"},
		{"CAA for wildcards alone", caa(`CAA 0 issuewild ";"`), nil, ""},
		{"CAA against wildcards of a certificate with one", func(w *internet) {
			w.dir.Others = []string{"*.shop.com"}
			w.shop.Add(`@ CAA 0 issue "letsencrypt.org"`, `@ CAA 0 issuewild "other.example"`)
		}, []string{"D45 fails caa-forbids *.shop.com"}, "issuewild"},
		{"CAA of a CA that is not known", func(w *internet) {
			w.dir.Server = "https://ca.example/directory"
			w.www("A "+home4, `CAA 0 issue "other.example"`)
		}, []string{"D45 doubtful caa-forbids www.shop.com"}, "not known here"},
		{"CAA of a CA that is not known in its own name", func(w *internet) {
			w.dir.Server = "https://acme.ca.example/directory"
			w.www("A "+home4, `CAA 0 issue "ca.example"`)
		}, nil, ""},
		{"CAA with an unknown tag", caa(`CAA 128 odd "x"`, `CAA 0 issue "letsencrypt.org"`), []string{"D45 fails caa-forbids www.shop.com"}, "critical"},
		{"CAA for another method", caa(`CAA 0 issue "letsencrypt.org; validationmethods=dns-01"`), []string{"D45 fails caa-forbids www.shop.com"}, "dns-01 alone"},
		{"CAA for this method", caa(`CAA 0 issue "letsencrypt.org; validationmethods=dns-01,http-01"`), nil, ""},
		{"CAA for an account that cannot be read", func(w *internet) {
			caa(`CAA 0 issue "letsencrypt.org; accounturi=https://ca.example/9"`)(w)
			w.dir.Account = "0123"
		}, []string{"D45 doubtful caa-forbids www.shop.com"}, "cannot be read"},
		{"CAA that is malformed", caa(`CAA 0 issue "letsencrypt.org; oops"`), []string{"D45 fails caa-forbids www.shop.com"}, ""},
		{"a CDN that answers itself", away("104.16.1.1", elsewhere(403)), []string{"D37 fails http-error www.shop.com", "D46 note http-error www.shop.com"}, ""},
		{"a CDN that passes on", func(w *internet) {
			w.www("A 104.16.1.1")
			w.web("104.16.1.1", http.FileServer(http.Dir(w.dir.Root)))
		}, nil, ""},
		{"a certificate of nobody", func(w *internet) { w.www("A " + home4); w.tls(home4) },
			[]string{"D49 note http-wrong-answer shop.com", "D49 note http-wrong-answer www.shop.com"}, "for other names: example.com"},
		{"a weak key", func(w *internet) { w.www("A " + home4); w.tls(home4, w.weak()) },
			[]string{"D49 note http-wrong-answer shop.com", "D49 note http-wrong-answer www.shop.com"}, "with an RSA key of 1024 bits"},
		{"a name with too many labels", func(w *internet) {
			name := "a.b.c.d.e.f.g.h.i.shop.com"
			w.dir.Others = []string{name}
			w.shop.Add(name + ". A " + home4)
		}, []string{"D47 fails bad-name a.b.c.d.e.f.g.h.i.shop.com"}, "10 labels"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w := newInternet(t)
			test.make(w)
			r := w.online()
			if got := shown(r); !slices.Equal(got, test.want) {
				t.Errorf("%q, want %q: %+v", got, test.want, r.Findings)
			}
			for _, f := range r.Findings {
				if strings.HasPrefix(f.ID, "D3") || strings.HasPrefix(f.ID, "D4") {
					if test.say != "" && !strings.Contains(f.Sentence, test.say) {
						t.Errorf("%q does not say %q", f.Sentence, test.say)
					}
					if f.Sentence == "" || f.Remedy == "" || f.Lineage != "shop.com" || f.Fix != doctor.FixNo {
						t.Errorf("%+v", f)
					}
				}
			}
		})
	}
}

// signed signs the zone and all above it, until some time from now.
func (w *internet) signed(left time.Duration) {
	ds := w.shop.Sign(w.now.Add(-30*24*time.Hour), w.now.Add(left))
	w.com.Add(ds)
	w.root.Add(w.com.Sign(w.now.Add(-time.Hour), w.now.Add(time.Hour)))
}

// What contradicts a renewal that went well is doubted, and forbids nothing; where an attempt has failed
// since, it is not.
func TestWhatContradictsASuccessIsDoubtful(t *testing.T) {
	w := newInternet(t)
	w.dir.Left = 60 * 24 * time.Hour
	want := "D38 doubtful dns-missing www.shop.com"
	if r := w.online(); !slices.Equal(shown(r), []string{want}) || r.Exit() != 3 {
		t.Errorf("exit %d, %q", r.Exit(), shown(r))
	}
	since := w.now.Add(-9 * 24 * time.Hour).Truncate(time.Second)
	if err := w.store.Commit(t.Context(), &ledger.Change{Standings: []ledger.Standing{{Lineage: "shop.com", Failures: 2,
		At: w.now, RefusedSince: since, Reason: ledger.Because(failure.DNSMissing, "", "www.shop.com has no address")}}}); err != nil {
		t.Fatal(err)
	}
	r := w.online()
	if got := shown(r); !slices.Equal(got, []string{"D38 will-fail dns-missing www.shop.com"}) {
		t.Errorf("%q", got)
	}
	for _, f := range r.Findings {
		if f.ID == "D38" && (!f.Since.Equal(since) || f.HurtsAt.IsZero()) {
			t.Errorf("%+v", f)
		}
	}
}

func TestASiteThatHasMovedIsToldFromABrokenOne(t *testing.T) {
	w := newInternet(t)
	w.check.Fleet = []netip.Prefix{netip.MustParsePrefix(home4 + "/32"), netip.MustParsePrefix("2606:2800::/64")}
	w.www("A 93.184.216.99")
	w.web("93.184.216.99", elsewhere(200))
	since := w.now.Add(-40 * 24 * time.Hour).Truncate(time.Second)
	if err := w.store.Commit(t.Context(), &ledger.Change{Sightings: []ledger.Sighting{{Name: "www.shop.com", ElsewhereSince: since, LookedAt: w.now}}}); err != nil {
		t.Fatal(err)
	}
	r := w.online()
	if got := shown(r); !slices.Equal(got, []string{"D39 fails dns-elsewhere www.shop.com"}) || !r.Findings[0].Since.Equal(since) {
		t.Errorf("%q %+v", got, r.Findings)
	}
	if want := failure.Do(failure.ObtainFor, "shop.com", w.dir.Root, "shop.com"); !strings.Contains(string(r.Findings[0].Remedy), string(want)) {
		t.Errorf("nothing to be pasted in %q", r.Findings[0].Remedy)
	}
}

// A site that nothing of this host is behind must not be connected to where a customer points it.
func TestNoPrivateAddressIsConnectedTo(t *testing.T) {
	w := newInternet(t)
	w.www("A 10.0.0.1", "AAAA fd00::1", "A 127.0.0.1", "A 169.254.169.254")
	w.com.Add("shop.com. NS ns3.shop.com.", "ns3.shop.com. A 10.0.0.53")
	w.online()
	for _, address := range append(w.dialled, w.names.Dialled()...) {
		for _, bad := range []string{"10.", "[fd", "169.254."} {
			if strings.HasPrefix(address, bad) {
				t.Errorf("connected to %s", address)
			}
		}
	}
}

// Where nobody answers, nobody is waited for a hundred times.
func TestAnAddressWithoutAnAnswerIsNotTriedForEachName(t *testing.T) {
	w := newInternet(t)
	w.dir.Others = nil
	for i := range 100 {
		name := fmt.Sprintf("n%d.shop.com", i)
		w.dir.Others = append(w.dir.Others, name)
		w.shop.Add(name + ". A 93.184.216.77")
	}
	var tried atomic.Int32
	w.check.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
		if strings.HasPrefix(address, "93.184.216.77:") {
			tried.Add(1)
			return nil, &net.OpError{Op: "dial", Net: network, Err: os.ErrDeadlineExceeded}
		}
		return w.dial(ctx, network, address)
	}
	got := shown(w.online())
	if len(got) != 100 || !strings.HasPrefix(got[0], "D37 doubtful http-unreachable n") {
		t.Errorf("%d findings: %q", len(got), got)
	}
	// at most those that are under way when the third comes back
	if n := tried.Load(); n > 3+16 {
		t.Errorf("tried %d times", n)
	}
}

// A signal in the middle leaves no probe behind.
func TestAnEndInTheMiddleLeavesNothingBehind(t *testing.T) {
	w := newInternet(t)
	ctx, cancel := context.WithCancel(t.Context())
	w.www("A 93.184.216.99")
	w.web("93.184.216.99", http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if probes, _ := filepath.Glob(filepath.Join(w.dir.Root, ".well-known/acme-challenge/*")); len(probes) != 1 {
			t.Errorf("probes: %v", probes)
		}
		cancel()
		<-r.Context().Done()
	}))
	if err := w.dir.Healthy(); err != nil {
		t.Fatal(err)
	}
	if _, err := w.look(ctx); err == nil {
		t.Error("half a report looks like a whole one")
	}
	w.isClean()
}

// A zone that does not answer says nothing of this host.
func TestASilentZoneIsNoSilentNetwork(t *testing.T) {
	w := newInternet(t)
	w.names.Remove("8.1.0.1", "8.1.0.2")
	if got := shown(w.online()); !slices.Equal(got, []string{"D43 fails dns-silent shop.com", "D43 fails dns-silent www.shop.com"}) {
		t.Errorf("%q", got)
	}
}

// Without anybody to ask there is one finding, and it is about this host.
func TestASilentNetworkIsOneFinding(t *testing.T) {
	w := newInternet(t)
	w.config.Roots, w.config.Resolvers, w.config.Timeout = nil, []string{"192.0.2.53:53"}, 10*time.Millisecond
	if got := shown(w.online()); !slices.Equal(got, []string{"D43 doubtful dns-silent "}) {
		t.Errorf("%q", got)
	}
}

func TestTheAccountOfACAARecordIsThatOfTheLineage(t *testing.T) {
	w := newInternet(t)
	w.www("A " + home4)
	w.shop.Add(`www CAA 0 issue "letsencrypt.org; accounturi=https://acme.example/acct/7"`)
	r := w.online()
	if got := shown(r); !slices.Equal(got, []string{"D45 fails caa-forbids www.shop.com"}) || !strings.Contains(r.Findings[0].Sentence, "acct/8") {
		t.Errorf("%q %+v", got, r.Findings)
	}
	path := filepath.Join(w.account.Dir, "regr.json")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(strings.Replace(string(text), "acct/8", "acct/7", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := shown(w.online()); len(got) != 0 {
		t.Errorf("%q", got)
	}
}
