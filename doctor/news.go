package doctor

// What is new since the last look: a finding that was there is no news, however its words change
// from day to day. One that went and comes back within a week was never mended, and is none either:
// what the network shows comes and goes, and who is told of it each time stops reading.

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"
)

// Seen is what the last looks found: what a command remembers between its runs.
type Seen struct {
	Version int       `json:"version"`
	At      time.Time `json:"at"`
	// Findings is when each was last found, and how bad it was, by its key.
	Findings map[string]SeenFinding `json:"findings"`
}

// SeenFinding is a finding of an earlier look.
type SeenFinding struct {
	Severity Severity  `json:"severity"`
	At       time.Time `json:"at"`
	Check    string    `json:"id"`
}

const (
	// returns is for how long a finding that is gone is no news when it comes back.
	returns = 7 * 24 * time.Hour
	// forgotten is for how long those are remembered that nobody looked for: of checks that were
	// not made, of certificates that were not asked for.
	forgotten = 60 * 24 * time.Hour
)

// key is what a finding is, whatever it says today.
func (f Finding) key() string {
	file := f.File
	if f.Lineage != "" {
		file = "" // it moves with the version of the certificate
	}
	sum := sha256.Sum256([]byte(strings.Join([]string{f.ID, f.Lineage, strings.Join(f.Names, ","), f.Cause, file}, "\x00")))
	return base64.RawURLEncoding.EncodeToString(sum[:12])
}

// ReadSeen reads what was kept; nil, which nothing was found in, for what this version cannot read.
func ReadSeen(text []byte) (*Seen, error) {
	var s Seen
	if err := json.Unmarshal(text, &s); err != nil {
		return nil, err
	}
	if s.Version != 1 {
		return nil, errors.New("another version wrote it")
	}
	return &s, nil
}

// New is the report with what is new, or worse, since what was seen (nil: all of it), and what is to
// be remembered now.
func (r Report) New(before *Seen) (fresh Report, now Seen) {
	now = Seen{Version: 1, At: r.At.UTC().Truncate(time.Second), Findings: map[string]SeenFinding{}}
	if before != nil {
		for key, seen := range before.Findings {
			keep := returns
			if r.exam == nil || r.Partial || !r.exam.made(seen.Check) {
				keep = forgotten
			}
			if r.At.Sub(seen.At) <= keep {
				now.Findings[key] = seen
			}
		}
	}
	fresh = r
	fresh.Findings = nil
	for _, f := range r.Findings {
		key := f.key()
		seen, known := now.Findings[key]
		if !known || rank(f.Severity) < rank(seen.Severity) {
			fresh.Findings = append(fresh.Findings, f)
		}
	}
	for _, f := range r.Findings {
		now.Findings[f.key()] = SeenFinding{f.Severity, now.At, f.ID}
	}
	return fresh, now
}

// made reports whether a check was made.
func (e *Exam) made(id string) bool {
	i := slices.IndexFunc(Checks(), func(c Check) bool { return c.ID == id })
	return i >= 0 && e.Wanted.allows(Checks()[i].Needs)
}
