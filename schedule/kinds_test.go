package schedule_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"orderly/schedule"
)

// tree is a root with files in it; a link has "-> TARGET" for its content.
func tree(t *testing.T, files map[string]string) string {
	t.Helper()
	root := t.TempDir()
	for path, content := range files {
		path = filepath.Join(root, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		var err error
		if target, link := cutLink(content); link {
			err = os.Symlink(target, path)
		} else {
			err = os.WriteFile(path, []byte(content), 0o755)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return root
}

// packaged is a file as the package brings it.
func packaged(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("../packaging", path))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// The package's timer and its cron file are one renewer: whichever the host goes by.
func TestThePackagesTimerAndCronFileAreOneRenewer(t *testing.T) {
	const wanted = "etc/systemd/system/timers.target.wants/orderly-renew.timer"
	files := map[string]string{
		"usr/bin/orderly": "us",
		"usr/lib/systemd/system/orderly-renew.service": packaged(t, "systemd/orderly-renew.service"),
		"usr/lib/systemd/system/orderly-renew.timer":   packaged(t, "systemd/orderly-renew.timer"),
		"etc/cron.d/orderly":                           packaged(t, "cron/orderly"),
		"run/crond.pid":                                "1\n",
	}
	for _, c := range []struct {
		what            string
		booted, enabled bool
		want, waiting   string
	}{
		{"systemd", true, true, "orderly-renew.timer", ""},
		{"systemd, and the timer was disabled", true, false, "", "orderly-renew.timer"},
		{"no systemd", false, true, "/etc/cron.d/orderly", ""},
	} {
		all := map[string]string{}
		for path, content := range files {
			all[path] = content
		}
		if c.booted {
			all["run/systemd/system/x"] = ""
		}
		if c.enabled {
			all[wanted] = "-> /usr/lib/systemd/system/orderly-renew.timer"
		}
		h := schedule.Host{Root: tree(t, all), Self: "/usr/bin/orderly"}
		var got []string
		for _, r := range h.All() {
			got = append(got, r.Name)
			if !r.Ours || r.Part+r.More+r.Bound != "" || r.Program != "/usr/bin/orderly" {
				t.Errorf("%s: %+v", c.what, r)
			}
		}
		if strings.Join(got, " ") != c.want || h.Waiting().Name != c.waiting || !h.Scheduled() {
			t.Errorf("%s: %q renew, %q waits", c.what, got, h.Waiting().Name)
		}
		if task, ok := h.Find(); ok != (c.want != "") || task.Name != c.want {
			t.Errorf("%s: certonly is told %+v", c.what, task)
		}
	}
}

// Each kind of line by which clients and panels renew, where systemd runs.
func TestWhoRenewsByWhatIsFound(t *testing.T) {
	const root = "var/spool/cron/crontabs/root"
	for what, c := range map[string]struct {
		files map[string]string
		want  string // client, file below the root, line
	}{
		"a script of root's": {map[string]string{root: "0 3 * * * /root/tls.sh >/dev/null 2>&1\n",
			"root/tls.sh": "#!/bin/sh\n# certbot renew\nsleep 5\ncertbot renew -q\nnginx -s reload\n"},
			"certbot /" + root + ":1 by /root/tls.sh"},
		"a script by its shell": {map[string]string{root: "0 3 * * * bash -l /opt/tls.sh\n",
			"opt/tls.sh": "#!/bin/bash\n/usr/bin/certbot renew\n"}, "certbot /" + root + ":1 by /opt/tls.sh"},
		"a script of a home, where a server may be silent": {map[string]string{root: "0 3 * * * /home/a/tls.sh\n",
			"home/a/tls.sh": "#!/bin/sh\ncertbot renew\n"}, ""},
		"a script that is none": {map[string]string{root: "0 3 * * * /usr/local/bin/x\n",
			"usr/local/bin/x": "#!/usr/bin/python3\nprint('certbot renew')\n"}, ""},
		"a daily script that leaves it to systemd": {map[string]string{"etc/cron.daily/tls": "#!/bin/sh\n" +
			"if [ -d /run/systemd/system ]; then\n  exit 0\nfi\ncertbot renew\n"}, ""},
		"one that ends there in a line": {map[string]string{"etc/cron.weekly/tls": "#!/bin/sh\n" +
			"test -d \"/run/systemd/system\" && exit\ncertbot renew\n"}, ""},
		"one that does it where there is none": {map[string]string{"etc/cron.daily/tls": "#!/bin/sh\n" +
			"if [ ! -e /run/systemd/system ]; then\n  certbot renew\nfi\n"}, ""},
		"one that asks for systemd of something else": {map[string]string{"etc/cron.daily/tls": "#!/bin/sh\n" +
			"if [ ! -d /run/systemd/system ]; then\n  service cron restart\nfi\ncertbot renew\n"}, "certbot /etc/cron.daily/tls:5"},
		"a line for systemd alone": {map[string]string{root: "1 1 * * * [ -d /run/systemd/system ] && certbot renew\n"},
			"certbot /" + root + ":1"},
		"what a package put aside": {map[string]string{"etc/cron.d/certbot.dpkg-dist": "1 1 * * * root certbot renew\n",
			"etc/cron.d/certbot~": "1 1 * * * root certbot renew\n"}, ""},
		"monthly": {map[string]string{"etc/cron.monthly/tls": "#!/bin/sh\ncertbot renew\n"}, "certbot /etc/cron.monthly/tls:2"},
		"another of ours": {map[string]string{root: "1 1 * * * /usr/bin/orderly renew\n", "usr/bin/orderly": "older"},
			"another Orderly /" + root + ":1"},
		"FreeBSD's periodic": {map[string]string{"usr/local/etc/periodic/weekly/500.certbot": "#!/bin/sh\n" +
			"case \"$weekly_certbot_enable\" in\n[Yy]*) certbot renew ;;\nesac\n", "etc/periodic.conf": "weekly_certbot_enable=\"YES\"\n"},
			"certbot /usr/local/etc/periodic/weekly/500.certbot:3"},
		"FreeBSD's periodic, not enabled": {map[string]string{"usr/local/etc/periodic/weekly/500.certbot": "#!/bin/sh\n" +
			"case \"$weekly_certbot_enable\" in\n[Yy]*) certbot renew ;;\nesac\n"}, ""},
		"ISPConfig by certbot": {map[string]string{root: "* * * * * /usr/local/ispconfig/server/cron.sh 2>&1 | while read line; do echo x; done\n",
			"usr/local/ispconfig/server/cron.sh": "#!/bin/sh\nphp cron.php\n"}, "ISPConfig /" + root + ":1 for certbot"},
		"ISPConfig by acme.sh": {map[string]string{root: "* * * * * /usr/local/ispconfig/server/cron.sh\n", "root/.acme.sh/acme.sh": "x",
			"usr/local/ispconfig/server/cron.sh": "#!/bin/sh\nphp cron.php\n"}, "ISPConfig /" + root + ":1"},
		"somebody's cron.sh": {map[string]string{root: "* * * * * /srv/app/cron.sh\n", "srv/app/cron.sh": "#!/bin/sh\n"}, ""},
		"Virtualmin": {map[string]string{root: "*/5 * * * * /etc/webmin/virtual-server/collectinfo.pl\n",
			"etc/webmin/virtual-server/collectinfo.pl": "#!/usr/bin/perl\n"}, "Virtualmin /" + root + ":1"},
		"CloudPanel": {map[string]string{"etc/cron.d/clp": "15 5 * * * clp /usr/bin/bash -c \"/usr/bin/clpctl lets-encrypt:renew:certificates\"\n",
			"usr/bin/clpctl": "x"}, "CloudPanel /etc/cron.d/clp:1"},
		"HestiaCP": {map[string]string{"var/spool/cron/crontabs/admin": "11 4 * * * sudo /usr/local/hestia/bin/v-update-letsencrypt-ssl\n",
			"usr/local/hestia/bin/v-update-letsencrypt-ssl": "x"}, "HestiaCP or VestaCP /var/spool/cron/crontabs/admin:1"},
		"ISPmanager": {map[string]string{root: "0 6 * * * /usr/local/mgr5/sbin/mgrctl -m ispmgr letsencrypt.periodic >/dev/null 2>&1\n",
			"usr/local/mgr5/sbin/mgrctl": "x"}, "ISPmanager /" + root + ":1"},
		"aaPanel": {map[string]string{root: "10 0 * * * /www/server/cron/5a >> /www/server/cron/5a.log 2>&1\n", "www/server/panel/class/acme_v2.py": "x",
			"www/server/cron/5a": "#!/bin/bash\n/www/server/panel/pyenv/bin/python3 -u /www/server/panel/class/acme_v2.py --renew_v3=1\n"},
			"aaPanel /" + root + ":1 by /www/server/cron/5a"},
		"DirectAdmin": {map[string]string{"etc/cron.d/directadmin_cron": "* * * * * root /usr/local/directadmin/dataskq\n",
			"usr/local/directadmin/dataskq": "x"}, "DirectAdmin /etc/cron.d/directadmin_cron:1"},
		"DirectAdmin that renews nothing": {map[string]string{"etc/cron.d/directadmin_cron": "* * * * * root /usr/local/directadmin/dataskq\n",
			"usr/local/directadmin/dataskq": "x", "usr/local/directadmin/conf/directadmin.conf": "letsencrypt=0\n"}, ""},
		"Plesk": {map[string]string{"opt/psa/admin/plib/modules/sslit/meta.xml": "x"},
			"its extension sslit /opt/psa/admin/plib/modules/sslit:0"},
	} {
		t.Run(what, func(t *testing.T) {
			c.files["run/systemd/system/x"], c.files["usr/bin/certbot"] = "", "#!/usr/bin/python3\n"
			c.files["usr/local/bin/orderly"] = "us"
			base := tree(t, c.files)
			var got []string
			for _, r := range (schedule.Host{Root: base, Self: "/usr/local/bin/orderly"}).All() {
				line := fmt.Sprintf("%s %s:%d", r.Client, strings.TrimPrefix(r.File, base), r.Line)
				if r.Script != "" {
					line += " by " + r.Script
				}
				if r.Certbots && r.Client == "ISPConfig" {
					line += " for certbot"
				}
				got = append(got, line)
			}
			if want := slices.DeleteFunc([]string{c.want}, func(s string) bool { return s == "" }); !slices.Equal(got, want) {
				t.Errorf("%q, want %q", got, want)
			}
		})
	}
}

// What stands before a renewal, in its line, is none of its flags: Debian's line asks for a directory
// by -d, which is a name's flag for certbot.
func TestTheQuestionBeforeARenewalIsNoFlagOfIt(t *testing.T) {
	base := tree(t, map[string]string{"usr/bin/certbot": "x", "usr/bin/orderly": "us", "etc/cron.d/certbot": cron})
	all := schedule.Host{Root: base, Self: "/usr/bin/orderly"}.All()
	if len(all) != 1 || all[0].Part != "" || all[0].Client != "certbot" {
		t.Errorf("%+v", all)
	}
	base = tree(t, map[string]string{"usr/bin/certbot": "x", "usr/bin/orderly": "us",
		"etc/cron.d/one": "1 1 * * * root certbot renew --cert-name a.example\n"})
	if task, ok := (schedule.Host{Root: base, Self: "/usr/bin/certbot"}).Find(); ok {
		t.Errorf("one certificate is renewed, and all are said to be: %+v", task)
	}
}
