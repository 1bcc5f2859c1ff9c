package doctor

// When two findings are the same, for whoever tells what is new (`doctor --new`, the digest). Its
// words, lines, dates and numbers change from morning to morning, the certificate's files with each
// version: of all that a finding says only the check, whose it is and why make it what it is. How bad
// it is and which names it concerns is its extent, which can only be told of as having grown.

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"slices"
	"strings"
)

// keySeparator stands in nothing that is cleaned.
const keySeparator = "\x1f"

// leadsAway is the check whose causes are addresses.
const leadsAway = "D39"

// Key is what a finding is, whatever it says today.
func (f Finding) Key() string {
	file, cause := f.File, f.Cause
	if f.Lineage != "" {
		file = "" // it moves with the version of the certificate
	}
	if f.ID == leadsAway {
		cause = "" // the addresses, which a load balancer deals out anew each hour
	}
	sum := sha256.Sum256([]byte(strings.Join([]string{f.Server, f.ID, f.Lineage, cause, file},
		keySeparator)))
	return base64.RawURLEncoding.EncodeToString(sum[:12])
}

// Extent is how far something that is wrong goes.
type Extent struct {
	Severity Severity `json:"severity"`
	// Names are sums of the names that it concerns, sorted; none where it is the whole certificate,
	// or the host.
	Names []uint32 `json:"names,omitempty"`
}

// Extents are the things that are wrong, by their keys: several findings may be one.
func Extents(all []Finding) map[string]Extent {
	found := make(map[string]Extent, len(all))
	for _, f := range all {
		e, begun := found[f.Key()]
		switch {
		case !begun:
			e = Extent{f.Severity, sums(f.Names)}
		case len(f.Names) == 0 || len(e.Names) == 0:
			e.Names = nil
		default:
			e.Names = append(e.Names, sums(f.Names)...)
		}
		if rank(f.Severity) < rank(e.Severity) {
			e.Severity = f.Severity
		}
		found[f.Key()] = e
	}
	for key, e := range found {
		slices.Sort(e.Names)
		found[key] = Extent{e.Severity, slices.Compact(e.Names)}
	}
	return found
}

// Covers reports whether a finding of the same key says nothing that was not told by then: it is no
// worse, and concerns no further name.
func (e Extent) Covers(f Finding) bool {
	if rank(f.Severity) < rank(e.Severity) {
		return false
	}
	if len(e.Names) == 0 || len(f.Names) == 0 {
		return len(e.Names) == 0
	}
	return !slices.ContainsFunc(f.Names, func(name string) bool {
		_, told := slices.BinarySearch(e.Names, sum(name))
		return !told
	})
}

// sum is what a name is remembered by: a fleet has hundreds of thousands.
func sum(name string) uint32 {
	all := sha256.Sum256([]byte(strings.ToLower(name)))
	return binary.BigEndian.Uint32(all[:])
}

func sums(names []string) []uint32 {
	all := make([]uint32, len(names))
	for i, name := range names {
		all[i] = sum(name)
	}
	return all
}
