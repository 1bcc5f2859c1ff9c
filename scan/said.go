package scan

// What a failure's text says, and of whom. The text is a log's, so that it must not blame whom the
// attempt was not for; the same texts come every night, so that what one says is remembered.

import (
	"fmt"
	"hash/maphash"
	"slices"
	"strings"
	"time"

	"orderly/diagnose"
	"orderly/failure"
	"orderly/scan/client"
)

// namesOf are the names that a finding is about: its own, unless it is one that was not asked for.
// What a log says of other names than an attempt's is a zone's name, or nobody's.
// An empty list, other than none, says that it is the whole certificate's.
func namesOf(one diagnose.Finding, all []diagnose.Finding, asked []string) []string {
	if asked != nil && len(asked) == 0 {
		return []string{""}
	}
	if one.Name != "" && (len(asked) == 0 || slices.Contains(asked, one.Name)) {
		return []string{one.Name}
	}
	known := func(f diagnose.Finding) bool { return slices.Contains(asked, f.Name) }
	if one.Name != "" && slices.ContainsFunc(all, known) {
		return nil
	}
	if len(asked) == 0 {
		return []string{""}
	}
	return asked
}

// named is a name as it is kept, "" for what cannot be one.
func named(name string) string {
	if len(name) > 255 {
		return ""
	}
	for _, c := range []byte(name) {
		if c != '.' && c != '-' && c != '*' && c != '_' && c != ':' && (c < '0' || c > '9') &&
			(c < 'a' || c > 'z') && (c < 'A' || c > 'Z') {
			return ""
		}
	}
	return strings.ToLower(name)
}

// later is the moment of a Retry-After, where waiting helps.
func later(one diagnose.Finding, until time.Time) time.Time {
	if one.Class.Retry() != failure.RetryLater {
		return time.Time{}
	}
	return until
}

// findings are what a failure's text says, a finding a name.
func (s *failures) findings(f client.Failure) []diagnose.Finding {
	if f.Killed {
		one := diagnose.Known(failure.Killed, "")
		one.Sentence = fmt.Sprintf("%s was killed while %s, %.0f s after it began", f.Client,
			f.Step.Doing(), f.Seconds)
		return []diagnose.Finding{one}
	}
	name := ""
	if f.Kind != "" && len(f.Names) == 1 {
		name = f.Names[0]
	}
	key := maphash.String(s.seed, name+"\x00"+f.Kind+"\x00"+withoutToken(f.Text))
	s.mu.Lock()
	all, known := s.said[key]
	s.mu.Unlock()
	if known {
		return all
	}
	if name != "" {
		one := diagnose.Problem(name, f.Kind, f.Text, s.here)
		one.Name = name
		all = []diagnose.Finding{one}
	} else {
		all = diagnose.Text(f.Text, s.here)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.said) == maxSaid {
		clear(s.said)
	}
	s.said[key] = all
	return all
}

// withoutToken is a text without what differs each time a name is validated.
func withoutToken(text string) string {
	const dir = "/.well-known/acme-challenge/"
	var out strings.Builder
	for {
		before, rest, found := strings.Cut(text, dir)
		out.WriteString(before)
		if !found {
			return out.String()
		}
		i := 0
		for i < len(rest) && (rest[i] == '-' || rest[i] == '_' || rest[i] >= '0' && rest[i] <= '9' ||
			rest[i]|0x20 >= 'a' && rest[i]|0x20 <= 'z') {
			i++
		}
		text = rest[i:]
	}
}
