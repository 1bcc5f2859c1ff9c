package renewal

import (
	"context"
	"slices"
	"strings"
	"time"

	"orderly/certbot"
	"orderly/ledger"
)

// Which lineages have moved away is read from what earlier runs saw: nobody is asked for a list.

// AwayFor is for how long all names of a lineage must have been seen elsewhere, or without an
// address, before it is proposed to be put aside: a site that is moved over a weekend comes back.
const AwayFor = 30 * 24 * time.Hour

// Away is a lineage all of whose names have been away for that long.
type Away struct {
	Lineage string
	Names   []ledger.Sighting // in the order of the certificate
	Since   time.Time         // all of them
	Expires time.Time
	Path    string // of the renewal file
}

// ReadAway lists them, those that have been away for longest first.
func ReadAway(ctx context.Context, disk *certbot.Store, store ledger.Store) ([]Away, error) {
	list, err := store.Sightings(ctx)
	if err != nil {
		return nil, err
	}
	seen := make(map[string]ledger.Sighting, len(list))
	for _, v := range list {
		if _, away := awaySince(v); away {
			seen[v.Name] = v
		}
	}
	if len(seen) == 0 {
		return nil, nil // nearly always, and no file is read
	}
	names, err := disk.Names()
	if err != nil {
		return nil, err
	}
	found := make([]Away, len(names))
	disk.LookEach(names, func(i int, l *certbot.Lineage, err error) {
		if err == nil {
			found[i] = awayOf(l, seen)
		}
	})
	if err := stoppedOr(ctx, nil); err != nil {
		return nil, err
	}
	found = slices.DeleteFunc(found, func(a Away) bool { return a.Lineage == "" })
	slices.SortStableFunc(found, func(a, b Away) int { return a.Since.Compare(b.Since) })
	return found, nil
}

// awaySince is since when a name has been away, if it was seen to be for long enough.
func awaySince(v ledger.Sighting) (since time.Time, away bool) {
	since = v.ElsewhereSince
	if since.IsZero() {
		since = v.DeadSince
	}
	return since, !since.IsZero() && v.LookedAt.Sub(since) >= AwayFor
}

// awayOf is a lineage as one of those, or none. One that was renewed since is none: the CA has seen
// it here.
func awayOf(l *certbot.Lineage, seen map[string]ledger.Sighting) Away {
	a := Away{Lineage: l.Name, Expires: l.Certificate.NotAfter.UTC(), Path: l.Renewal.Path}
	for _, name := range l.Certificate.Names {
		v, ok := seen[strings.ToLower(name)]
		since, _ := awaySince(v)
		if !ok || l.Certificate.NotBefore.After(since) {
			return Away{}
		}
		if since.After(a.Since) {
			a.Since = since
		}
		a.Names = append(a.Names, v)
	}
	if len(a.Names) == 0 {
		return Away{}
	}
	return a
}

const (
	// sightsKept is for how long it is remembered what was seen of a name that no certificate has:
	// who asks for one in vain every night looks at it each time.
	sightsKept = 180 * 24 * time.Hour
	// sightsKeptUnread is the same where the names of a certificate cannot be read: it may be theirs.
	sightsKeptUnread = 4 * sightsKept
)

// forgetSights lets the run's last commit forget what was seen of names that no certificate has any
// more. Otherwise a host on which sites come and go remembers them all for ever.
func (s *rounds) forgetSights(round Round, views []view, broken []Result) {
	if round.CertName != "" || s.Settings.Rehearsal {
		return
	}
	kept := sightsKept
	for _, r := range broken {
		if r.Outcome == Invalid { // one that is skipped is a copy of another, with its names
			kept = sightsKeptUnread
		}
	}
	needed := map[string]bool{}
	for _, v := range views {
		names := v.kept.Names
		if v.lineage != nil {
			names = v.lineage.Certificate.Names
		}
		for _, name := range names {
			needed[strings.ToLower(name)] = true
		}
	}
	s.host.Sights.Forget(s.Clock.Now().Add(-kept), needed)
}
