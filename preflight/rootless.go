package preflight

import (
	"context"
	"fmt"

	"github.com/miekg/dns"

	"orderly/failure"
	"orderly/solver/webroot"
)

// Names that no document root proves: what can be looked at all the same.

// groundOf returns what serves a site: its document root, looked at once for all names, or what
// stands in for one.
func (r *round) groundOf(ctx context.Context, site Site) *ground {
	if !site.rootless() {
		return r.ground(ctx, site.Root)
	}
	g := &ground{}
	if site.Serve == nil && site.Content == nil || r.Skip[HTTP] || ctx.Err() != nil {
		return g
	}
	probe := webroot.NewProbe()
	if site.Content != nil {
		probe.Content = site.Content(probe.Token)
		g.probe = &probe
		return g
	}
	stop, err := site.Serve(probe)
	if err != nil {
		return g // whoever serves has a check of its own, which says why
	}
	g.probe = &probe
	r.stops = append(r.stops, stop)
	return g
}

// checkRecord asks for the TXT record that will prove the name. It need not be there yet, but a
// zone that cannot be asked for it will not be in a minute either.
func (s *subject) checkRecord(ctx context.Context, r *round) {
	if r.Skip[DNS] {
		s.skip(DNS, onRequest)
		return
	}
	began := r.now()
	resolver := r.fetcher.resolver
	got := resolver.ask(ctx, s.site.Record, dns.TypeTXT)
	result := Result{Verdict: Pass, Sentence: "the zone of " + s.site.Record + " answers"}
	switch {
	case !got.heard:
		result = resolver.unheard(s.site.Record)
	case got.nonsense || got.code != dns.RcodeSuccess && got.code != dns.RcodeNameError:
		result = Result{Verdict: Refuse, Class: failure.DNSBroken, Remedy: digRemedy(s.site.Record),
			Sentence: fmt.Sprintf("the question for the TXT record of %s is answered with %s",
				s.site.Record, got.word())}
	}
	result.Took = r.now().Sub(began)
	s.set(DNS, result)
}
