package doctor

// What the network shows is asked once for all checks that need it: DNS as a CA asks it, the probe
// from each address of a name, the certificate that is served. It can be wrong (NAT, split DNS, a
// firewall towards this host alone), so that what contradicts a renewal that succeeded lately is
// called doubtful, and forbids nothing.

import (
	"context"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"orderly/failure"
	"orderly/ledger"
	"orderly/parts"
	"orderly/preflight"
	"orderly/vantage"
	"orderly/zone"
)

// Online is how the network is asked.
type Online struct {
	Zones   *zone.Asker
	Checker *preflight.Checker // puts the probes in place, and knows where may be connected to
	TLSPort int                // stands in for 443; below 0 where no port is known that does
	Abroad  *vantage.Place     // from which sites are looked at as well; nil for none
}

// network is what the network showed.
type network struct {
	asked     bool // there was a name to ask about
	way       zone.Way
	looks     map[string]zone.Look            // by name
	probes    map[string]preflight.Everywhere // by place
	served    map[string][]offer              // by name
	abroad    abroad
	sightings map[string]ledger.Sighting // of earlier runs, by name
}

const (
	atOnce       = 32 // document roots, and web servers asked for their certificate
	maxAddresses = 8  // of a name that are looked at
)

// lately is how long a renewal that succeeded outweighs what the network shows.
const lately = 90 * 24 * time.Hour

// place is where a name's probe is put.
func place(name, root string) string { return name + "\x00" + root }

// base is the name to ask DNS for.
func base(name string) string { return strings.ToLower(strings.TrimPrefix(name, "*.")) }

func isWildcard(name string) bool { return strings.HasPrefix(name, "*.") }

func isAddress(name string) bool {
	_, err := netip.ParseAddr(name)
	return err == nil
}

// fetched reports whether a CA connects to a name of a lineage to validate it.
func (x *Lineage) fetched(name string) bool {
	switch x.Authenticator {
	case "webroot", "standalone", "nginx", "apache":
		return !isWildcard(name)
	}
	return false
}

// renewing are the lineages whose names a CA will look at.
func (e *Exam) renewing() (all []*Lineage) {
	for _, x := range e.Lineages {
		if x.Err == nil && !x.off() {
			all = append(all, x)
		}
	}
	return all
}

// shown is what the network shows, asked when the first check needs it.
func (e *Exam) shown(ctx context.Context) (*network, error) {
	if e.network != nil {
		return e.network, nil
	}
	n := &network{looks: map[string]zone.Look{}, probes: map[string]preflight.Everywhere{},
		served: map[string][]offer{}, sightings: map[string]ledger.Sighting{}}
	if e.Ledger != nil {
		all, err := e.Ledger.Sightings(ctx)
		if err != nil {
			return nil, err
		}
		for _, s := range all {
			n.sightings[s.Name] = s
		}
	}
	e.ask(ctx, n)
	e.fetch(ctx, n)
	e.serving(ctx, n)
	e.network = n
	return n, nil
}

// ask asks DNS about all names.
func (e *Exam) ask(ctx context.Context, n *network) {
	names := map[string]bool{}
	for _, x := range e.renewing() {
		for _, name := range x.Names {
			if !isAddress(name) {
				names[base(name)] = true
			}
		}
	}
	sorted := slices.Sorted(maps.Keys(names))
	if len(sorted) == 0 {
		return
	}
	n.way, n.asked = e.Online.Zones.Way(ctx), true
	if !n.way.Direct && e.Tell != nil {
		e.Tell("DNS is asked at %s alone: what single name servers do wrong is not seen, nor what "+
			"a cache hides.", strings.Join(n.way.Resolvers, ", "))
	}
	if !n.way.Heard {
		return
	}
	for i, look := range e.Online.Zones.LookAll(ctx, sorted) {
		n.looks[sorted[i]] = look
	}
}

// fetch fetches the probes, of one document root after the other.
func (e *Exam) fetch(ctx context.Context, n *network) {
	roots := map[string][]preflight.Placed{}
	asked := map[string]bool{}
	for _, x := range e.renewing() {
		for _, name := range x.Names {
			at := n.addresses(name)
			root := x.Roots[name]
			if root == "" || !x.fetched(name) || len(at) == 0 || asked[place(name, root)] {
				continue
			}
			asked[place(name, root)] = true
			roots[root] = append(roots[root],
				preflight.Placed{Site: preflight.Site{Name: name, Root: root}, Addresses: at})
		}
	}
	checker := *e.Online.Checker
	checker.Lookup = e.Online.Zones.Addresses
	checker.Tell, checker.Dial = once(e.Tell), newPatience(checker.Dial).connect
	n.probes = placed(ctx, &checker, roots)
	if e.Online.Abroad != nil {
		n.lookFromAbroad(ctx, e.Online.Abroad, checker, roots)
	}
}

// placed is what a checker sees of the probes of all document roots, by place.
func placed(ctx context.Context, checker *preflight.Checker,
	roots map[string][]preflight.Placed) map[string]preflight.Everywhere {
	all := map[string]preflight.Everywhere{}
	var mu sync.Mutex
	each(slices.Sorted(maps.Keys(roots)), func(root string) {
		found := checker.Each(ctx, roots[root])
		mu.Lock()
		defer mu.Unlock()
		for _, one := range found {
			all[place(one.Name, root)] = one
		}
	})
	return all
}

// addresses are those of a name that are looked at.
func (n *network) addresses(name string) []netip.Addr {
	all := n.looks[base(name)].Addresses()
	return all[:min(len(all), maxAddresses)]
}

// each does something for many keys, some at once.
func each(keys []string, do func(key string)) {
	turns := make(chan struct{}, atOnce)
	var all parts.Group
	for _, key := range keys {
		all.Go(func() {
			turns <- struct{}{}
			defer func() { <-turns }()
			do(key)
		})
	}
	all.Wait()
}

// once tells the first thing alone: what many names wait for at once is one wait for a person.
func once(tell func(format string, args ...any)) func(format string, args ...any) {
	if tell == nil {
		return nil
	}
	var first sync.Once
	return func(format string, args ...any) { first.Do(func() { tell(format, args...) }) }
}

// suspects is a finding about names of a lineage that rests on the network.
func (e *Exam) suspects(x *Lineage, id string, names []string, class failure.Class,
	remedy failure.Remedy, format string, args ...any) Finding {
	f := x.finds(id, class, remedy, format, args...)
	f.File, f.Names = "", names
	if e.succeededLately(x) {
		f.Severity = Doubtful
	}
	if x.failing() && failure.Class(x.Standing.Class) == class {
		f.Since = x.Standing.RefusedSince
	}
	return f
}

// notes is a finding about names of a lineage of which no renewal fails.
func (e *Exam) notes(x *Lineage, id string, names []string, class failure.Class,
	remedy failure.Remedy, format string, args ...any) Finding {
	f := e.suspects(x, id, names, class, remedy, format, args...)
	f.Severity = Note
	return f
}

// without is what to do where names of a lineage cannot be proven any more: to renew it without them,
// or to put it aside where no other name is left.
func (x *Lineage) without(gone func(name string) bool) failure.Remedy {
	const most = 20 // names that can be pasted
	left := slices.DeleteFunc(slices.Clone(x.Names), gone)
	switch {
	case len(left) == 0:
		return "put its certificate aside: " + failure.Do(failure.Retire, x.Name)
	case len(left) > most:
		return "renew without it"
	}
	return "renew without it: " + failure.Do(failure.ObtainFor, append([]string{x.Name, x.way(left)}, left...)...)
}

// way is how names are proven: their document root, "" where they have several or none, or an
// authenticator without any.
func (x *Lineage) way(names []string) string {
	if x.Authenticator == "standalone" || x.Authenticator == "manual" {
		return x.Authenticator
	}
	if len(names) == 0 || slices.ContainsFunc(names, func(n string) bool { return x.Roots[n] != x.Roots[names[0]] }) {
		return ""
	}
	return x.Roots[names[0]]
}

// succeededLately reports whether a renewal succeeded within 90 days and none has failed since.
func (e *Exam) succeededLately(x *Lineage) bool {
	return !x.NotBefore.IsZero() && e.At.Sub(x.NotBefore) < lately && !x.failing()
}

// failing reports whether an attempt has failed since the certificate was made.
func (x *Lineage) failing() bool {
	return x.Standing.Class != "" && x.Standing.At.After(x.NotBefore)
}

// networkChecks are those that need --online.
func networkChecks() []Check {
	all := []Check{
		{ID: "D37", Title: "The probe is not served under the name", Host: named(probeMissed)},
		{ID: "D38", Title: "A name does not exist, or has no address", Host: named(noAddress)},
		{ID: leadsAway, Title: "A name leads to another server", Host: named(movedAway)},
		{ID: "D40", Title: "Not every address serves the probe", Host: named(notEverywhere)},
		{ID: "D41", Title: "IPv6 leads elsewhere", Host: named(brokenIPv6)},
		{ID: "D42", Title: "A name has an address that no CA connects to", Host: named(reserved)},
		{ID: "D43", Title: "Name servers do not answer as they must", Host: serversFail},
		{ID: "D44", Title: "DNSSEC does not hold, or soon will not", Host: signaturesFail},
		{ID: "D45", Title: "CAA records forbid this CA to issue", Host: caaForbids},
		{ID: "D46", Title: "A CDN stands in front", Host: named(behindCDN)},
		{ID: "D47", Title: "No public CA issues for a name", Host: named(unissuable)},
		{ID: "D48", Title: "A site is served here and not elsewhere", Host: blockedAbroad},
		{ID: "D49", Title: "Another certificate is served", Host: named(otherServed)},
	}
	for i := range all {
		all[i].Needs = Network
	}
	return all
}

// named is a check of each name by itself.
func named(look func(e *Exam, n *network, x *Lineage, name string) []Finding) func(context.Context,
	*Exam) ([]Finding, error) {
	return func(ctx context.Context, e *Exam) (all []Finding, err error) {
		n, err := e.shown(ctx)
		if err != nil {
			return nil, err
		}
		for _, x := range e.renewing() {
			for _, name := range x.Names {
				if !isAddress(name) {
					all = append(all, look(e, n, x, name)...)
				}
			}
		}
		return all, nil
	}
}
