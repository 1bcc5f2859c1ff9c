package e2e_test

import (
	"crypto/tls"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"orderly/testca"
)

// nothingHalf checks that a lineage is not there at all or has a matching pair, at whatever moment (invariant I7).
func (h *host) nothingHalf(lineage string) {
	h.t.Helper()
	live := filepath.Join(h.config, "live", lineage)
	if _, err := os.Lstat(live); err != nil {
		return
	}
	if _, err := tls.LoadX509KeyPair(filepath.Join(live, "fullchain.pem"), filepath.Join(live, "privkey.pem")); err != nil {
		h.t.Errorf("just after: %v", err)
	}
}

// judge asks the CA, the ledger and the disk for what every cell must come to.
func (c cell) judge(h *host, before, after []string) {
	h.t.Helper()
	truth := h.ca.Truth()
	c.judgeCertificates(h, truth, before, after)
	c.judgeOrders(h, truth, before)
	if n := truth.ValidatedTwice(); n > 0 && !c.inVain() {
		h.t.Errorf("%d authorizations were validated more than once", n)
	}
	if n := accounts(truth); n > 1 && c.between != betweenCertbot {
		h.t.Errorf("%d accounts were made", n)
	}
	if c.between != betweenCertbot { // whose orders are not ours
		h.nothingUnknown()
	}
	h.goodPair(after[0], after...)
	h.tidy()
}

// judgeCertificates wants one for the names at the end. Where the names changed the former may have one of their own, and
// certbot has one of its own beside that which the CA had issued before.
func (c cell) judgeCertificates(h *host, truth testca.Truth, before, after []string) {
	h.t.Helper()
	count := map[string]int{}
	for _, issued := range truth.Issued {
		count[nameSet(issued.Names)]++
	}
	most := 1
	if c.inVain() || c.between == betweenCertbot && c.kind == "finalize" && c.processed() || c.between == betweenCertbot && c.kind == "certificate" {
		most = 2
	}
	if n := count[nameSet(after)]; n < 1 || n > most {
		h.t.Errorf("%d certificates were issued for %v, not 1 to %d", n, after, most)
	}
	if n := count[nameSet(before)]; c.between == betweenMore && n > 1 {
		h.t.Errorf("%d certificates were issued for %v", n, before)
	}
}

// judgeOrders wants nothing pending but phantoms, which the ledger knows, and one order for each set of names.
func (c cell) judgeOrders(h *host, truth testca.Truth, before []string) {
	h.t.Helper()
	made, most := c.phantoms()
	listed := h.pending()
	for _, entry := range listed {
		if entry.State != "phantom" || !slices.Equal(entry.Names, sorted(before)) {
			h.t.Errorf("orderly pending lists %+v", entry)
		}
	}
	if len(listed) < made || len(listed) > most {
		h.t.Errorf("%d phantoms are known, not %d to %d", len(listed), made, most)
	}
	alive, open := map[string]int{}, 0
	for _, o := range truth.Orders {
		alive[nameSet(o.Names)]++
		if o.Status == "pending" || o.Status == "processing" {
			open++
		}
	}
	for set, n := range alive {
		allowed := 1
		if set == nameSet(before) {
			allowed += made
		}
		if c.between == betweenCertbot || c.inVain() {
			allowed++
		}
		if n > allowed {
			h.t.Errorf("%d orders were made for %s, not %d", n, set, allowed)
		}
	}
	if open != made {
		h.t.Errorf("%d orders are open at the CA, not %d", open, made)
	}
	if n := truth.Pending(); n != made*len(before) {
		h.t.Errorf("%d authorizations are pending at the CA, not %d", n, made*len(before))
	}
	if ready := len(unfinished(truth)) - open; ready > 1 || ready > 0 && c.between == betweenNothing {
		h.t.Errorf("%d orders rest at the CA, ready", ready)
	}
}

// inVain reports whether the first run may get as far as to an order, a certificate or a validation that comes to nothing.
func (c cell) inVain() bool { return c.odd != nil && c.odd.spoils }

// phantoms is how many orders the mishap leaves at the CA that nobody can find (rule 2), and for how many the ledger may
// have to assume that.
func (c cell) phantoms() (made, most int) {
	hit := c.kind == "new-order" && (c.processed() || c.uncertain())
	switch {
	case c.finds && c.lost():
		return c.lostTwice(hit)
	case c.finds:
		return 0, 0
	case c.lost():
		made, most = 1, 1
	}
	if hit {
		most++
	}
	if hit && c.processed() {
		made++
	}
	return made, most
}

// lostTwice is phantoms where the CA would hand the lost order back, but the second newOrder was not answered with it either.
// It is sent again, and handed the order; only a limit makes the ledger give it up.
func (c cell) lostTwice(hit bool) (made, most int) {
	if c.kind == "new-order" && !hit && c.fault.Status == 429 {
		most = 1
	}
	if most > 0 && c.between == betweenMore {
		made = 1
	}
	return made, most
}

// accounts counts those that were made.
func accounts(truth testca.Truth) int {
	made := map[string]bool{}
	for _, r := range truth.Requests {
		if r.Kind == "new-account" && r.Account != "" {
			made[r.Account] = true
		}
	}
	return len(made)
}

func nameSet(names []string) string { return strings.Join(sorted(names), " ") }
