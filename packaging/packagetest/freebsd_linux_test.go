package packagetest

// FreeBSD's scripts are run by a shell of Debian's, above stand-ins for what FreeBSD brings: what they
// start, and when, is seen; how FreeBSD's own functions do it is not.

import (
	"os"
	"strings"
	"testing"
)

// freebsdBrings are the stand-ins.
func freebsdBrings() map[string]string {
	return map[string]string{
		"/etc/defaults/periodic.conf": `source_periodic_confs() { [ ! -r /etc/periodic.conf ] || . /etc/periodic.conf; }
anticongestion() { echo waited; }
`,
		"/etc/rc.subr": `load_rc_config() { . /etc/rc.conf; }
run_rc_command() {
	eval "enabled=\$$rcvar; with=\$${name}_env"
	case "$enabled" in [Yy][Ee][Ss]) env $with $command $command_args ;; esac
}
`,
		"/usr/sbin/daemon":       "#!/bin/sh\necho daemon \"$*\" \"$PATH\"\n",
		"/usr/local/bin/orderly": "#!/bin/sh\necho orderly \"$*\" \"$PATH\"\nexit $(cat /root/exit)\n",
	}
}

// onFreeBSD is the trial of the scripts.
func onFreeBSD(t *testing.T, b *bench) {
	tr := b.tree(t)
	for path, text := range freebsdBrings() {
		tr.write(path, text)
	}
	for _, name := range []string{"orderly", "500.orderly"} {
		text, err := os.ReadFile("../freebsd/" + name)
		if err != nil {
			t.Fatal(err)
		}
		tr.write("/root/"+name, string(text))
	}
	tr.sh("chmod 755 /usr/sbin/daemon /usr/local/bin/orderly")
	const path = "/sbin:/bin:/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin\n"
	const renewed = "\nRenewing the TLS certificates that are due:\nwaited\norderly renew -q --no-random-sleep-on-renew"
	for _, c := range []struct{ script, conf, said, exit, want string }{
		{"500.orderly", "", "", "0", ""},
		{"500.orderly", "daily_orderly_enable=NO", "", "0", ""},
		{"500.orderly", "daily_orderly_enable=\"YES\"", renewed + " " + path, "0", ""},
		{"500.orderly", "daily_orderly_enable=yes\ndaily_orderly_args=\"--deadline 2h\"", renewed + " --deadline 2h " + path, "0", ""},
		{"500.orderly", "daily_orderly_enable=YES", renewed + " " + path, "75", ""},
		{"500.orderly", "daily_orderly_enable=YES", renewed + " " + path, "1", "exit status 3"},
		{"orderly", "", "", "0", ""},
		{"orderly", "orderly_enable=YES\norderly_args=--deadline=2h", "daemon -f -S -T orderly -p /var/run/orderly.pid " +
			"/usr/local/bin/orderly renew -q --deadline=2h " + path, "0", ""},
	} {
		tr.write("/etc/periodic.conf", c.conf+"\n")
		tr.write("/etc/rc.conf", c.conf+"\n")
		tr.write("/root/exit", c.exit)
		said, err := tr.try("/bin/sh", "/root/"+c.script, "start")
		exit := ""
		if err != nil {
			exit = err.Error()
		}
		if said != c.said || exit != c.want {
			t.Errorf("%s with %q says %q, %s; and should say %q, %s", c.script, strings.TrimSpace(c.conf), said, exit, c.said, c.want)
		}
	}
}
