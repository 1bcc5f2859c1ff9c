package webserver

import (
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
)

// How a server is told to read its configuration and its certificates again: by systemd, where that
// has started it, else by its own program with its own arguments.

var unit = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`/([A-Za-z0-9@_.\\-]+\.service)\s*$`)
})

// reloading are the commands, each if the one before has succeeded: an Apache that is told to read a
// broken configuration ends.
func reloading(proc string, p Process) [][]string {
	if p.PID == 0 {
		return nil
	}
	text, _ := os.ReadFile(filepath.Join(proc, strconv.Itoa(p.PID), "cgroup"))
	if m := unit().FindSubmatch(text); m != nil {
		if kind, _ := kindOf(strings.TrimSuffix(string(m[1]), ".service")); kind == p.Kind {
			return [][]string{{"systemctl", "reload", string(m[1])}}
		}
	}
	if p.Kind == Nginx {
		flags := picked(p.Args, "-c", "-p", "-g", "-e")
		return [][]string{append(append([]string{p.Program}, flags...), "-s", "reload")}
	}
	if control, ok := control(p); ok {
		return [][]string{{control, "graceful"}}
	}
	return [][]string{configTest(p), {"kill", "-USR1", strconv.Itoa(p.PID)}}
}

// control is Apache's own script, which knows what its configuration refers to; it knows one
// configuration alone.
func control(p Process) (string, bool) {
	if len(picked(p.Args, "-f", "-d", "-D", "-C", "-c")) > 0 {
		return "", false
	}
	return installed("apachectl", "apache2ctl")
}

// configTest is the command that says whether a server's configuration is right.
func configTest(p Process) []string {
	if p.Kind == Nginx {
		return append(append([]string{p.Program}, picked(p.Args, "-c", "-p", "-g")...), "-t")
	}
	if control, ok := control(p); ok {
		return []string{control, "configtest"}
	}
	return append(append([]string{p.Program}, picked(p.Args, "-f", "-d", "-D", "-C", "-c")...), "-t")
}
