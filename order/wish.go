package order

import (
	"bytes"
	"slices"
	"strings"
	"time"

	"orderly/failure"
	"orderly/ledger"
	"orderly/outside"
)

// Plan is what is wanted for a lineage, decided under the lineage's lock.
type Plan struct {
	Request ledger.Request
	Urgent  bool // little time is left: a refusal on network grounds lets one attempt a day through
	Force   bool // a person insists: back-off and refusals on network grounds do not hold
}

// Orderable refuses what is no name, wherever it came from: a certificate on disk, a CSR.
func Orderable(r ledger.Request) error {
	for _, name := range r.Names {
		if _, ok := outside.Name(name); !ok {
			return failure.New(failure.BadName,
				"Name what the certificate is to be for, with "+failure.Do(failure.GiveNames)+".",
				"%s cannot be ordered: it has a name that no CA can be asked for, %q",
				r.Lineage, outside.Of(name))
		}
	}
	return nil
}

// Uncovered refuses names that the CA would: one beside a wildcard that covers it, where that is refused.
func Uncovered(r ledger.Request, ca CA) error {
	if !ca.RefusesCovered {
		return nil
	}
	names := ledger.CanonicalNames(r.Names)
	for _, name := range names {
		_, parent, _ := strings.Cut(name, ".")
		if wildcard := "*." + parent; name != wildcard && slices.Contains(names, wildcard) {
			return failure.New(failure.BadName,
				failure.Remedy("Leave "+name+" out: "+wildcard+" covers it."),
				"%s cannot be ordered: this CA takes no order with %s and with %s, which covers it", r.Subject(), name, wildcard)
		}
	}
	return nil
}

// Serves reports whether an order is one for exactly this request. Where a profile is only preferred, the CA's directory
// decided about it when the order was made. Another CSR is another key that is wanted, as long as the first one cannot have
// been sent: the order is as good for it.
func Serves(o *ledger.Order, r ledger.Request) bool {
	csr := bytes.Equal(o.Request.CSR, r.CSR) || len(o.Request.CSR) > 0 && len(r.CSR) > 0 && o.FinalizeSentAt.IsZero()
	return ledger.NameKey(o.Names) == ledger.NameKey(r.Names) && csr &&
		(o.Profile == r.Profile || r.Profile == "" && o.Profile == r.PreferredProfile)
}

// Fulfils reports whether an order that came to its good end is all that a request asks for: what finished an earlier run's
// order has renewed the certificate, and another order for it would be one in vain.
func Fulfils(o *ledger.Order, r ledger.Request) bool {
	return o.State == ledger.Installed && Serves(o, r) && SameKey(o.Request, r) && o.Request.Server == r.Server &&
		o.Request.PreferredChain == r.PreferredChain
}

// SameKey reports whether two requests are content with one key and CSR.
func SameKey(a, b ledger.Request) bool {
	return a.KeyType == b.KeyType && a.RSABits == b.RSABits && a.Curve == b.Curve && a.OldKey == b.OldKey &&
		a.MustStaple == b.MustStaple && bytes.Equal(a.CSR, b.CSR)
}

// TakeKey takes up what is wanted of key and CSR. What the host wants with them is Host.Adopt's, of package drive.
func TakeKey(o *ledger.Request, r ledger.Request) {
	o.KeyType, o.RSABits, o.Curve, o.MustStaple, o.OldKey = r.KeyType, r.RSABits, r.Curve, r.MustStaple, r.OldKey
	o.CSR = r.CSR
}

// AdoptRequest takes up what was mended since the order was made. What newOrder was made of stays, and so does a CSR, unless
// another kind of key is wanted now (a person may have a reason: the old one became known) and the CSR was never sent.
func AdoptRequest(o *ledger.Order, r ledger.Request) {
	AdoptSettings(o, r)
	o.Request.PreferredProfile = r.PreferredProfile
	o.Request.New = r.New // a lineage may have been deleted since, and is wanted again
	o.Superseded, o.SettledAt = false, time.Time{}
}

// AdoptSettings takes up what may change while an order lives, of what the order is.
func AdoptSettings(o *ledger.Order, r ledger.Request) {
	if !SameKey(o.Request, r) && o.FinalizeSentAt.IsZero() {
		o.Key, o.CSR = ledger.FileRef{}, ledger.FileRef{}
	}
	if !o.CSR.Set() {
		TakeKey(&o.Request, r)
	}
	o.Request.ReuseKey, o.Request.PreferredChain, o.Request.AllowSubset = r.ReuseKey, r.PreferredChain, r.AllowSubset
}
