package acme

import (
	"encoding/json"
	"slices"
	"strings"

	"orderly/outside"
)

// Most words of the protocol come from closed alphabets. What a CA sends instead is replaced here,
// where it comes in, by a value that equals no such word and can be shown (outside.Odd); so no
// string of this package's objects holds anything but printable ASCII. Free text is of type
// outside.Text.

// These bound how much of a list is kept: a CA gone mad must not have its clients ask for each of a
// million things.
const (
	challengesKept = 50
	contactsKept   = 100
	profilesKept   = 100
	addressLimit   = 4096 // of a URL
)

// statusOf is one of the known statuses, "" where there was none, or an odd word.
func statusOf(arrived string, known ...string) string {
	if arrived == "" || slices.Contains(known, arrived) {
		return arrived
	}
	return outside.Odd("status", arrived)
}

func orderStatus(arrived string) string {
	return statusOf(arrived, "pending", "ready", "processing", "valid", "invalid")
}

func authorizationStatus(arrived string) string {
	return statusOf(arrived, "pending", "valid", "invalid", "deactivated", "expired", "revoked")
}

func challengeStatus(arrived string) string {
	return statusOf(arrived, "pending", "processing", "valid", "invalid")
}

func accountStatus(arrived string) string {
	return statusOf(arrived, "valid", "deactivated", "revoked")
}

// wordOf is a word of printable ASCII without blanks: the name of a profile, a type of challenge or
// of problem, a token. The RFCs leave these alphabets open, so that only what could not be one of
// them is odd.
func wordOf(what, arrived string) string {
	if len(arrived) > 256 || strings.ContainsFunc(arrived, notInWord) {
		return outside.Odd(what, arrived)
	}
	return arrived
}

func notInWord(r rune) bool { return r <= ' ' || r > '~' }

// nameOf is the name of a certificate as names are compared, or an odd word, which equals nothing
// that was ordered.
func nameOf(arrived string) string {
	name, ok := outside.Name(arrived)
	if !ok {
		return outside.Odd("name", arrived)
	}
	return name
}

// addressOf is a URL in ASCII: every other byte is written as %XX, which is how it would be sent.
// One that is absurdly long is none.
func addressOf(arrived string) string {
	if len(arrived) > addressLimit {
		return ""
	}
	odd := func(r rune) bool { return r <= ' ' || r > '~' }
	if !strings.ContainsFunc(arrived, odd) {
		return arrived
	}
	var b strings.Builder
	const hex = "0123456789ABCDEF"
	for i := range len(arrived) {
		if c := arrived[i]; odd(rune(c)) {
			b.Write([]byte{'%', hex[c>>4], hex[c&15]})
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

// textsOf is a list of texts from outside, of which what is no text and what is beyond the bound is
// left out.
func textsOf(raw json.RawMessage, most int) []outside.Text {
	elements := listOf(raw)
	var list []outside.Text
	for _, one := range elements[:min(len(elements), most)] {
		if text := textOf(one); text != "" {
			list = append(list, outside.Of(text))
		}
	}
	return list
}
