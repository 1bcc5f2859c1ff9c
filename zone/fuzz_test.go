package zone

import (
	"testing"
	"time"

	"github.com/miekg/dns"
)

// FuzzMessage reads whatever a name server may send as each of the answers that are asked for.
func FuzzMessage(f *testing.F) {
	for _, records := range [][]string{
		{"shop.example. 60 IN A 192.0.2.1"}, {"shop.example. 60 IN CNAME shop.example."},
		{"shop.example. 60 IN NS ns.shop.example.", "ns.shop.example. 60 IN AAAA 2001:db8::1"},
		{"shop.example. 60 IN CAA 128 issue \"\\000\\255;\""},
		{"shop.example. 60 IN DNSKEY 257 3 13 aaaa", "shop.example. 60 IN RRSIG DNSKEY 13 2 60 20261101000000 20261001000000 1 shop.example. aaaa"},
	} {
		m := new(dns.Msg).SetQuestion("shop.example.", typeA)
		m.Response = true
		for _, text := range records {
			r, err := dns.NewRR(text)
			if err != nil {
				f.Fatal(err)
			}
			m.Answer, m.Ns, m.Extra = append(m.Answer, r), append(m.Ns, r), append(m.Extra, r)
		}
		packed, err := m.Pack()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(packed)
	}
	a := New(Config{Now: func() time.Time { return time.Unix(1, 0) }})
	t := a.task(f.Context())
	within := newCut("example.", a.root)
	f.Fuzz(func(test *testing.T, packed []byte) {
		m := new(dns.Msg)
		if m.Unpack(packed) != nil {
			return
		}
		sent := new(dns.Msg).SetQuestion("shop.example.", typeA)
		isReplyTo(sent, m)
		if zone := within.referral(reply{message: m}, question{"shop.example.", typeA}); zone == "example." {
			test.Error("a zone refers to itself")
		}
		for _, ns := range serversIn(m, "shop.example.") {
			glueIn(m, ns, "example.")
		}
		keys, _ := standing(m, "shop.example.", typeKey)
		var all []*dns.DNSKEY
		for _, r := range keys {
			if key, ok := r.(*dns.DNSKEY); ok {
				all = append(all, key)
				isNamed(key, []*dns.DS{{KeyTag: key.KeyTag(), Algorithm: key.Algorithm, DigestType: 2}})
			}
		}
		if why, _ := t.verify(m, keys, "shop.example.", typeKey, all); why == "" {
			test.Error("signed by nobody")
		}
	})
}
