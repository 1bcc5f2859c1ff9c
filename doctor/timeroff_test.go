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
	"orderly/ledger"
	"orderly/schedule"
)

// timer makes a timer that is enabled, and its service.
func (p *place) timer(name, command string) {
	p.t.Helper()
	unit := "lib/systemd/system/" + name
	p.put(unit+".timer", "[Timer]\nOnCalendar=daily\n")
	p.put(unit+".service", "[Service]\nExecStart="+command+"\n")
	wanted := filepath.Join(p.dir, "etc/systemd/system/timers.target.wants")
	err := os.MkdirAll(wanted, 0o755)
	if err == nil {
		err = os.Symlink("/"+unit+".timer", filepath.Join(wanted, name+".timer"))
	}
	if err != nil {
		p.t.Fatal(err)
	}
}

// certbot's own timer is disabled where Orderly has one for the same certificates; never another
// one, and never the only one.
func TestOnlyCertbotsOwnTimerIsDisabledBesideOurs(t *testing.T) {
	for _, c := range []struct {
		what, timer  string
		ours, broken bool
		fix          doctor.Fix
		want         string
	}{
		{"beside ours", "certbot", true, false, doctor.FixAsk, ""},
		{"systemd refuses", "certbot", true, true, doctor.FixAsk, "cannot be disabled"},
		{"the only one", "certbot", false, false, doctor.FixNo, "nobody would renew"},
		{"a timer of the customer's", "nightly", true, false, doctor.FixNo, "may do more than renew"},
	} {
		t.Run(c.what, func(t *testing.T) {
			p := newPlace(t)
			p.healthy("a.example")
			if err := os.MkdirAll(filepath.Join(p.dir, "run/systemd/system"), 0o755); err != nil {
				t.Fatal(err)
			}
			p.put("usr/bin/certbot", "certbot")
			p.put("usr/local/bin/orderly", "orderly")
			dir := " --config-dir " + filepath.Join(p.dir, "etc")
			p.timer(c.timer, "/usr/bin/certbot -q renew"+dir)
			if c.ours {
				p.timer("tls", "/usr/local/bin/orderly renew"+dir)
			} else {
				p.ran(ledger.Run{Command: "renew", Round: true, StartedAt: p.now.Add(-time.Hour)}, time.Minute)
			}
			var ran []string
			r, err := doctor.Examine(t.Context(), doctor.Host{Disk: p.disk(), Ledger: p.store, Root: p.dir,
				Now: func() time.Time { return p.now }, Schedule: schedule.Host{Root: p.dir, Self: "/usr/local/bin/orderly"},
				Run: func(_ context.Context, program string, args ...string) error {
					ran = append(ran, program+" "+strings.Join(args, " "))
					if c.broken {
						return errors.New("access denied")
					}
					return os.Remove(filepath.Join(p.dir, "etc/systemd/system/timers.target.wants", args[2]))
				}}, doctor.Wanted{})
			if err != nil {
				t.Fatal(err)
			}
			f := p.told(r, "D25", "")
			m := p.mender(r)
			repair, err := m.Plan(t.Context(), f)
			if err == nil {
				err = m.Mend(t.Context(), repair)
			}
			if f.Fix != c.fix || (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s, %v", f.Fix, err)
			}
			if c.fix == doctor.FixNo {
				if len(ran) > 0 {
					t.Errorf("%q was run", ran)
				}
				return
			}
			if len(ran) != 1 || doctor.Shown(repair.Edits[0])[0] != "run "+ran[0] || ran[0] != "systemctl disable --now certbot.timer" {
				t.Errorf("%q was run, and %+v shown", ran, repair.Edits)
			}
		})
	}
}
