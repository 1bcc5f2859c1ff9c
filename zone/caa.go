package zone

import (
	"strings"

	"github.com/miekg/dns"

	"orderly/outside"
)

// CAA records are looked for at the name, and above it where there are none (RFC 8659 section 3);
// an alias on the way is followed, but what stands above its target is not asked. A CA may not
// issue where one of the questions is not answered.

// CAA are the records that count for a name.
type CAA struct {
	At      string   // where they stand; empty where there are none
	Aliases []string // that led there
	Records []CAARecord
	// Word is good, or what a question on the way came to, and Failed the name it was about.
	Word   Word
	Failed string
	Bogus  string // why the answer's signatures do not hold
}

// CAARecord is one of them.
type CAARecord struct {
	// Critical: whoever does not know the tag must not issue. The bit is the highest; many took it
	// for the lowest, and Boulder obeys both.
	Critical bool
	Tag      string // in small letters
	Value    string
}

// climb looks for the CAA records that count for a name.
func (t *task) climb(name string) CAA {
	on := strings.TrimPrefix(name, "*.")
	for extra := dns.CountLabel(on) - maxLabels; extra > 0; extra-- {
		on = parentOf(on)
	}
	for ; on != "."; on = parentOf(on) {
		got := t.follow(on, typeCAA)
		if !got.Word.Good() || got.Bogus != "" {
			return CAA{Word: got.Word, Failed: got.At, Aliases: got.Aliases, Bogus: got.Bogus}
		}
		if len(got.records) == 0 {
			continue
		}
		found := CAA{Word: NoError, At: plain(on), Aliases: got.Aliases}
		for _, r := range got.records {
			if r, ok := r.(*dns.CAA); ok {
				found.Records = append(found.Records, CAARecord{Critical: r.Flag&(128|1) != 0,
					Tag: strings.ToLower(outside.Clean(r.Tag)), Value: outside.Clean(r.Value)})
			}
		}
		return found
	}
	return CAA{Word: NoError}
}
