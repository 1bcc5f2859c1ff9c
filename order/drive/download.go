package drive

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"time"

	"orderly/acme"
	"orderly/failure"
	"orderly/ledger"
	"orderly/order"
)

// A certificate is checked by order.Asked before anything of it is durable: what is committed can
// be installed. What cannot be used ends the order, with a back-off, since no later try would bring
// another certificate, and a new order at once would as a rule bring the same.

// How long what a CA has issued is asked for, run by run, before its order is given up: a proxy's
// page ends some time, and what does not is no certificate; a CA that is broken may be so for days.
const (
	unreadableFor = 24 * time.Hour
	brokenFor     = 7 * 24 * time.Hour
)

// download fetches the certificate and commits it. That need not be synced, as the CA shows it again,
// unless hooks follow: one that takes the power away is to be known by it, and not run for ever.
func (i *issuance) download(ctx context.Context) error {
	rctx, cancel := outliving(ctx)
	defer cancel()
	served, err := i.e.acme().Certificate(rctx, i.o.Certificate)
	if err != nil {
		return i.unserved(ctx, err)
	}
	asked := order.Asked{Names: i.o.Names, Key: i.material.Public, At: i.caTime(served.Reply)}
	if asked.Former, err = i.former(ctx); err != nil {
		return err
	}
	got, err := asked.Accept(served.PEM)
	if err != nil {
		got, err = i.otherwise(rctx, asked, served.Alternates, err)
	}
	if err != nil {
		return i.unfit(ctx, err)
	}
	got = i.preferred(rctx, asked, got, served.Alternates)
	i.progress()
	i.payIssued(ctx)
	i.o.Chain = got.Chain
	i.note("certificate downloaded", "serial %x", got.Leaf.SerialNumber)
	for _, note := range got.Notes {
		i.note("certificate is odd", "%s", failure.Clean(note))
		i.e.tell("Of the certificate for %s: %s.", i.o.Subject(), failure.Clean(note))
	}
	return i.commit(ctx, ledger.Change{Certificate: i.certificate(got.Leaf),
		Unsynced: !i.e.host.Deploys(i.o)})
}

// otherwise is the first of the CA's other chains that is whole, where the certificate in its
// default one is good and stands alone; else the error of that one.
func (i *issuance) otherwise(ctx context.Context, asked order.Asked, alternates []string,
	err error) (order.Received, error) {
	if why, ok := errors.AsType[*order.Unfit](err); !ok || why.Flaw != order.Alone {
		return order.Received{}, err
	}
	for _, url := range alternates {
		other, failed := i.e.acme().Certificate(ctx, url)
		if failed != nil {
			i.note("alternate chain failed", "%s", failure.Clean(failed.Error()))
			continue
		}
		if got, unfit := asked.Accept(other.PEM); unfit == nil {
			return got, nil
		}
	}
	return order.Received{}, err
}

// former are the certificates of the lineage's earlier orders where the new one has the key of an
// earlier one: a CA, or a cache before it, that serves one of these again has not renewed anything,
// and would be asked for another with every run.
func (i *issuance) former(ctx context.Context) ([][]byte, error) {
	if i.o.Request.OldKey == "" {
		return nil, nil // a person's own CSR is not renewed by itself
	}
	orders, err := i.e.store.Orders(ctx, ledger.OrderFilter{Lineage: i.o.Lineage})
	var list [][]byte
	for _, o := range orders {
		if block, _ := pem.Decode(o.Chain); block != nil && o.ID != i.o.ID {
			list = append(list, block.Bytes)
		}
	}
	return list, err
}

// unserved handles a certificate that the CA says is issued and that cannot be had. An order must
// not keep its lineage from another one for ever, though nothing is wrong with it but that.
func (i *issuance) unserved(ctx context.Context, err error) error {
	effect, p := order.EffectOf(err)
	if effect == order.Refused {
		i.looked = i.looked && p.Status != 404
	}
	broken := p == nil && !foreign(err) || p != nil && (p.Status >= 500 || p.Status == 429)
	if lost, ok := errors.AsType[*acme.Lost](err); ok && lost.Reply.Status/100 == 2 {
		broken = false // it has answered, with something else
	}
	now, since := i.e.clock.Now(), issuedSince(i.o)
	switch {
	case !foreign(err) && i.accountTrouble(err) != nil,
		now.Before(since.Add(unreadableFor)), broken && now.Before(since.Add(brokenFor)):
		i.trouble("certificate", err)
		return nil
	}
	return i.endUnfit(ctx, &order.Unfit{Flaw: order.Unreadable, Why: failure.Clean(err.Error())})
}

// issuedSince is since when a certificate can be asked for.
func issuedSince(o *ledger.Order) time.Time {
	if o.FinalizeSentAt.IsZero() {
		return o.CreatedAt
	}
	return o.FinalizeSentAt
}

// unfit handles a chain that is not what was asked for.
func (i *issuance) unfit(ctx context.Context, err error) error {
	why, ok := errors.AsType[*order.Unfit](err)
	switch {
	case !ok:
		i.trouble("certificate", err)
		return nil
	case why.Passing(i.e.clock.Now()) && i.e.clock.Now().Before(issuedSince(i.o).Add(unreadableFor)):
		if why.Flaw == order.NotBegun || why.Flaw == order.Over { // only time brings another answer
			return i.stop(failure.CAUnavailable, "The order is kept and goes on with the next run.",
				"the certificate that the CA issued for %s cannot be used yet: %s", i.o.Subject(), why.Why)
		}
		i.trouble("certificate", err)
		return nil
	case why.Flaw == order.OtherKey && !i.finalized:
		// This process sent no CSR that the CA accepted, so somebody else may have (rule 6).
		return i.settle(ctx, order.Action{State: ledger.TakenState, Class: failure.Taken,
			Why: "another holder of the account finalized the order for " + i.o.Lineage + " with a key of its own"})
	}
	return i.endUnfit(ctx, why)
}

func (i *issuance) endUnfit(ctx context.Context, why *order.Unfit) error {
	end := order.Unusable(i.o.Lineage, why)
	i.o.Remedy = end.Remedy.Keep()
	return i.settle(ctx, order.Action{State: ledger.Invalid, Class: end.Class, Why: end.Sentence})
}

// preferred is the chain whose topmost certificate was issued by the preferred issuer, or the
// default one where none was or where the others cannot be had: a certificate with another chain
// than wished for is better than none. The others that were downloaded are kept.
func (i *issuance) preferred(
	ctx context.Context, asked order.Asked, first order.Received, alternates []string) order.Received {
	wanted := i.o.Request.PreferredChain
	all, chains := []order.Received{first}, []acme.Chain{{PEM: first.Chain}}
	if _, matched := acme.PreferredChain(chains, wanted); !i.e.allChains && (wanted == "" || matched) {
		return first
	}
	for _, url := range alternates {
		other, err := i.e.acme().Certificate(ctx, url)
		if err != nil {
			i.note("alternate chain failed", "%s", failure.Clean(err.Error()))
			continue
		}
		if got, err := asked.Accept(other.PEM); err == nil && got.Leaf.Equal(first.Leaf) {
			all, chains = append(all, got), append(chains, acme.Chain{PEM: got.Chain})
		}
	}
	index, matched := acme.PreferredChain(chains, wanted)
	if !matched && wanted != "" {
		i.e.tell("The CA offers no chain up to %q for %s; its default one is taken.",
			failure.Clean(wanted), i.o.Lineage)
	}
	i.o.Alternates = nil
	for k, other := range all {
		if k != index {
			i.o.Alternates = append(i.o.Alternates, other.Chain)
		}
	}
	return all[index]
}

func (i *issuance) certificate(leaf *x509.Certificate) *ledger.Certificate {
	sum := sha256.Sum256(leaf.Raw)
	return &ledger.Certificate{
		OrderID: i.o.ID, AccountID: i.o.AccountID, Lineage: i.o.Lineage,
		Names:     ledger.CanonicalNames(order.NamesIn(leaf)),
		Serial:    hex.EncodeToString(leaf.SerialNumber.Bytes()),
		NotBefore: leaf.NotBefore.UTC(), NotAfter: leaf.NotAfter.UTC(),
		RenewalID: acme.RenewalID(leaf), Fingerprint: hex.EncodeToString(sum[:]), IssuedAt: i.o.FinalizeSentAt,
	}
}
