package drive

import (
	"cmp"
	"context"

	"orderly/acme"
	"orderly/failure"
	"orderly/ledger"
	"orderly/order"
	"orderly/order/admit"
	"orderly/preflight"
)

// known is what is known of the CA without asking it: everything once the directory was read, before that what its
// address tells.
func (e *Engine) known() order.CA {
	if e.CA.LongestValidation > 0 {
		return e.CA
	}
	return order.HabitsOf(e.Profiles.For(e.Account.Server, false), acme.Directory{})
}

// learn finds out with whom the engine deals. It waits until something is really to be sent, so that a lineage that is
// refused, held or in back-off costs the CA not even the directory (invariant I9).
func (e *Engine) learn(ctx context.Context) error {
	if e.CA.LongestValidation > 0 {
		return nil
	}
	rctx, cancel := outliving(ctx)
	defer cancel()
	directory, err := e.Client.Directory(rctx)
	if err != nil {
		remedy := cmp.Or(acme.Advice(e.Account.Server, err), "Nothing was sent that could be left behind; the next run tries again.")
		return failure.Wrap(err, failure.CAUnavailable, remedy,
			"the directory of %s cannot be read", e.Account.Server)
	}
	e.CA = order.HabitsOf(e.Profiles.For(e.Account.Server, directory.Boulder), directory)
	if e.LongestValidation > 0 {
		e.CA.LongestValidation = e.LongestValidation
	}
	return nil
}

// Habits returns what is known of the engine's CA, reading its directory first where that has not happened yet.
func (e *Engine) Habits(ctx context.Context) (order.CA, error) {
	err := e.learn(ctx)
	return e.CA, err
}

// gate is what stands before new orders, with what is known of the CA by now.
func (e *Engine) gate() admit.Gate {
	return admit.Gate{Store: e.Store, Account: e.Account, CA: e.known(), Clock: e.Clock, Run: e.Run, Host: e.Host}
}

// examine makes the checks for the names of an order that exists.
func (d *driver) examine(ctx context.Context, list []*ledger.Authorization) preflight.Report {
	d.e.Host.Refresh(ctx, &d.o.Request)
	var names []string
	for _, a := range list {
		names = append(names, a.FullName())
	}
	return d.e.gate().Examine(ctx, d.o.Request, names)
}
