package diagnose

// When trying again helps: a date in the CA's words, or Retry-After in the headers of its answer, which
// counts from the Date beside it or from the time that acme.sh put before the line. Never from now: a
// text may be a year old.

import (
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"orderly/failure"
)

// dates are the forms that a date has in texts and in headers.
const dates = `\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?: ?(?:Z|UTC|GMT|[+-]\d\d:?\d\d))?|` +
	`[A-Z][a-z]{2,8}, \d{1,2}[ -][A-Z][a-z]{2}[ -]\d{2,4} \d\d:\d\d:\d\d (?:GMT|UTC)|` +
	`[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]?\d \d\d:\d\d:\d\d(?: (?:UTC|GMT))? \d{4}`

var (
	// moments are how a text says when a limit ends.
	moments = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`(?i:retry[- ]after|retry again after|try again after|allowed after|until)['":]*\s+['"]*(` +
			dates + `)`)
	})
	// headers are a Retry-After that is a date.
	headers = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`(?i:retry-after)['"]?: *['"]?(` + dates + `)`)
	})
	// waits are a Retry-After in seconds: a header, or acme.sh's variable.
	waits = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`(?i:retry-?after)['"]?(?:: |=)['"]*(\d{1,7})\b`)
	})
	// answered are the Date of an answer, or the time before a line of acme.sh's.
	answered = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`\b(?i:date)['"]?: ['"]?(` + dates + `)|\[(` + dates + `)\]`)
	})
)

// layouts are the forms of dates.
var layouts = []string{"2006-01-02 15:04:05 MST", "2006-01-02 15:04:05", "2006-01-02T15:04:05Z07:00",
	"2006-01-02 15:04:05 -0700", "2006-01-02 15:04:05-07:00", "2006-01-02T15:04:05",
	"2006-01-02 15:04:05Z07:00", "2006-01-02T15:04:05-0700", "2006-01-02 15:04 MST", "2006-01-02 15:04",
	"2006-01-02T15:04Z07:00", time.RFC1123, "Mon, 2 Jan 2006 15:04:05 MST", time.RFC850,
	"Mon Jan _2 15:04:05 MST 2006", "Mon Jan _2 15:04:05 2006"}

// untilOf is the moment until which a part of a text says to wait, zero where it says none. Headers
// stand anywhere in the text; those of a CA's answer about something else than a limit or its own
// trouble say how soon to ask again, and not when the cause is gone.
func (r *reader) untilOf(class failure.Class, limited bool) time.Time {
	if strings.Contains(r.t.text, "20") { // no year, no moment: most texts have none
		if at := firstDate(moments(), r.text()); !at.IsZero() {
			return at
		}
	}
	if !limited && class != failure.RateLimited && class != failure.CAUnavailable ||
		!strings.Contains(r.t.low, "after") {
		return time.Time{}
	}
	if r.t.header == nil {
		at := firstDate(headers(), r.t.text)
		if at.IsZero() {
			at = afterHeader(r.t.text)
		}
		r.t.header = &at
	}
	return *r.t.header
}

// afterHeader is the moment that a Retry-After in seconds means: the answer's Date stands before it, or
// behind it.
func afterHeader(text string) time.Time {
	at := waits().FindStringSubmatchIndex(text)
	if at == nil {
		return time.Time{}
	}
	var from time.Time
	if before := answered().FindAllString(text[:at[0]], -1); len(before) > 0 {
		from = firstDate(answered(), before[len(before)-1])
	} else {
		from = firstDate(answered(), text[at[1]:])
	}
	seconds, err := strconv.Atoi(text[at[2]:at[3]])
	if err != nil || from.IsZero() {
		return time.Time{}
	}
	return from.Add(time.Duration(seconds) * time.Second)
}

// firstDate is the first date that an expression finds in a text, zero where it finds none that is one.
func firstDate(expression *regexp.Regexp, text string) time.Time {
	found := expression.FindStringSubmatch(strings.ReplaceAll(text, "\n", " "))
	for _, date := range found[min(len(found), 1):] {
		for _, layout := range layouts {
			if at, err := time.Parse(layout, date); err == nil && date != "" {
				return at.UTC()
			}
		}
	}
	return time.Time{}
}
