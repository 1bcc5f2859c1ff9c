package scan

// One log that somebody has at hand as a text: what it says to have failed, as a scan of the same
// file would list it. Nothing is opened and nothing kept.

import (
	"context"
	"regexp"
	"strings"
	"sync"

	"orderly/diagnose"
	"orderly/scan/client"
)

// record is the beginning of a record as certbot writes it.
var record = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`(?m)^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3}:(?:DEBUG|INFO|WARNING|ERROR|CRITICAL):`)
})

// IsLog reports whether a text is a log of certbot's.
func IsLog(text string) bool { return len(record().FindAllStringIndex(text, 2)) == 2 }

// Text is what a log says to have failed, each name once for each class. Where there is none, sure
// says that nothing did: the log has a run from its beginning, or a certificate that was obtained.
func Text(ctx context.Context, log string, here diagnose.Here) (found []diagnose.Finding, sure bool,
	err error) {
	t := &text{failures: newFailures(here), index: map[told]int{}}
	l := client.NewLog(t)
	if err := l.Read(ctx, 0, strings.NewReader(log)); err != nil {
		return nil, false, err
	}
	l.Close(false)
	return t.all, t.renewed || strings.Contains(log, ":certbot version: "), ctx.Err()
}

// told is what a finding is known by.
type told struct{ name, class string }

// text takes what one log shows.
type text struct {
	failures *failures
	all      []diagnose.Finding
	index    map[told]int
	renewed  bool
}

// See takes nothing, as Lose and End do: what is open is for pending scan to say.
func (t *text) See(client.Sighting) {}

// Lose takes nothing.
func (t *text) Lose(client.Lost) {}

// End takes nothing.
func (t *text) End(client.Run) {}

// Renew notes that a certificate was obtained.
func (t *text) Renew(client.Renewal) { t.renewed = true }

// Fail takes a failure; of the same name and class the newest counts.
func (t *text) Fail(f client.Failure) {
	for i, name := range f.Names {
		f.Names[i] = named(name)
	}
	found := t.failures.findings(f)
	for _, one := range found {
		for _, name := range namesOf(one, found, f.Names) {
			key := told{name, string(one.Class)}
			i, known := t.index[key]
			if !known {
				if len(t.all) == maxFailures {
					continue
				}
				i = len(t.all)
				t.all, t.index[key] = append(t.all, one), i
			}
			t.all[i] = one
			t.all[i].Name = name
			if one.Until.IsZero() {
				t.all[i].Until = later(one, f.Until)
			}
		}
	}
}
