package drive

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"time"

	"orderly/acme"
	"orderly/failure"
	"orderly/ledger"
	"orderly/order"
)

// A certificate is checked by order.Asked before anything of it is durable: what is committed can be
// installed. What cannot be used ends the order, with a back-off, since no later try would bring another
// certificate, and a new order at once would as a rule bring the same.

// unreadableFor is how long a chain that cannot be read is asked for again, run by run: a proxy's page ends
// some time, and what does not is no certificate.
const unreadableFor = 24 * time.Hour

// download fetches the certificate and makes it durable.
func (d *driver) download(ctx context.Context) error {
	rctx, cancel := outliving(ctx)
	defer cancel()
	served, err := d.e.acme().Certificate(rctx, d.o.Certificate)
	if err != nil {
		if effect, p := order.EffectOf(err); effect == order.Refused {
			d.looked = d.looked && p.Status != 404
		}
		return d.trouble("certificate", err)
	}
	asked := order.Asked{Names: d.o.Names, Key: d.material.Public, At: d.caTime(served.Reply)}
	got, err := asked.Accept(served.PEM)
	if err != nil {
		return d.unfit(ctx, err)
	}
	got = d.preferred(rctx, asked, got, served.Alternates)
	d.progress()
	d.payIssued(ctx)
	d.o.Chain = got.Chain
	d.note("certificate downloaded", "serial %x", got.Leaf.SerialNumber)
	for _, note := range got.Notes {
		d.note("certificate is odd", "%s", failure.Clean(note))
		d.e.tell("Of the certificate for %s: %s.", d.o.Lineage, failure.Clean(note))
	}
	return d.commit(ctx, ledger.Change{Certificate: d.certificate(got.Leaf)})
}

// unfit handles a chain that is not what was asked for.
func (d *driver) unfit(ctx context.Context, err error) error {
	why, ok := errors.AsType[*order.Unfit](err)
	switch {
	case !ok:
		return d.trouble("certificate", err)
	case why.Flaw == order.Unreadable && d.e.Clock.Now().Before(d.o.FinalizeSentAt.Add(unreadableFor)):
		return d.trouble("certificate", err)
	case why.Flaw == order.OtherKey && !d.finalized:
		// This process sent no CSR that the CA accepted, so somebody else may have (rule 6).
		return d.settle(ctx, order.Action{State: ledger.TakenState, Class: failure.Taken,
			Why: "another holder of the account finalized the order for " + d.o.Lineage + " with a key of its own"})
	}
	end := order.Unusable(d.o.Lineage, why)
	d.o.Remedy = end.Remedy
	return d.settle(ctx, order.Action{State: ledger.Invalid, Class: end.Class, Why: end.Sentence})
}

// preferred is the chain whose topmost certificate was issued by the preferred issuer, or the default one where none was or
// where the others cannot be had: a certificate with another chain than wished for is better than none. The others that were
// downloaded are kept.
func (d *driver) preferred(ctx context.Context, asked order.Asked, first order.Received, alternates []string) order.Received {
	wanted := d.o.Request.PreferredChain
	all, chains := []order.Received{first}, []acme.Chain{{PEM: first.Chain}}
	if _, matched := acme.PreferredChain(chains, wanted); !d.e.AllChains && (wanted == "" || matched) {
		return first
	}
	for _, url := range alternates {
		other, err := d.e.acme().Certificate(ctx, url)
		if err != nil {
			d.note("alternate chain failed", "%s", failure.Clean(err.Error()))
			continue
		}
		if got, err := asked.Accept(other.PEM); err == nil && got.Leaf.Equal(first.Leaf) {
			all, chains = append(all, got), append(chains, acme.Chain{PEM: got.Chain})
		}
	}
	index, matched := acme.PreferredChain(chains, wanted)
	if !matched && wanted != "" {
		d.e.tell("The CA offers no chain up to %q for %s; its default one is taken.", failure.Clean(wanted), d.o.Lineage)
	}
	d.o.Alternates = nil
	for i, other := range all {
		if i != index {
			d.o.Alternates = append(d.o.Alternates, other.Chain)
		}
	}
	return all[index]
}

func (d *driver) certificate(leaf *x509.Certificate) *ledger.Certificate {
	sum := sha256.Sum256(leaf.Raw)
	return &ledger.Certificate{
		OrderID: d.o.ID, AccountID: d.o.AccountID, Lineage: d.o.Lineage, Names: ledger.CanonicalNames(order.NamesIn(leaf)),
		Serial: hex.EncodeToString(leaf.SerialNumber.Bytes()), NotBefore: leaf.NotBefore.UTC(), NotAfter: leaf.NotAfter.UTC(),
		RenewalID: acme.RenewalID(leaf), Fingerprint: hex.EncodeToString(sum[:]), IssuedAt: d.o.FinalizeSentAt,
	}
}
