package drive

import (
	"errors"
	"testing"
	"time"

	"orderly/acme"
	"orderly/failure"
	"orderly/ledger"
	"orderly/order"
	"orderly/outside"
)

func problem(status int, kind, detail string, after time.Duration) *acme.Problem {
	return &acme.Problem{Type: kind, Detail: outside.Of(detail), Reply: acme.Reply{Status: status, RetryAfter: max(after, 0), HasRetryAfter: after >= 0}}
}

func TestWhoseWordStopsEverything(t *testing.T) {
	c := &core{e: &Engine{session: NewSession(nil, nil, &ledger.Account{URL: "https://x/1"})}, o: &ledger.Order{Names: []string{"a.example", "*.closed.example"}}}
	for _, tried := range []struct {
		err  error
		want failure.Class
	}{
		{problem(400, "accountDoesNotExist", "", -1), failure.Account},
		{problem(403, "unauthorized", `Account is not valid, has status "deactivated"`, -1), failure.Account},
		{problem(403, "unauthorized", "the page said no", -1), ""},
		{problem(403, "unauthorized", "Account https://x/1 was suspended", -1), failure.Account},
		{problem(403, "unauthorized", "Your account is not authorized to issue for this domain", -1), ""},
		{problem(403, "unauthorized", "The account is unknown to the owner of a.example", -1), ""},
		{problem(403, "unauthorized", "account not valid for closed.example", -1), ""},
		{problem(403, "userActionRequired", "Terms of service have changed", -1), failure.Account},
		{problem(403, "rejectedIdentifier", "account not valid", -1), ""},
		{problem(403, "orderNotReady", "account", -1), ""},
		{problem(400, "badPublicKey", "", -1), failure.Account},
		{&acme.NotSent{Cause: failure.New(failure.CARefused, "", "elsewhere")}, failure.CARefused},
		{&acme.NotSent{Cause: problem(400, "accountDoesNotExist", "", -1)}, failure.Account},
		{errors.New("reset"), ""},
	} {
		if got := failure.ClassOf(c.accountTrouble(tried.err)); got != tried.want {
			t.Errorf("%v: %q", tried.err, got)
		}
	}
}

func TestAHoldOfAClockThatWasAheadIsDropped(t *testing.T) {
	now := time.Date(2027, 3, 1, 12, 0, 0, 0, time.UTC)
	for hold, kept := range map[time.Duration]bool{time.Hour: true, order.LongestHold: true, 19 * 24 * time.Hour: false} {
		o := &ledger.Order{NotBefore: now.Add(hold)}
		if order.NoLater(o, now); o.NotBefore.IsZero() == kept {
			t.Errorf("a hold of %s: %s", hold, o.NotBefore)
		}
	}
}
