package e2e_test

import (
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/miekg/dns"

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

// neighbour is a web server of somebody else's: it knows none of the sites.
func (w *wardDNS) neighbour(t *testing.T, port int) {
	for _, address := range []string{"127.0.0.2", "::1"} {
		listener, err := net.Listen("tcp", net.JoinHostPort(address, strconv.Itoa(port)))
		if err != nil {
			t.Fatal(err)
		}
		server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, "a neighbour")
		})}
		done := make(chan struct{})
		go func() { defer close(done); _ = server.Serve(listener) }()
		t.Cleanup(func() { _ = server.Close(); <-done })
	}
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
