package fleet

// Names that are live on two servers. A site that was moved leaves its certificate behind, which
// its old server goes on renewing until that fails; nobody sees it but who sees both.

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"orderly/doctor"
	"orderly/failure"
	"orderly/outside"
)

// held is a certificate of a server, by their places in the fleet.
type held struct{ server, lineage int32 }

// pair is a certificate, and a newer one of another server with some of its names.
type pair struct{ older, newer held }

// twice finds names that are live on several servers: on each of them but the one whose certificate
// is the newest, which is probably the one in use. Copies of one certificate are one finding.
func (f *Fleet) twice() []doctor.Finding {
	names, clusters := map[pair][]string{}, map[held]*copies{}
	for name, all := range f.shared() {
		sets := f.apart(all)
		newest := slices.MaxFunc(sets, func(a, b []held) int { return f.compare(a[0], b[0]) })[0]
		for _, set := range sets {
			one := set[0]
			if len(set) > 1 {
				if clusters[one] == nil {
					clusters[one] = &copies{}
				}
				clusters[one].add(set, name)
			}
			if one != newest {
				p := pair{one, newest}
				names[p] = append(names[p], name)
			}
		}
	}
	var findings []doctor.Finding
	for _, c := range clusters {
		findings = append(findings, f.cluster(c))
	}
	for p, shared := range names {
		slices.Sort(shared)
		findings = append(findings, f.finding(p, shared))
	}
	return findings
}

// shared are the names that are live on more than one server, with the newest certificate of each.
// Only these have a list: of hundreds of thousands there are few.
func (f *Fleet) shared() map[string][]held {
	first := make(map[string]held, f.names())
	several := map[string][]held{}
	for s := range f.Servers {
		for l, certificate := range f.Servers[s].Held {
			if !certificate.Expires.After(f.At) {
				continue // nobody is served by it
			}
			this := held{int32(s), int32(l)}
			for _, name := range certificate.Names {
				name, ok := outside.Name(name)
				if !ok {
					continue
				}
				before, known := first[name]
				switch all := several[name]; {
				case !known:
					first[name] = this
				case len(all) > 0:
					several[name] = f.newest(all, this)
				case before.server == this.server:
					first[name] = slices.MaxFunc([]held{before, this}, f.compare)
				default:
					several[name] = []held{before, this}
				}
			}
		}
	}
	return several
}

// newest adds a certificate to the last server's, of which the newest stays.
func (f *Fleet) newest(all []held, this held) []held {
	last := &all[len(all)-1]
	if last.server != this.server {
		return append(all, this)
	}
	if f.compare(this, *last) > 0 {
		*last = this
	}
	return all
}

func (f *Fleet) names() (n int) {
	for _, s := range f.Servers {
		for _, l := range s.Held {
			n += len(l.Names)
		}
	}
	return n
}

func (f *Fleet) certificate(h held) *doctor.DocumentLineage {
	return &f.Servers[h.server].Held[h.lineage]
}

// compare orders certificates: the later is the newer.
func (f *Fleet) compare(a, b held) int {
	x, y := f.certificate(a), f.certificate(b)
	return cmp.Or(x.Issued.Compare(y.Issued), x.Expires.Compare(y.Expires),
		cmp.Compare(b.server, a.server), cmp.Compare(b.lineage, a.lineage))
}

// finding is the finding about names of the older of two certificates.
func (f *Fleet) finding(p pair, names []string) doctor.Finding {
	older, newer := f.certificate(p.older), f.certificate(p.newer)
	here, there := f.Servers[p.older.server].Name, f.Servers[p.newer.server].Name
	said := failure.Words("%s live on %s and on %s; the certificate there (%s of %s, here of %s) is "+
		"the newer, and probably the one in use", are(names), here, there, newer.Name,
		newer.Issued.Format(time.DateOnly), older.Issued.Format(time.DateOnly))
	if newer.Issued.Equal(older.Issued) {
		said = failure.Words("%s live on %s and on %s, with certificates of the same time (%s)",
			are(names), here, there, newer.Issued.Format(time.DateOnly))
	}
	return doctor.Finding{ID: doctor.LiveTwice, Server: here, Class: failure.DNSElsewhere,
		Severity: doctor.Note, Lineage: older.Name, Names: names, Since: newer.Issued,
		HurtsAt: older.Expires, Sentence: said, Fix: doctor.FixNo,
		Remedy: failure.Advise("See to which of the two each name points. Where the site moved, put "+
			"what is left aside on %s: %s.", here, failure.Do(failure.Retire, older.Name))}
}

// are is which names are somewhere, for a sentence.
func are(names []string) string {
	const shown = 3
	if len(names) == 1 {
		return names[0] + " is"
	}
	if len(names) <= shown {
		return strings.Join(names, ", ") + " are"
	}
	return failure.Words("%s and %d more are", strings.Join(names[:shown], ", "), len(names)-shown)
}
