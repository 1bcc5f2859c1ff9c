package order

import (
	"errors"

	"orderly/acme"
)

// Effect says what a request that did not succeed did at the CA.
type Effect int

const (
	NotDone   Effect = iota // the CA certainly did nothing
	Undecided               // it may have done it
	Refused                 // the CA understood and said no, for good
)

// EffectOf sorts the error of a request. Boulder's load balancer and others answer 503 before anything is looked at, and
// 429 is a refusal; any other 5xx can come from a proxy that gave up waiting for a CA that did not.
func EffectOf(err error) (Effect, *acme.Problem) {
	if _, ok := errors.AsType[*acme.NotSent](err); ok {
		p, _ := errors.AsType[*acme.Problem](err)
		return NotDone, p
	}
	p, ok := errors.AsType[*acme.Problem](err)
	switch {
	case !ok:
		return Undecided, nil
	case p.Status == 429 || p.Status == 503 || p.IsType("badNonce"):
		return NotDone, p // a nonce that was refused again and again is the CA's trouble, not the order's
	case p.Status >= 500:
		return Undecided, p
	}
	return Refused, p
}
