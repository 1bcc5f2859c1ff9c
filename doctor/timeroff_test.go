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

// unit makes a service another one.
func (p *place) unit(name, lines string) {
	p.put("lib/systemd/system/"+name+".service", "[Service]\n"+lines+"\n")
}

// certbot's own timer is disabled where Orderly has one for the same certificates; never another
// one, and never the only one.
func TestOnlyCertbotsOwnTimerIsDisabledBesideOurs(t *testing.T) {
	for _, c := range []struct {
		what, timer  string
		ours, broken bool
		fix          doctor.Fix
		want         string
		also         func(p *place) // what else is there
	}{
		{"beside ours", "certbot", true, false, doctor.FixAsk, "", nil},
		{"systemd refuses", "certbot", true, true, doctor.FixAsk, "cannot be disabled", nil},
		{"the only one", "certbot", false, false, doctor.FixNo, "nobody would renew", nil},
		{"a timer of the customer's", "nightly", true, false, doctor.FixNo, "may do more than renew", nil},
		{"ours has made no round", "certbot", true, false, doctor.FixNo, "for two days", nil},
		{"ours renews one", "certbot", true, false, doctor.FixNo, "nobody would renew", func(p *place) {
			p.unit("tls", "ExecStart=/usr/local/bin/orderly renew --cert-name a.example --config-dir "+p.dir+"/etc")
		}},
		{"ours was put aside", "certbot", false, false, doctor.FixNo, "nobody would renew", func(p *place) {
			p.put("etc/cron.d/tls.disabled", "1 1 * * * root /usr/local/bin/orderly renew --config-dir "+p.dir+"/etc\n")
		}},
		{"ours is a user's", "certbot", false, false, doctor.FixNo, "nobody would renew", func(p *place) {
			p.put("var/spool/cron/crontabs/www", "1 1 * * * /usr/local/bin/orderly renew --config-dir "+p.dir+"/etc\n")
		}},
		{"ours is root's", "certbot", false, false, doctor.FixAsk, "", func(p *place) {
			p.put("var/spool/cron/crontabs/root", "1 1 * * * /usr/local/bin/orderly renew --config-dir "+p.dir+"/etc\n")
		}},
		{"it tells somebody", "certbot", true, false, doctor.FixNo, "ExecStartPost", func(p *place) {
			p.put("etc/systemd/system/certbot.service.d/tell.conf", "[Service]\nExecStartPost=/usr/local/bin/tell\n")
		}},
		{"it runs a hook", "certbot", true, false, doctor.FixNo, "--deploy-hook", func(p *place) {
			p.unit("certbot", "ExecStart=/usr/bin/certbot renew --deploy-hook x --config-dir "+p.dir+"/etc")
		}},
		{"a file gives it a hook", "certbot", true, false, doctor.FixNo, "sysconfig/certbot", func(p *place) {
			p.put("etc/sysconfig/certbot", "PRE_HOOK=\"\"\nDEPLOY_HOOK=\"--deploy-hook x\"\n")
			p.unit("certbot", "EnvironmentFile=/etc/sysconfig/certbot\nExecStart=/usr/bin/certbot renew $DEPLOY_HOOK --config-dir "+p.dir+"/etc")
		}},
		{"a file gives it nothing", "certbot", true, false, doctor.FixAsk, "", func(p *place) {
			p.put("etc/sysconfig/certbot", "PRE_HOOK=\"\"\n")
			p.unit("certbot", "EnvironmentFile=-/etc/sysconfig/certbot\nExecStart=/usr/bin/certbot renew $PRE_HOOK --config-dir "+p.dir+"/etc")
		}},
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
			}
			age := time.Hour
			if c.what == "ours has made no round" {
				age = 3 * 24 * time.Hour
			}
			p.ran(ledger.Run{Command: "renew", Round: true, StartedAt: p.now.Add(-age)}, time.Minute)
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
