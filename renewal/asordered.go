package renewal

import (
	"context"
	"encoding/pem"
	"slices"

	"orderly/certbot"
	"orderly/ledger"
)

// The names of a lineage are those that were asked for, and not those that a CA put into the
// certificate: some add www. of themselves. Ordered from what was received, the set would grow with
// each renewal, for names that have no document root here, and who asks for the same names again
// would get a second lineage.

// The names of a lineage are those that were asked for, and not those that a CA put into the
// certificate: some add www. of themselves. Ordered from what was received, the set would grow with
// each renewal, for names that have no document root here, and who asks for the same names again
// would get a second lineage.

// asOrdered is a lineage with the names that its certificate was ordered for, where this ledger
// knows them and the certificate has others.
func (s *base) asOrdered(l *certbot.Lineage) *certbot.Lineage {
	if l == nil || l.Certificate == nil || l.Certificate.Leaf == nil {
		return l
	}
	o := s.orderOf(l)
	if o == nil || ledger.NameKey(o.Request.Names) == ledger.NameKey(l.Certificate.Names) {
		return l
	}
	c, ordered := *l.Certificate, *l
	c.Names = o.Request.Names
	ordered.Certificate = &c
	return &ordered
}

// lately is how many orders of a lineage are looked at first: the one that brought its certificate
// is nearly always the last or the last but one, and in years there come to be dozens, each with
// its chain.
const lately = 3

// orderOf is the order of this ledger that brought a lineage's certificate, nil where none did.
func (s *base) orderOf(l *certbot.Lineage) *ledger.Order {
	for _, limit := range []int{lately, 0} {
		orders, err := s.Ledger.Orders(context.Background(),
			ledger.OrderFilter{Lineage: l.Name, Limit: limit})
		if err != nil {
			return nil // whoever goes on meets the same error, and says so
		}
		if o := broughtBy(orders, l); o != nil || len(orders) < lately {
			return o
		}
	}
	return nil
}

// broughtBy is the last of these orders whose certificate is the lineage's, nil for none.
func broughtBy(orders []*ledger.Order, l *certbot.Lineage) *ledger.Order {
	for _, o := range slices.Backward(orders) {
		block, _ := pem.Decode(o.Chain)
		if block != nil && string(block.Bytes) == string(l.Certificate.Leaf.Raw) {
			return o
		}
	}
	return nil
}

// lineageFor is the lineage for exactly these names: by its certificate, or by what that was
// ordered for.
func (s *base) lineageFor(names []string) *certbot.Lineage {
	if same := s.Disk.FindByNames(names); same != nil {
		return same
	}
	var found *certbot.Lineage
	for _, l := range s.Disk.Overlaps(names) {
		ordered := s.asOrdered(l)
		if ledger.NameKey(ordered.Certificate.Names) != ledger.NameKey(names) {
			continue
		}
		if found == nil || l.Certificate.NotAfter.After(found.Certificate.NotAfter) {
			found = ordered
		}
	}
	return found
}
