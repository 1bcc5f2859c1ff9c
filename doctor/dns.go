package doctor

// What DNS says of a name, asked of the servers of its zone. A zone that is broken breaks all names
// in it, so that it is told once, with the names.

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"golang.org/x/net/publicsuffix"

	"orderly/failure"
	"orderly/zone"
)

// noAddress tells of names that do not exist, or have no address.
func noAddress(e *Exam, n *network, x *Lineage, name string) []Finding {
	look := n.looks[base(name)]
	if !x.fetched(name) || !look.A.Word.Good() && !look.AAAA.Word.Good() ||
		len(look.Addresses()) > 0 || broken(look) != "" && look.A.Word != zone.NXDomain {
		return nil
	}
	rest := x.without(func(name string) bool {
		return x.fetched(name) && len(n.looks[base(name)].Addresses()) == 0
	})
	f := e.suspects(x, "D38", []string{name}, failure.DNSMissing, failure.Advise("Create an A or AAAA "+
		"record of %s that points to this server. If the site is gone for good, %s.",
		name, rest), "%s", absence(name, look))
	if dead := n.sightings[base(name)].DeadSince; !dead.IsZero() {
		f.Since = dead
	}
	f.Cause = look.Zone
	return []Finding{f}
}

// absence says in which way a name is missing.
func absence(name string, look zone.Look) string {
	a := look.A
	if a.Word != zone.NXDomain {
		a = look.AAAA
	}
	alias := ""
	if len(look.A.Aliases) > 0 {
		alias = ", to which " + name + " leads,"
	}
	at := cmp.Or(a.At, name)
	domain, _ := publicsuffix.EffectiveTLDPlusOne(at)
	switch {
	case a.Word == zone.NXDomain && isSuffix(a.Zone) && domain != "":
		return fmt.Sprintf("%s%s does not exist: the domain %s is not registered, or has expired", at, alias, domain)
	case a.Word == zone.NXDomain:
		return fmt.Sprintf("%s%s does not exist in DNS (NXDOMAIN)", at, alias)
	}
	return fmt.Sprintf("%s%s has no address in DNS (neither A nor AAAA)", cmp.Or(look.A.At, name), alias)
}

// isSuffix reports whether a zone is one below which everybody may register.
func isSuffix(name string) bool {
	if name == "" || name == "." {
		return name == "."
	}
	suffix, listed := publicsuffix.PublicSuffix(name)
	return listed && suffix == name
}

// broken is what keeps a name's addresses from being known: empty where a CA gets one.
func broken(look zone.Look) string {
	a, aaaa := look.A, look.AAAA
	switch {
	case len(look.Addresses()) > 0 || a.Word.Good() && aaaa.Word.Good():
		return ""
	case !a.Word.Good():
		return questionWord("A", a)
	}
	return questionWord("AAAA", aaaa)
}

func questionWord(kind string, a zone.Answer) string {
	return fmt.Sprintf("the question for the %s record of %s comes to: %s", kind, a.At, a.Word)
}

// unanswered is what is not answered about a name and keeps a CA from issuing, and about what.
func unanswered(x *Lineage, name string, look zone.Look) (what string, word zone.Word) {
	if x.fetched(name) {
		if what = broken(look); what != "" && look.A.Word != zone.NXDomain {
			word = look.A.Word
			if word.Good() {
				word = look.AAAA.Word
			}
			return what, word
		}
	}
	if look.CAA.Word != "" && !look.CAA.Word.Good() {
		return fmt.Sprintf("the question for the CAA record of %s comes to: %s", look.CAA.Failed,
			look.CAA.Word), look.CAA.Word
	}
	return "", ""
}

// inZones are the names of a lineage by one of the zones on their way.
func inZones(n *network, x *Lineage) map[string][]string {
	all := map[string][]string{}
	for _, name := range x.Names {
		for _, z := range n.looks[base(name)].Zones {
			if !isSuffix(z) {
				all[z] = append(all[z], name)
			}
		}
	}
	return all
}

// serversFail tells of questions that are not answered, and of servers that answer none, or wrongly.
func serversFail(ctx context.Context, e *Exam) (all []Finding, err error) {
	n, err := e.shown(ctx)
	if err != nil {
		return nil, err
	}
	if n.asked && !n.way.Heard {
		return []Finding{nobodyAnswers(n)}, nil
	}
	for _, x := range e.renewing() {
		failing := map[string]bool{}
		for _, name := range x.Names {
			look := n.looks[base(name)]
			what, word := unanswered(x, name, look)
			if what == "" || word == zone.Bogus {
				continue
			}
			failing[name] = true
			all = append(all, e.unansweredAt(x, name, look, what, word))
		}
		zones := inZones(n, x)
		for _, name := range slices.Sorted(maps.Keys(zones)) {
			if f, ok := e.serversNoted(x, name, zones[name], failing); ok {
				all = append(all, f)
			}
		}
	}
	return all, nil
}

// nobodyAnswers is the one finding where no DNS server can be reached: it is about this host.
func nobodyAnswers(n *network) Finding {
	whom := "no name server answers this host"
	if !n.way.Direct {
		whom = "no answer from " + strings.Join(n.way.Resolvers, ", ")
	}
	return Finding{ID: "D43", Class: failure.DNSSilent, Severity: Doubtful, Fix: FixNo,
		Sentence: failure.Words("%s: nothing is known of any name", whom),
		Remedy: failure.Advise("See whether this host may ask DNS servers (port 53), or name another "+
			"one: %s.", failure.Do(failure.Resolver, "HOST:PORT"))}
}

func (e *Exam) unansweredAt(x *Lineage, name string, look zone.Look, what string,
	word zone.Word) Finding {
	class := failure.DNSBroken
	if word == zone.Silent {
		class = failure.DNSSilent
	}
	f := e.suspects(x, "D43", []string{name}, class, digging(name), "%s", what)
	if word == zone.TooSlow {
		f.Severity = Doubtful // a CA may have more patience
	}
	if servers := e.wrongServers(look.Zone, nil); servers != "" {
		f.Sentence += failure.Words(" (zone %s: %s)", look.Zone, servers)
	}
	f.Cause = look.Zone
	return f
}

func digging(name string) failure.Remedy {
	return failure.Advise("Ask whoever runs the name servers: %s shows where it breaks.",
		failure.Shell("dig", "+trace", base(name)))
}

// serversNoted is about servers that do something wrong while others make up for it.
func (e *Exam) serversNoted(x *Lineage, name string, names []string,
	failing map[string]bool) (Finding, bool) {
	rest := slices.DeleteFunc(slices.Clone(names), func(n string) bool { return failing[n] })
	wrong := e.wrongServers(name, survives)
	if len(rest) == 0 || wrong == "" {
		return Finding{}, false
	}
	f := e.notes(x, "D43", rest, failure.DNSBroken, failure.Advise(
		"Ask whoever runs the name servers of %s to mend them, or to take them out of the delegation.",
		name), "zone %s: %s", name, wrong)
	f.Cause = name
	return f, true
}

// survives leaves out what only this host may see: that it has no way to an address.
func survives(h zone.Heard) bool { return h.Word != zone.Unreachable }

const maxServersTold = 4

// wrongServers says what servers of a zone do wrong, empty for none.
func (e *Exam) wrongServers(name string, only func(zone.Heard) bool) string {
	z, ok := e.Online.Zones.Zone(name)
	if !ok {
		return ""
	}
	var words []string
	told := map[string]bool{}
	add := func(server, word string) {
		if !told[server+word] {
			told[server+word] = true
			words = append(words, server+" "+word)
		}
	}
	for _, s := range z.Servers {
		switch {
		case s.Glueless:
			add(s.Name, "lies in the zone itself, and its address is not known above (no glue)")
		case len(s.Addresses) == 0:
			add(s.Name, "has no address")
		}
	}
	for _, h := range z.Heard {
		if (only == nil || only(h)) && !aboutOneName(z, h) {
			if word := wrongWord(h); word != "" {
				add(fmt.Sprintf("%s (%s)", h.Server, h.Address), word)
			}
		}
	}
	if len(words) == 0 {
		return ""
	}
	text := strings.Join(words[:min(len(words), maxServersTold)], "; ")
	if more := len(words) - maxServersTold; more > 0 {
		text += fmt.Sprintf("; and %d more", more)
	}
	if z.Named > len(z.Servers) {
		text += fmt.Sprintf(" (of %d servers, the first %d were looked at)", z.Named, len(z.Servers))
	}
	if z.GivenUp {
		text += "; so many questions in a row brought nothing that no more were asked"
	}
	return text
}

// aboutOneName reports whether an answer was about a name of the zone, and not the zone itself: that
// is told where it matters, with the name.
func aboutOneName(z zone.Zone, h zone.Heard) bool {
	_, on, _ := strings.Cut(h.Question, " ")
	return on != z.Name
}

// wrongWord says what is wrong with an answer, empty for nothing.
func wrongWord(h zone.Heard) string {
	kind, _, _ := strings.Cut(h.Question, " ")
	switch {
	case h.Word == zone.NoError && h.CaseLost:
		return "does not give back the capitals of a question (0x20)"
	case h.Word == zone.NoError:
		return ""
	case h.Word == zone.NXDomain:
		return "says that the zone does not exist"
	case h.Word == zone.Silent:
		return "does not answer the question for " + kind
	case h.Word == zone.Unasked:
		return "is at an address that is private or reserved, which no CA asks"
	case h.Word == zone.NoTCP:
		return "does not answer over TCP, where UDP is too small for " + kind
	case h.Word == zone.Lame:
		return "knows nothing of the zone (lame)"
	}
	return "answers the question for " + kind + " with " + string(h.Word)
}
