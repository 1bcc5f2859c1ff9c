package doctor

// What a CA would meet at each address of a name: the probe, or something else. Boulder takes the
// first IPv6 address, and an IPv4 address only where no connection comes about.

import (
	"net/netip"
	"strings"

	"orderly/failure"
	"orderly/preflight"
)

// probe is what was seen of a name's probe; false where it was not fetched.
func (n *network) probe(x *Lineage, name string) (preflight.Everywhere, bool) {
	found, ok := n.probes[place(name, x.Roots[name])]
	return found, ok && len(found.At) > 0
}

// parted are the addresses that a CA would ask, by whether the probe is served there. Reserved ones,
// which it leaves out, and those to which this host has no way say nothing.
func parted(found preflight.Everywhere) (served, missed []preflight.Seen) {
	for _, at := range found.At {
		switch {
		case at.Served(),
			// served with too many blanks behind it
			at.Result.Verdict == preflight.Warn && at.Result.Class == failure.HTTPWrong:
			served = append(served, at)
		case at.NoRoute, isForbidden(at), at.Result.Class == failure.Stopped:
		default:
			missed = append(missed, at)
		}
	}
	return served, missed
}

// probeMissed tells of a name under which no address serves the probe.
func probeMissed(e *Exam, n *network, x *Lineage, name string) []Finding {
	found, _ := n.probe(x, name)
	served, missed := parted(found)
	if len(served) > 0 || len(missed) == 0 || e.elsewhere(n, x, name) {
		return nil
	}
	first := missed[0]
	for _, at := range missed { // what was answered says more than what was not reached
		if first.Status == 0 && at.Status != 0 {
			first = at
		}
	}
	remedy := first.Result.Remedy.For(x.Name)
	if first.Result.Class == failure.HTTPWrong {
		remedy = failure.Advise("Let the web server of %s serve /.well-known/acme-challenge/ from %s, or "+
			"name the document root that it really uses: %s.", name, x.Roots[name],
			failure.Do(failure.NameRoot, x.Name))
	}
	f := e.suspects(x, "D37", []string{name}, first.Result.Class, remedy, "%s", first.Result.Sentence)
	if first.Result.Verdict == preflight.Warn && !x.failing() {
		f.Severity = Doubtful // a firewall towards this host alone may be the reason
	}
	f.Cause = string(first.Result.Class)
	if at := n.sightings[base(name)].ServedAt; !at.IsZero() {
		f.Sentence += " (it was served on " + day(at) + ")"
	}
	return []Finding{f}
}

// notEverywhere tells of addresses of one kind of which some serve the probe: which of them a CA
// takes is chance.
func notEverywhere(e *Exam, n *network, x *Lineage, name string) []Finding {
	found, _ := n.probe(x, name)
	served, missed := parted(found)
	var odd []preflight.Seen
	for _, at := range missed {
		if hasKind(served, at.Address) {
			odd = append(odd, at)
		}
	}
	remedy := failure.Advise("Let each address of %s lead to the web server that serves its document "+
		"root, or remove the records of the others.", name)
	if len(odd) == 0 && len(served) > 0 && len(missed) > 0 && missed[0].Address.Is4() {
		return []Finding{e.notes(x, "D40", []string{name}, missed[0].Result.Class, remedy,
			"only the IPv6 addresses of %s, which a CA takes first, serve the probe: %s", name,
			missed[0].Result.Sentence)}
	}
	if len(odd) == 0 {
		return nil
	}
	f := e.suspects(x, "D40", []string{name}, odd[0].Result.Class, remedy,
		"%d of %d addresses of %s do not serve the probe: %s", len(odd), len(served)+len(missed), name,
		odd[0].Result.Sentence)
	if allUndialled(odd) {
		f.Severity = Doubtful
	}
	return []Finding{f}
}

func hasKind(all []preflight.Seen, a netip.Addr) bool {
	for _, at := range all {
		if at.Address.Is4() == a.Is4() {
			return true
		}
	}
	return false
}

func allUndialled(all []preflight.Seen) bool {
	for _, at := range all {
		if !at.Undialled {
			return false
		}
	}
	return true
}

// brokenIPv6 tells of a name whose IPv4 addresses serve the probe, and whose IPv6 addresses do not.
// Where nobody answers there a CA falls back, after it has waited.
func brokenIPv6(e *Exam, n *network, x *Lineage, name string) []Finding {
	found, _ := n.probe(x, name)
	served, missed := parted(found)
	var six []preflight.Seen
	for _, at := range missed {
		if at.Address.Is6() && !hasKind(served, at.Address) {
			six = append(six, at)
		}
	}
	if len(six) == 0 || len(served) == 0 {
		return nil
	}
	remedy := failure.Advise("Let the AAAA record of %s lead to the web server that serves its document "+
		"root, or remove it.", name)
	if allUndialled(six) {
		return []Finding{e.notes(x, "D41", []string{name}, failure.IPv6Broken, remedy,
			"nobody answers at %s, the IPv6 address of %s, which a CA tries first: it falls back to IPv4",
			six[0].Address, name)}
	}
	return []Finding{e.suspects(x, "D41", []string{name}, failure.IPv6Broken, remedy,
		"%s has an IPv6 address, which a CA takes first, and that does not lead to its web server: %s",
		name, six[0].Result.Sentence)}
}

// reserved tells of addresses that no public CA connects to. A private CA may: there it is the checks
// before an order that would refuse, and what they say is told.
func reserved(e *Exam, n *network, x *Lineage, name string) []Finding {
	if !x.fetched(name) {
		return nil
	}
	if !isPublic(x.Server) {
		found, _ := n.probe(x, name)
		if !allForbidden(found.At) {
			return nil
		}
		r := found.At[0].Result
		return []Finding{e.suspects(x, "D42", []string{name}, r.Class, r.Remedy, "%s", r.Sentence)}
	}
	all := n.looks[base(name)].Addresses()
	var odd []string
	for _, a := range all {
		if preflight.Reserved(a) {
			odd = append(odd, a.String())
		}
	}
	remedy := failure.Advise("Let the records of %s name public addresses alone.", name)
	switch {
	case len(odd) == 0:
		return nil
	case len(odd) < len(all):
		return []Finding{e.notes(x, "D42", []string{name}, failure.AddressRefuse, remedy,
			"%s has the address %s, which is private or reserved: a CA passes over it", name,
			strings.Join(odd, ", "))}
	}
	return []Finding{e.suspects(x, "D42", []string{name}, failure.AddressRefuse, remedy,
		"%s has only addresses that are private or reserved, to which no CA connects: %s", name,
		strings.Join(odd, ", "))}
}

// isForbidden reports whether an address itself is not connected to, as against where a redirect from
// there leads.
func isForbidden(at preflight.Seen) bool {
	return at.Result.Class == failure.AddressRefuse && at.Status == 0
}

func allForbidden(all []preflight.Seen) bool {
	for _, at := range all {
		if !isForbidden(at) {
			return false
		}
	}
	return len(all) > 0
}
