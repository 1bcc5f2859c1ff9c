package preflight

import (
	"context"
	"errors"
	"net/netip"
	"slices"

	"orderly/solver/webroot"
)

// One check for somebody who knows where a name is and must connect to nothing else.

// Fetch looks whether a name's web server answers to a token as it must for http-01, at given
// addresses and no others: whoever owns the name may point it, and redirect, wherever he likes, and
// nobody is connected to that was not named before. The name is not looked up; a redirect to
// another name is followed where that leads to one of the addresses. It makes the check HTTP.
func (c *Checker) Fetch(ctx context.Context, name string, addresses []netip.Addr,
	token, content string) Result {
	r := c.begin()
	f := r.fetcher
	f.what, f.policy = "the token", policy{only: slices.Clip(append([]netip.Addr{}, addresses...))}
	ctx, cancel := context.WithTimeout(ctx, f.patience)
	defer cancel()
	site := Site{Name: name, Content: func(string) string { return content }}
	probe := webroot.Probe{Placement: webroot.Placement{Token: token}, Content: content}
	s := &subject{site: site}
	got, err := f.fetch(ctx, name, addresses, &probe)
	result := Result{Verdict: Pass, Sentence: got.trail.way() + " serves the token"}
	if t, ok := errors.AsType[*trouble](err); ok {
		if result = t.result(site); t.kind == forbidden {
			result.Sentence = t.trail.way() + " leads to " + t.detail +
				", which is none of the addresses that it may be fetched from"
			result.Remedy = "Except /.well-known/acme-challenge/ from the redirect."
		}
	}
	result.Took = r.now().Sub(r.began)
	s.set(HTTP, result)
	return s.results[slices.Index(Checks(), HTTP)]
}
