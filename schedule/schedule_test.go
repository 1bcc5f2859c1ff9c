package schedule_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"orderly/schedule"
)

// The files of Debian's certbot.
const (
	timer   = "[Unit]\nDescription=Run certbot twice daily\n\n[Timer]\nOnCalendar=*-*-* 00,12:00:00\nRandomizedDelaySec=43200\n\n[Install]\nWantedBy=timers.target\n"
	service = "[Unit]\nDescription=Certbot\n[Service]\nType=oneshot\nExecStart=/usr/bin/certbot -q renew\nPrivateTmp=true\n"
	cron    = "# comment: certbot renew\nSHELL=/bin/sh\n\n0 */12 * * * root test -x /usr/bin/certbot -a \\! -d /run/systemd/system && perl -e 'sleep int(rand(43200))' && certbot -q renew\n"
)

// Trial W3.
func TestWhatRenewsOnThisHost(t *testing.T) {
	const self = "/usr/local/bin/orderly"
	wanted := "etc/systemd/system/timers.target.wants/certbot.timer"
	debian := map[string]string{"lib/systemd/system/certbot.timer": timer, "lib/systemd/system/certbot.service": service, "etc/cron.d/certbot": cron}
	with := func(base map[string]string, more ...string) map[string]string {
		all := map[string]string{}
		for k, v := range base {
			all[k] = v
		}
		for i := 0; i < len(more); i += 2 {
			all[more[i]] = more[i+1]
		}
		return all
	}
	enabled := with(debian, wanted, "-> /lib/systemd/system/certbot.timer")
	for _, c := range []struct {
		what    string
		booted  bool // with systemd
		files   map[string]string
		certbot string // what /usr/bin/certbot is: "real", "link" to us, "" for nothing
		want    schedule.Task
	}{
		{"nothing at all", true, nil, "", schedule.Task{}},
		{"Debian's certbot beside us", true, enabled, "real", schedule.Task{Name: "certbot.timer", Program: "/usr/bin/certbot"}},
		{"we stand in its place", true, enabled, "link", schedule.Task{Name: "certbot.timer", Program: "/usr/bin/certbot", Ours: true}},
		{"its package was removed", true, enabled, "", schedule.Task{}},
		{"its timer is not enabled, and cron's line does nothing under systemd", true, debian, "link", schedule.Task{}},
		{"its timer is masked", true, with(enabled, "etc/systemd/system/certbot.timer", "-> /dev/null"), "link", schedule.Task{}},
		{"a package keeps its timer still", true, with(enabled, "usr/lib/systemd/system/certbot.timer.d/orderly-certbot.conf", "[Unit]\nConditionPathExists=!/usr/lib/systemd/system/orderly-renew.timer\n",
			"usr/lib/systemd/system/orderly-renew.timer", timer), "link", schedule.Task{}},
		{"a condition of it is met", true, with(enabled, "usr/lib/systemd/system/certbot.timer.d/some.conf", "[Unit]\nConditionPathExists=|/etc/nowhere\nConditionPathExists=|!/etc/nowhere\n"), "link",
			schedule.Task{Name: "certbot.timer", Program: "/usr/bin/certbot", Ours: true}},
		{"no systemd: cron does it", false, enabled, "link", schedule.Task{Name: "/etc/cron.d/certbot", Program: "/usr/bin/certbot", Ours: true}},
		{"no systemd, and certbot's own", false, enabled, "real", schedule.Task{Name: "/etc/cron.d/certbot", Program: "/usr/bin/certbot"}},
		{"pointed at us by a drop-in", true, with(enabled, "etc/systemd/system/certbot.service.d/orderly.conf", "[Service]\nExecStart=\nExecStart=/usr/local/bin/orderly -q renew\n"), "real",
			schedule.Task{Name: "certbot.timer", Program: self, Ours: true}},
		{"a timer of our own beside certbot's", true, with(enabled, "etc/systemd/system/tls.timer", "[Timer]\nUnit=renewals.service\n", "etc/systemd/system/renewals.service", "[Service]\nExecStart=-/usr/local/bin/orderly renew \\\n  -q\n",
			"etc/systemd/system/timers.target.wants/tls.timer", "-> ../tls.timer"), "real", schedule.Task{Name: "tls.timer", Program: self, Ours: true}},
		{"a line of root's", true, map[string]string{"var/spool/cron/crontabs/root": "17 3 * * * orderly renew -q --deadline 30m\n"}, "", schedule.Task{Name: "/var/spool/cron/crontabs/root", Program: self, Ours: true}},
		{"a daily script", true, map[string]string{"etc/cron.daily/tls": "#!/bin/sh\nexec '/usr/local/bin/orderly' renew\n"}, "", schedule.Task{Name: "/etc/cron.daily/tls", Program: self, Ours: true}},
		{"a line that renews nothing", true, map[string]string{"etc/crontab": "17 3 * * * root orderly certificates\n1 1 * * * root renew orderly\n"}, "", schedule.Task{}},
	} {
		t.Run(c.what, func(t *testing.T) {
			root := t.TempDir()
			place := func(path, content string, mode os.FileMode) {
				path = filepath.Join(root, path)
				if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
					t.Fatal(err)
				}
				var err error
				if target, link := cutLink(content); link {
					if filepath.IsAbs(target) && target != "/dev/null" {
						target = filepath.Join(root, target)
					}
					err = os.Symlink(target, path)
				} else {
					err = os.WriteFile(path, []byte(content), mode)
				}
				if err != nil {
					t.Fatal(err)
				}
			}
			place(self, "us", 0o755)
			switch c.certbot {
			case "real":
				place("usr/bin/certbot", "python", 0o755)
			case "link":
				place("usr/bin/certbot", "-> "+self, 0)
			}
			for path, content := range c.files {
				place(path, content, 0o644)
			}
			if c.booted {
				place("run/systemd/system/x", "", 0o644)
			}
			got, ok := schedule.Host{Root: root, Self: self}.Find()
			if got != c.want || ok != (c.want != schedule.Task{}) {
				t.Errorf("%+v, %v", got, ok)
			}
		})
	}
}

func cutLink(content string) (target string, link bool) {
	if len(content) > 3 && content[:3] == "-> " {
		return content[3:], true
	}
	return "", false
}

// Whoever else renews is found with its line, and what it renews.
func TestWhoeverRenewsIsFound(t *testing.T) {
	root := t.TempDir()
	place := func(path, content string, mode os.FileMode) {
		path = filepath.Join(root, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), mode); err != nil {
			t.Fatal(err)
		}
	}
	for _, program := range []string{"usr/local/bin/orderly", "usr/bin/certbot", "snap/bin/certbot", "root/.acme.sh/acme.sh",
		"usr/local/cpanel/bin/autossl_check", "usr/bin/dehydrated"} {
		place(program, program, 0o755)
	}
	place("run/systemd/system/x", "", 0o644)
	place("etc/systemd/system/timers.target.wants/tls.timer", "[Timer]\nOnCalendar=daily\n", 0o644)
	place("etc/systemd/system/tls.timer", "[Timer]\nOnCalendar=daily\n", 0o644)
	place("etc/systemd/system/tls.service", "[Service]\nExecStart=/usr/local/bin/orderly renew\nRuntimeMaxSec=60\n", 0o644)
	place("etc/systemd/system/timers.target.wants/snap.certbot.renew.timer", "[Timer]\nUnit=snap.certbot.renew.service\n", 0o644)
	place("etc/systemd/system/snap.certbot.renew.timer", "[Timer]\nUnit=snap.certbot.renew.service\n", 0o644)
	place("etc/systemd/system/snap.certbot.renew.service", "[Service]\nExecStart=/usr/bin/snap run --timer=\"00:00~24:00/2\" certbot.renew\n", 0o644)
	place("var/spool/cron/crontabs/root", "# mine\n\n5 1 * * * timeout -k 5 90 certbot renew \\\n  --config-dir /srv/tls\n"+
		"7 0 * * * \"/root/.acme.sh\"/acme.sh --cron --home \"/root/.acme.sh\" > /dev/null\n", 0o600)
	place("var/spool/cron/crontabs/www", "1 1 * * * /usr/bin/dehydrated -c\n2 2 * * * /opt/gone/dehydrated -c\n3 3 * * * dehydrated --version\n", 0o600)
	place("etc/cron.d/cpanel_autossl", "17 4 * * * root /usr/local/cpanel/bin/autossl_check --all\n", 0o644)
	var got []string
	for _, r := range (schedule.Host{Root: root, Self: "/usr/local/bin/orderly"}).All() {
		got = append(got, fmt.Sprintf("%s %s:%d %s ours=%v certbots=%v %s %s", r.Client, r.Name, r.Line, r.Program, r.Ours, r.Certbots, r.ConfigDir, r.Bound))
	}
	want := []string{
		"certbot snap.certbot.renew.timer:0 /snap/bin/certbot ours=false certbots=true  ",
		"certbot tls.timer:0 /usr/local/bin/orderly ours=true certbots=true  60",
		"cPanel AutoSSL /etc/cron.d/cpanel_autossl:1 /usr/local/cpanel/bin/autossl_check ours=false certbots=false  ",
		"certbot /var/spool/cron/crontabs/root:3 /usr/bin/certbot ours=false certbots=true /srv/tls 90",
		"acme.sh /var/spool/cron/crontabs/root:5 /root/.acme.sh/acme.sh ours=false certbots=false  ",
		"dehydrated /var/spool/cron/crontabs/www:1 /usr/bin/dehydrated ours=false certbots=false  ",
	}
	if !slices.Equal(got, want) {
		t.Errorf("found\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// Nothing is waited for, and nothing without an end is read, where a table or a script should be.
func TestWhatIsNoFileIsNotRead(t *testing.T) {
	base := tree(t, map[string]string{"usr/bin/certbot": "x", "usr/bin/orderly": "us", "etc/cron.d/zero": "-> /dev/zero",
		"etc/cron.d/real": "1 1 * * * root certbot renew\n2 2 * * * root /opt/pipe.sh\n", "opt/x": ""})
	if err := errors.Join(syscall.Mkfifo(filepath.Join(base, "etc/cron.d/pipe"), 0o644),
		syscall.Mkfifo(filepath.Join(base, "opt/pipe.sh"), 0o755)); err != nil {
		t.Fatal(err)
	}
	all := schedule.Host{Root: base, Self: "/usr/bin/orderly"}.All()
	if len(all) != 1 || all[0].Name != "/etc/cron.d/real" {
		t.Errorf("%+v", all)
	}
}

// What a user's table names on a file server that may not answer is believed, and not looked for.
func TestAProgramOutsideOfTheSystemIsBelieved(t *testing.T) {
	base := tree(t, map[string]string{"usr/bin/orderly": "us",
		"var/spool/cron/crontabs/www": "1 1 * * * /net/silent/bin/certbot renew\n2 2 * * * /usr/local/bin/lego renew\n"})
	all := schedule.Host{Root: base, Self: "/usr/bin/orderly"}.All()
	if len(all) != 1 || all[0].Client != "certbot" {
		t.Errorf("%+v", all)
	}
}

// Whoever writes a table of his own drowns nothing else by it; each line of root's is told.
func TestAUsersTableIsToldOnceForEachClient(t *testing.T) {
	const lines = "1 1 * * * certbot renew\n"
	base := tree(t, map[string]string{"usr/bin/certbot": "x", "usr/bin/orderly": "us", "root/.acme.sh/acme.sh": "x",
		"var/spool/cron/crontabs/root": strings.Repeat(lines, 2),
		"var/spool/cron/crontabs/www":  strings.Repeat(lines, 1000) + "2 2 * * * /root/.acme.sh/acme.sh --cron\n"})
	told := map[string]int{}
	for _, r := range (schedule.Host{Root: base, Self: "/usr/bin/orderly"}).All() {
		told[filepath.Base(r.Name)+" "+r.Client]++
	}
	if len(told) != 3 || told["root certbot"] != 2 || told["www certbot"] != 1 || told["www acme.sh"] != 1 {
		t.Errorf("%v", told)
	}
}
