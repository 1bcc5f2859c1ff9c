package certbot_test

import (
	"encoding/json"
	"os/exec"
	"strings"
	"testing"
	"time"

	"orderly/certbot"
)

func TestAddInterval(t *testing.T) {
	from := time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)
	for interval, want := range map[string]time.Time{
		"30 days":              from.AddDate(0, 0, 30),
		"30":                   from.AddDate(0, 0, 30),
		" 3 weeks":             from.AddDate(0, 0, 21),
		"6 Months 1 week":      from.AddDate(0, 6, 7),
		"1 month":              time.Date(2026, 2, 28, 12, 0, 0, 0, time.UTC),
		"twelve days":          from.AddDate(0, 0, 12),
		"thirty-five days":     from.AddDate(0, 0, 35),
		"9 hours and 1 minute": from.Add(9*time.Hour + time.Minute),
	} {
		if got, err := certbot.AddInterval(from, interval); err != nil || !got.Equal(want) {
			t.Errorf("%q: %v, %v; want %v", interval, got, err, want)
		}
	}
	for _, bad := range []string{
		"", "days", "x days", "-1 days", "30 fortnights", "1 day 2", "999999999 years", "30 dayz", "None", "30 Tage", "tomorrow",
		"1.5 months", "twenty-ten days", "two-three days", ",", "30 days x", "1:30",
	} {
		if got, err := certbot.AddInterval(from, bad); err == nil {
			t.Errorf("%q: %v", bad, got)
		}
	}
}

// intervalOracle prints how many seconds certbot makes of intervals, counted from the last day of a January.
const intervalOracle = `
import datetime, json, sys, pytz
from certbot._internal.storage import add_time_interval
base = datetime.datetime(2026, 1, 31, 12, 0, 0, tzinfo=pytz.UTC)
json.dump([(add_time_interval(base, s) - base).total_seconds() for s in json.load(sys.stdin)], sys.stdout)
`

func TestCertbotUnderstandsIntervalsTheSame(t *testing.T) {
	intervals := []string{
		"30 days", "30", "3 weeks", "6 Months 1 week", "1 year, 2 days", "9 hours and 1 minute", "a week", "an hour", "two weeks",
		"thirty days", "ten days", "30days", "30d", "30 day", "4w", "1 week 2 days 3 hours", "1.5 days", "0", "0 days", "1 month",
		"1 mth", "5 m", "5 min", "in 30 days", "a month", "45 Days", "3 weeks.", "2 weeks and 3 days", "2 weeks, 3 days",
		"90 minutes", "three months", "twenty-one days", "48h", "10 seconds", "2 years", "3 days 12 hours",
	}
	question, err := json.Marshal(intervals)
	must(t, err)
	cmd := exec.Command("/usr/bin/python3", "-c", intervalOracle)
	cmd.Stdin = strings.NewReader(string(question))
	out, err := cmd.Output()
	must(t, err)
	var want []float64
	must(t, json.Unmarshal(out, &want))
	from := time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)
	for i, interval := range intervals {
		got, err := certbot.AddInterval(from, interval)
		if err != nil || got.Sub(from).Seconds() != want[i] {
			t.Errorf("%q: %v, %v; certbot: %v", interval, got.Sub(from), err, time.Duration(want[i])*time.Second)
		}
	}
}

func FuzzAddInterval(f *testing.F) {
	f.Add("6 months 1 week")
	f.Add("30")
	f.Add("twenty-one days, 1.5h and a year")
	f.Fuzz(func(t *testing.T, interval string) {
		from := time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)
		if got, err := certbot.AddInterval(from, interval); err == nil && got.Before(from) {
			t.Errorf("%q goes back to %v", interval, got)
		}
	})
}
