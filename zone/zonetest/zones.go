package zonetest

import (
	"crypto"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/miekg/dns"
)

// Zone is the records of a zone.
type Zone struct {
	name    string
	mu      sync.Mutex // over everything below
	records map[string][]dns.RR
	key     *dns.DNSKEY
	signer  crypto.Signer
	begins  uint32
	ends    uint32
}

// NewZone makes a zone of the lines of a zone file, whose origin it is. It has a SOA record.
func NewZone(name string, lines ...string) *Zone {
	z := &Zone{name: strings.ToLower(dns.Fqdn(name)), records: map[string][]dns.RR{}}
	z.Add("@ IN SOA ns. hostmaster. 1 7200 3600 1209600 300")
	z.Add(lines...)
	return z
}

// Add adds records.
func (z *Zone) Add(lines ...string) {
	text := strings.Join(lines, "\n") + "\n"
	z.mu.Lock()
	defer z.mu.Unlock()
	parser := dns.NewZoneParser(strings.NewReader("$TTL 300\n"+text), z.name, "")
	for r, ok := parser.Next(); ok; r, ok = parser.Next() {
		owner := strings.ToLower(r.Header().Name)
		z.records[owner] = append(z.records[owner], r)
	}
	if err := parser.Err(); err != nil {
		panic(fmt.Errorf("%s: %w", z.name, err))
	}
}

// Remove takes away all records of names, which are given in full.
func (z *Zone) Remove(names ...string) {
	z.mu.Lock()
	defer z.mu.Unlock()
	for _, name := range names {
		delete(z.records, strings.ToLower(dns.Fqdn(name)))
	}
}

// Sign gives the zone a key, with which its answers are signed for a time; it returns the DS record
// that its parent is to have.
func (z *Zone) Sign(begins, ends time.Time) (ds string) {
	z.mu.Lock()
	defer z.mu.Unlock()
	z.key = &dns.DNSKEY{Hdr: dns.RR_Header{Name: z.name, Rrtype: dns.TypeDNSKEY, Class: dns.ClassINET,
		Ttl: 300}, Flags: 257, Protocol: 3, Algorithm: dns.ECDSAP256SHA256}
	for z.signer = nil; z.signer == nil || z.key.KeyTag() == 0; { // the library signs with no such key
		private, err := z.key.Generate(256)
		if err != nil {
			panic(err)
		}
		z.signer = private.(crypto.Signer)
	}
	z.begins, z.ends = uint32(begins.Unix()), uint32(ends.Unix())
	z.records[z.name] = append(z.records[z.name], z.key)
	return z.key.ToDS(dns.SHA256).String()
}

// answer fills a reply as an authoritative server would.
func (z *Zone) answer(reply *dns.Msg) {
	z.mu.Lock()
	defer z.mu.Unlock()
	q := reply.Question[0]
	name := strings.ToLower(q.Name)
	if z.refers(reply, name, q.Qtype) {
		return
	}
	reply.Authoritative = true
	found := z.set(name, q.Qtype)
	if len(found) == 0 {
		found = z.set(name, dns.TypeCNAME)
	}
	if len(found) == 0 {
		reply.Ns = z.signed(z.set(z.name, dns.TypeSOA))
		if !z.exists(name) {
			reply.Rcode = dns.RcodeNameError
		}
		return
	}
	for _, r := range z.signed(found) {
		r = dns.Copy(r)
		r.Header().Name = q.Name // a pointer to the question, capitals and all, as BIND writes it
		reply.Answer = append(reply.Answer, r)
	}
}

// refers fills a reply with a referral, where the zone is delegated between its apex and the name.
func (z *Zone) refers(reply *dns.Msg, name string, kind uint16) bool {
	for on := name; on != z.name; {
		next, _ := dns.NextLabel(on, 0)
		servers := z.set(on, dns.TypeNS)
		if len(servers) == 0 || kind == dns.TypeDS && on == name {
			if on = on[next:]; on == "" {
				on = "."
			}
			continue
		}
		reply.Ns = append(servers, z.signed(z.set(on, dns.TypeDS))...)
		for _, r := range servers {
			host := strings.ToLower(r.(*dns.NS).Ns)
			reply.Extra = append(reply.Extra, z.set(host, dns.TypeA)...)
			reply.Extra = append(reply.Extra, z.set(host, dns.TypeAAAA)...)
		}
		return true
	}
	return false
}

func (z *Zone) set(name string, kind uint16) (found []dns.RR) {
	for _, r := range z.records[name] {
		if r.Header().Rrtype == kind {
			found = append(found, r)
		}
	}
	return found
}

// exists reports whether there is something at a name, or below it.
func (z *Zone) exists(name string) bool {
	for owner := range z.records {
		if dns.IsSubDomain(name, owner) {
			return true
		}
	}
	return false
}

// signed is a set with its signature, where the zone has a key.
func (z *Zone) signed(set []dns.RR) []dns.RR {
	if z.key == nil || len(set) == 0 {
		return set
	}
	h := set[0].Header()
	sig := &dns.RRSIG{Hdr: dns.RR_Header{Name: h.Name, Rrtype: dns.TypeRRSIG, Class: h.Class,
		Ttl: h.Ttl}, Algorithm: z.key.Algorithm, KeyTag: z.key.KeyTag(), SignerName: z.name,
		Inception: z.begins, Expiration: z.ends}
	if err := sig.Sign(z.signer, set); err != nil {
		panic(err)
	}
	return append(set[:len(set):len(set)], sig)
}
