package renewal_test

import (
	"net"
	"net/netip"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/miekg/dns"

	"orderly/failure"
	"orderly/ledger"
	"orderly/renewal"
	"orderly/testca"
)

// pointing is a DNS server that says where names point: to this host, unless a test says otherwise.
type pointing struct {
	mu    sync.Mutex
	names map[string]string // to an address; "" for a name that does not exist
}

// points lets a name point to an address; to nothing where it is "".
func (p *pointing) points(name, address string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.names[name] = address
}

// ServeDNS implements dns.Handler.
func (p *pointing) ServeDNS(w dns.ResponseWriter, question *dns.Msg) {
	q := question.Question[0]
	p.mu.Lock()
	address, told := p.names[strings.ToLower(strings.TrimSuffix(q.Name, "."))]
	p.mu.Unlock()
	answer := new(dns.Msg).SetReply(question)
	switch {
	case address == "servfail":
		answer.Rcode = dns.RcodeServerFailure
	case told && address == "":
		answer.Rcode = dns.RcodeNameError
	case q.Qtype == dns.TypeA:
		if !told {
			address = "127.0.0.1"
		}
		answer.Answer = []dns.RR{&dns.A{A: net.ParseIP(address),
			Hdr: dns.RR_Header{Name: q.Name, Rrtype: dns.TypeA, Class: dns.ClassINET}}}
	}
	_ = w.WriteMsg(answer)
}

// movable gives a host a DNS server of its own, and a fleet whose addresses are known.
func (h *machine) movable() *pointing {
	h.t.Helper()
	p := &pointing{names: map[string]string{}}
	packets, err := net.ListenPacket("udp", "127.0.0.1:0")
	must(h.t, err)
	started, ended := make(chan struct{}), make(chan struct{})
	server := &dns.Server{PacketConn: packets, Handler: p, NotifyStartedFunc: func() { close(started) }}
	go func() { defer close(ended); _ = server.ActivateAndServe() }()
	<-started
	h.t.Cleanup(func() { _ = server.Shutdown(); <-ended })
	h.set.Resolver = packets.LocalAddr().String()
	h.set.Fleet = []netip.Prefix{netip.MustParsePrefix("192.0.2.0/28")}
	return p
}

// sighting is what the ledger has of a name.
func (h *machine) sighting(name string) ledger.Sighting {
	h.t.Helper()
	list, err := h.ledger.Sightings(h.t.Context())
	must(h.t, err)
	for _, v := range list {
		if v.Name == name {
			return v
		}
	}
	return ledger.Sighting{}
}

// elsewhere is an address that nobody connects to, and that is none of a movable host's.
const elsewhere = "198.51.100.7"

func TestWhatARunSeesOfNamesIsInTheLedger(t *testing.T) {
	t.Parallel()
	h := newHost(t, testca.Config{})
	p := h.movable()
	h.has("a.example", "b.example", "c.example")
	h.due("a.example", "b.example", "c.example")
	for _, name := range []string{"a.example", "b.example", "c.example"} {
		if v := h.sighting(name); v.ServedAt.IsZero() || len(v.Addresses) != 1 || !v.Addresses[0].IsLoopback() {
			t.Errorf("%+v", v)
		}
	}
	p.points("b.example", elsewhere)
	p.points("c.example", "")
	results, err := h.renew(renewal.Round{})
	must(t, err)
	if got := outcomes(results); got != "a.example issued, b.example failed, c.example failed" {
		t.Error(got)
	}
	first := h.clock.Now()
	b, c := h.sighting("b.example"), h.sighting("c.example")
	if b.ElsewhereSince.IsZero() || b.ServedAt.IsZero() || b.Addresses[0].String() != elsewhere || !c.ElsewhereSince.IsZero() || c.DeadSince.IsZero() {
		t.Errorf("%+v, %+v", b, c)
	}
	_, err = h.renew(renewal.Round{})
	must(t, err)
	if later := h.sighting("b.example"); !later.ElsewhereSince.Equal(b.ElsewhereSince) || !later.LookedAt.After(first) {
		t.Errorf("%+v, before %+v", later, b)
	}
	// once there again, all of it is over
	p.points("b.example", "127.0.0.1")
	results, err = h.renew(renewal.Round{CertName: "b.example"})
	must(t, err)
	if got := outcomes(results); got != "b.example issued" {
		t.Errorf("%s: %v", got, results[0].Err)
	}
	if v := h.sighting("b.example"); !v.ElsewhereSince.IsZero() || !v.ServedAt.After(first) {
		t.Errorf("%+v", v)
	}
}

// What was seen is no reason for a commit of its own, and a rehearsal keeps nothing.
func TestARehearsalKeepsNothingOfWhatItSees(t *testing.T) {
	t.Parallel()
	h := newHost(t, testca.Config{})
	h.movable().points("a.example", elsewhere)
	h.site("a.example")
	h.set.Rehearsal = true
	s := h.process("certonly --dry-run")
	if r := s.Obtain(t.Context(), h.wish("a.example")); failure.ClassOf(r.Err) != failure.AddressRefuse {
		t.Errorf("%+v", r)
	}
	must(t, s.End("failed", 1, ""))
	if list, err := h.ledger.Sightings(t.Context()); err != nil || len(list) > 0 {
		t.Errorf("%+v, %v", list, err)
	}
}

// What was seen of a name that no certificate has any more is forgotten after half a year, in a commit
// that a run makes anyway; what certificates have, and may have, is not.
func TestWhatWasSeenOfNamesThatNobodyHasIsForgotten(t *testing.T) {
	t.Parallel()
	h := newHost(t, testca.Config{})
	h.movable()
	h.has("a.example", "idle.example")
	now := h.clock.Now()
	var seen []ledger.Sighting
	for name, days := range map[string]int{"gone.example": 181, "lately.example": 170, "idle.example": 400, "ancient.example": 800} {
		at := now.AddDate(0, 0, -days)
		seen = append(seen, ledger.Sighting{Name: name, ServedAt: at, LookedAt: at})
	}
	must(t, h.ledger.Commit(t.Context(), &ledger.Change{Sightings: seen}))
	left := func() (names string) {
		list, err := h.ledger.Sightings(t.Context())
		must(t, err)
		for _, v := range list {
			names += v.Name + " "
		}
		return names
	}
	all := "a.example ancient.example gone.example idle.example lately.example "
	_, err := h.renew(renewal.Round{})
	must(t, err)
	if got := left(); got != all {
		t.Errorf("a round that saw nothing left %s", got)
	}
	path, text := h.disk().Dirs.Renewal("idle.example"), h.conf("idle.example")
	must(t, os.WriteFile(path, []byte("[renewalparams"), 0o644)) // whose names nobody knows now
	h.due("a.example")
	if _, err := h.renew(renewal.Round{}); err != nil {
		t.Fatal(err)
	}
	if got := left(); got != strings.Replace(all, "ancient.example ", "", 1) {
		t.Errorf("beside a broken renewal file are left %s", got)
	}
	must(t, os.WriteFile(path, []byte(text), 0o644))
	if _, err := h.renew(renewal.Round{}); err != nil {
		t.Fatal(err)
	}
	if got := left(); got != "a.example idle.example lately.example " {
		t.Errorf("left are %s", got)
	}
}
