package doctor

// D26 is mended where Orderly's own timer stands ready and nobody else renews: it is enabled by
// systemctl. Whether a host renews by itself is its operator's to say, so that this is done only
// where it is named.

import (
	"context"
	"slices"
	"time"

	"orderly/certbot"
	"orderly/failure"
	"orderly/schedule"
)

// enabling is how long systemd may take to enable a timer and to start it.
const enabling = 30 * time.Second

// timerOn enables the timer.
func timerOn(_ context.Context, e *Exam, f Finding) (plan, error) {
	timer := e.waitingTimer()
	renews := func(r schedule.Renewer) bool { return r.Certbots && e.sameDirectory(r) }
	switch {
	case timer == "" || e.Run == nil || f.Unseen:
		return plan{}, failure.New(failure.Config, f.Remedy,
			"there is no timer of Orderly's for these certificates that only has to be enabled")
	case slices.ContainsFunc(e.Schedule.All(), renews):
		return plan{}, failure.New(failure.Config, f.Remedy,
			"something is meant to renew already, and two would")
	}
	args := []string{"enable", "--now", timer}
	edit := certbot.Edit{Kind: certbot.Ran,
		Path: string(failure.Shell(append([]string{"systemctl"}, args...)...))}
	return plan{FixAsk, []certbot.Edit{edit}, func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, enabling)
		defer cancel()
		if err := e.Run(ctx, "systemctl", args...); err != nil {
			return failure.Wrap(err, failure.Config, f.Remedy, "%s cannot be enabled", timer)
		}
		if !slices.ContainsFunc(e.Schedule.All(), renews) {
			return failure.New(failure.Config, f.Remedy, "%s is still not enabled", timer)
		}
		return nil
	}}, nil
}
