// Package zone asks DNS as a CA's resolver does: no cache, no hosts file, but the servers of the
// zone itself, found by walking down from the root, each of them by itself. It tells what every
// server answers, a name's addresses and CAA records, and whether DNSSEC holds. It knows nothing of
// certificates: what a CAA record forbids is for whoever asks to say. It must never connect to an
// address that Permits does not allow (whoever owns a zone writes down where its servers are),
// never ask a zone without a bound, and hand out no text that was not cleaned.
package zone

// What is not validated: the signatures of the root and of the zones between it and the one that is
// looked at (their DS records are believed as their servers give them), and the proofs that
// something does not exist (NSEC, NSEC3). A zone that hides records from a validating resolver by
// broken proofs alone is not found out here.

import (
	"context"
	"math/rand/v2"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"orderly/parts"
)

// Config is whom to ask and how. What stands in for the Internet is passed in.
type Config struct {
	// Roots are the servers to begin at. Without any, the resolvers are asked alone.
	Roots []Server
	// Resolvers are HOST:PORT, asked for everything where no root server answers.
	Resolvers []string
	Port      int           // of name servers; default 53
	Timeout   time.Duration // for one question over one transport; default 3 s
	// Permits says which addresses of name servers may be connected to; nil permits none.
	Permits func(netip.Addr) bool
	// Dial connects; default net.Dialer. Its address is IP:PORT, but for a resolver's.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	Now  func() time.Time // by which signatures and patience are judged; default time.Now
	// Tell, where set, is told after a second what is waited for.
	Tell func(format string, args ...any)
}

// Server is one server of a zone.
type Server struct {
	Name      string
	Addresses []netip.Addr
	// Glueless says that its name lies in the zone that it serves, and the parent gives no address.
	Glueless bool
}

// Heard is what one server came to with one question.
type Heard struct {
	Server   string
	Address  netip.Addr
	Question string // "SOA example.com"
	Word     Word
	// CaseLost says that the server did not give the question back as it was written: the capitals
	// by which a resolver tells an answer from a forged one (draft-vixie-dnsext-dns0x20) are lost.
	CaseLost bool
}

// Zone is what is known of a zone.
type Zone struct {
	Name    string
	Servers []Server
	Named   int // servers that the parent names, of which the first are in Servers
	// Heard is what each address was asked for the zone itself, and what else went wrong.
	Heard []Heard
	// GivenUp says that so many questions in a row brought nothing that no more were asked.
	GivenUp bool
	Chain   Chain
}

// Answer is what a question for a name came to, its aliases followed.
type Answer struct {
	Word Word
	// At is the name that the word is about: where the aliases end, or what is broken among them.
	At        string
	Zone      string   // in which At lies; empty where a resolver was asked
	Aliases   []string // that led from the name to At, without the name itself
	Addresses []netip.Addr
	// Bogus is why the answer's signatures do not hold, where its zone is signed; Ends is when the
	// first of them ends.
	Bogus string
	Ends  time.Time

	records []record
}

// Look is what was found of a name.
type Look struct {
	Name  string
	Zone  string   // in which it lies; empty where a resolver was asked
	Zones []string // of all names on the way to its addresses
	A     Answer
	AAAA  Answer
	CAA   CAA
}

// Addresses are all of the name's, IPv6 first, as a CA prefers them.
func (l Look) Addresses() []netip.Addr {
	return append(append([]netip.Addr{}, l.AAAA.Addresses...), l.A.Addresses...)
}

const (
	parallel     = 64 // questions at once
	perZone      = 8  // of one zone's servers
	maxAliases   = 11 // followed, as unbound does (MAX_RESTART_COUNT)
	maxDepth     = 5  // names of servers that are needed to find servers
	waitNotice   = time.Second
	udpSize      = 1232             // DNS flag day 2020
	tries        = 2                // before an address counts as silent
	maxServers   = 8                // of a zone whose names and addresses are looked for
	maxAsked     = 8                // addresses of a zone that are asked
	maxHeard     = 64               // kept of what went wrong in a zone
	perName      = 30 * time.Second // after which a name's aliases are not followed any more
	perServers   = 10 * time.Second // after which no more servers' addresses are looked for
	maxFruitless = 60               // questions in a row that brought nothing
)

// Asker asks. What it learns of a zone is shared by all names of a run; it may be used from many
// goroutines, under contexts that end together.
type Asker struct {
	config Config
	slots  chan struct{}
	root   *cut
	told   atomic.Bool

	mu      sync.Mutex // over everything below, and over who waits for whom
	cuts    memory[*cut]
	answers memory[step]
	chains  memory[Chain]
	ways    memory[Way]
	six     kind
	deaf    map[netip.Addr]int // questions in a row without an answer, over all zones
	mute    int                // the same of the resolvers
}

// New makes an asker. Nothing is asked yet.
func New(config Config) *Asker {
	if config.Port == 0 {
		config.Port = 53
	}
	if config.Timeout == 0 {
		config.Timeout = 3 * time.Second
	}
	if config.Permits == nil {
		config.Permits = func(netip.Addr) bool { return false }
	}
	if config.Dial == nil {
		config.Dial = new(net.Dialer).DialContext
	}
	if config.Now == nil {
		config.Now = time.Now
	}
	a := &Asker{config: config, slots: make(chan struct{}, parallel), deaf: map[netip.Addr]int{}}
	a.cuts, a.answers = newMemory[*cut](&a.mu), newMemory[step](&a.mu)
	a.chains, a.ways = newMemory[Chain](&a.mu), newMemory[Way](&a.mu)
	a.root = newCut(".", nil)
	a.root.servers, a.root.named = config.Roots, len(config.Roots)
	for _, server := range a.root.servers {
		a.root.asked = append(a.root.asked, a.askable(server)...)
	}
	// Whoever always begins with the same one asks it for the whole world.
	rand.Shuffle(len(a.root.asked), func(i, j int) {
		a.root.asked[i], a.root.asked[j] = a.root.asked[j], a.root.asked[i]
	})
	a.root.arrange()
	return a
}

// Way is by which way the questions go.
type Way struct {
	Direct bool // to the servers of each zone
	// Resolvers are asked otherwise, since nobody was to begin at or no root server answers.
	Resolvers []string
	// Heard says that anybody answered at all; otherwise nothing can be learnt of any name.
	Heard bool
}

// Way says how questions go; it asks the root servers once.
func (a *Asker) Way(ctx context.Context) Way { return a.task(ctx).way() }

// Look asks everything about a name: the addresses, the CAA records, the servers of its zone.
func (a *Asker) Look(ctx context.Context, name string) Look {
	t := a.task(ctx)
	fqdn := canonical(name)
	look := Look{Name: plain(fqdn)}
	look.A = t.follow(fqdn, typeA)
	look.AAAA = t.follow(fqdn, typeAAAA)
	look.CAA = t.climb(fqdn)
	if !t.way().Direct {
		return look
	}
	for _, on := range append([]string{fqdn}, fqdns(look.A.Aliases)...) {
		within := t.homeOf(on)
		if on == fqdn {
			look.Zone = plain(within.name)
		}
		look.Zones = appendNew(look.Zones, plain(within.name))
		if within != a.root {
			t.chain(within)
		}
	}
	return look
}

// Addresses asks for a name's addresses alone.
func (a *Asker) Addresses(ctx context.Context, name string) []netip.Addr {
	t := a.task(ctx)
	t.depth = 1 // nothing of the zones on the way is told
	return slices.Concat(t.follow(canonical(name), typeAAAA).Addresses,
		t.follow(canonical(name), typeA).Addresses)
}

// LookAll looks at names, many at once; what it returns stands in the order of names.
func (a *Asker) LookAll(ctx context.Context, names []string) []Look {
	looks := make([]Look, len(names))
	turns := make(chan struct{}, parallel)
	var all parts.Group
	for i, name := range names {
		all.Go(func() {
			turns <- struct{}{}
			defer func() { <-turns }()
			looks[i] = a.Look(ctx, name)
		})
	}
	all.Wait()
	return looks
}

// Zone returns what is known of a zone that a Look named.
func (a *Asker) Zone(name string) (Zone, bool) {
	fqdn := canonical(name)
	found, ok := a.root, fqdn == "."
	if !ok {
		found, ok = a.cuts.known(fqdn)
	}
	if !ok || found.name != fqdn {
		return Zone{}, false
	}
	z := found.shown(a.hasIPv6())
	z.Chain, _ = a.chains.known(fqdn)
	return z, true
}
