package preflight

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	"orderly/failure"
)

// A site that has moved is told from one that is broken, since nobody here can mend it. What is
// ours is known in part only (NAT, load balancers, a CDN), so that a name is elsewhere only where
// something is known of ours, none of its addresses is among that, and the probe is not served: a
// CDN in front is no move.

// Sight is what the checks saw of where a name leads.
type Sight struct {
	Name      string
	Addresses []netip.Addr // empty where DNS did not say, or there is none
	Served    bool         // the probe was served under it
	// Dead: DNS answered that there is no address.
	Dead bool
	// Elsewhere: it has addresses, none of them is known to lead here, and the probe is not served.
	Elsewhere bool
}

// Memory is what earlier runs saw.
type Memory interface {
	// Learnt are the addresses at which this host was reached under a name of its own. It is asked
	// only where a name is not served from an address that is known otherwise.
	Learnt() map[netip.Addr]bool
	// Seen is when this host was last reached under a name, and since when it is known to be
	// elsewhere; both zero where nothing is known.
	Seen(name string) (served, elsewhere time.Time)
	// Reaches reports whether this host reached itself under a name when it was last looked at, as
	// against a CA alone that did.
	Reaches(name string) bool
}

// ours are the addresses that are known to lead to this host or its fleet.
type ours struct {
	policy policy
	fleet  []netip.Prefix
	learnt map[netip.Addr]bool
}

func (o ours) has(a netip.Addr) bool {
	return o.policy.isOwn(a) || o.learnt[a] ||
		slices.ContainsFunc(o.fleet, func(p netip.Prefix) bool { return p.Contains(a) })
}

// knows reports whether enough is known of the addresses of a's kind to say that a is none of ours:
// behind NAT, interfaces have private ones that say nothing.
func (o ours) knows(a netip.Addr) bool {
	alike := func(b netip.Addr) bool { return a.Is4() == b.Is4() && !b.IsLoopback() }
	if slices.ContainsFunc(o.fleet, func(p netip.Prefix) bool { return alike(p.Addr()) }) ||
		slices.ContainsFunc(o.policy.own, func(b netip.Addr) bool { return alike(b) && isGlobal(b) }) {
		return true
	}
	for b := range o.learnt {
		if alike(b) {
			return true
		}
	}
	return false
}

// strange reports whether addresses are certainly none of ours.
func (o ours) strange(addresses []netip.Addr) bool {
	return len(addresses) > 0 && !slices.ContainsFunc(addresses,
		func(a netip.Addr) bool { return o.has(a.Unmap()) || !o.knows(a.Unmap()) })
}

// ours are known once, where a name makes it necessary.
func (r *round) ours() ours {
	o := ours{policy: r.fetcher.policy, fleet: r.Fleet}
	if r.Memory != nil {
		o.learnt = r.Memory.Learnt()
	}
	return o
}

// sights judges where the names lead, after all checks.
func (r *round) sights(names []*subject) []Sight {
	var all []Sight
	var known *ours
	for _, s := range names {
		if s.looked == nil {
			continue // nobody looked, or was to
		}
		addresses := s.looked.addresses()
		sight := Sight{Name: s.site.Name, Addresses: addresses, Served: s.probed == found}
		switch {
		case len(addresses) == 0:
			if sight.Dead = s.looked.judgeEmpty("", r.fetcher.resolver).Class == failure.DNSMissing; !sight.Dead {
				continue
			}
		case s.probed == missed:
			if known == nil {
				o := r.ours()
				known = &o
			}
			// where one kind of address was not heard of, it may be the one that leads here
			sight.Elsewhere = known.strange(addresses) && !s.veiled(r, *known, addresses) &&
				s.looked.judge("", r.fetcher.resolver).Verdict == Pass
		case s.probed != found:
			continue
		}
		if sight.Elsewhere {
			s.judgeElsewhere(r, addresses)
		}
		all = append(all, sight)
	}
	return all
}

// veiled reports whether it says nothing that a name was not reached: a load balancer's front that
// only the outside reaches, as a CA did, changes its addresses from week to week, and a host behind
// NAT that was moved knows none of its new ones, and may not reach them.
func (s *subject) veiled(r *round, known ours, addresses []netip.Addr) bool {
	if s.results[slices.Index(Checks(), HTTP)].Verdict != Warn || r.Memory == nil {
		return false
	}
	known.learnt = nil // copied: the caller's stays
	if !known.strange(addresses) {
		return true
	}
	served, _ := r.Memory.Seen(s.site.Name)
	return !served.IsZero() && !r.Memory.Reaches(s.site.Name)
}

// probed is what became of a probe.
type probed int

const (
	unasked probed = iota // or it was not found out
	found
	missed
)

// judgeElsewhere makes the result that says where a name leads instead. Where nothing can be reached,
// a firewall alone may be the reason (a load balancer that this host does not reach through its own
// front), so that this is said only of a name under which this host was once reached.
func (s *subject) judgeElsewhere(r *round, addresses []netip.Addr) {
	at := slices.Index(Checks(), HTTP)
	was := s.results[at]
	if was.Verdict != Refuse && was.Verdict != Warn || was.Class == failure.AddressRefuse {
		return
	}
	var served, since time.Time
	if r.Memory != nil {
		served, since = r.Memory.Seen(s.site.Name)
	}
	if was.Verdict == Warn && served.IsZero() {
		return
	}
	date := func(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 MST") }
	sentence := fmt.Sprintf("%s points to %s, no address that is known to lead here", s.site.Name,
		listed(addresses))
	if !since.IsZero() {
		sentence += ", since " + date(since)
	}
	if !served.IsZero() {
		sentence += " (this host was last reached under it " + date(served) + ")"
	}
	s.set(HTTP, Result{Verdict: Refuse, Class: failure.DNSElsewhere, Took: was.Took,
		Sentence: sentence + ": " + was.Sentence,
		Remedy: failure.Advise("Let %s point to this server again, or order without it. Where that "+
			"address leads to this server or its fleet, name it in a file: %s. If the site has moved for "+
			"good: %s.", s.site.Name, failure.Do(failure.FleetAddresses, "FILE"),
			failure.Do(failure.Retire))})
}
