package doctor_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"orderly/doctor"
	"orderly/schedule"
)

// Orderly's own timer is enabled where it stands ready for this directory and nobody else renews.
func TestTheTimerThatWaitsIsEnabledWhereNobodyRenews(t *testing.T) {
	for _, c := range []struct {
		what   string
		flags  string // of the timer's command
		broken bool
		fix    doctor.Fix
		want   string
		also   func(p *place)
	}{
		{what: "it waits", flags: "renew --config-dir DIR", fix: doctor.FixAsk},
		{what: "systemd refuses", flags: "renew --config-dir DIR", broken: true, fix: doctor.FixAsk, want: "cannot be enabled"},
		{what: "it is another directory's", flags: "renew --config-dir /srv/other", fix: doctor.FixNo, want: "there is no timer"},
		{what: "it renews one", flags: "renew --cert-name a.example --config-dir DIR", fix: doctor.FixNo, want: "there is no timer"},
		{what: "there is none", fix: doctor.FixNo, want: "there is no timer"},
		{what: "a table is meant to", flags: "renew --config-dir DIR", fix: doctor.FixNo, want: "two would", also: func(p *place) {
			p.put("etc/cron.d/tls", "1 1 * * * root orderly renew --config-dir "+p.dir+"/etc\n")
		}},
	} {
		t.Run(c.what, func(t *testing.T) {
			p := newPlace(t)
			p.healthy("a.example")
			p.now = p.now.Add(45 * 24 * time.Hour) // it is overdue
			p.put("usr/local/bin/orderly", "orderly")
			if err := os.MkdirAll(filepath.Join(p.dir, "run/systemd/system"), 0o755); err != nil {
				t.Fatal(err)
			}
			if c.flags != "" {
				command := "/usr/local/bin/orderly " + strings.ReplaceAll(c.flags, "DIR", p.dir+"/etc")
				p.timer("tls", command)
				if err := os.Remove(filepath.Join(p.dir, "etc/systemd/system/timers.target.wants/tls.timer")); err != nil {
					t.Fatal(err)
				}
			}
			if c.also != nil {
				c.also(p)
			}
			var ran []string
			r, err := doctor.Examine(t.Context(), doctor.Host{Disk: p.disk(), Ledger: p.store, Root: p.dir,
				Now: func() time.Time { return p.now }, Schedule: schedule.Host{Root: p.dir, Self: "/usr/local/bin/orderly"},
				Run: func(_ context.Context, program string, args ...string) error {
					ran = append(ran, program+" "+strings.Join(args, " "))
					if c.broken {
						return errors.New("access denied")
					}
					return os.Symlink("/lib/systemd/system/"+args[2], filepath.Join(p.dir, "etc/systemd/system/timers.target.wants", args[2]))
				}}, doctor.Wanted{})
			if err != nil {
				t.Fatal(err)
			}
			f := p.told(r, "D26", "")
			m := p.mender(r)
			repair, err := m.Plan(t.Context(), f)
			if err == nil {
				err = m.Mend(t.Context(), repair)
			}
			if f.Fix != c.fix || (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s, %v", f.Fix, err)
			}
			if c.fix == doctor.FixNo && len(ran) > 0 || c.fix == doctor.FixAsk && (len(ran) != 1 || ran[0] != "systemctl enable --now tls.timer") {
				t.Errorf("%q was run", ran)
			}
			if timer := strings.Contains(string(f.Remedy), "systemctl enable --now tls.timer"); timer != (c.fix == doctor.FixAsk) {
				t.Errorf("remedy: %s", f.Remedy)
			}
		})
	}
}
