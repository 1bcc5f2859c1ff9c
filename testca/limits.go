package testca

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/net/publicsuffix"
)

// Limit is a token bucket as Boulder keeps it (GCRA): Count at once, and one more every Period/Count. The zero value is off.
type Limit struct {
	Count  int
	Period time.Duration
}

// String is COUNT/PERIOD, COUNT where there is no period, or "off".
func (l Limit) String() string {
	switch {
	case l.Count == 0:
		return "off"
	case l.Period == 0:
		return strconv.Itoa(l.Count)
	}
	return fmt.Sprintf("%d/%s", l.Count, l.Period)
}

// Set reads what String writes (flag.Value).
func (l *Limit) Set(text string) error {
	if text == "off" {
		*l = Limit{}
		return nil
	}
	count, period, timed := strings.Cut(text, "/")
	n, err := strconv.Atoi(count)
	if err != nil || n < 1 {
		return errors.New("a limit is COUNT/PERIOD, such as 300/3h, or off")
	}
	next := Limit{Count: n}
	if timed {
		if next.Period, err = time.ParseDuration(period); err != nil || next.Period <= 0 {
			return errors.New("the period of a limit is a duration, such as 3h")
		}
	}
	*l = next
	return nil
}

// Limits are the rate limits of Let's Encrypt, by Boulder's names. Zero limits are off.
type Limits struct {
	// NewOrdersPerAccount is spent by every newOrder, reused ones too; not by renewals (the set was issued within 120
	// days, by anyone) nor by a `replaces` inside its window.
	NewOrdersPerAccount Limit
	// FailedAuthorizationsPerDomainPerAccount is spent by a failed validation and by a pending authorization deactivated.
	FailedAuthorizationsPerDomainPerAccount Limit
	// CertificatesPerFQDNSet is spent at every issuance of an exact set, over all accounts, and checked at newOrder.
	CertificatesPerFQDNSet Limit
	// CertificatesPerDomain is spent at every issuance for each registered domain of its names, over all accounts, and checked
	// at newOrder; not for renewals nor a `replaces` inside its window.
	CertificatesPerDomain Limit
	// NewRegistrationsPerIPAddress is spent by every account that is made.
	NewRegistrationsPerIPAddress Limit
	// FailedAuthorizationsForPausingPerDomainPerAccount is spent like the other limit on failures, and full again after a
	// success. A failure for which nothing is left pauses the name: no newOrder until Unpause.
	FailedAuthorizationsForPausingPerDomainPerAccount Limit
	// PendingAuthorizations is the limit Let's Encrypt retired in 2025: a count per account, its Period means nothing.
	PendingAuthorizations Limit
}

// bucket is one limit for one key, and how its refusal reads.
type bucket struct {
	limit     Limit
	key       string
	text      string // with %d for the count and %s for the period
	anchor    string
	arguments []any // what stands between the two
}

const limitsPage = "https://letsencrypt.org/docs/rate-limits/"

func (l Limits) newOrders(account string) bucket {
	return bucket{limit: l.NewOrdersPerAccount, key: "orders " + account, anchor: "new-orders-per-account",
		text: "too many new orders (%d) from this account in the last %s, retry after %s"}
}

func (l Limits) failures(account, name string) bucket {
	return bucket{limit: l.FailedAuthorizationsPerDomainPerAccount, key: "failed " + account + " " + name,
		anchor: "authorization-failures-per-identifier-per-account", arguments: []any{name},
		text: "too many failed authorizations (%d) for %q in the last %s, retry after %s"}
}

func (l Limits) exactSet(set string) bucket {
	return bucket{limit: l.CertificatesPerFQDNSet, key: "set " + set, anchor: "new-certificates-per-exact-set-of-identifiers",
		text: "too many certificates (%d) already issued for this exact set of identifiers in the last %s, retry after %s"}
}

// domains are the buckets of the registered domains of names; an address has one of its own.
func (l Limits) domains(names []string) []bucket {
	var all []bucket
	for _, name := range names {
		domain, err := publicsuffix.EffectiveTLDPlusOne(strings.TrimPrefix(name, "*."))
		if err != nil {
			domain = name
		}
		key := "domain " + domain
		if slices.ContainsFunc(all, func(b bucket) bool { return b.key == key }) {
			continue
		}
		all = append(all, bucket{limit: l.CertificatesPerDomain, key: key, anchor: "new-certificates-per-registered-domain",
			arguments: []any{domain}, text: "too many certificates (%d) already issued for %q in the last %s, retry after %s"})
	}
	return all
}

func (l Limits) registrations(address string) bucket {
	return bucket{limit: l.NewRegistrationsPerIPAddress, key: "registrations " + address, anchor: "new-registrations-per-ip-address",
		text: "too many new registrations (%d) from this IP address in the last %s, retry after %s"}
}

func (l Limits) pausing(account, name string) bucket {
	return bucket{limit: l.FailedAuthorizationsForPausingPerDomainPerAccount, key: "pausing " + account + " " + name}
}

// buckets holds the theoretical arrival time of each bucket that was ever spent from.
type buckets map[string]time.Time

// after is the arrival time once one more unit is spent, and how long to wait before that is allowed.
func (b buckets) after(k bucket, now time.Time) (time.Time, time.Duration) {
	tat := b[k.key]
	if tat.Before(now) {
		tat = now
	}
	tat = tat.Add(k.limit.Period / time.Duration(k.limit.Count))
	return tat, tat.Add(-k.limit.Period).Sub(now)
}

// wait is how long the next unit is refused; zero or less when it is allowed.
func (b buckets) wait(k bucket, now time.Time) time.Duration {
	if k.limit.Count == 0 {
		return 0
	}
	_, wait := b.after(k, now)
	return wait
}

// spend takes one unit. As at Boulder, nothing is taken from a bucket that has nothing left.
func (b buckets) spend(k bucket, now time.Time) {
	if k.limit.Count == 0 {
		return
	}
	if tat, wait := b.after(k, now); wait <= 0 {
		b[k.key] = tat
	}
}

// refusal is the answer of the bucket with the longest wait, or nil when every one has something left.
func (b buckets) refusal(now time.Time, checked ...bucket) *problem {
	var worst bucket
	var longest time.Duration
	for _, k := range checked {
		if wait := b.wait(k, now); wait > longest {
			worst, longest = k, wait
		}
	}
	if longest <= 0 {
		return nil
	}
	// Rounded up, where Boulder adds up to 3 %: a client that waits exactly as long as told must not be early.
	seconds := int((longest + time.Second - 1) / time.Second)
	arguments := append([]any{worst.limit.Count}, worst.arguments...)
	arguments = append(arguments, worst.limit.Period, now.Add(time.Duration(seconds)*time.Second).UTC().Format("2006-01-02 15:04:05 MST"))
	p := problemf(http.StatusTooManyRequests, "rateLimited", worst.text+": see "+limitsPage+"#"+worst.anchor, arguments...)
	p.retryAfter = strconv.Itoa(seconds)
	p.limit = true
	return p
}

// tooManyPending is the refusal of the retired limit, in its own words and without Retry-After.
func tooManyPending() *problem {
	p := problemf(http.StatusTooManyRequests, "rateLimited", "too many currently pending authorizations: see %s", limitsPage)
	p.limit = true
	return p
}
