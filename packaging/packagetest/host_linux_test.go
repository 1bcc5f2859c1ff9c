package packagetest

// A site on a tree, with its web server and its CA: port 80 is the trial's own, so that nothing has to
// be told to the programs but whom to trust and whom to ask for names, as a host is.

import (
	"bytes"
	"net"
	"net/http"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"orderly/testca"
)

// domain is what the site is called.
const domain = "www.example.com"

// host is a tree that serves something.
type host struct {
	*tree
	ca *testca.CA
}

// newHost starts the web server and the CA of a tree.
func newHost(t *testing.T, tr *tree) *host {
	t.Helper()
	tr.write("/var/www/site/index.html", "here")
	listener, err := net.Listen("tcp", "127.0.0.1:80")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: http.FileServer(http.Dir(tr.path("/var/www/site")))}
	go func() { _ = server.Serve(listener) }() // until it is closed
	t.Cleanup(func() { _ = server.Close() })
	ca, err := testca.Start(testca.Config{HTTPPort: 80, AuthzReuse: true, Backdate: 30 * 24 * time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := ca.Close(); err != nil {
			t.Errorf("closing the CA: %v", err)
		}
	})
	const root = "/var/www/root.pem"
	tr.write(root, string(ca.RootPEM()))
	tr.env = append(tr.env, "SSL_CERT_FILE="+root, "REQUESTS_CA_BUNDLE="+root, "ORDERLY_RESOLVER="+ca.Resolver())
	return &host{tr, ca}
}

// timersCommand is what the timer runs, as the installed unit has it.
func (s *host) timersCommand() []string {
	s.t.Helper()
	unit := s.read("/usr/lib/systemd/system/orderly-renew.service")
	m := regexp.MustCompile(`(?m)^ExecStart=(.+)$`).FindAllStringSubmatch(unit, -1)
	if len(m) != 1 {
		s.t.Fatalf("the unit runs %q", m)
	}
	return strings.Fields(m[0][1])
}

// due makes each certificate due as soon as it is there; it began a month before.
func (s *host) due() {
	s.t.Helper()
	conf := "/etc/letsencrypt/renewal/" + domain + ".conf"
	if text := s.read(conf); !strings.HasPrefix(text, "renew_before_expiry") {
		s.write(conf, "renew_before_expiry = 100 days\n"+text)
	}
}

// holds makes the next request of a kind wait at the CA, which has processed it, and starts the timer's
// command; it returns once the request waits there.
func (s *host) holds(kind string) *run {
	s.t.Helper()
	s.ca.Inject(testca.Fault{Kind: kind, Nth: 1, Action: testca.Hold, After: true})
	r := &run{Cmd: s.command(s.timersCommand()...), ended: make(chan error, 1)}
	r.Stdout, r.Stderr = &r.said, &r.said
	if err := r.Start(); err != nil {
		s.t.Fatal(err)
	}
	go func() { r.ended <- r.Wait() }()
	select {
	case <-s.ca.Held():
	case err := <-r.ended:
		s.t.Fatalf("the run ended before it came to the request to be held: %v\n%s", err, &r.said)
	}
	return r
}

// run is a program under way.
type run struct {
	*exec.Cmd
	said  bytes.Buffer
	ended chan error
}

// issued checks how many orders were made and certificates issued, by the CA's own store: each order
// has one, and nothing is left open.
func (s *host) issued(want int) {
	s.t.Helper()
	truth := s.ca.Truth()
	if len(truth.Orders) != want || len(truth.Issued) != want {
		s.t.Errorf("%d orders were made and %d certificates issued, not %d", len(truth.Orders), len(truth.Issued), want)
	}
	for _, o := range truth.Orders {
		if o.Status != "valid" {
			s.t.Errorf("the order %s is %s", o.URL, o.Status)
		}
	}
	if n := truth.Pending(); n != 0 {
		s.t.Errorf("%d authorizations are pending", n)
	}
	if n := len(truth.Accounts); n != 1 {
		s.t.Errorf("%d accounts were made", n)
	}
}

// live checks that what the web server would read is the certificate issued last, with its key.
func (s *host) live() {
	s.t.Helper()
	truth := s.ca.Truth()
	// In the tree, since the links in live/ may be absolute.
	serial := s.sh(`cd /etc/letsencrypt/live/` + domain + `
openssl x509 -in fullchain.pem -noout -pubkey >/tmp/one
openssl pkey -in privkey.pem -pubout >/tmp/other
cmp /tmp/one /tmp/other
openssl x509 -in cert.pem -noout -serial`)
	last := truth.Issued[len(truth.Issued)-1].Serial
	if got := strings.ToLower(strings.TrimLeft(strings.TrimSpace(strings.TrimPrefix(serial, "serial=")), "0")); got != strings.TrimLeft(last, "0") {
		s.t.Errorf("%s is in place, and %s was issued last", got, last)
	}
}

// configuration describes all of the configuration directory.
func (s *host) configuration() manifest {
	s.t.Helper()
	m := manifest{}
	for name := range strings.Lines(s.run("/usr/bin/find", "/etc/letsencrypt")) {
		name = strings.TrimSpace(name)
		m[name] = describe(s.path(name))
	}
	if len(m) < 2 {
		s.t.Fatal("there is no configuration")
	}
	return m
}
