package preflight

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"syscall"

	"orderly/failure"
	"orderly/parts"
)

// A CA may take any of a name's addresses. Check asks as a CA would this once, which is what an order
// needs; here every address is asked, since that is how a broken one among them is found.

// Placed is a site with the addresses that it has.
type Placed struct {
	Site
	Addresses []netip.Addr
}

// Everywhere is what came of looking for a site's probe at each of its addresses.
type Everywhere struct {
	Name string
	// Refused is why no probe could be put in place; then nothing was fetched.
	Refused *Result
	At      []Seen // in the order of the addresses
}

// Seen is what one address came to.
type Seen struct {
	Address netip.Addr
	Result  Result // of the check HTTP
	// Status is that of the last answer, 0 where there was none.
	Status int
	// Undialled: no connection came about, so that a CA tries an address of the other kind. NoRoute:
	// this host itself has no way to addresses like that one, which says nothing of the site.
	Undialled, NoRoute bool
}

// Served reports whether the probe was served there.
func (s Seen) Served() bool { return s.Result.Verdict == Pass }

// Each looks whether the probes of sites are served from each of their addresses by itself. Probes
// are put into the document roots once, and taken away again before it returns.
func (c *Checker) Each(ctx context.Context, sites []Placed) []Everywhere {
	r := c.begin()
	all := make([]Everywhere, len(sites))
	slots := make(chan struct{}, maxParallel)
	var fetches parts.Group
	for i, site := range sites {
		s := &subject{site: site.Site, ground: r.groundOf(ctx, site.Site)}
		s.judgeGround(r)
		all[i] = Everywhere{Name: site.Name, At: make([]Seen, len(site.Addresses))}
		if s.ground.probe == nil {
			all[i].Refused, all[i].At = s.refused(), nil
			continue
		}
		for k, address := range site.Addresses {
			fetches.Go(func() {
				slots <- struct{}{}
				defer func() { <-slots }()
				all[i].At[k] = s.fetchAt(ctx, r, address.Unmap())
			})
		}
	}
	fetches.Wait()
	_ = r.clear(ctx) // what stays behind is taken away an hour later, by whoever checks next
	return all
}

// refused is the local check that keeps a probe from being put in place.
func (s *subject) refused() *Result {
	for _, result := range s.results[:slices.Index(Checks(), DNS)] {
		if result.Verdict == Refuse || result.Verdict == Warn {
			return &result
		}
	}
	return &Result{Check: Writable, Name: s.site.Name, Verdict: Skipped,
		Sentence: "no probe was put in place for " + s.site.Name}
}

// fetchAt fetches the probe from one address.
func (s *subject) fetchAt(ctx context.Context, r *round, address netip.Addr) Seen {
	bounded, cancel := context.WithTimeout(ctx, r.fetcher.patience)
	defer cancel()
	one := &subject{site: s.site, ground: s.ground}
	began := r.now()
	got, err := r.fetcher.fetch(bounded, s.site.Name, []netip.Addr{address}, s.ground.probe)
	seen := Seen{Address: address, Status: got.status}
	result := Result{Verdict: Pass, Sentence: got.trail.way() + " serves the probe file"}
	if t, ok := errors.AsType[*trouble](err); ok {
		result = t.result(s.site)
		result.Class = finer(t, got.status, result.Class)
		_, seen.Undialled = errors.AsType[*dialError](err)
		errno, _ := errors.AsType[syscall.Errno](err)
		seen.NoRoute = seen.Undialled && slices.Contains([]syscall.Errno{syscall.ENETUNREACH,
			syscall.EADDRNOTAVAIL, syscall.EAFNOSUPPORT}, errno)
	}
	result.Took = r.now().Sub(began)
	one.set(HTTP, result)
	seen.Result = one.results[slices.Index(Checks(), HTTP)]
	return seen
}

// finer tells apart what is mended in different places: an application that answers with an error,
// and a redirect that leads nowhere, are the site's owner's.
func finer(t *trouble, status int, class failure.Class) failure.Class {
	switch {
	case t.kind == misled:
		return failure.Redirect
	case t.kind == different && status != 0 && status != http.StatusOK &&
		status != http.StatusNotFound && status != http.StatusGone:
		return failure.HTTPError
	}
	return class
}

// PermitsServer reports whether a name server may be asked at an address: whoever owns a zone writes
// it down. A CA reaches global ones alone, so that this host's own private ones are not among them.
func (c *Checker) PermitsServer(a netip.Addr) bool {
	p := policy{allow: c.Allow}
	a = a.Unmap()
	return p.allowed(a) || isDialable(a) && isGlobal(a)
}

// Connect connects to a port of an address to which a name points, where that may be done.
func (c *Checker) Connect(ctx context.Context, address netip.Addr, port int) (net.Conn, error) {
	r := c.begin()
	if !r.fetcher.policy.permits(address) {
		return nil, failure.New(failure.AddressRefuse, failure.Advise("If it is right, allow it: %s.",
			failure.Do(failure.AllowNetwork, "CIDR")), "%s is not connected to", address)
	}
	return r.fetcher.dial(ctx, "tcp", net.JoinHostPort(address.String(), strconv.Itoa(port)))
}

// Reserved reports whether no public CA connects to an address.
func Reserved(a netip.Addr) bool { return !isGlobal(a.Unmap()) }

// Strange reports whether addresses certainly lead to nothing that is known of this host and its
// fleet.
func (c *Checker) Strange(addresses []netip.Addr) bool { return c.begin().ours().strange(addresses) }

// Resolvers are the DNS servers that are asked, HOST:PORT.
func (c *Checker) Resolvers() []string { return c.begin().fetcher.resolver.servers }
