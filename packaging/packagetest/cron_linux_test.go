package packagetest

// Debian's cron reads the package's table and runs its line, with programs in the place of the real
// ones that note how they were called. No test can wait for noon: the line is run as cron starts.

import (
	"bufio"
	"os"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// underCron is the trial of the table.
func underCron(t *testing.T, b *bench) {
	tr := b.tree(t)
	if _, err := os.Stat(tr.path("/usr/sbin/cron")); err != nil {
		t.Log("there is no cron here: its lines were run by a shell alone")
		return
	}
	tr.run("/usr/bin/dpkg", "-i", b.packages["orderly"][0])
	table := tr.read("/etc/cron.d/orderly")
	times := regexp.MustCompile(`(?m)^0 \*/12 \* \* \* root (.*)$`)
	if !times.MatchString(table) || strings.Contains(times.FindString(table), "%") {
		t.Fatalf("twice a day is not said as cron reads it:\n%s", table)
	}
	// What ends last notes it, so that nobody waits for what never comes.
	tr.write("/etc/cron.d/orderly", times.ReplaceAllString(table, "@reboot root $1; echo ended >>/root/called; echo ended >/root/told"))
	tr.sh("mkdir -p /usr/local/sbin")
	note := func(path, name, more string) {
		_ = os.Remove(tr.path(path)) // a link leads elsewhere
		tr.write(path, "#!/bin/sh\n"+`echo `+name+` "$*" "$HOME" >>/root/called`+"\n"+more)
		if err := os.Chmod(tr.path(path), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	note("/usr/local/sbin/sleep", "sleep", "")
	note("/usr/bin/orderly", "orderly", "")
	note("/usr/sbin/sendmail", "mail", "echo mail >/root/told\n")
	// Whole before it is noted: from then on it is read.
	tr.write("/usr/sbin/sendmail", strings.Replace(tr.read("/usr/sbin/sendmail"), "\n", "\ncat >/root/mail\n", 1))
	first := tr.cron(t)
	called := regexp.MustCompile(`^sleep (\d+) /root\norderly renew -q --no-random-sleep-on-renew /root\nended\n$`)
	m := called.FindStringSubmatch(first)
	if m == nil {
		t.Fatalf("cron called %q", first)
	}
	if wait, err := strconv.Atoi(m[1]); err != nil || wait >= 6*60*60 {
		t.Errorf("the host waits %s seconds", m[1])
	}
	if again := tr.cron(t); again != first {
		t.Errorf("the first time cron called %q, and then %q", first, again)
	}
	// Mail comes of what fails, and of nothing else.
	note("/usr/bin/orderly", "orderly", "echo error: no room >&2; exit 1\n")
	if said := tr.cron(t); !strings.Contains(said, "\nmail ") || !strings.Contains(tr.read("/root/mail"), "error: no room") {
		t.Errorf("of a failure cron makes %q", said)
	}
	tr.sh("mkdir -p /run/systemd/system")
	if said := tr.cron(t); said != "ended\n" {
		t.Errorf("where systemd runs, cron called %q", said)
	}
	tr.sh("rm -r /run/systemd /usr/bin/orderly")
	if said := tr.cron(t); said != "ended\n" {
		t.Errorf("once the package is removed, cron called %q", said)
	}
}

// cron starts cron, and returns what it called once that has ended.
func (tr *tree) cron(t *testing.T) string {
	t.Helper()
	tr.sh("rm -f /run/crond.pid /run/crond.reboot /root/told; : >/root/called; mkfifo /root/told")
	pipe, err := os.OpenFile(tr.path("/root/told"), os.O_RDWR|syscall.O_NONBLOCK, 0)
	if err == nil {
		defer func() { _ = pipe.Close() }()
		err = pipe.SetReadDeadline(time.Now().Add(patience))
	}
	if err != nil {
		t.Fatal(err)
	}
	c := tr.command("/usr/sbin/cron", "-f")
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	fails, _ := os.ReadFile(tr.path("/usr/bin/orderly")) // it may have been removed
	mailed := strings.Contains(string(fails), "error:") && !strings.Contains(tr.sh("ls /run"), "systemd")
	ended := func() bool {
		said := tr.read("/root/called")
		// a mail is sent after the end of what it tells of
		return strings.Contains(said, "ended\n") && (!mailed || strings.Contains(said, "mail "))
	}
	defer func() {
		_ = c.Process.Kill()
		_ = c.Wait()
	}()
	for told := bufio.NewScanner(pipe); !ended(); {
		if !told.Scan() {
			t.Fatalf("cron called nothing but %q: %v", tr.read("/root/called"), told.Err())
		}
	}
	return tr.read("/root/called")
}
