// Package ledgertest is what every implementation of ledger.Store has to pass: each sentence of its
// contract, tried. It knows the contract alone and must never lean on how a store keeps its
// records, so that the same suite judges all of them.
package ledgertest

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"orderly/ledger"
)

// Opener opens one more handle on one and the same ledger, as another process would have it. It
// ends the test when that goes wrong, and sees to it that the handle is closed when the test ends.
type Opener func(t *testing.T) ledger.Store

// Run tries the contract. fresh makes an empty ledger; it is called once for each test.
func Run(t *testing.T, fresh func(t *testing.T) Opener) {
	for _, group := range [][]test{
		recordTests, lookupTests, commitTests, orderTests, pendingTests, listTests, bucketTests,
		sharedTests, gatheredTests, failureTests, loggedTests, renewalInfoTests, seenTests,
	} {
		for _, one := range group {
			t.Run(one.sentence, func(t *testing.T) {
				open := fresh(t)
				one.try(newBench(t, open))
			})
		}
	}
}

type test struct {
	sentence string
	try      func(*bench)
}

// bench is one test's ledger with an account in it.
type bench struct {
	*testing.T
	ctx     context.Context
	open    Opener
	store   ledger.Store
	account *ledger.Account
}

// day is the moment around which the records of these tests lie.
var day = time.Date(2031, 5, 17, 12, 0, 0, 0, time.UTC)

func newBench(t *testing.T, open Opener) *bench {
	b := &bench{T: t, ctx: t.Context(), open: open, store: open(t)}
	b.account = &ledger.Account{Server: "https://ca.example/directory",
		URL: "https://ca.example/acct/1", CreatedAt: day}
	b.commit(&ledger.Change{Account: b.account})
	return b
}

// handle opens another handle on the ledger.
func (b *bench) handle() ledger.Store { return b.open(b.T) }

func (b *bench) commit(c *ledger.Change) {
	b.Helper()
	b.commitTo(b.store, c)
}

func (b *bench) commitTo(s ledger.Store, c *ledger.Change) {
	b.Helper()
	if err := s.Commit(b.ctx, c); err != nil {
		b.Fatalf("Commit: %v", err)
	}
}

// refused commits what has to be refused with want.
func (b *bench) refused(c *ledger.Change, want error) {
	b.Helper()
	err := b.store.Commit(b.ctx, c)
	if err == nil {
		b.Fatal("Commit succeeded")
	}
	if want != nil && !errors.Is(err, want) {
		b.Fatalf("Commit answers %q, want %q", err, want)
	}
}

// order is a new order of the bench's account in a state, for the names (or one name made of the
// lineage).
func (b *bench) order(lineage string, state ledger.State, names ...string) *ledger.Order {
	if len(names) == 0 {
		names = []string{lineage + ".example"}
	}
	return &ledger.Order{AccountID: b.account.ID, Lineage: lineage, Names: names, State: state,
		CreatedAt: day, UpdatedAt: day}
}

// saved commits a new order and returns it.
func (b *bench) saved(o *ledger.Order) *ledger.Order {
	b.Helper()
	b.commit(&ledger.Change{Orders: []*ledger.Order{o}})
	return o
}

func (b *bench) read(id int64) *ledger.Order {
	b.Helper()
	return must(b.store.Order(b.ctx, id))(b)
}

// must unpacks an answer that may not be an error.
func must[V any](v V, err error) func(*bench) V {
	return func(b *bench) V {
		b.Helper()
		if err != nil {
			b.Fatalf("%T: %v", v, err)
		}
		return v
	}
}

// ids are the ids of orders, in their order.
func ids(orders []*ledger.Order) []int64 {
	list := []int64{}
	for _, o := range orders {
		list = append(list, o.ID)
	}
	return list
}

// each maps a list to one printed line per element, for comparison with what was expected.
func each[V any](list []V, line func(V) string) string {
	text := ""
	for _, v := range list {
		text += line(v) + "\n"
	}
	return text
}

func (b *bench) equal(what string, got, want any) {
	b.Helper()
	if g, w := fmt.Sprint(got), fmt.Sprint(want); g != w {
		b.Errorf("%s:\n%s\nwant:\n%s", what, g, w)
	}
}
