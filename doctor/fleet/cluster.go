package fleet

// The servers of a cluster have copies of one certificate. That is one thing to know, however many
// they are, and perhaps nothing is wrong with it.

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"orderly/doctor"
	"orderly/failure"
)

// copies are the servers that have one certificate, in their order, and the names under which that
// was seen.
type copies struct {
	holders []held
	names   []string
}

// apart are a name's certificates, those that are copies of each other together. The first of each set
// stands for all of it.
func (f *Fleet) apart(all []held) (sets [][]held) {
	for _, one := range all {
		i := slices.IndexFunc(sets, func(set []held) bool { return f.copied(set[0], one) })
		if i < 0 {
			sets = append(sets, []held{one})
		} else {
			sets[i] = append(sets[i], one)
		}
	}
	return sets
}

// copied reports whether two certificates are one, as far as reports tell: they were made and end at
// the same second, and are called and for the same.
func (f *Fleet) copied(a, b held) bool {
	x, y := f.certificate(a), f.certificate(b)
	return x.Name == y.Name && x.Issued.Equal(y.Issued) && x.Expires.Equal(y.Expires) &&
		len(x.Names) == len(y.Names) && strings.EqualFold(strings.Join(x.Names, " "), strings.Join(y.Names, " "))
}

// add keeps a set of copies of a certificate with a name.
func (c *copies) add(set []held, name string) {
	c.names = append(c.names, name)
	for _, one := range set {
		if !slices.Contains(c.holders, one) {
			c.holders = append(c.holders, one)
		}
	}
}

// cluster is the finding about the copies of a certificate: one, of the first of their servers.
func (f *Fleet) cluster(c *copies) doctor.Finding {
	slices.SortFunc(c.holders, func(a, b held) int { return cmp.Compare(a.server, b.server) })
	slices.Sort(c.names)
	var servers []string
	for _, one := range c.holders {
		servers = append(servers, f.Servers[one.server].Name)
	}
	certificate := f.certificate(c.holders[0])
	return doctor.Finding{ID: doctor.LiveTwice, Server: servers[0], Class: failure.DNSElsewhere,
		Severity: doctor.Note, Lineage: certificate.Name, Names: c.names, Since: certificate.Issued,
		HurtsAt: certificate.Expires, Fix: doctor.FixNo, Cause: "copies",
		Sentence: failure.Words("%s live with the same certificate (%s of %s) on %d servers: %s", are(c.names),
			certificate.Name, certificate.Issued.Format(time.DateOnly), len(servers), some(servers)),
		Remedy: failure.Advise("Where they are one cluster, let one of them renew it and give it to the others. "+
			"Where the site moved, see to which each name points, and put what is left aside there: %s.",
			failure.Do(failure.Retire, certificate.Name))}
}

// some are the first of some servers.
func some(servers []string) string {
	const shown = 5
	if len(servers) <= shown {
		return strings.Join(servers, ", ")
	}
	return failure.Words("%s and %d more", strings.Join(servers[:shown], ", "), len(servers)-shown)
}
