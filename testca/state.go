package testca

import (
	"encoding/base64"
	"encoding/hex"
	"slices"
	"strings"
	"time"

	"github.com/letsencrypt/pebble/v2/acme"
	"github.com/letsencrypt/pebble/v2/core"
)

// state is what the front knows beyond Pebble's store. CA.mu guards it.
type state struct {
	limits   Limits
	buckets  buckets
	orders   []*order
	byOrder  map[string]*order
	authzs   []*authorization
	byAuthz  map[string]*authorization
	bySerial map[string]*order
	issued   map[string]time.Time // exact set → last issuance, by anyone
	accounts []enrolment
	paused   map[string]bool // by the key of the bucket
}

// order is one order. Pebble's own idea of when things expire is put out of force (see CA.age), since it goes by the
// machine's clock: expires counts.
type order struct {
	*core.Order
	set     string
	asked   string // the profile the client asked for
	created time.Time
	expires time.Time
	authzs  []*authorization
	shownAt time.Time // until then a finalized order is shown as processing
	serial  string
	frozen  string                // the status it had when it was put aside as expired
	made    int64                 // the turn in which it had been made
	window  *core.SuggestedWindow // what SetRenewalInfo set; nil for Boulder's
	// a page that SetRenewalInfo named
	explanation string
}

// authorization is one authorization; valid ones may belong to several orders.
type authorization struct {
	*core.Authorization
	account string
	profile string // that the order asked for which it was made for
	expires time.Time
	begun   int // validations, ever
	// When the first validation was asked for and when it had ended, by the machine's own clock.
	answered, ended time.Time
	underway        int // validations, now
}

func newState(limits Limits) *state {
	return &state{limits: limits, buckets: buckets{}, byOrder: map[string]*order{}, byAuthz: map[string]*authorization{},
		bySerial: map[string]*order{}, issued: map[string]time.Time{}, paused: map[string]bool{}}
}

// status is the true status at a time: that of Pebble, but `processing` for as long as an asynchronous finalize takes.
func (o *order) status(now time.Time) string {
	if o.frozen != "" {
		return o.frozen
	}
	status, err := o.GetStatus()
	switch {
	case err != nil:
		return acme.StatusInvalid
	case status == acme.StatusValid && now.Before(o.shownAt):
		return acme.StatusProcessing
	}
	return status
}

func (o *order) expired(now time.Time) bool { return !now.Before(o.expires) }

func (o *order) names() []string {
	names := make([]string, 0, len(o.Identifiers))
	for _, identifier := range o.Identifiers {
		names = append(names, identifier.Value)
	}
	slices.Sort(names)
	return names
}

func (a *authorization) expired(now time.Time) bool { return !now.Before(a.expires) }

// challenge is the challenge that matters: the one that was tried, or http-01.
func (a *authorization) challenge() *core.Challenge {
	var http01 *core.Challenge
	for _, c := range a.Challenges {
		if c.Status != acme.StatusPending {
			return c
		}
		if c.Type == acme.ChallengeHTTP01 {
			http01 = c
		}
	}
	return http01
}

// exactSet is the key of a set of names: case, order and repetition do not matter.
func exactSet(names []string) string {
	low := make([]string, 0, len(names))
	for _, name := range names {
		low = append(low, strings.ToLower(name))
	}
	slices.Sort(low)
	return strings.Join(slices.Compact(low), " ")
}

// reusable is the order that Boulder hands back for a set. It looks at the earliest-expiring unexpired order alone, and
// forgets orders once their certificate is issued. What is made while a newOrder is under way, since turn, it does not see.
func (s *state) reusable(account, set, profile string, turn int64, now time.Time) *order {
	var first *order
	for _, o := range s.orders {
		if o.set != set || o.made > turn || o.expired(now) || (o.serial != "" && o.status(now) != acme.StatusProcessing) {
			continue
		}
		if first == nil || o.expires.Before(first.expires) {
			first = o
		}
	}
	if first == nil || first.AccountID != account || first.asked != profile {
		return nil
	}
	if status := first.status(now); status != acme.StatusPending && status != acme.StatusReady {
		return nil
	}
	return first
}

// pending counts the authorizations of an account that wait for an answer.
func (s *state) pending(account string, now time.Time) int {
	count := 0
	for _, a := range s.authzs {
		if a.account == account && a.Status == acme.StatusPending && !a.expired(now) {
			count++
		}
	}
	return count
}

// valid reports whether the account has a valid authorization for a name, made for an order of the profile.
func (s *state) valid(account, name, profile string, now time.Time) bool {
	return slices.ContainsFunc(s.authzs, func(a *authorization) bool {
		return a.account == account && a.Identifier.Value == name && a.profile == profile && a.Status == acme.StatusValid && !a.expired(now)
	})
}

// renewal reports whether the exact set was issued within 120 days, by anyone.
func (s *state) renewal(set string, now time.Time) bool {
	at, found := s.issued[set]
	return found && now.Sub(at) < 120*24*time.Hour
}

// serialIn is the serial, in hexadecimal, in the certificate identifier of a `replaces` (RFC 9773 §4.1); "" if there is none.
func serialIn(replaces string) string {
	_, encoded, _ := strings.Cut(replaces, ".")
	serial, err := base64.RawURLEncoding.DecodeString(encoded)
	if err != nil {
		return ""
	}
	return hex.EncodeToString(serial)
}
