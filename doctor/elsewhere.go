package doctor

// A site that has moved away is told from one that is broken: nobody here can mend it.

import (
	"net/netip"
	"slices"
	"strings"

	"orderly/failure"
	"orderly/preflight"
)

// movedAway tells of names that lead to no address of ours, and under which the probe is not served.
func movedAway(e *Exam, n *network, x *Lineage, name string) []Finding {
	if !e.elsewhere(n, x, name) {
		return nil
	}
	addresses := n.addresses(name)
	var words []string
	for _, a := range addresses {
		words = append(words, a.String())
	}
	slices.Sort(words) // servers give them in turns, which is nothing new
	before := n.sightings[base(name)]
	was := ""
	if !before.ServedAt.IsZero() {
		was = " (this host was last reached under it on " + day(before.ServedAt) + ")"
	}
	f := e.suspects(x, leadsAway, []string{name}, failure.DNSElsewhere, failure.Advise(
		"Let %s point to this server again, or %s. Where that address leads to this server "+
			"or its fleet, name it in a file: %s.", name,
		x.without(func(other string) bool { return e.elsewhere(n, x, other) }),
		failure.Do(failure.FleetAddresses, "FILE")),
		"%s points to %s, no address that is known to lead here, and does not serve the probe%s", name,
		strings.Join(words, ", "), was)
	if !before.ElsewhereSince.IsZero() {
		f.Since = before.ElsewhereSince
	}
	f.Cause = strings.Join(words, " ")
	return []Finding{f}
}

// elsewhere reports whether a name leads to none of ours. Where nothing can be reached a firewall
// alone may be the reason, so that this is said only of a name under which this host was once
// reached.
func (e *Exam) elsewhere(n *network, x *Lineage, name string) bool {
	found, asked := n.probes[place(name, x.Roots[name])]
	look := n.looks[base(name)]
	if !asked || !x.fetched(name) || !look.A.Word.Good() || !look.AAAA.Word.Good() {
		return false // an address that was not heard of may be the one that leads here
	}
	served, missed := parted(found)
	gone := found.Refused != nil && found.Refused.Class == failure.WebrootGone
	if len(served) > 0 || len(missed) == 0 && !gone || !e.strange(n.addresses(name)) {
		return false
	}
	for _, at := range missed {
		if at.Result.Verdict == preflight.Refuse {
			return true
		}
	}
	return !n.sightings[base(name)].ServedAt.IsZero()
}

func (e *Exam) strange(all []netip.Addr) bool { return e.Online.Checker.Strange(all) }
