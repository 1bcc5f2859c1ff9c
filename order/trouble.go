package order

// What requests that fail lead to: the same one again after a pause, or an end of this run's work
// on the order. Which requests they are does not matter. Only newOrder is different, since it may
// have made an order: see Unmade.

import (
	"fmt"
	"time"

	"orderly/acme"
	"orderly/failure"
)

// MostTroubles is how many requests of a kind may fail without any progress before the order is
// left to a later run.
const MostTroubles = 5

// Trouble is the last request that failed.
type Trouble struct {
	Kind  string // of request
	Cause error
	Times int           // how many of its kind failed since the last progress
	Pause time.Duration // until it may be sent again (PauseAfter)
	// Account is the CA's word that the account cannot be used at all; nil where it did not say so
	// (rule 13).
	Account error
	// Advice is what mends the way to the CA, where that is what is broken.
	Advice failure.Remedy
}

// shortestPause is how long a CA is left alone that asks for no pause at all.
const shortestPause = 100 * time.Millisecond

// PauseAfter is how long a request is put off after it failed so many times in a row: for as long
// as the CA asks, or twice as long with each time.
func PauseAfter(times int, p *acme.Problem) time.Duration {
	if p != nil && p.HasRetryAfter {
		return max(p.RetryAfter, shortestPause)
	}
	return time.Second << (times - 1)
}

// mayRetry reports whether this run goes on after the last request that failed.
func (f *Facts) mayRetry() bool {
	t := f.Wait.Trouble
	return t == nil || t.Account == nil && t.Times < MostTroubles && t.Pause <= f.Wait.LongestWait
}

// retryLater leaves the order to a later run.
func (f *Facts) retryLater() Action {
	t := f.Wait.Trouble
	if t.Account != nil {
		return Action{Kind: Stop, Class: failure.ClassOf(t.Account),
			Remedy: failure.RemedyOf(t.Account), Why: t.Account.Error()}
	}
	act := Action{Kind: Stop, Class: acme.Unavailable(t.Cause),
		Remedy: "The order is kept and goes on with the next run.",
		Why:    fmt.Sprintf("%s for %s: %s", t.Kind, f.Order.Subject(), failure.Clean(t.Cause.Error()))}
	if _, p := EffectOf(t.Cause); p != nil && p.Status == 429 {
		act.Class = failure.RateLimited
	}
	if f.Order.ID == 0 {
		act.Remedy = "Nothing was ordered; the next run tries again."
	}
	if t.Advice != "" {
		act.Remedy = t.Advice + " " + act.Remedy
	}
	if f.Wait.Asked {
		act.Until = f.until()
	}
	return act
}
