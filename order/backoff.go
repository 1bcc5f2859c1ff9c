package order

import "time"

// BackOff is the schedule Let's Encrypt asks for: 1, 10 and 100 minutes after the first failures in a row, then a day.
func BackOff(failures int) time.Duration {
	switch {
	case failures <= 0:
		return 0
	case failures == 1:
		return time.Minute
	case failures == 2:
		return 10 * time.Minute
	case failures == 3:
		return 100 * time.Minute
	}
	return 24 * time.Hour
}
