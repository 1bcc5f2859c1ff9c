// Package history tells what failed on a server, for whom, why and since when, from what the ledger
// keeps: orders that came to nothing, those that were never made, and what logs of other clients,
// of this server and others, told of failures. It only reads, and decides
// nothing: what is to be ordered again is package order's.
package history

// One entry for each name and failure, with the class that its cause has: the ledger's own class says
// what Orderly did, the CA's words about each name say why.

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"orderly/diagnose"
	"orderly/failure"
	"orderly/ledger"
)

// Entry is one failure of one name, or of what logs tell, all of a name and class.
type Entry struct {
	At       time.Time // when it befell last
	First    time.Time // when first, zero for what befell once
	Count    int64     // how often, 0 for once
	Days     []ledger.LogDay
	Name     string // "" where it is the whole certificate's
	Lineage  string
	Server   string // the host that it befell; "" for this one
	Class    failure.Class
	Source   string // what it is known from, such as "order 12"
	Sentence string
	Customer string // what to tell the customer; "" where it is none of theirs
	Remedy   failure.Remedy
	Until    time.Time // when trying again helps, zero where nobody said
	Renewed  time.Time // when logs show its certificate to have been obtained last
}

// Book is a ledger as this package reads it.
type Book struct {
	Store ledger.Store
	Here  diagnose.Here
}

// Past is what a ledger tells.
type Past struct {
	Failures []Entry              // the oldest first
	Renewed  map[string]time.Time // when a certificate of a lineage of this server was put in place last
	Orders   []*ledger.Order      // the oldest first
}

// Since is the past from a moment on. Orders made of what another client left are none of this
// server's certificates, and are pending's to tell: they are left out.
func (b Book) Since(ctx context.Context, since time.Time) (Past, error) {
	orders, err := b.Store.Orders(ctx, ledger.OrderFilter{Since: since})
	if err != nil {
		return Past{}, err
	}
	refusals, err := b.Store.Refusals(ctx, "", since)
	if err != nil {
		return Past{}, err
	}
	others := set{}
	for _, o := range orders {
		if o.Request.NamesOnly {
			others.add(o.Lineage)
		}
	}
	orders = slices.DeleteFunc(orders, func(o *ledger.Order) bool { return o.Request.NamesOnly })
	refusals = slices.DeleteFunc(refusals, func(e ledger.Event) bool { return others[e.Lineage] })
	logged, err := b.logged(ctx, ledger.LogFilter{Since: since})
	return b.past(orders, refusals, logged), err
}

// Of is the past of some lineages of this server, and of a name wherever it is.
func (b Book) Of(ctx context.Context, name string, lineages []string) (Past, error) {
	var orders []*ledger.Order
	var refusals []ledger.Event
	for _, lineage := range lineages {
		some, err := b.Store.Orders(ctx, ledger.OrderFilter{Lineage: lineage})
		if err != nil {
			return Past{}, err
		}
		refused, err := b.Store.Refusals(ctx, lineage, time.Time{})
		if err != nil {
			return Past{}, err
		}
		orders, refusals = append(orders, some...), append(refusals, refused...)
	}
	slices.SortFunc(orders, func(a, b *ledger.Order) int { return cmp.Compare(a.ID, b.ID) })
	logged, err := b.loggedOf(ctx, name, lineages)
	return b.past(orders, refusals, logged), err
}

// past is what orders, refusals and logs tell.
func (b Book) past(orders []*ledger.Order, refusals []ledger.Event, logged []Entry) Past {
	p := Past{Renewed: map[string]time.Time{}, Orders: orders}
	for _, o := range orders {
		if o.InstalledAt.After(p.Renewed[o.Lineage]) && !o.Request.Rehearsal {
			p.Renewed[o.Lineage] = o.InstalledAt
		}
	}
	p.Failures = append(b.entries(orders, refusals), logged...)
	slices.SortStableFunc(p.Failures, func(a, b Entry) int { return a.At.Compare(b.At) })
	return p
}

// entries are the failures among orders and refusals.
func (b Book) entries(orders []*ledger.Order, refusals []ledger.Event) []Entry {
	var all []Entry
	for _, o := range orders {
		all = append(all, b.OfOrder(o)...)
	}
	for _, e := range refusals {
		if one, ok := ofRefusal(e); ok {
			all = append(all, one)
		}
	}
	return all
}

// OfOrder is why an order came to nothing: for each name the CA's words where it had some, otherwise
// one entry for all.
func (b Book) OfOrder(o *ledger.Order) []Entry {
	class := failure.Class(o.Class)
	if !o.InstalledAt.IsZero() || o.Request.Rehearsal || !told(class) {
		return nil
	}
	base := Entry{At: o.UpdatedAt, Lineage: o.Lineage, Class: class, Sentence: o.Sentence,
		Source: fmt.Sprintf("order %d", o.ID), Remedy: failure.Kept(o.Remedy)}
	var all []Entry
	for _, a := range o.Authorizations {
		if a.ErrorType != "" || a.ErrorDetail != "" {
			f := diagnose.Problem(a.FullName(), a.ErrorType, a.ErrorDetail, b.Here)
			all = append(all, base.finding(f))
		}
	}
	if len(all) > 0 {
		return all
	}
	return []Entry{base.refined(o.Problem, b.Here)}
}

// told reports whether a class is of a failure, and not of what was meant to be.
func told(class failure.Class) bool {
	switch class {
	case "", failure.Stopped, failure.Released, failure.BackOff:
		return false
	}
	return true
}

// finding is an entry with what a text of the CA's says of one name.
func (e Entry) finding(f diagnose.Finding) Entry {
	if f.Class != failure.Unclassified {
		e.Class, e.Sentence, e.Remedy = f.Class, f.Sentence, f.Remedy
	}
	e.Name, e.Customer = f.Name, f.Customer
	return e
}

// refined is an entry whose class is told more closely by the problem that the CA answered with.
func (e Entry) refined(problem json.RawMessage, here diagnose.Here) Entry {
	if len(problem) > 0 {
		f := diagnose.Text(string(problem), here)[0]
		if closer(e.Class, f.Class) {
			e.Class, e.Customer, e.Remedy = f.Class, f.Customer, f.Remedy
		}
	}
	if e.Customer == "" {
		e.Customer = diagnose.Known(e.Class, e.Name).Customer
	}
	return e
}

// closer reports whether a class that a text has says more than one that Orderly had by the answer's
// status alone.
func closer(had, has failure.Class) bool {
	switch had {
	case failure.Validation, failure.CARefused, failure.RateLimited:
		return has != failure.Unclassified && has != failure.Validation
	}
	return false
}

// ofRefusal is why no order was made.
func ofRefusal(e ledger.Event) (Entry, bool) {
	class, sentence, ok := strings.Cut(e.Detail, ": ")
	c := failure.Class(class)
	if !ok || !c.Known() || !told(c) {
		return Entry{}, false
	}
	name := nameIn(sentence)
	known := diagnose.Known(c, name)
	return Entry{At: e.At, Name: name, Lineage: e.Lineage, Class: c, Sentence: sentence,
		Source: "refused before an order", Customer: known.Customer, Remedy: known.Remedy}, true
}

// nameIn is the name with which a sentence of preflight's begins.
func nameIn(sentence string) string {
	first, _, _ := strings.Cut(sentence, " ")
	first = strings.TrimSuffix(first, ":")
	if strings.Contains(first, ".") && !strings.Contains(first, "/") {
		return first
	}
	return ""
}
