package zone

import (
	"net/netip"
	"slices"
	"strings"
	"sync"

	"github.com/miekg/dns"

	"orderly/outside"
	"orderly/parts"
)

// A zone has several servers, and what one of them does wrong costs a resolver a detour. All of them
// are asked about the zone itself; the names in it ask those that answered.

// askable is an address of a server.
type askable struct {
	server  string
	address netip.Addr
}

// cut is a zone: what lies between a delegation and the next.
type cut struct {
	name    string
	above   *cut
	servers []Server
	named   int
	asked   []askable
	slots   chan struct{}
	once    sync.Once // the survey

	mu        sync.Mutex
	heard     []Heard
	silence   map[silence]int     // in a row
	spoke     map[netip.Addr]bool // at least once
	bad       map[netip.Addr]bool // at last
	worst     map[uint16]Word     // what questions of a type that brought nothing came to
	fruitless int                 // questions in a row
	givenUp   bool
}

// silence is what an address does not answer: some servers never answer one type of question.
type silence struct {
	address netip.Addr
	kind    uint16
}

func newCut(name string, above *cut) *cut {
	return &cut{name: name, above: above, slots: make(chan struct{}, perZone),
		silence: map[silence]int{}, spoke: map[netip.Addr]bool{}, bad: map[netip.Addr]bool{},
		worst: map[uint16]Word{}}
}

// askable are a server's addresses, those of which nobody may be asked among them: they are told.
func (a *Asker) askable(s Server) (all []askable) {
	for _, address := range s.Addresses {
		all = append(all, askable{s.Name, address.Unmap()})
	}
	return all
}

// arrange puts the addresses in the order in which they are asked, IPv4 and IPv6 in turn: a host that
// lacks one of them must not find that all it may ask is of that kind.
func (c *cut) arrange() {
	var four, six []askable
	for _, at := range c.asked {
		if at.address.Is4() {
			four = append(four, at)
		} else {
			six = append(six, at)
		}
	}
	c.asked = nil
	for i := range max(len(four), len(six)) {
		c.asked = append(c.asked, four[min(i, len(four)):min(i+1, len(four))]...)
		c.asked = append(c.asked, six[min(i, len(six)):min(i+1, len(six))]...)
	}
	c.asked = c.asked[:min(len(c.asked), maxAsked)]
}

// ask puts a question to one server after the other until one knows.
func (c *cut) ask(t *task, q question) reply {
	worst := reply{word: NoServer}
	order := c.order(q.kind)
	for _, at := range order {
		got := c.askOne(t, at, q)
		if got.word.Good() {
			return got
		}
		if got.word.severity() > worst.word.severity() {
			worst = got
		}
		if t.ctx.Err() != nil {
			return worst
		}
	}
	if len(order) == 0 {
		return reply{word: c.remembered(q.kind)}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.worst[q.kind] = worst.word
	return worst
}

// remembered is what questions of a type came to, where no more of them are asked.
func (c *cut) remembered(kind uint16) Word {
	c.mu.Lock()
	defer c.mu.Unlock()
	if word, ok := c.worst[kind]; ok {
		return word
	}
	worst := NoServer
	for _, h := range c.heard {
		if !h.Word.Good() && h.Word.severity() > worst.severity() {
			worst = h.Word
		}
	}
	return worst
}

// order is which addresses are asked a type of question, and in which order: none that never
// answers it, and none at all once the zone is given up.
func (c *cut) order(kind uint16) []askable {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.givenUp {
		return nil
	}
	var first, last []askable
	for _, at := range c.asked {
		total := c.silence[silence{at.address, kind}]
		switch {
		case total > 1, !c.spoke[at.address] && c.silence[silence{at.address, 0}] > 0:
		case c.bad[at.address]:
			last = append(last, at)
		default:
			first = append(first, at)
		}
	}
	return append(first, last...)
}

// askOne asks one address and keeps what came of it.
func (c *cut) askOne(t *task, at askable, q question) reply {
	c.slots <- struct{}{}
	defer func() { <-c.slots }()
	got := t.Asker.ask(t.ctx, at, q)
	if got.word.Good() && !got.message.Authoritative && c.referral(got, q) == "" {
		got.word = Lame
	}
	if t.ctx.Err() == nil {
		c.note(at, q, got)
	}
	return got
}

func (c *cut) note(at askable, q question, got reply) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if got.word.Good() {
		c.fruitless = 0
	} else if c.fruitless++; c.fruitless >= maxFruitless {
		c.givenUp = true
	}
	c.bad[at.address] = !got.word.Good()
	switch got.word {
	case Silent, Unreachable, Unasked:
		c.silence[silence{at.address, q.kind}]++
		c.silence[silence{at.address, 0}]++
	default:
		c.spoke[at.address] = true
		delete(c.silence, silence{at.address, q.kind})
	}
	if !got.word.Good() {
		c.hear(at, q, got)
	}
}

// hear keeps what an address came to with a question, once; the lock is held.
func (c *cut) hear(at askable, q question, got reply) {
	h := Heard{Server: outside.Clean(at.server), Address: at.address, Question: q.String(),
		Word: got.word, CaseLost: got.caseLost}
	if len(c.heard) < maxHeard && !slices.Contains(c.heard, h) {
		c.heard = append(c.heard, h)
	}
}

// survey asks each address for the zone's SOA and CAA records, once.
func (c *cut) survey(t *task) {
	c.once.Do(func() {
		var all parts.Group
		for _, at := range c.asked {
			all.Go(func() {
				for _, kind := range []uint16{typeSOA, typeCAA} {
					q := question{c.name, kind}
					got := c.askOne(t, at, q)
					if !got.word.Good() {
						return
					}
					c.mu.Lock()
					c.hear(at, q, got)
					c.mu.Unlock()
				}
			})
		}
		all.Wait()
	})
}

// referral is the zone below this one to which a reply refers a question, or empty.
func (c *cut) referral(got reply, q question) string {
	if got.message == nil || got.message.Authoritative || got.message.Rcode != dns.RcodeSuccess {
		return ""
	}
	for _, r := range got.message.Ns {
		owner := canonical(r.Header().Name)
		if r.Header().Rrtype == typeNS && owner != c.name && dns.IsSubDomain(c.name, owner) &&
			dns.IsSubDomain(owner, q.name) {
			return owner
		}
	}
	return ""
}

// shown is the zone as it is handed out. Without IPv6 a host cannot know that one is silent there.
func (c *cut) shown(withIPv6 bool) Zone {
	c.mu.Lock()
	defer c.mu.Unlock()
	z := Zone{Name: plain(c.name), Named: c.named, GivenUp: c.givenUp,
		Heard: slices.Clone(c.heard), Servers: slices.Clone(c.servers)}
	for i, h := range z.Heard {
		if h.Word == Silent && h.Address.Is6() && !withIPv6 {
			z.Heard[i].Word = Unreachable
		}
	}
	slices.SortFunc(z.Heard, func(x, y Heard) int {
		if by := strings.Compare(x.Server, y.Server); by != 0 {
			return by
		}
		if by := x.Address.Compare(y.Address); by != 0 {
			return by
		}
		return strings.Compare(x.Question, y.Question)
	})
	return z
}
