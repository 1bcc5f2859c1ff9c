package drive

import (
	"context"

	"orderly/acme"
	"orderly/order"
	"orderly/order/admit"
)

// known is what is known of the CA without asking it: everything once the directory was read,
// before that what its address tells.
func (e *Engine) known() order.CA {
	if ca, read := e.session.known(); read {
		return ca
	}
	return order.HabitsOf(e.profiles.For(e.Account().Server, false), acme.Directory{})
}

// learnt reports whether the CA's directory was read.
func (e *Engine) learnt() bool {
	_, read := e.session.known()
	return read
}

// Habits returns what is known of the engine's CA, reading its directory first where that has not
// happened yet.
func (e *Engine) Habits(ctx context.Context) (order.CA, error) {
	err := e.learn(ctx)
	return e.known(), err
}

// gate is what stands before new orders, with what is known of the CA by now.
func (e *Engine) gate() admit.Gate {
	row := e.Account()
	return admit.Gate{Store: e.store, Account: &row, CA: e.known(), Clock: e.clock, Run: e.run, Host: e.host}
}
