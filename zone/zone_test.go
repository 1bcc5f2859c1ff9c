package zone_test

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/miekg/dns"

	"orderly/zone"
	"orderly/zone/zonetest"
)

// world is a root, the top-level domain "example", and what a test puts below.
type world struct {
	*zonetest.World
	t      *testing.T
	top    *zonetest.Zone
	config zone.Config
	asker  *zone.Asker
}

// The addresses of name servers are global ones; only documentation's are not (RFC 5737).
const (
	rootAt = "8.0.0.1"
	topAt  = "8.0.0.2"
)

var now = time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)

func newWorld(t *testing.T) *world {
	w := &world{World: zonetest.New(), t: t}
	t.Cleanup(w.Close)
	w.top = zonetest.NewZone("example", "@ NS ns.nic.example.", "ns.nic.example. A "+topAt)
	w.Serve(topAt, w.top)
	w.Serve(rootAt, zonetest.NewZone(".", "@ NS a.root.", "example. NS ns.nic.example.",
		"ns.nic.example. A "+topAt))
	w.config = zone.Config{Roots: []zone.Server{{Name: "a.root", Addresses: addresses(rootAt)}},
		Timeout: 10 * time.Second, Dial: w.Dial, Now: func() time.Time { return now },
		Permits: func(a netip.Addr) bool { return !a.IsPrivate() && !a.IsLoopback() }}
	return w
}

func addresses(all ...string) (found []netip.Addr) {
	for _, a := range all {
		found = append(found, netip.MustParseAddr(a))
	}
	return found
}

// delegate lets zones of the top-level domain be served by servers with glue, at 8.1.0.N.
func (w *world) delegate(z *zonetest.Zone, name string, servers int) (all []*zonetest.Server) {
	for i := range servers {
		at := fmt.Sprintf("8.1.0.%d", i+1)
		w.top.Add(fmt.Sprintf("%s. NS ns%d.%s.", name, i+1, name), fmt.Sprintf("ns%d.%s. A %s", i+1, name, at))
		all = append(all, w.Serve(at, z))
	}
	return all
}

func (w *world) look(name string) zone.Look {
	w.t.Helper()
	if w.asker == nil {
		w.asker = zone.New(w.config)
	}
	return w.asker.Look(w.t.Context(), name)
}

func (w *world) zone(name string) zone.Zone {
	w.t.Helper()
	z, ok := w.asker.Zone(name)
	if !ok {
		w.t.Fatalf("nothing is known of %s", name)
	}
	return z
}

// heard is what a server of the zone shop.example came to with a type of question.
func (w *world) heard(server, kind string) zone.Heard {
	w.t.Helper()
	z := w.zone("shop.example")
	for _, h := range z.Heard {
		if h.Server == server && strings.HasPrefix(h.Question, kind+" ") {
			return h
		}
	}
	w.t.Fatalf("%s was not asked for %s: %+v", server, kind, z.Heard)
	return zone.Heard{}
}

func shop(lines ...string) *zonetest.Zone {
	return zonetest.NewZone("shop.example", append([]string{"@ NS ns1", "@ NS ns2",
		"@ A 93.184.216.34", "www A 93.184.216.35", "www AAAA 2606:2800::1"}, lines...)...)
}

func TestANameIsFoundByTheServersOfItsZone(t *testing.T) {
	w := newWorld(t)
	w.delegate(shop(), "shop.example", 2)
	look := w.look("www.Shop.Example")
	if look.A.Word != zone.NoError || !slices.Equal(look.Addresses(), addresses("2606:2800::1", "93.184.216.35")) ||
		look.Zone != "shop.example" || look.CAA.Word != zone.NoError || look.CAA.At != "" {
		t.Errorf("%+v", look)
	}
	z := w.zone("shop.example")
	if z.Named != 2 || len(z.Heard) != 4 || z.Chain.State != zone.Unsigned || z.GivenUp {
		t.Errorf("%+v", z)
	}
	for _, h := range z.Heard {
		if h.Word != zone.NoError || h.CaseLost {
			t.Errorf("%+v", h)
		}
	}
	if !w.asker.Way(t.Context()).Direct {
		t.Error("the root was not asked")
	}
}

// code answers everything that does not begin with except with an error code.
func code(rcode int) zonetest.Twist {
	return func(asked, _ *dns.Msg, _ bool) *dns.Msg { return new(dns.Msg).SetRcode(asked, rcode) }
}

func only(kind uint16, with zonetest.Twist) zonetest.Twist {
	return func(asked, answer *dns.Msg, tcp bool) *dns.Msg {
		if asked.Question[0].Qtype != kind {
			return answer
		}
		return with(asked, answer, tcp)
	}
}

func silent(*dns.Msg, *dns.Msg, bool) *dns.Msg { return nil }

func TestWhatOneServerDoesWrongIsTold(t *testing.T) {
	for _, test := range []struct {
		name  string
		twist zonetest.Twist
		kind  string
		word  zone.Word
	}{
		{"lame", func(_, answer *dns.Msg, _ bool) *dns.Msg { answer.Authoritative = false; return answer }, "SOA", zone.Lame},
		{"refers upwards", func(asked, _ *dns.Msg, _ bool) *dns.Msg {
			answer := new(dns.Msg).SetReply(asked)
			r, _ := dns.NewRR(". NS a.root.")
			answer.Ns = []dns.RR{r}
			return answer
		}, "SOA", zone.Lame},
		{"SERVFAIL", code(dns.RcodeServerFailure), "SOA", zone.ServFail},
		{"REFUSED", code(dns.RcodeRefused), "SOA", zone.Refused},
		{"NOTIMP for CAA", only(dns.TypeCAA, code(dns.RcodeNotImplemented)), "CAA", zone.NotImp},
		{"FORMERR", code(dns.RcodeFormatError), "SOA", zone.FormErr},
		{"an odd code", code(dns.RcodeNotAuth), "SOA", zone.OtherCode},
		{"another question", func(_, answer *dns.Msg, _ bool) *dns.Msg {
			answer.Question[0].Name = "b.example."
			return answer
		}, "SOA", zone.Nonsense},
		{"TC without TCP", func(_, answer *dns.Msg, _ bool) *dns.Msg {
			answer.Truncated = true
			return answer
		}, "SOA", zone.NoTCP},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t)
			w.config.Dial = w.withoutTCP
			w.delegate(shop(), "shop.example", 2)[0].Twist(test.twist)
			look := w.look("www.shop.example")
			if look.A.Word != zone.NoError || len(look.Addresses()) != 2 || look.CAA.Word != zone.NoError {
				t.Errorf("the other server was not asked: %+v", look)
			}
			if h := w.heard("ns1.shop.example", test.kind); h.Word != test.word {
				t.Errorf("%+v", h)
			}
			if h := w.heard("ns2.shop.example", test.kind); h.Word != zone.NoError {
				t.Errorf("%+v", h)
			}
		})
	}
}

func TestCapitalsThatAreLostAreTold(t *testing.T) {
	w := newWorld(t)
	w.delegate(shop(), "shop.example", 1)[0].Twist(func(_, answer *dns.Msg, _ bool) *dns.Msg {
		answer.Question[0].Name = strings.ToLower(answer.Question[0].Name)
		return answer
	})
	if look := w.look("www.shop.example"); look.A.Word != zone.NoError {
		t.Errorf("%+v", look)
	}
	if !w.heard("ns1.shop.example", "SOA").CaseLost {
		t.Error("capitals were not missed")
	}
}

// withoutTCP is an Internet in which nobody listens for DNS over TCP.
func (w *world) withoutTCP(ctx context.Context, network, address string) (net.Conn, error) {
	if network == "tcp" {
		return nil, &net.OpError{Op: "dial", Net: network, Err: syscall.ECONNREFUSED}
	}
	return w.Dial(ctx, network, address)
}

// asked is how often a name server was asked, also where nobody is there.
func (w *world) asked(address string) (times int) {
	for _, at := range w.Dialled() {
		if at == address+":53" {
			times++
		}
	}
	return times
}

func TestASilentServerIsWaitedForOnce(t *testing.T) {
	w := newWorld(t)
	w.delegate(shop(), "shop.example", 2)
	w.top.Add("shop.example. NS ns3.shop.example.", "ns3.shop.example. A 8.1.0.3") // where nobody is
	for _, name := range []string{"www.shop.example", "shop.example", "a.shop.example", "b.shop.example"} {
		w.look(name)
	}
	if h := w.heard("ns3.shop.example", "SOA"); h.Word != zone.Silent {
		t.Errorf("%+v", h)
	}
	if asked := w.asked("8.1.0.3"); asked != 2 {
		t.Errorf("a dead server was asked %d times", asked)
	}
}

// A dead server of many zones costs each of them less than the first.
func TestADeadServerOfManyZonesIsWaitedForLess(t *testing.T) {
	w := newWorld(t)
	for i := range 30 {
		name := fmt.Sprintf("n%d.example", i)
		w.top.Add(name+". NS ns."+name+".", "ns."+name+". A 8.4.0.1")
		if look := w.look(name); look.A.Word != zone.Silent {
			t.Fatalf("%+v", look)
		}
	}
	if asked := w.asked("8.4.0.1"); asked != 6*2+24 {
		t.Errorf("asked %d times", asked)
	}
}

// deafTo is a connection on which questions of one type are not answered; nobody waits for that.
type deafTo struct {
	*net.UDPConn
	kind uint16
	mute bool
}

func (c *deafTo) Write(b []byte) (int, error) {
	m := new(dns.Msg)
	if c.mute = m.Unpack(b) == nil && m.Question[0].Qtype == c.kind; c.mute {
		return len(b), nil
	}
	return c.UDPConn.Write(b)
}

func (c *deafTo) Read(b []byte) (int, error) {
	if c.mute {
		return 0, &net.OpError{Op: "read", Net: "udp", Err: os.ErrDeadlineExceeded}
	}
	return c.UDPConn.Read(b)
}

func TestAServerThatNeverAnswersCAAEndsThat(t *testing.T) {
	w := newWorld(t)
	w.delegate(shop(), "shop.example", 1)
	w.config.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := w.Dial(ctx, network, address)
		if udp, ok := conn.(*net.UDPConn); ok && address == "8.1.0.1:53" {
			return &deafTo{UDPConn: udp, kind: dns.TypeCAA}, err
		}
		return conn, err
	}
	for i := range 20 {
		look := w.look(fmt.Sprintf("n%d.shop.example", i))
		if look.CAA.Word != zone.Silent || look.A.Word != zone.NXDomain {
			t.Fatalf("%+v", look)
		}
	}
	// SOA once, A and AAAA of each name, and CAA twice, each time two tries
	if asked := w.asked("8.1.0.1"); asked > 1+20*2+4 {
		t.Errorf("asked %d times", asked)
	}
}

func TestAZoneWithTwoHundredBrokenServersIsAskedAHandful(t *testing.T) {
	w := newWorld(t)
	var all []*zonetest.Server
	for _, s := range w.delegate(shop(), "shop.example", 60) {
		s.Twist(code(dns.RcodeServerFailure))
		all = append(all, s)
	}
	for i := range 40 {
		if look := w.look(fmt.Sprintf("n%d.shop.example", i)); look.A.Word != zone.ServFail {
			t.Fatalf("%+v", look)
		}
	}
	z := w.zone("shop.example")
	servers, questions := 0, 0
	for _, s := range all {
		if s.Asked() > 0 {
			servers++
		}
		questions += s.Asked()
	}
	if servers > 8 || questions > 80 || !z.GivenUp || z.Named != 60 {
		t.Errorf("%d servers were asked %d times; given up: %v of %d", servers, questions, z.GivenUp, z.Named)
	}
}

func TestWhatANameComesTo(t *testing.T) {
	for _, test := range []struct {
		name, ask string
		records   []string
		word      zone.Word
		at        string
		aliases   int
	}{
		{"no such name", "none.shop.example", nil, zone.NXDomain, "none.shop.example", 0},
		{"no such domain", "www.none.example", nil, zone.NXDomain, "www.none.example", 0},
		{"an alias", "a.shop.example", []string{"a CNAME www"}, zone.NoError, "www.shop.example", 1},
		{"an alias to nowhere", "a.shop.example", []string{"a CNAME gone"}, zone.NXDomain, "gone.shop.example", 1},
		{"an alias to itself", "a.shop.example", []string{"a CNAME a"}, zone.Endless, "a.shop.example", 0},
		{"a ring", "a.shop.example", []string{"a CNAME b", "b CNAME c", "c CNAME a"}, zone.Endless, "c.shop.example", 2},
		{"an endless chain", "n0.shop.example", chain(40), zone.Endless, "n11.shop.example", 11},
		{"an alias of a hundred labels", "a.shop.example", []string{"a CNAME " + strings.Repeat("x.", 100) + "shop.example."}, zone.NXDomain, strings.Repeat("x.", 100) + "shop.example", 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t)
			s := w.delegate(shop(test.records...), "shop.example", 1)
			look := w.look(test.ask)
			if look.A.Word != test.word || look.A.At != test.at || len(look.A.Aliases) != test.aliases {
				t.Errorf("%+v", look.A)
			}
			if asked := s[0].Asked(); asked > 60 {
				t.Errorf("asked %d times", asked)
			}
		})
	}
}

func chain(long int) (lines []string) {
	for i := range long {
		lines = append(lines, fmt.Sprintf("n%d CNAME n%d", i, i+1))
	}
	return lines
}

func TestAnAliasLeadsToAnotherZone(t *testing.T) {
	w := newWorld(t)
	w.delegate(shop("a CNAME shop.cdn.example."), "shop.example", 1)
	w.top.Add("cdn.example. NS ns.cdn.example.", "ns.cdn.example. A 8.2.0.1")
	w.Serve("8.2.0.1", zonetest.NewZone("cdn.example", "shop A 93.184.216.40"))
	look := w.look("a.shop.example")
	if look.A.Zone != "cdn.example" || look.Zone != "shop.example" || len(look.Zones) != 2 ||
		!slices.Equal(look.Addresses(), addresses("93.184.216.40")) {
		t.Errorf("%+v", look)
	}
}

// Whoever owns zones could lead from one slow one to the next.
func TestAliasesThatTakeTooLongAreLeft(t *testing.T) {
	w := newWorld(t)
	var late atomic.Int64
	w.config.Now = func() time.Time { return now.Add(time.Duration(late.Load())) }
	s := w.delegate(shop(chain(9)...), "shop.example", 1)[0]
	s.Twist(func(asked, answer *dns.Msg, _ bool) *dns.Msg {
		if strings.HasPrefix(strings.ToLower(asked.Question[0].Name), "n4.") {
			late.Add(int64(time.Minute))
		}
		return answer
	})
	if look := w.look("n0.shop.example"); look.A.Word != zone.TooSlow || len(look.A.Aliases) != 4 {
		t.Errorf("%+v", look.A)
	}
}

// A host that has one kind of address alone sees as much, and calls no server of the other silent.
func TestAHostWithOneKindOfAddress(t *testing.T) {
	for _, test := range []struct {
		name, has string
		err       error
	}{
		{"IPv4 alone", "8", syscall.ENETUNREACH}, {"IPv6 alone", "[", syscall.ENETUNREACH},
		{"IPv6 that ends somewhere", "8", syscall.ECONNREFUSED},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t)
			root := zonetest.NewZone(".", "example. NS ns.nic.example.", "ns.nic.example. A "+topAt, "ns.nic.example. AAAA 2001:4::2")
			w.Serve(rootAt, root)
			w.Serve("2001:4::1", root)
			w.Serve("2001:4::2", w.top)
			w.top.Add("shop.example. NS ns1.shop.example.", "ns1.shop.example. A 8.1.0.1", "ns1.shop.example. AAAA 2001:4::3")
			w.Serve("8.1.0.1", shop())
			w.Serve("2001:4::3", shop())
			w.config.Roots[0].Addresses = addresses(rootAt, "2001:4::1")
			for i := range 12 { // more than are asked
				w.Serve(fmt.Sprintf("8.0.1.%d", i), root)
				w.config.Roots[0].Addresses = append(w.config.Roots[0].Addresses, addresses(fmt.Sprintf("8.0.1.%d", i))...)
			}
			w.config.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
				if !strings.HasPrefix(address, test.has) {
					return nil, &net.OpError{Op: "dial", Net: network, Err: test.err}
				}
				return w.Dial(ctx, network, address)
			}
			if look := w.look("www.shop.example"); look.A.Word != zone.NoError || !w.asker.Way(t.Context()).Direct {
				t.Errorf("%+v", look)
			}
			for _, h := range w.zone("shop.example").Heard {
				if h.Word != zone.NoError && h.Word != zone.Unreachable {
					t.Errorf("%+v", h)
				}
			}
		})
	}
}

func TestServersWithoutGlueAreLookedFor(t *testing.T) {
	w := newWorld(t)
	w.top.Add("shop.example. NS ns.host.example.", "host.example. NS ns.host.example.", "ns.host.example. A 8.3.0.1")
	w.top.Add("far.example. NS ns.shop.example.")
	w.Serve("8.3.0.1", zonetest.NewZone("host.example", "ns A 8.3.0.1"), shop("ns A 8.3.0.1"),
		zonetest.NewZone("far.example", "@ A 93.184.216.41"))
	if look := w.look("far.example"); look.A.Word != zone.NoError || look.Zone != "far.example" {
		t.Errorf("%+v", look)
	}
	w.top.Add("lost.example. NS ns.lost.example.", "x.example. NS ns.y.example.", "y.example. NS ns.x.example.")
	w.asker = nil
	if look := w.look("lost.example"); look.A.Word != zone.NoServer {
		t.Errorf("%+v", look)
	}
	if z := w.zone("lost.example"); len(z.Servers) != 1 || !z.Servers[0].Glueless {
		t.Errorf("%+v", z)
	}
}

// Two zones that need each other are no reason to wait for ever, however many look for them at once.
func TestZonesThatNeedEachOtherAreNotWaitedFor(t *testing.T) {
	w := newWorld(t)
	w.top.Add("x.example. NS ns.y.example.", "y.example. NS ns.x.example.", "z.example. NS ns.z.x.example.")
	asker := zone.New(w.config)
	for _, look := range asker.LookAll(t.Context(), []string{"x.example", "y.example", "www.x.example", "www.y.example", "z.example", "a.z.example"}) {
		if look.A.Word.Good() {
			t.Errorf("%+v", look)
		}
	}
}

func TestAServerInAPrivateRangeIsNotConnectedTo(t *testing.T) {
	w := newWorld(t)
	w.top.Add("shop.example. NS ns.shop.example.", "ns.shop.example. A 10.0.0.1", "ns.shop.example. A 127.0.0.1")
	w.Serve("10.0.0.1", shop())
	look := w.look("www.shop.example")
	if look.A.Word != zone.Unasked {
		t.Errorf("%+v", look)
	}
	for _, at := range w.Dialled() {
		if strings.HasPrefix(at, "10.") || strings.HasPrefix(at, "127.") {
			t.Errorf("connected to %s", at)
		}
	}
	w.asker, w.config.Permits = nil, func(netip.Addr) bool { return true }
	if look := w.look("www.shop.example"); look.A.Word != zone.NoError {
		t.Errorf("allowed: %+v", look)
	}
}

func TestCAARecordsAreLookedForAbove(t *testing.T) {
	for _, test := range []struct {
		name    string
		records []string
		ask     string
		at      string
		tags    string
	}{
		{"at the name", []string{"www CAA 0 issue \"letsencrypt.org\"", "@ CAA 0 issue \"other.example\""}, "www.shop.example", "www.shop.example", "issue=letsencrypt.org"},
		{"at the parent", []string{"@ CAA 0 Issue \"other.example\"", "@ CAA 128 odd \"x\""}, "a.b.www.shop.example", "shop.example", "issue=other.example !odd=x"},
		{"of a wildcard", []string{"@ CAA 0 issuewild \";\""}, "*.shop.example", "shop.example", "issuewild=;"},
		{"by an alias", []string{"a CNAME b", "b CAA 0 issue \"alias.example\"", "@ CAA 0 issue \"other.example\""}, "a.shop.example", "a.shop.example", "issue=alias.example"},
		{"none at the alias, but above the name", []string{"a CNAME b.c", "b.c A 93.184.216.34", "c CAA 0 issue \"not.example\"", "@ CAA 0 issue \"other.example\""}, "a.shop.example", "shop.example", "issue=other.example"},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t)
			w.delegate(shop(test.records...), "shop.example", 1)
			caa := w.look(test.ask).CAA
			var tags []string
			for _, r := range caa.Records {
				critical := ""
				if r.Critical {
					critical = "!"
				}
				tags = append(tags, critical+r.Tag+"="+r.Value)
			}
			if caa.Word != zone.NoError || caa.At != test.at || strings.Join(tags, " ") != test.tags {
				t.Errorf("%+v", caa)
			}
		})
	}
}

func TestCAAThatIsNotAnsweredIsTold(t *testing.T) {
	w := newWorld(t)
	w.delegate(shop(), "shop.example", 1)[0].Twist(only(dns.TypeCAA, code(dns.RcodeServerFailure)))
	look := w.look("www.shop.example")
	if look.A.Word != zone.NoError || look.CAA.Word != zone.ServFail || look.CAA.Failed != "www.shop.example" {
		t.Errorf("%+v", look)
	}
}

func TestSignaturesAreVerified(t *testing.T) {
	day := 24 * time.Hour
	for _, test := range []struct {
		name         string
		begins, ends time.Time
		spoil        func(ds string) string
		zone         *zonetest.Zone
		state        zone.State
		why          string
	}{
		{"they hold", now.Add(-day), now.Add(9 * day), nil, shop(), zone.Secure, ""},
		{"they have ended", now.Add(-9 * day), now.Add(-day), nil, shop(), zone.Broken, "ended on 2026-10-31"},
		{"they are to come", now.Add(day), now.Add(9 * day), nil, shop(), zone.Broken, "begins in the future"},
		{"another key", now.Add(-day), now.Add(9 * day), func(ds string) string { return ds[:len(ds)-4] + "0000" }, shop(), zone.Broken, "DS record names"},
		{"an algorithm that nobody knows", now.Add(-day), now.Add(9 * day), func(ds string) string { return strings.Replace(ds, " 13 2 ", " 99 2 ", 1) }, shop(), zone.Unsigned, ""},
		{"no DS record", now.Add(-day), now.Add(-day), func(string) string { return "" }, shop(), zone.Unsigned, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t)
			ds := test.zone.Sign(test.begins, test.ends)
			if test.spoil != nil {
				ds = test.spoil(ds)
			}
			root := zonetest.NewZone(".", "example. NS ns.nic.example.", "ns.nic.example. A "+topAt, w.top.Sign(now.Add(-day), now.Add(day)))
			w.Serve(rootAt, root)
			if ds != "" {
				w.top.Add(ds)
			}
			w.delegate(test.zone, "shop.example", 1)
			look := w.look("www.shop.example")
			chain := w.zone("shop.example").Chain
			if chain.State != test.state || !strings.Contains(chain.Why, test.why) {
				t.Errorf("%s %q", chain.State, chain.Why)
			}
			if (look.A.Bogus != "") != (test.state == zone.Broken) {
				t.Errorf("%+v", look)
			}
			if test.state == zone.Secure && !chain.Ends.Equal(test.ends) {
				t.Errorf("ends %s", chain.Ends)
			}
		})
	}
}

// A record that was changed on the way is not what was signed.
func TestARecordThatWasChangedIsBogus(t *testing.T) {
	w := newWorld(t)
	z := shop()
	ds := z.Sign(now.Add(-time.Hour), now.Add(time.Hour))
	w.Serve(rootAt, zonetest.NewZone(".", "example. NS ns.nic.example.", "ns.nic.example. A "+topAt, w.top.Sign(now.Add(-time.Hour), now.Add(time.Hour))))
	w.top.Add(ds)
	w.delegate(z, "shop.example", 1)[0].Twist(only(dns.TypeA, func(_, answer *dns.Msg, _ bool) *dns.Msg {
		answer = answer.Copy()
		for _, r := range answer.Answer {
			if a, ok := r.(*dns.A); ok {
				a.A[3]++
			}
		}
		return answer
	}))
	look := w.look("www.shop.example")
	if !strings.Contains(look.A.Bogus, "does not fit") || look.AAAA.Bogus != "" {
		t.Errorf("%+v", look)
	}
}

func TestWithoutTheRootTheResolverIsAsked(t *testing.T) {
	w := newWorld(t)
	cache := w.Serve("192.0.2.53", shop("ns A 8.3.0.1", "a CNAME www", "@ CAA 0 issue \"other.example\""))
	w.config.Roots = []zone.Server{{Name: "a.root", Addresses: addresses("8.9.9.9")}} // nobody listens
	w.config.Resolvers = []string{"192.0.2.53:53"}
	look := w.look("a.shop.example")
	if look.A.Word != zone.NoError || len(look.Addresses()) != 2 || look.Zone != "" || look.CAA.At != "shop.example" {
		t.Errorf("%+v", look)
	}
	if way := w.asker.Way(t.Context()); way.Direct || len(way.Resolvers) != 1 || !way.Heard {
		t.Errorf("%+v", way)
	}
	w.asker, w.config.Roots = nil, nil
	cache.Twist(func(asked, answer *dns.Msg, _ bool) *dns.Msg {
		if asked.CheckingDisabled {
			return answer
		}
		return new(dns.Msg).SetRcode(asked, dns.RcodeServerFailure)
	})
	if look := w.look("www.shop.example"); look.A.Word != zone.Bogus {
		t.Errorf("%+v", look)
	}
}

func TestASilentResolverIsGivenUp(t *testing.T) {
	w := newWorld(t)
	w.config.Roots, w.config.Resolvers, w.config.Timeout = nil, []string{"192.0.2.53:53"}, 50*time.Millisecond
	s := w.Serve("192.0.2.53")
	s.Twist(silent)
	for i := range 100 {
		if look := w.look(fmt.Sprintf("n%d.shop.example", i)); look.A.Word != zone.Silent {
			t.Fatalf("%+v", look)
		}
	}
	if asked := s.Asked(); asked > 40 {
		t.Errorf("a dead resolver was asked %d times", asked)
	}
}

func TestTheEndOfTheContextIsObeyed(t *testing.T) {
	w := newWorld(t)
	w.config.Timeout = time.Hour
	ctx, cancel := context.WithCancel(t.Context())
	w.delegate(shop(), "shop.example", 2)[0].Twist(func(*dns.Msg, *dns.Msg, bool) *dns.Msg { cancel(); return nil })
	zone.New(w.config).LookAll(ctx, []string{"www.shop.example", "shop.example"})
}

// A zone may send thousands of keys, and its parent name as many: they are not tried one with the
// other.
func TestAZoneWithTooManyKeysIsNotJudged(t *testing.T) {
	w := newWorld(t)
	z := shop()
	ds := z.Sign(now.Add(-time.Hour), now.Add(time.Hour))
	w.Serve(rootAt, zonetest.NewZone(".", "example. NS ns.nic.example.", "ns.nic.example. A "+topAt, w.top.Sign(now.Add(-time.Hour), now.Add(time.Hour))))
	w.top.Add(ds)
	w.delegate(z, "shop.example", 1)[0].Twist(only(dns.TypeDNSKEY, func(_, answer *dns.Msg, tcp bool) *dns.Msg {
		answer = answer.Copy()
		if answer.Truncated = !tcp; !tcp {
			return answer
		}
		for range 100 {
			key, err := dns.NewRR("shop.example. 60 IN DNSKEY 256 3 13 aaaa")
			if err != nil {
				t.Error(err)
				return answer
			}
			answer.Answer = append(answer.Answer, key)
		}
		return answer
	}))
	look := w.look("www.shop.example")
	if state := w.zone("shop.example").Chain.State; state != zone.Unknown || look.A.Bogus != "" {
		t.Errorf("%s, %+v", state, look.A)
	}
}
