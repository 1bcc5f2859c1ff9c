package order

// When the CA is asked again, and how long it is waited for. A CA says with Retry-After when it
// wants to be asked; where it says nothing, the looks come further and further apart. Patience
// counts from what is new: a CA that only says the same again is left when it ends, and the next
// run goes on.

import (
	"time"

	"orderly/acme"
	"orderly/failure"
	"orderly/ledger"
)

// The pauses between two looks: the first one early, since most CAs are done within a fraction of a
// second, then doubling.
const (
	firstPause = 100 * time.Millisecond
	lastPause  = 5 * time.Second
)

// NextLook is when the CA may be asked again after so many looks that showed nothing new, the last
// of them answered by r.
func NextLook(o *ledger.Order, ca CA, looks int, r acme.Reply, now time.Time) time.Time {
	pause := min(firstPause<<min(looks, 10), lastPause)
	if r.HasRetryAfter {
		pause = max(pause, r.RetryAfter)
		if pause > firstPause && r.RetryAfter > 0 {
			pause = r.RetryAfter
		}
		return now.Add(pause)
	}
	next := now.Add(pause)
	for _, a := range Unfinished(o) {
		// Not a moment later than the CA can be asked whether an answer of unknown fate arrived
		// (rule 4).
		at := a.AnswerSentAt.Add(ca.LongestValidation + firstPause)
		if at.After(now) && at.Before(next) {
			next = at
		}
	}
	return next
}

// poll lets act happen no sooner than NextPoll. What the CA asks for is waited for on the spot if
// that is not long, or ends while patience lasts: a run must not stand still for hours.
func (f *Facts) poll(act Action) Action {
	switch {
	case !f.Now.Before(f.Wait.NextPoll):
		return act
	case f.Wait.Asked && f.Wait.NextPoll.After(f.Wait.GiveUp) && f.isLong():
		return f.putOff()
	}
	return Action{Kind: Wait, Until: f.Wait.NextPoll}
}

// waitFor is poll for what depends on the CA alone: patience ends at GiveUp. For a Retry-After that
// ends later there is one look more, and not another with each that follows.
func (f *Facts) waitFor(act Action) Action {
	if !f.Now.After(f.Wait.GiveUp) && !f.Wait.NextPoll.After(f.Wait.GiveUp) {
		return f.poll(act)
	}
	if !f.Wait.Asked || f.Wait.Overtime || f.isLong() {
		return f.putOff()
	}
	act.Overtime = true
	return f.poll(act)
}

// isLong reports whether the next request is further off than is waited for on the spot.
func (f *Facts) isLong() bool { return f.Wait.NextPoll.After(f.Now.Add(f.Wait.LongestWait)) }

// putOff leaves the order to a later run, since the CA has not done what it was asked for.
func (f *Facts) putOff() Action {
	act := Action{Kind: Stop, Class: failure.Stopped,
		Why: f.Order.Lineage + ": the CA has not come to a result yet",
		Remedy: "Run the same command again later, or " + failure.Do(failure.Resume) +
			"; the same order goes on."}
	if f.Wait.Asked {
		act.Until = f.until() // whoever drives this order next must know
	}
	return act
}

// until is NextPoll as later runs obey it; zero where it is over.
func (f *Facts) until() time.Time {
	switch most := f.Now.Add(LongestHold); {
	case !f.Wait.NextPoll.After(f.Now):
		return time.Time{}
	case f.Wait.NextPoll.After(most):
		return most
	}
	return f.Wait.NextPoll
}
