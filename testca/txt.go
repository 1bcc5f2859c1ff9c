package testca

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/miekg/dns"
)

// txtRecords are the TXT records of the test DNS, by lower-case name without the final dot.
type txtRecords struct {
	mu   sync.Mutex
	byID map[string][]string
}

func (t *txtRecords) of(name string) []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.byID[normal(name)])
}

func (t *txtRecords) change(name string, change func([]string) []string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.byID == nil {
		t.byID = map[string][]string{}
	}
	t.byID[normal(name)] = change(t.byID[normal(name)])
}

// AddTXT adds a TXT record to the test DNS. One that is there already stands twice, as with many DNS providers.
func (c *CA) AddTXT(name, value string) {
	c.dns.txt.change(name, func(all []string) []string { return append(all, value) })
}

// RemoveTXT removes the TXT records of a name with a value.
func (c *CA) RemoveTXT(name, value string) {
	c.dns.txt.change(name, func(all []string) []string {
		return slices.DeleteFunc(all, func(v string) bool { return v == value })
	})
}

// TXT returns the TXT records of a name.
func (c *CA) TXT(name string) []string { return c.dns.txt.of(name) }

// controlTXT adds a TXT record, or removes it.
func (c *CA) controlTXT(w http.ResponseWriter, r *http.Request) {
	name, value := r.FormValue("name"), r.FormValue("value")
	switch {
	case name == "" || value == "":
		http.Error(w, "name and value are wanted", http.StatusBadRequest)
	case r.FormValue("remove") == "true":
		c.RemoveTXT(name, value)
	default:
		c.AddTXT(name, value)
	}
}

// textRecords are the answers to a question for TXT records.
func (s *dnsServer) textRecords(name string) []dns.RR {
	var all []dns.RR
	for _, value := range s.txt.of(name) {
		all = append(all, &dns.TXT{Hdr: dns.RR_Header{Name: name, Rrtype: dns.TypeTXT, Class: dns.ClassINET}, Txt: []string{value}})
	}
	return all
}

// dns01 looks for the TXT record of a name as Boulder's validation authority does (RFC 8555 §8.4), with its texts. Nil means
// that one of the records is the right one.
func (p *prober) dns01(ctx context.Context, name, want string) *problem {
	ctx, cancel := context.WithTimeout(ctx, p.timeout)
	defer cancel()
	record := "_acme-challenge." + name
	client := &dns.Client{Timeout: min(2*time.Second, p.timeout/3)}
	answer, err := exchange(ctx, client, new(dns.Msg).SetQuestion(dns.Fqdn(record), dns.TypeTXT), p.resolver)
	switch {
	case err != nil:
		return problemf(http.StatusBadRequest, "dns", "DNS problem: query timed out looking up TXT for %s", record)
	case answer.Rcode == dns.RcodeNameError:
		return problemf(http.StatusBadRequest, "dns", "DNS problem: NXDOMAIN looking up TXT for %s - check that a DNS record exists for this domain", record)
	case answer.Rcode != dns.RcodeSuccess:
		return problemf(http.StatusBadRequest, "dns", "DNS problem: %s looking up TXT for %s", dns.RcodeToString[answer.Rcode], record)
	}
	var found []string
	for _, r := range answer.Answer {
		if txt, ok := r.(*dns.TXT); ok {
			found = append(found, strings.Join(txt.Txt, ""))
		}
	}
	switch {
	case slices.Contains(found, want):
		return nil
	case len(found) == 0:
		return problemf(http.StatusForbidden, "unauthorized", "No TXT record found at %s", record)
	}
	return problemf(http.StatusForbidden, "unauthorized", "Incorrect TXT record %q (and %d more) found at %s", found[0], len(found)-1, record)
}
