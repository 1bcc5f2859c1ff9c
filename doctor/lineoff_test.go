package doctor_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"orderly/doctor"
	"orderly/ledger"
	"orderly/schedule"
)

// A line of root's that does nothing but run certbot becomes a comment where Orderly renews the same;
// whatever does anything else is left.
func TestOnlyALineThatDoesNothingButRenewIsPutAside(t *testing.T) {
	const root, conffile = "var/spool/cron/crontabs/root", "etc/cron.d/certbot"
	const debian = "0 */12 * * * root test -x /usr/bin/certbot -a \\! -d /run/systemd/system && perl -e 'sleep int(rand(43200))' && certbot -q renew"
	for what, c := range map[string]struct {
		table, line string
		fix         doctor.Fix
		want        string
		ours        string // what Orderly's own line says
	}{
		"as the tutorials say":   {root, "0 3 * * * certbot renew", doctor.FixAsk, "", "renew"},
		"quietly, with times":    {root, "17 3,15 * * 1-7 /usr/bin/certbot -q renew --no-self-upgrade >> /var/log/tls.log 2>&1", doctor.FixAsk, "", "renew"},
		"daily, with a time-out": {root, "@daily /usr/bin/timeout 3600 /usr/bin/certbot renew --quiet &> /dev/null", doctor.FixAsk, "", "renew"},
		"Debian's":               {conffile, debian, doctor.FixAsk, "", "renew"},
		"after a wait":           {conffile, "1 1 * * * root sleep $((RANDOM * 60)) ; certbot renew", doctor.FixAsk, "", "renew"},
		"reloads a server":       {root, "0 3 * * * certbot renew && systemctl reload nginx", doctor.FixNo, "may do more than renew", "renew"},
		"reloads it afterwards":  {root, "0 3 * * * certbot renew; nginx -s reload", doctor.FixNo, "may do more than renew", "renew"},
		"tells somebody":         {root, "0 3 * * * certbot renew 2>&1 | mail -s tls root", doctor.FixNo, "may do more than renew", "renew"},
		"has a hook":             {root, "0 3 * * * certbot renew --post-hook 'nginx -s reload'", doctor.FixNo, "may do more than renew", "renew"},
		"installs by a plugin":   {root, "0 3 * * * certbot renew --nginx", doctor.FixNo, "may do more than renew", "renew"},
		"does something first":   {root, "0 3 * * * /usr/local/bin/stop;/usr/bin/certbot renew", doctor.FixNo, "may do more than renew", "renew"},
		"does something behind":  {root, "0 3 * * * certbot renew --max-log-backups=0;/usr/local/bin/push", doctor.FixNo, "may do more than renew", "renew"},
		"has a hook by half":     {root, "0 3 * * * certbot renew --deploy=/usr/local/bin/push", doctor.FixNo, "may do more than renew", "renew"},
		"has its own settings":   {root, "0 3 * * * certbot renew --config=/root/hooks.ini", doctor.FixNo, "may do more than renew", "renew"},
		"asks by a command":      {root, "0 3 * * * test -n `/usr/local/bin/warn` && certbot renew", doctor.FixNo, "may do more than renew", "renew"},
		"renews one":             {root, "0 3 * * * certbot renew --cert-name a.example", doctor.FixNo, "may do more than renew", "renew"},
		"starts a script":        {root, "0 3 * * * /root/tls.sh", doctor.FixNo, "may do more than renew", "renew"},
		"is a user's":            {"var/spool/cron/crontabs/www", "0 3 * * * certbot renew", doctor.FixNo, "may do more than renew", "renew"},
		"the only one":           {root, "0 3 * * * certbot renew", doctor.FixNo, "nobody would renew", "renew --cert-name a.example"},
	} {
		t.Run(what, func(t *testing.T) {
			p := newPlace(t)
			p.healthy("a.example")
			dir := " --config-dir " + filepath.Join(p.dir, "etc")
			line := strings.Replace(c.line, "renew", "renew"+dir, 1)
			before := "MAILTO=root\n# mine\n" + line + "\n5 5 * * * /root/backup\n"
			p.put(c.table, before)
			p.put("usr/bin/certbot", "certbot")
			p.put("root/tls.sh", "#!/bin/sh\ncertbot renew"+dir+"\n")
			p.put("usr/local/bin/orderly", "orderly")
			p.put("etc/cron.d/tls", "1 1 * * * root orderly "+c.ours+dir+"\n")
			p.ran(ledger.Run{Command: "renew", Round: true, StartedAt: p.now.Add(-time.Hour)}, time.Minute)
			path := filepath.Join(p.dir, c.table)
			if err := os.Chmod(path, 0o600); err != nil {
				t.Fatal(err)
			}
			r, err := doctor.Examine(t.Context(), doctor.Host{Disk: p.disk(), Ledger: p.store, Root: p.dir,
				Now:      func() time.Time { return p.now },
				Schedule: schedule.Host{Root: p.dir, Self: "/usr/local/bin/orderly"}}, doctor.Wanted{})
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
			want := before
			if c.fix == doctor.FixAsk {
				want = strings.Replace(before, line, "# put aside, since Orderly renews all certificates: "+line, 1)
			}
			after, err := os.ReadFile(path)
			info, errStat := os.Stat(path)
			if err != nil || errStat != nil || string(after) != want || info.Mode().Perm() != 0o600 {
				t.Errorf("%v, %v, mode %o:\n%s", err, errStat, info.Mode().Perm(), after)
			}
			if c.fix != doctor.FixAsk {
				return
			}
			kept, err := os.ReadFile(filepath.Join(m.Backup.Dir(), path))
			if err != nil || string(kept) != before {
				t.Errorf("kept is %q, %v", kept, err)
			}
			if left := (schedule.Host{Root: p.dir, Self: "/usr/local/bin/orderly"}).All(); len(left) != 1 || !left[0].Ours {
				t.Errorf("left are %+v", left)
			}
		})
	}
}

// Where the package's timer is there and not enabled, that is the remedy.
func TestATimerThatIsNotEnabledIsTheRemedy(t *testing.T) {
	p := newPlace(t)
	p.healthy("a.example")
	p.now = p.now.Add(45 * 24 * time.Hour)
	p.put("run/systemd/system/x", "")
	p.put("usr/local/bin/orderly", "orderly")
	p.timer("orderly-renew", "/usr/local/bin/orderly renew -q --config-dir "+filepath.Join(p.dir, "etc"))
	wanted := filepath.Join(p.dir, "etc/systemd/system/timers.target.wants/orderly-renew.timer")
	if err := os.Remove(wanted); err != nil {
		t.Fatal(err)
	}
	f := only(t, p.wholly(nil), "D26")
	if want := "Enable its timer: systemctl enable --now orderly-renew.timer."; string(f.Remedy) != want {
		t.Errorf("%s", f.Remedy)
	}
}
