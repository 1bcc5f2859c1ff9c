package certbot

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"orderly/failure"
)

// Renewal files say when to renew in words, as Python's parsedatetime takes them.

// intervalPart matches one part of an interval: "30 days", "a week", "twenty-one days", "1.5h".
var intervalPart = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^(?:(\d{1,6})(?:\.(\d{1,6}))?|([a-z]+(?:-[a-z]+)?)\s)\s*([a-z]+)\s*`)
})

// AddInterval returns t plus an interval as renewal files write it in renew_before_expiry: a
// sequence such as "30 days", "three weeks" or "6 months, 1 week and 12 hours"; a bare number is
// days (certbot's add_time_interval, of whose English, parsedatetime's, this is the part that means
// a length of time). What certbot does not understand it takes for nought; here that is an error.
func AddInterval(t time.Time, interval string) (time.Time, error) {
	bad := fmt.Errorf("%q is no interval such as \"30 days\" or \"3 weeks\"",
		failure.Clean(interval))
	rest := strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(strings.ToLower(interval)), "."))
	if rest != "" && strings.Trim(rest, "0123456789") == "" {
		rest += " days"
	}
	rest = strings.TrimPrefix(rest, "in ")
	for first := true; first || rest != ""; first = false {
		m := intervalPart().FindStringSubmatch(rest)
		if m == nil {
			return t, bad
		}
		var ok bool
		if t, ok = addPart(t, m); !ok {
			return t, bad
		}
		rest = strings.TrimLeft(strings.TrimPrefix(strings.TrimLeft(rest[len(m[0]):], ", "),
			"and "), " ")
	}
	return t, nil
}

// addPart adds one part of an interval.
func addPart(t time.Time, m []string) (time.Time, bool) {
	whole, fraction, word, unit := m[1], m[2], m[3], m[4]
	n, ok := 0, false
	if word != "" {
		n, ok = numberWord(word)
	} else {
		var err error
		n, err = strconv.Atoi(whole)
		ok = err == nil && n <= 100_000
	}
	length, month := unitLength(unit)
	// 99,999 weeks would be less than nothing
	ok = ok && (length == 0 || int64(n) <= math.MaxInt64/int64(length))
	switch {
	case !ok || (length == 0 && month == 0), month > 0 && fraction != "":
		return t, false
	case month > 0:
		return addMonths(t, n*month), true
	}
	part := 0.0
	if fraction != "" {
		part, _ = strconv.ParseFloat("0."+fraction, 64)
	}
	return t.Add(time.Duration(n)*length + time.Duration(part*float64(length))), true
}

// unitLength knows parsedatetime's names of units; months and years are counted in months.
func unitLength(unit string) (length time.Duration, months int) {
	const day = 24 * time.Hour
	switch unit {
	case "second", "seconds", "sec", "secs", "s":
		return time.Second, 0
	case "minute", "minutes", "min", "mins", "m":
		return time.Minute, 0
	case "hour", "hours", "hr", "h":
		return time.Hour, 0
	case "day", "days", "dy", "d":
		return day, 0
	case "week", "weeks", "wk", "w":
		return 7 * day, 0
	case "month", "months", "mth":
		return 0, 1
	case "year", "years", "yr", "y":
		return 0, 12
	}
	return 0, 0
}

// addMonths keeps to the month that is meant: a month after 31 January is the end of February.
func addMonths(t time.Time, n int) time.Time {
	later := t.AddDate(0, n, 0)
	if later.Day() != t.Day() {
		later = later.AddDate(0, 0, -later.Day())
	}
	return later
}

// numberWord reads a number below a hundred.
func numberWord(word string) (int, bool) {
	tens, ones, both := strings.Cut(word, "-")
	n, ok := smallNumber(tens)
	if !both {
		return n, ok
	}
	m, okOnes := smallNumber(ones)
	return n + m, ok && okOnes && n >= 20 && m >= 1 && m <= 9
}

func smallNumber(word string) (int, bool) {
	if word == "a" || word == "an" {
		return 1, true
	}
	words := strings.Fields("zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen")
	for n, w := range words {
		if w == word {
			return n, true
		}
	}
	for n, w := range strings.Fields("twenty thirty forty fifty sixty seventy eighty ninety") {
		if w == word {
			return 20 + 10*n, true
		}
	}
	return 0, false
}

// leastRest is the part of a lifetime that must pass before a certificate may be due, whatever
// renew_before_expiry says: one twentieth. CAs date certificates back, and with less a new one
// would be due at once, and ordered anew by every run.
const leastRest = 20

// suits tells whether an interval of renew_before_expiry can be kept for a certificate.
func suits(interval string, c *Certificate) error {
	later, err := AddInterval(c.NotAfter, interval)
	if err != nil {
		return err
	}
	before, life := later.Sub(c.NotAfter), c.NotAfter.Sub(c.NotBefore)
	switch {
	case before <= 0:
		return fmt.Errorf("it leaves no time before the certificate expires")
	case before > life-life/leastRest:
		return fmt.Errorf("the certificate lives only %s, and would be due as soon as it is there",
			lifeText(life))
	}
	return nil
}

func lifeText(life time.Duration) string {
	if days := life.Round(time.Hour).Hours() / 24; days >= 2 {
		return fmt.Sprintf("%.0f days", days)
	}
	return life.Round(time.Second).String()
}

// dueNote drops an interval that does not suit the certificate, so that the rule for files that say
// nothing holds, and notes it.
func (r *Renewal) dueNote(c *Certificate) {
	interval := r.Params.RenewBeforeExpiry
	if interval == "" {
		return
	}
	if err := suits(interval, c); err != nil {
		r.Params.RenewBeforeExpiry = ""
		in := &reader{path: r.Path}
		in.note(r.file.Root(), "renew_before_expiry", FaultValue, "renew_before_expiry = %s has no effect: %v",
			failure.Clean(interval), err)
		in.notes[0].Due = true
		r.Notes = append(r.Notes, in.notes...)
	}
}

// DueNotes are the notes about when the lineage is due. They matter before it is.
func (r *Renewal) DueNotes() []Note {
	var all []Note
	for _, n := range r.Notes {
		if n.Due {
			all = append(all, n)
		}
	}
	return all
}
