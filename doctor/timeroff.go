package doctor

// D25 is mended where certbot's own timer renews what a timer or cron table of Orderly's renews as
// well: it is disabled by systemctl. Timers of other names may do more than renew: those are left.

import (
	"context"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"orderly/certbot"
	"orderly/failure"
	"orderly/schedule"
)

// Runner runs a program of the system's, and ends it with the context.
type Runner func(ctx context.Context, program string, args ...string) error

// disabling is how long systemd may take to disable a timer.
const disabling = 30 * time.Second

// renewerOff ends what renews beside Orderly, as far as that is certain.
func renewerOff(_ context.Context, e *Exam, f Finding) (plan, error) {
	for _, r := range e.Schedule.All() {
		if r.File == f.File && r.Line == f.Line && f.Line > 0 && !f.Unseen && !r.Ours && r.Certbots && e.sameDirectory(r) {
			return lineOff(e, f, r)
		}
	}
	return timerOff(e, f)
}

// timerOff disables certbot's timer.
func timerOff(e *Exam, f Finding) (plan, error) {
	all := e.Schedule.All()
	at := slices.IndexFunc(all, func(r schedule.Renewer) bool { return e.distroTimer(r) && r.File == f.File })
	if at < 0 || e.Run == nil || f.Unseen {
		return plan{}, failure.New(failure.Config, f.Remedy,
			"this is no timer of certbot's own and no line of root's for these certificates, and may do more than renew")
	}
	if more := all[at].Part + all[at].More; more != "" {
		return plan{}, failure.New(failure.Config, f.Remedy,
			"it may do more than renew, which would be done no more: look at %s in %s", more, f.File)
	}
	if err := e.renewsAll(all); err != nil {
		return plan{}, err
	}
	name := all[at].Name
	args := []string{"disable", "--now", name}
	edit := certbot.Edit{Kind: certbot.Ran,
		Path: string(failure.Shell(append([]string{"systemctl"}, args...)...))}
	return plan{FixAsk, []certbot.Edit{edit}, func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, disabling)
		defer cancel()
		if err := e.Run(ctx, "systemctl", args...); err != nil {
			return failure.Wrap(err, failure.Config, f.Remedy, "%s cannot be disabled", name)
		}
		if slices.ContainsFunc(e.Schedule.All(), func(r schedule.Renewer) bool { return r.Name == name && !r.Ours }) {
			return failure.New(failure.Config, f.Remedy, "%s is still enabled", name)
		}
		return nil
	}}, nil
}

// renewedLately is how old Orderly's last round may be: a timer may be enabled and not started, and
// a table may be one that cron does not read.
const renewedLately = 2 * 24 * time.Hour

// renewsAll returns an error unless Orderly renews all certificates by itself, and did so.
func (e *Exam) renewsAll(all []schedule.Renewer) error {
	if !slices.ContainsFunc(all, func(r schedule.Renewer) bool {
		return r.Ours && e.sameDirectory(r) && r.Part == "" && read(r)
	}) {
		return failure.New(failure.Config,
			"Let a timer or a cron table run "+failure.Do(failure.RenewDue)+" first.",
			"nobody would renew: no timer and no cron table of root's runs Orderly for all these "+
				"certificates")
	}
	if last, known := e.lastRound(); !known || e.At.Sub(ended(last)) > renewedLately {
		return failure.New(failure.Config,
			"Look whether it runs, or run "+failure.Do(failure.RenewDue)+" once.",
			"nobody might renew: Orderly has not gone over all certificates for two days")
	}
	return nil
}

// read reports whether whatever a renewer stands in is certainly gone by, as root: tables of other
// users' may read no keys, and files with such endings are what packages and people put aside.
func read(r schedule.Renewer) bool {
	dir, name := filepath.Split(r.Name)
	switch {
	case strings.HasPrefix(dir, "/var/"):
		return name == "root"
	case dir == "/" || dir == "" || dir == "/etc/":
		return true
	}
	return !strings.ContainsAny(name, ".~")
}

// distroTimer reports whether a renewer is a timer that comes with certbot, and does nothing but
// renew this directory.
func (e *Exam) distroTimer(r schedule.Renewer) bool {
	return !r.Ours && r.Certbots && e.sameDirectory(r) &&
		slices.Contains([]string{"certbot.timer", "certbot-renew.timer"}, r.Name)
}
