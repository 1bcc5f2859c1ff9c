package doctor

// What a firewall shows this host alone: CAs look from several places of the world, and a site that
// is served here may be shut to them. Another place to look from is what somebody has, a proxy on
// another server: what is not served there can be that place's own fault, and is called doubtful
// where nothing was served there at all.

import (
	"cmp"
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"slices"
	"sync"

	"orderly/failure"
	"orderly/preflight"
	"orderly/vantage"
)

// abroad is what another place showed.
type abroad struct {
	where  string                          // "" where nobody looked
	probes map[string]preflight.Everywhere // by place
	unfit  error                           // why the place cannot be used
	// kinds are those of addresses with which anything at all was exchanged from there: IPv4, IPv6
	kinds map[bool]bool
	serve bool // something was served there
}

// fromThere connects from another place, and learns whether that can be used.
type fromThere struct {
	*vantage.Place
	permits func(netip.Addr) bool

	mu    sync.Mutex
	unfit error
	fails int // in a row, of the place itself
}

func (f *fromThere) dial(ctx context.Context, network, address string) (net.Conn, error) {
	// a customer says where his names and redirects lead: at loopback, and at private addresses,
	// the other server's own services listen
	if to, err := netip.ParseAddrPort(address); err != nil || !f.permits(to.Addr()) {
		return nil, &net.OpError{Op: "dial", Net: network, Err: os.ErrPermission}
	}
	f.mu.Lock()
	fails, why := f.fails, f.unfit
	f.mu.Unlock()
	if fails >= enough {
		return nil, why
	}
	conn, err := f.Dial(ctx, network, address)
	f.mu.Lock()
	defer f.mu.Unlock()
	if bad, is := errors.AsType[*vantage.Unfit](err); is {
		f.unfit = bad
		f.fails++
	} else if err == nil {
		f.fails = 0
	}
	return conn, err
}

// lookFromAbroad fetches the probes from another place. What is served there is served: that this
// host does not reach its own site by its public address is no fault of the site's.
func (n *network) lookFromAbroad(ctx context.Context, there *vantage.Place, checker preflight.Checker,
	roots map[string][]preflight.Placed) {
	f := &fromThere{Place: there, permits: checker.PermitsServer}
	checker.Dial = newPatience(f.dial).connect
	checker.OwnAddresses = func() ([]net.Addr, error) { return nil, nil }
	n.abroad = abroad{where: there.Name, kinds: map[bool]bool{},
		probes: placed(ctx, &checker, reachable(roots, f.permits))}
	f.mu.Lock()
	n.abroad.unfit = f.unfit // a connection that nobody waits for any more may still be begun
	f.mu.Unlock()
	for key, found := range n.abroad.probes {
		here := n.probes[key]
		for _, at := range found.At {
			n.abroad.kinds[at.Address.Is4()] = n.abroad.kinds[at.Address.Is4()] || at.Status != 0
			n.abroad.serve = n.abroad.serve || at.Served()
		}
		for i, at := range here.At {
			if k := seenAt(found, at); k >= 0 && !at.Served() && found.At[k].Served() {
				here.At[i] = found.At[k]
			}
		}
	}
}

// reachable are the probes of document roots at the addresses that are permitted.
func reachable(roots map[string][]preflight.Placed,
	permits func(netip.Addr) bool) map[string][]preflight.Placed {
	all := map[string][]preflight.Placed{}
	for root, sites := range roots {
		for _, site := range sites {
			site.Addresses = slices.DeleteFunc(slices.Clone(site.Addresses),
				func(a netip.Addr) bool { return !permits(a) })
			if len(site.Addresses) > 0 {
				all[root] = append(all[root], site)
			}
		}
	}
	return all
}

// seenAt is where the address of something seen stands among others, -1 where it does not.
func seenAt(found preflight.Everywhere, what preflight.Seen) int {
	return slices.IndexFunc(found.At, func(at preflight.Seen) bool { return at.Address == what.Address })
}

// blockedAbroad tells of names whose probe is served to this host, and not to another place.
func blockedAbroad(ctx context.Context, e *Exam) ([]Finding, error) {
	n, err := e.shown(ctx)
	if err != nil || n.abroad.where == "" {
		return nil, err
	}
	if n.abroad.unfit != nil {
		return []Finding{{ID: "D48", Class: failure.HTTPUnreached, Severity: Note, Fix: FixNo, Unseen: true,
			Sentence: failure.Words("sites were not looked at from another place: the proxy %s cannot be "+
				"used: %v", n.abroad.where, n.abroad.unfit),
			Remedy: "Look at that proxy: it has to connect to port 80 of any address, as " +
				"`ssh -N -D 1080 OTHER-HOST` does."}}, nil
	}
	return named(shutElsewhere)(ctx, e)
}

// shutElsewhere tells of one name.
func shutElsewhere(e *Exam, n *network, x *Lineage, name string) []Finding {
	here, _ := n.probe(x, name)
	there := n.abroad.probes[place(name, x.Roots[name])]
	served, _ := parted(here)
	var shut []preflight.Seen
	for _, at := range served {
		k := seenAt(there, at)
		is4 := at.Address.Is4()
		if k < 0 || !n.abroad.kinds[is4] && n.abroad.kinds[!is4] {
			continue // that place has no IPv6
		}
		if _, missed := parted(preflight.Everywhere{At: there.At[k : k+1]}); len(missed) > 0 {
			shut = append(shut, missed...)
		}
	}
	if len(shut) == 0 {
		return nil
	}
	slices.SortStableFunc(shut, func(a, b preflight.Seen) int { // what was answered says most
		return cmp.Compare(b.Status, a.Status)
	})
	f := e.suspects(x, "D48", []string{name}, failure.BlockedAbroad, failure.Advise(
		"Let the firewall, the CDN and the rules against bots before %s admit everybody to "+
			"/.well-known/acme-challenge/ on port 80: a CA looks from several countries.", name),
		"%s serves the probe to this host, and not to %s: %s", name, n.abroad.where,
		shut[0].Result.Sentence)
	if shut[0].Status == 0 && !n.abroad.serve {
		f.Severity = Doubtful // that place may reach nobody
	}
	return []Finding{f}
}
