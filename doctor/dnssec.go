package doctor

// DNSSEC that does not hold makes a name vanish for whoever validates, as every CA does, and for
// nobody else: its owner does not see it.

import (
	"context"
	"maps"
	"slices"
	"time"

	"orderly/failure"
	"orderly/zone"
)

// signaturesFail tells of names whose signatures do not hold, and of zones whose signatures are about
// to end.
func signaturesFail(ctx context.Context, e *Exam) (all []Finding, err error) {
	n, err := e.shown(ctx)
	if err != nil {
		return nil, err
	}
	for _, x := range e.renewing() {
		for _, name := range x.Names {
			if why := bogus(x, name, n.looks[base(name)]); why != "" {
				f := e.suspects(x, "D44", []string{name}, failure.DNSBroken, signing(name),
					"DNSSEC does not hold for %s: %s", name, why)
				f.Cause = n.looks[base(name)].Zone
				all = append(all, f)
			}
		}
		zones := inZones(n, x)
		for _, name := range slices.Sorted(maps.Keys(zones)) {
			z, _ := e.Online.Zones.Zone(name)
			if !ending(z.Chain, e.At) {
				continue
			}
			f := e.notes(x, "D44", zones[name], failure.DNSBroken, signing(name),
				"signatures of the zone %s end on %s, and were not renewed", name,
				z.Chain.Ends.Format("2006-01-02 15:04 UTC"))
			f.HurtsAt, f.Cause = z.Chain.Ends, name
			all = append(all, f)
		}
	}
	return all, nil
}

func signing(name string) failure.Remedy {
	return failure.Advise("Ask whoever runs the name servers to sign the zone anew, or to have the DS "+
		"record removed from its parent: %s shows the signatures.",
		failure.Shell("dig", "+dnssec", base(name)))
}

// bogus is why a CA gets no answer for a name, empty where it does.
func bogus(x *Lineage, name string, look zone.Look) string {
	if x.fetched(name) {
		for _, a := range []zone.Answer{look.A, look.AAAA} {
			if a.Bogus != "" {
				return a.Bogus
			}
			if a.Word == zone.Bogus {
				return "a resolver that validates answers with SERVFAIL, and without validation with records"
			}
		}
	}
	switch {
	case look.CAA.Bogus != "":
		return "CAA: " + look.CAA.Bogus
	case look.CAA.Word == zone.Bogus:
		return "a resolver that validates answers the question for CAA with SERVFAIL"
	}
	return ""
}

const (
	soon = 3 * 24 * time.Hour
	// renewedWithin is which part of their life signatures have left when whoever signs has renewed
	// them at the latest: BIND does at a quarter, OpenDNSSEC at a fifth. Those that are made for a
	// day or two (Cloudflare's) always end soon.
	renewedWithin = 10
)

// ending reports whether signatures end soon that should have been renewed.
func ending(c zone.Chain, now time.Time) bool {
	left := c.Ends.Sub(now)
	return c.State == zone.Secure && left < soon && left*renewedWithin < c.Ends.Sub(c.Begins)
}
