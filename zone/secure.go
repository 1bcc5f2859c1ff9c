package zone

import (
	"strings"
	"time"

	"github.com/miekg/dns"

	"orderly/outside"
)

// A CA's resolver takes an answer that does not validate for none. Where the parent has a DS record
// the zone's keys and signatures are verified as it would.

// State is how a zone stands with DNSSEC.
type State string

// The states.
const (
	Unsigned State = "unsigned" // nothing above says that it is signed
	Secure   State = "secure"
	Broken   State = "bogus"
	Unknown  State = "unknown" // what would tell was not answered
)

// Chain is whether a zone's signatures hold.
type Chain struct {
	State State
	Why   string // it is bogus
	// Begins and Ends are when the signature begins and ends that ends first of those that hold it.
	Begins, Ends time.Time

	keys []*dns.DNSKEY
}

// chain finds out once how a zone stands.
func (t *task) chain(c *cut) Chain {
	chain, ok := t.chains.get(t, c.name, func() Chain { return t.prove(c) })
	if !ok {
		return Chain{State: Unknown}
	}
	return chain
}

// delegation is what the parents say of a zone: its DS records, where all above are signed.
func (t *task) delegation(c *cut) (all []*dns.DS, state State) {
	if c == t.root || c.above == nil {
		return nil, Secure
	}
	if _, above := t.delegation(c.above); above != Secure {
		return nil, above
	}
	got := t.lookup(question{c.name, typeDS})
	if !got.word.Good() {
		return nil, Unknown
	}
	for _, r := range got.message.Answer {
		if ds, ok := r.(*dns.DS); ok && canonical(ds.Hdr.Name) == c.name && understood(ds.Algorithm) {
			all = append(all, ds)
		}
	}
	if len(all) == 0 {
		return nil, Unsigned
	}
	return all, Secure
}

// understood reports whether a resolver verifies an algorithm; a zone with none that it understands
// is one without signatures (RFC 4035 section 5.2).
func understood(algorithm uint8) bool {
	switch algorithm {
	case dns.RSASHA1, dns.RSASHA1NSEC3SHA1, dns.RSASHA256, dns.RSASHA512, dns.ECDSAP256SHA256,
		dns.ECDSAP384SHA384, dns.ED25519:
		return true
	}
	return false
}

func (t *task) prove(c *cut) Chain {
	all, state := t.delegation(c)
	if state != Secure || c == t.root {
		return Chain{State: state}
	}
	got := c.ask(t, question{c.name, typeKey})
	if !got.word.Good() {
		return Chain{State: Unknown}
	}
	records, _ := standing(got.message, c.name, typeKey)
	var keys, trusted []*dns.DNSKEY
	for _, r := range records {
		key, ok := r.(*dns.DNSKEY)
		if !ok || len(keys) > maxKeys {
			continue
		}
		keys = append(keys, key)
		if len(all) <= maxKeys && isNamed(key, all) {
			trusted = append(trusted, key)
		}
	}
	switch {
	case len(keys) > maxKeys || len(all) > maxKeys:
		return Chain{State: Unknown}
	case len(keys) == 0:
		return Chain{State: Broken, Why: "its parent has a DS record, and the zone has no keys"}
	case len(trusted) == 0:
		return Chain{State: Broken, Why: "none of its keys is the one that its parent's DS record names"}
	}
	why, life := t.verify(got.message, records, c.name, typeKey, trusted)
	if why != "" {
		return Chain{State: Broken, Why: "the signature of its keys " + why}
	}
	return t.proveSOA(c, Chain{State: Secure, Begins: life.begins, Ends: life.ends, keys: keys})
}

// proveSOA adds what is known of the signature of the one record that every zone has.
func (t *task) proveSOA(c *cut, chain Chain) Chain {
	got := c.ask(t, question{c.name, typeSOA})
	if !got.word.Good() {
		return chain
	}
	records, _ := standing(got.message, c.name, typeSOA)
	if len(records) == 0 {
		return chain
	}
	why, life := t.verify(got.message, records, c.name, typeSOA, chain.keys)
	if why != "" {
		return Chain{State: Broken, Why: "the signature of its SOA record " + why}
	}
	if life.ends.Before(chain.Ends) {
		chain.Begins, chain.Ends = life.begins, life.ends
	}
	return chain
}

func isNamed(key *dns.DNSKEY, all []*dns.DS) bool {
	for _, ds := range all {
		if ds.KeyTag != key.KeyTag() || ds.Algorithm != key.Algorithm {
			continue
		}
		if made := key.ToDS(ds.DigestType); made != nil && strings.EqualFold(made.Digest, ds.Digest) {
			return true
		}
	}
	return false
}

func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// maxSignatures bounds what a message may cost: keys and signatures that are tried one with the
// other are work without an end (KeyTrap).
const maxSignatures = 8

// maxKeys bounds the keys of a zone, and the DS records that name them: a message holds thousands of
// both, each of which would be tried with each.
const maxKeys = 64

// life is that of a signature.
type life struct{ begins, ends time.Time }

// verify looks for a signature of a set of records that holds now: why none does, and until when
// the best one does.
func (t *task) verify(m *dns.Msg, records []record, name string, kind uint16,
	keys []*dns.DNSKEY) (why string, best life) {
	now := t.config.Now()
	why = "is missing"
	tried := 0
	for _, r := range m.Answer {
		sig, ok := r.(*dns.RRSIG)
		if !ok || sig.TypeCovered != kind || canonical(sig.Hdr.Name) != name {
			continue
		}
		for _, key := range keys {
			if key.KeyTag() != sig.KeyTag || key.Algorithm != sig.Algorithm {
				continue
			}
			if tried++; tried > maxSignatures {
				return why, best
			}
			until := time.Unix(int64(sig.Expiration), 0).UTC()
			switch {
			case sig.Verify(key, records) != nil:
				why = worse(why, "does not fit the records")
			case !sig.ValidityPeriod(now) && now.After(until):
				why = worse(why, "ended on "+outside.Clean(until.Format("2006-01-02 15:04 UTC")))
			case !sig.ValidityPeriod(now):
				why = worse(why, "begins in the future")
			case until.After(best.ends):
				best = life{time.Unix(int64(sig.Inception), 0).UTC(), until}
			}
		}
		if best.ends.IsZero() && tried == 0 {
			why = "is by a key that the zone does not have"
		}
	}
	if !best.ends.IsZero() {
		return "", best
	}
	return why, best
}

// worse keeps what was said first: of several signatures that do not hold one is told.
func worse(had, now string) string {
	if had == "is missing" || strings.HasPrefix(had, "is by a key") {
		return now
	}
	return had
}

// proveAnswer looks whether the signatures of an answer hold, where the zone is signed.
func (t *task) proveAnswer(a *Answer, got step, name string, kind uint16, alias bool) {
	if t.depth > 0 || !t.way().Direct || got.within == t.root {
		return
	}
	chain := t.chain(got.within)
	if chain.State == Broken && a.Bogus == "" {
		a.Bogus = "zone " + plain(got.within.name) + ": " + chain.Why
	}
	if chain.State != Secure {
		return
	}
	if alias {
		kind = dns.TypeCNAME
	}
	records, _ := standing(got.message, name, kind)
	if len(records) == 0 {
		return // that there is nothing is not proven here
	}
	why, life := t.verify(got.message, records, name, kind, chain.keys)
	if why != "" && a.Bogus == "" {
		a.Bogus = "the signature of " + question{name, kind}.String() + " " + why
	}
	a.Ends = earlier(earlier(a.Ends, chain.Ends), life.ends)
}
