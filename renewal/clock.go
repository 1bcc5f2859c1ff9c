package renewal

import (
	"fmt"
	"time"

	"orderly/failure"
)

// Whether this host's clock can be believed.

// mostSkew is the difference to the CA's clock above which a person is told.
const mostSkew = 5 * time.Minute

// floor is a moment before which this program did not exist.
var floor = time.Date(2026, time.November, 1, 0, 0, 0, 0, time.UTC)

// Floor is a moment before which no clock can be right.
func Floor() time.Time { return floor }

// fewestExpired is how many lineages must have expired at once before their number says something
// about the clock.
const fewestExpired = 3

// clockDoubt returns an error when this host's clock cannot be believed (rule 12): it stands before
// the program was written, or a twentieth of all certificates expired since the last look at them.
// A clock that jumped ahead would otherwise order everything anew at once.
func clockDoubt(now, lastRun time.Time, ends []time.Time) error {
	remedy := "Set the clock (and look at its source), or run the command with " +
		failure.Do(failure.Insist) + " if it is right."
	if now.Before(floor) {
		return failure.New(failure.Clock, remedy,
			"this host's clock says %s, which is before Orderly was made",
			now.UTC().Format(time.DateOnly))
	}
	if lastRun.IsZero() {
		return nil
	}
	expired := 0
	for _, end := range ends {
		if end.After(lastRun) && !end.After(now) {
			expired++
		}
	}
	if expired >= fewestExpired && expired*20 >= len(ends) {
		return failure.New(failure.Clock, remedy,
			"%d of %d certificates expired since the last renewal of %s, if this host's clock is right",
			expired, len(ends), lastRun.UTC().Format(time.DateOnly))
	}
	return nil
}

// skewWarning is what to say about a difference between this host's clock and the CA's, "" when it
// is small.
func skewWarning(ours, theirs time.Time) string {
	if theirs.IsZero() || ours.Sub(theirs).Abs() <= mostSkew {
		return ""
	}
	return fmt.Sprintf("this host's clock is %s off the CA's", ours.Sub(theirs).Round(time.Second))
}
