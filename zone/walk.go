package zone

import (
	"net/netip"
	"slices"

	"github.com/miekg/dns"
	"golang.org/x/net/publicsuffix"

	"orderly/outside"
	"orderly/parts"
)

// The way down from the root to the servers of a name, a label at a time, as a resolver goes that
// minimises its questions (RFC 9156).

// maxLabels bounds the labels of a name that are walked: whoever owns a zone may write an alias of
// a hundred. No CA issues for more than ten.
const maxLabels = 12

// way finds out once whom to ask.
func (t *task) way() Way {
	way, _ := t.ways.get(t, "", func() Way {
		if t.rootAnswers() {
			return Way{Direct: true, Heard: true}
		}
		if len(t.config.Resolvers) == 0 {
			return Way{Direct: true}
		}
		word := t.recurse(question{".", typeNS}).word
		return Way{Resolvers: t.config.Resolvers, Heard: word != Silent && word != Unreachable}
	})
	return way
}

// rootAnswers asks a few of the root's servers: one that answers is enough.
func (t *task) rootAnswers() bool {
	const few = 4
	heard := make([]bool, min(few, len(t.root.asked)))
	var all parts.Group
	for i := range heard {
		all.Go(func() {
			heard[i] = t.root.askOne(t, t.root.asked[i], question{".", typeNS}).word.Good()
		})
	}
	all.Wait()
	return slices.Contains(heard, true)
}

// cutOf is the zone that holds what stands at a name: its own where it is delegated.
func (t *task) cutOf(name string) *cut {
	if name == "." {
		return t.root
	}
	if dns.CountLabel(name) > maxLabels {
		return t.cutOf(parentOf(name))
	}
	found, ok := t.cuts.get(t, name, func() *cut {
		above := t.cutOf(parentOf(name))
		got := above.ask(t, question{name, typeNS})
		if !got.word.Good() || len(serversIn(got.message, name)) == 0 {
			return above
		}
		return t.delegated(name, above, got.message)
	})
	if !ok {
		return newCut(name, t.root) // which needs itself, and has no server
	}
	return found
}

// homeOf is the zone that a name was found in.
func (t *task) homeOf(name string) *cut {
	if own, ok := t.cuts.known(name); ok {
		return own
	}
	return t.cutOf(parentOf(name))
}

// serversIn are the names of the servers that a message names for a zone, in one order.
func serversIn(m *dns.Msg, zone string) (names []string) {
	for _, r := range slices.Concat(m.Answer, m.Ns) {
		if ns, ok := r.(*dns.NS); ok && canonical(ns.Hdr.Name) == zone {
			names = append(names, canonical(ns.Ns))
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// delegated is the zone to which its parent's answer leads.
func (t *task) delegated(name string, above *cut, m *dns.Msg) *cut {
	c := newCut(name, above)
	names := serversIn(m, name)
	c.named = len(names)
	began := t.config.Now()
	for _, ns := range names[:min(len(names), maxServers)] {
		server := Server{Name: plain(ns), Addresses: glueIn(m, ns, above.name)}
		if len(server.Addresses) == 0 {
			server.Glueless = dns.IsSubDomain(name, ns)
			if !server.Glueless && t.config.Now().Sub(began) < perServers && !t.late() {
				server.Addresses = t.addressesOf(ns)
			}
		}
		c.servers = append(c.servers, server)
		c.asked = append(c.asked, t.askable(server)...)
	}
	c.arrange()
	return c
}

const maxAddresses = 4 // of one server

// glueIn are the addresses of a server that a parent gives, where they are the parent's to give:
// others could point the servers of strangers elsewhere.
func glueIn(m *dns.Msg, ns, within string) (found []netip.Addr) {
	if !dns.IsSubDomain(within, ns) {
		return nil
	}
	for _, r := range m.Extra {
		if canonical(r.Header().Name) == ns && len(found) < maxAddresses {
			found = appendAddress(found, r)
		}
	}
	return found
}

func appendAddress(to []netip.Addr, r dns.RR) []netip.Addr {
	var bytes []byte
	switch r := r.(type) {
	case *dns.A:
		bytes = r.A.To4()
	case *dns.AAAA:
		bytes = r.AAAA
	}
	if a, ok := netip.AddrFromSlice(bytes); ok {
		return append(to, a)
	}
	return to
}

// addressesOf looks for a server whose address its zone's parent does not give.
func (t *task) addressesOf(ns string) []netip.Addr {
	if t.depth >= maxDepth {
		return nil
	}
	t.depth++
	defer func() { t.depth-- }()
	found := slices.Concat(t.follow(ns, typeA).Addresses, t.follow(ns, typeAAAA).Addresses)
	return found[:min(len(found), maxAddresses)]
}

// step is what a question came to, and in which zone.
type step struct {
	reply
	within *cut
}

// lookup asks for what stands at one name, aliases left aside.
func (t *task) lookup(q question) step {
	got, ok := t.answers.get(t, q.String(), func() step {
		if !t.way().Direct {
			return step{t.recurse(q), t.root}
		}
		within := t.cutOf(parentOf(q.name))
		if own, known := t.cuts.known(q.name); known && q.kind != typeDS {
			within = own
		}
		got := t.askIn(within, q)
		if q.kind != typeDS && within.referral(got, q) == q.name {
			within = t.cutOf(q.name)
			got = t.askIn(within, q)
		}
		if got.word.Good() && within.referral(got, q) != "" {
			got.word = Lame
		}
		return step{got, within}
	})
	if !ok {
		return step{reply{word: NoServer}, t.root}
	}
	return got
}

// askIn asks in a zone, after its servers were looked at: those that do not answer are waited for
// once and at once, not one after the other. The servers of top-level domains are left in peace.
func (t *task) askIn(c *cut, q question) reply {
	suffix, listed := publicsuffix.PublicSuffix(plain(c.name))
	if t.depth == 0 && q.kind != typeDS && c != t.root && !(listed && suffix == plain(c.name)) {
		c.survey(t)
	}
	return c.ask(t, q)
}

// follow asks for what stands at a name, its aliases followed.
func (t *task) follow(name string, kind uint16) Answer {
	a := Answer{}
	seen := map[string]bool{}
	for {
		seen[name] = true
		got := t.lookup(question{name, kind})
		a.Word, a.At, a.Zone = got.word, plain(name), plain(got.within.name)
		if !t.way().Direct {
			a.Zone = ""
		}
		if !got.word.Good() {
			return a
		}
		records, alias := standing(got.message, name, kind)
		t.proveAnswer(&a, got, name, kind, len(records) == 0 && alias != "")
		if len(records) > 0 || alias == "" {
			a.settle(records)
			return a
		}
		switch {
		case seen[alias] || len(a.Aliases) == maxAliases:
			a.Word = Endless
			return a
		case t.late():
			a.Word = TooSlow
			return a
		}
		a.Aliases = append(a.Aliases, plain(alias))
		name = alias
	}
}

func (a *Answer) settle(records []record) {
	a.records = records
	for _, r := range records {
		a.Addresses = appendAddress(a.Addresses, r)
	}
}

// standing is what a message says of a name: the records asked for, or the alias.
func standing(m *dns.Msg, name string, kind uint16) (records []record, alias string) {
	for _, r := range m.Answer {
		if canonical(r.Header().Name) != name {
			continue
		}
		if cname, ok := r.(*dns.CNAME); ok {
			alias = canonical(cname.Target)
		}
		if r.Header().Rrtype == kind {
			records = append(records, r)
		}
	}
	return records, alias
}

// RootServers are the root's, as IANA lists them (named.root of 2025-03; B changed in 2023).
func RootServers() []Server {
	var all []Server
	for _, line := range [][3]string{
		{"a", "198.41.0.4", "2001:503:ba3e::2:30"}, {"b", "170.247.170.2", "2801:1b8:10::b"},
		{"c", "192.33.4.12", "2001:500:2::c"}, {"d", "199.7.91.13", "2001:500:2d::d"},
		{"e", "192.203.230.10", "2001:500:a8::e"}, {"f", "192.5.5.241", "2001:500:2f::f"},
		{"g", "192.112.36.4", "2001:500:12::d0d"}, {"h", "198.97.190.53", "2001:500:1::53"},
		{"i", "192.36.148.17", "2001:7fe::53"}, {"j", "192.58.128.30", "2001:503:c27::2:30"},
		{"k", "193.0.14.129", "2001:7fd::1"}, {"l", "199.7.83.42", "2001:500:9f::42"},
		{"m", "202.12.27.33", "2001:dc3::35"},
	} {
		all = append(all, Server{Name: outside.Clean(line[0] + ".root-servers.net"),
			Addresses: []netip.Addr{netip.MustParseAddr(line[1]), netip.MustParseAddr(line[2])}})
	}
	return all
}
