package certbot

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"orderly/failure"
)

// AddInterval returns t plus an interval as renewal files write it in renew_before_expiry: a sequence such as "30 days"
// or "6 months 1 week"; a bare number is days (certbot's add_time_interval, of whose English this is the part in use).
func AddInterval(t time.Time, interval string) (time.Time, error) {
	bad := fmt.Errorf("%q is no interval such as \"30 days\" or \"3 weeks\"", failure.Clean(interval))
	fields := strings.Fields(strings.NewReplacer(",", " ", " and ", " ").Replace(strings.ToLower(interval)))
	if len(fields) == 1 {
		fields = append(fields, "days")
	}
	if len(fields) == 0 || len(fields)%2 != 0 {
		return t, bad
	}
	for i := 0; i < len(fields); i += 2 {
		n, err := strconv.Atoi(fields[i])
		if err != nil || n < 0 || n > 100_000 {
			return t, bad
		}
		switch strings.TrimSuffix(fields[i+1], "s") {
		case "second", "sec":
			t = t.Add(time.Duration(n) * time.Second)
		case "minute", "min":
			t = t.Add(time.Duration(n) * time.Minute)
		case "hour", "hr", "h":
			t = t.Add(time.Duration(n) * time.Hour)
		case "day", "d":
			t = t.AddDate(0, 0, n)
		case "week", "w":
			t = t.AddDate(0, 0, 7*n)
		case "month":
			t = t.AddDate(0, n, 0)
		case "year":
			t = t.AddDate(n, 0, 0)
		default:
			return t, bad
		}
	}
	return t, nil
}
