package preflight

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"slices"
	"strings"
)

// A back-off ends early where somebody has changed something. What counts as a change is what these
// checks saw.

// fingerprint hashes what the checks saw and a person could change. Times, the probe's random name
// and the order of addresses (resolvers rotate it) are left out: a back-off must not be lifted by
// them.
func fingerprint(names []*subject) string {
	hash := sha256.New()
	for _, s := range names {
		fmt.Fprintf(hash, "%q %q %+v\n", s.site.Name, s.site.Root, s.ground.identity)
		for _, r := range s.results {
			fmt.Fprintf(hash, "%s %s %s\n", r.Check, r.Verdict, r.Class)
		}
		for _, a := range slices.Sorted(slices.Values(texts(s.answer))) {
			_, _ = io.WriteString(hash, a+"\n")
		}
		fmt.Fprintf(hash, "%d %q\n", s.served.status, s.finalLocation())
	}
	return hex.EncodeToString(hash.Sum(nil)[:16])
}

func texts(a answer) []string {
	var all []string
	for _, address := range a.addresses() {
		all = append(all, address.String())
	}
	return all
}

// finalLocation is where the fetch ended, without the probe's random name.
func (s *subject) finalLocation() string {
	if s.ground.probe == nil || s.served.trail.at.url == nil {
		return ""
	}
	return strings.ReplaceAll(s.served.trail.at.url.String(), s.ground.probe.Token, "PROBE")
}
