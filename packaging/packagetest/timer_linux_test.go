package packagetest

// The package's timer and service under a real systemd: the timer starts the service, hooks find what
// they find elsewhere, what they start lives on, and a run that is ended or upgraded loses nothing.

import (
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"orderly/testca"
)

const (
	site    = "a.example.com"
	service = "orderly-renew.service"
	timer   = "orderly-renew.timer"
)

// renewing is a booted tree with the package, a site and a CA.
type renewing struct {
	*booted
	b  *bench
	ca *testca.CA
}

// underSystemd is the trial of the units.
func underSystemd(t *testing.T, b *bench) {
	tr := b.tree(t)
	s, why := boot(tr, b.place)
	if why != nil {
		t.Logf("no systemd can be booted here (%v): it only reads the units", why)
		tr.run("/usr/bin/dpkg", "-i", b.packages["orderly"][0])
		tr.units(t)
		return
	}
	r := &renewing{s, b, startCA(t, tr)}
	r.shell("rm -f /usr/sbin/policy-rc.d") // where images are made, packages may start nothing
	r.must("dpkg", "-i", b.packages["orderly"][0])
	tr.units(t)
	for _, trial := range []func(*testing.T){r.timerIsThere, r.nothingToRenew, r.obtained, r.startedByTheTimer,
		r.hooksFeelNothing, r.endedInTime, r.upgradedMeanwhile, r.failureShows, r.certbotsTimer} {
		if trial(t); t.Failed() {
			t.Fatal(r.journal())
		}
	}
}

// startCA starts a CA and the web server of the site's document root, in the test's own network.
func startCA(t *testing.T, tr *tree) *testca.CA {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:80") // where the service looks, too; nobody else is here
	if err != nil {
		t.Fatal(err)
	}
	web := &http.Server{Handler: http.FileServer(http.Dir(tr.path("/srv/site")))}
	go func() { _ = web.Serve(listener) }() // until it is closed
	t.Cleanup(func() { _ = web.Close() })
	ca, err := testca.Start(testca.Config{HTTPPort: 80, Backdate: 30 * 24 * time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ca.Close() })
	tr.write("/srv/site/index.html", "a site\n")
	tr.write("/root/root.pem", string(ca.RootPEM()))
	tr.env = append(tr.env, "SSL_CERT_FILE=/root/root.pem", "ORDERLY_RESOLVER="+ca.Resolver())
	tr.write("/etc/systemd/system/"+service+".d/trial.conf",
		"[Service]\nEnvironment=SSL_CERT_FILE=/root/root.pem ORDERLY_RESOLVER="+ca.Resolver()+"\n")
	return ca
}

// next is when the timer starts the service.
func (r *renewing) next() string {
	return r.must("systemctl", "show", "--value", "-p", "NextElapseUSecRealtime", timer)
}

// timerIsThere: installing the package is enough, and the moment is the host's own.
func (r *renewing) timerIsThere(t *testing.T) {
	r.must("systemctl", "is-enabled", timer)
	r.must("systemctl", "is-active", timer)
	first := r.next()
	r.must("systemctl", "restart", timer)
	if again := r.next(); again != first || len(first) < 10 {
		t.Errorf("it is started %q, and after it was asked anew %q", first, again)
	}
	// A host that was off comes back with others: it does not start at once.
	r.must("systemctl", "stop", timer)
	r.must("touch", "-d", "3 days ago", "/var/lib/systemd/timers/stamp-"+timer)
	r.must("systemctl", "start", timer)
	if at := r.next(); len(at) < 10 || r.state() != "inactive" || r.property("ExecMainStartTimestamp") != "" {
		t.Errorf("what was missed is made up for at %q; the service is %s", at, r.state())
	}
}

// state is the service's.
func (r *renewing) state() string { return r.property("ActiveState") }

// nothingToRenew: a host without certificates has no failed unit.
func (r *renewing) nothingToRenew(t *testing.T) {
	r.must("systemctl", "start", service)
	if r.state() != "inactive" || r.property("Result") != "success" {
		t.Errorf("without a certificate it is %s, %s", r.state(), r.property("Result"))
	}
}

// obtained gets the certificate that is renewed from then on; it is due whenever anybody looks.
func (r *renewing) obtained(t *testing.T) {
	said := r.must("orderly", "certonly", "--webroot", "-w", "/srv/site", "-d", site, "-n", "--agree-tos",
		"--register-unsafely-without-email", "--server", r.ca.DirectoryURL())
	if !strings.Contains(said, "It is renewed in the background by "+timer+".") {
		t.Errorf("what renews it is not said: %s", said)
	}
	conf := "/etc/letsencrypt/renewal/" + site + ".conf"
	r.write(conf, "renew_before_expiry = 100 days\n"+r.read(conf))
	r.write("/usr/local/sbin/feel", feel)
	r.write("/etc/letsencrypt/renewal-hooks/deploy/trial", hook)
	r.shell(`chmod 755 /usr/local/sbin/feel /etc/letsencrypt/renewal-hooks/deploy/trial
cp /usr/bin/id /usr/local/bin/setgid-id
chgrp mail /usr/local/bin/setgid-id
chmod 2755 /usr/local/bin/setgid-id`)
}

// hook is a deploy hook: it says what it feels, starts a daemon once, reloads a server as systemd's
// unit and by itself, and waits where it is told to.
const hook = `#!/bin/sh
feel >/root/felt-by-hook 2>&1
if [ ! -e /run/daemon.pid ]; then
	setsid sleep 1000000 </dev/null >/dev/null 2>&1 &
	echo $! >/run/daemon.pid
	if [ -x /usr/sbin/nginx ]; then nginx -c /root/nginx.conf </dev/null >/root/nginx.said 2>&1 || exit 1; fi
else
	systemctl daemon-reload || exit 1
	if [ -x /usr/sbin/nginx ]; then nginx -c /root/nginx.conf -s reload || exit 1; fi
fi
echo $$ >/run/hook.pid
while [ -e /root/wait ]; do sleep 0.05; done
echo "$RENEWED_DOMAINS" >>/root/deployed
`

// feel says what can be felt of whatever a service takes from its processes.
const feel = `#!/bin/sh
echo "$HOME $USER $LOGNAME"; id; umask; ulimit -a
grep -E '^(Cap...|NoNewPrivs|Seccomp|Groups|Uid|Gid):' /proc/self/status
cat /proc/self/personality /proc/self/oom_score_adj /proc/self/coredump_filter
readlink /proc/self/ns/mnt /proc/self/ns/net /proc/self/ns/uts /proc/self/ns/ipc /proc/self/ns/pid
cut -d' ' -f18,19,40,41 /proc/self/stat
ionice -p $$
for d in /usr /home /tmp /etc /root /boot /opt /var /srv; do : >$d/felt && rm $d/felt && echo $d; done
setgid-id
su -s /bin/sh -c id nobody
chrt -f 1 true && echo real time
setarch -R true && echo a personality
unshare -m true && echo a namespace
mount -t tmpfs none /opt && umount /opt && echo a mount
`

// issued is how many certificates the CA has issued.
func (r *renewing) issued() int { return len(r.ca.Truth().Issued) }

// deployed is how often the hook has come to its end.
func (r *renewing) deployed() int { return strings.Count(r.tree.read("/root/deployed"), site) }

// startedByTheTimer: the timer's own command renews.
func (r *renewing) startedByTheTimer(t *testing.T) {
	r.write("/root/deployed", "")
	r.write("/root/nginx.conf", "pid /run/trial.pid;\nevents {}\nhttp { server { listen 127.0.0.1:8088; } }\n")
	soon := "/etc/systemd/system/" + timer + ".d/soon.conf"
	r.write(soon, "[Timer]\nOnCalendar=\nOnCalendar=*:*:*\nRandomizedDelaySec=0\nAccuracySec=1us\n")
	r.must("systemctl", "daemon-reload")
	r.must("systemctl", "restart", timer)
	r.until("the hook has run", func() bool { return r.deployed() > 0 })
	r.must("systemctl", "stop", timer)
	r.shell("rm " + soon)
	r.must("systemctl", "daemon-reload")
	r.until("the service has ended", func() bool { return r.state() == "inactive" })
	if r.issued() < 2 || r.property("Result") != "success" {
		t.Errorf("%d certificates are issued, the service is %s", r.issued(), r.property("Result"))
	}
}

// hooksFeelNothing: what a hook starts lives on, and it finds what any service finds.
func (r *renewing) hooksFeelNothing(t *testing.T) {
	r.shell("kill -0 $(cat /run/daemon.pid)")
	if r.has("/usr/sbin/nginx") {
		r.shell("kill -0 $(cat /run/trial.pid)")
	}
	r.must("systemd-run", "--wait", "--quiet", "-p", "KillMode=process", "-E", "HOME=/root", "-E", "USER=root",
		"-E", "LOGNAME=root", "/bin/sh", "-c", "feel >/root/felt-elsewhere 2>&1")
	hook, elsewhere := r.tree.read("/root/felt-by-hook"), r.tree.read("/root/felt-elsewhere")
	if hook != elsewhere || !strings.Contains(hook, "egid=") {
		t.Errorf("a hook feels\n%s\nand elsewhere it would be\n%s", hook, elsewhere)
	}
}

// begun starts the service and returns once its hook waits.
func (r *renewing) begun() {
	r.t.Helper()
	r.shell("rm -f /run/hook.pid; : >/root/wait")
	r.must("systemctl", "start", "--no-block", service)
	r.until("the hook waits", func() bool { _, err := r.in("test", "-s", "/run/hook.pid"); return err == nil })
}

// endedInTime: whoever stops the service ends the run and its hooks, not what hooks started, and has
// no failed unit; the next run goes on.
func (r *renewing) endedInTime(t *testing.T) {
	r.begun()
	r.must("systemctl", "stop", service)
	if r.property("Result") != "success" || r.property("ExecMainStatus") != "75" || r.state() != "inactive" {
		t.Errorf("stopped, the service is %s, %s, status %s", r.state(), r.property("Result"), r.property("ExecMainStatus"))
	}
	r.until("the hook has ended", func() bool {
		_, err := r.in("/bin/sh", "-c", "kill -0 $(cat /run/hook.pid)")
		return err != nil
	})
	r.shell("kill -0 $(cat /run/daemon.pid)")
	before := r.deployed()
	r.shell("rm /root/wait")
	r.must("systemctl", "start", service)
	if r.deployed() == before {
		t.Error("the hook that was ended was not run again")
	}
	for _, o := range r.ca.Truth().Orders {
		if o.Status != "valid" {
			t.Errorf("an order is left %s", o.Status)
		}
	}
}

// upgradedMeanwhile: an upgrade leaves the run that is under way alone.
func (r *renewing) upgradedMeanwhile(t *testing.T) {
	r.begun()
	running, before := r.property("MainPID"), r.deployed()
	r.must("dpkg", "-i", r.b.packages["orderly"][1])
	if now := r.property("MainPID"); now != running || now == "0" {
		t.Errorf("the run was process %s, and is %s", running, now)
	}
	r.shell("rm /root/wait")
	r.until("the run has ended", func() bool { return r.state() != "activating" })
	if r.state() != "inactive" || r.property("Result") != "success" || r.deployed() == before {
		t.Errorf("the run ended %s, %s, after %d hooks", r.state(), r.property("Result"), r.deployed()-before)
	}
	r.must("systemctl", "is-active", timer)
}

// failureShows: a certificate that cannot be renewed leaves a failed unit.
func (r *renewing) failureShows(t *testing.T) {
	r.shell("rm -r /srv/site")
	if said, err := r.in("systemctl", "start", service); err == nil || r.state() != "failed" {
		t.Errorf("the service is %s: %s", r.state(), said)
	}
	// as an error: systemd took the priority off the line
	said := r.must("journalctl", "--no-pager", "-o", "cat", "-p", "err", "-u", service)
	if !strings.Contains(said, "/srv/site") || !strings.Contains(said, "remedy: ") || strings.Contains(said, "<3>") {
		t.Errorf("the journal does not say what is wrong: %s", said)
	}
}
