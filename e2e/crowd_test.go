package e2e_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"orderly/testca"
)

// Many lineages that are due once. Their certificates began a month ago and end in fifteen days, and
// their renewal files want twenty left; what they are renewed with is of the usual profile, and not due:
// no verdict waits for a certificate to become due, and none is due again because the machine was slow.

// crowded is a CA of this character whose certificates of the profile "brief" are due at once.
func crowded(c character) testca.Config {
	config := c.config
	config.Backdate = 30 * 24 * time.Hour
	config.Profiles = map[string]testca.Lifetimes{"brief": {Certificate: 15 * 24 * time.Hour}}
	return config
}

// crowd is a host whose lineages are due, and what the CA had seen when they became so.
type crowd struct {
	*host
	names  []string
	orders int // at the CA, before any renewal
	// A newOrder may have been cut off before it came to the CA: nobody can tell, and the ledger counts one
	// more than there is.
	unseen bool
}

// startedAtOnce bounds how many certificates are obtained at once as a crowd gathers.
const startedAtOnce = 16

// crowd obtains a certificate for each name, each due.
func (h *host) crowd(names ...string) *crowd {
	h.t.Helper()
	for part := range slices.Chunk(names, startedAtOnce) {
		var commands [][]string
		for _, name := range part {
			commands = append(commands, append(h.certonly(h.site(name), name), "--required-profile", "brief"))
		}
		h.atOnce(commands...)
	}
	for _, name := range names {
		h.alter(name, "required_profile = brief\n", "")
		h.write(h.conf(name), "renew_before_expiry = 20 days\n"+h.read(h.conf(name)))
	}
	return &crowd{host: h, names: names, orders: len(h.ca.Truth().Orders)}
}

// crowdOf is a CA of Let's Encrypt's character with a host of so many due lineages.
func crowdOf(t *testing.T, size int) *crowd {
	t.Helper()
	w := newWorld(t, crowded(characters()[2]))
	var names []string
	for i := range size {
		names = append(names, fmt.Sprintf("site%03d.example.com", i))
	}
	return w.host("one").crowd(names...)
}

// renewed counts, by name, the certificates that were issued since the crowd gathered, and the orders.
func (c *crowd) renewed() (orders, certificates map[string]int) {
	orders, certificates = map[string]int{}, map[string]int{}
	for _, o := range c.ca.Truth().Orders[c.orders:] {
		orders[nameSet(o.Names)]++
		if o.Serial != "" {
			certificates[nameSet(o.Names)]++
		}
	}
	return orders, certificates
}

// onceEach wants one order and one certificate for each name since the crowd gathered, none for any
// other, and nothing pending, at the CA or by the ledger's word.
func (c *crowd) onceEach(names []string) {
	c.t.Helper()
	orders, certificates := c.renewed()
	for _, name := range names {
		if orders[name] != 1 || certificates[name] != 1 {
			c.t.Errorf("%s: %d orders, %d certificates, not one each", name, orders[name], certificates[name])
		}
		c.goodPair(name, name)
	}
	if len(orders) != len(names) {
		c.t.Errorf("orders for %d names, not %d", len(orders), len(names))
	}
	truth := c.ca.Truth()
	if truth.Pending() != 0 || truth.ValidatedTwice() != 0 || accounts(truth) != 1 {
		c.t.Errorf("%d authorizations are pending, %d were validated twice, %d accounts",
			truth.Pending(), truth.ValidatedTwice(), accounts(truth))
	}
	for _, entry := range c.pending() {
		if entry.State != "phantom" || !c.unseen {
			c.t.Errorf("orderly pending lists %+v\n%s", entry, c.must("order", "show", fmt.Sprint(entry.Order)))
		}
	}
	c.knowsAll()
	c.tidyButForProbes()
}

// knowsAll checks that every order of the CA's is in the ledger.
func (c *crowd) knowsAll() {
	c.t.Helper()
	list := decode[struct {
		Orders []struct {
			URL string `json:"url"`
		}
	}](c.world, c.must("order", "list", "--json", "--limit", "0").stdout)
	known := map[string]bool{}
	for _, o := range list.Orders {
		known[o.URL] = true
	}
	for _, o := range c.ca.Truth().Orders {
		if !known[o.URL] {
			c.t.Errorf("the ledger does not know order %s of %v", o.URL, o.Names)
		}
	}
	c.must("ledger", "check")
}

// outcomes are what a round said of each lineage as JSON.
type outcomes struct {
	Results []struct {
		Lineage string
		Outcome string
		Class   string
		Error   string
		Made    int `json:"orders_made"`
	}
	Counts map[string]int
}

// of is the outcome of a lineage, "" if nothing was said of it.
func (o outcomes) of(lineage string) string {
	for _, r := range o.Results {
		if r.Lineage == lineage || strings.HasSuffix(r.Lineage, "/"+lineage) {
			return r.Outcome
		}
	}
	return ""
}
