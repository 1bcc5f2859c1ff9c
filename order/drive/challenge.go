package drive

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"slices"
	"strings"

	"orderly/failure"
	"orderly/ledger"
	"orderly/order"
)

// proof describes what is to be put in place for the authorization list[index].
func (d *driver) proof(list []*ledger.Authorization, index int) order.Proof {
	a := list[index]
	p := order.Proof{Type: a.ChallengeType, Name: strings.TrimPrefix(a.Name, "*."), Token: a.Token, Content: d.content(a), Index: index}
	for _, other := range list {
		p.Together = append(p.Together, strings.TrimPrefix(other.Name, "*."))
	}
	return p
}

// content is what the CA is to find for an authorization.
func (d *driver) content(a *ledger.Authorization) string {
	authorization := d.e.key().KeyAuthorization(a.Token)
	if a.ChallengeType != ledger.DNS01 {
		return authorization
	}
	sum := sha256.Sum256([]byte(authorization))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// kindOf is the type of challenge by which an authorization is to be proven. One that was answered keeps its own, whatever
// the request says by now: the CA may be at work on it, and would charge for whichever of two fails.
func (d *driver) kindOf(a *ledger.Authorization) string {
	if !a.AnswerSentAt.IsZero() && a.ChallengeType != "" {
		return a.ChallengeType
	}
	return d.way(a).Type
}

// way is how the request has an authorization proven by now.
func (d *driver) way(a *ledger.Authorization) order.Way {
	return d.e.host.Challenge(d.o.Request, a.Wildcard)
}

// fixed reports whether an authorization was answered by a challenge that the request would not choose any more: then what
// stands for it stays as it is, and what does not stand cannot be put in place.
func (d *driver) fixed(a *ledger.Authorization) bool {
	if a.AnswerSentAt.IsZero() || a.ChallengeType == d.way(a).Type {
		return false
	}
	if a.Placement == "" {
		d.block(a, failure.New(failure.Config, "It comes to its end at the CA by itself; the next run orders anew.",
			"%s was answered by %s, which is not how it is to be proven any more", failure.Clean(a.FullName()), failure.Clean(a.ChallengeType)))
	}
	return true
}

// offersNone says why an authorization cannot be answered.
func (d *driver) offersNone(a *ledger.Authorization, kind string) error {
	if kind == "" {
		return failure.New(failure.Config, "Prove it by dns-01: "+failure.Do(failure.ProveByDNS)+".",
			"none of the preferred challenges can prove %s", failure.Clean(a.FullName()))
	}
	return failure.New(failure.CARefused, "Order this name with another challenge.", "the CA offers no %s challenge for %s", kind,
		failure.Clean(a.FullName()))
}

// remove takes away what stands for an authorization. Where that is somebody's command it is counted before, so that one
// that ends whoever runs it is not begun for ever, and its end is durable at once, so that it is not begun twice.
func (d *driver) remove(ctx context.Context, a *ledger.Authorization) (stands bool, err error) {
	counted := d.e.host.Leaving(a.Placement)
	if counted != a.Placement {
		a.Placement = counted
		if err := d.commit(ctx, ledger.Change{}); err != nil {
			return true, err
		}
	}
	if err := d.e.host.Remove(ctx, a.Placement); err != nil {
		if ctx.Err() != nil {
			return true, nil // it was cut short, and the next run does it
		}
		// The document root may be read-only, or not answer. The token is worthless, and the order goes on.
		d.note("token left", "%s: %s", failure.Clean(a.FullName()), failure.Clean(err.Error()))
		if errors.Is(err, order.ErrStands) {
			d.left[a.URL] = true
		}
	}
	return false, nil
}

// unblocked are those of a list that can be put in place.
func (d *driver) unblocked(list []*ledger.Authorization) []*ledger.Authorization {
	return slices.DeleteFunc(slices.Clone(list), func(a *ledger.Authorization) bool { return d.unplaceable[a.URL] })
}
