package schedule

import (
	"path/filepath"
	"slices"
	"strings"
)

// Beside certbot and Orderly other clients renew certificates, and panels do. Who looks for the one
// that is in the way wants all of them, with the line in which each stands.

// Renewer is something that renews in the background.
type Renewer struct {
	Task
	Client  string // what is run: "certbot", "another Orderly", "acme.sh", "cPanel AutoSSL"
	File    string // in which it stands, absolute, below the root
	Line    int    // 1-based, 0 for a unit
	Command string
	// Certbots: it renews what certbot's directory holds, that of ConfigDir, "" for certbot's default.
	Certbots  bool
	ConfigDir string
	// Part is the flag by which it renews some certificates only, or none; "" for all that are due.
	Part string
	// More is what it does, or may do, beside renewing; "" for nothing.
	More string
	// Script is the file in which the command stands that a timer or a table starts, "" for none.
	Script string
	// Bound is after how long the command is ended by whoever starts it, "" if that is not said.
	Bound string
}

// All are all that renew, timers first.
func (h Host) All() []Renewer {
	var all []Renewer
	if h.systemd() {
		all = h.timerRenewers()
	}
	for _, pattern := range tables() {
		files, _ := filepath.Glob(h.path(pattern)) // well formed
		for _, file := range files {
			if !putAside(file) {
				all = append(all, h.tableRenewers(file)...)
			}
		}
	}
	return append(all, h.plesk()...)
}

// tables are cron's tables and the scripts of certain hours and days, of Linux and of FreeBSD.
func tables() []string {
	return []string{"etc/crontab", "etc/anacrontab", "etc/cron.d/*", "usr/local/etc/cron.d/*",
		"var/spool/cron/crontabs/*", "var/spool/cron/*", "var/cron/tabs/*", "etc/cron.daily/*",
		"etc/cron.hourly/*", "etc/cron.weekly/*", "etc/cron.monthly/*", "etc/periodic/daily/*",
		"etc/periodic/weekly/*", "usr/local/etc/periodic/daily/*", "usr/local/etc/periodic/weekly/*"}
}

// putAside reports whether a file is what packages, editors and people leave beside one that cron
// reads. No cron goes by it.
func putAside(file string) bool {
	name := filepath.Base(file)
	return strings.HasPrefix(name, ".") || slices.ContainsFunc([]string{"~", ".bak", ".orig", ".old",
		".disabled", ".distrib", ".diverted", ".swp", ".dpkg-old", ".dpkg-dist", ".dpkg-new", ".dpkg-bak",
		".dpkg-tmp", ".ucf-old", ".ucf-dist", ".ucf-new", ".rpmsave", ".rpmnew", ".rpmorig"},
		func(end string) bool { return strings.HasSuffix(name, end) })
}

// tableRenewers are the lines of a table or a script that renew.
func (h Host) tableRenewers(file string) []Renewer {
	lines := h.numbered(file)
	if h.knobOff(file, lines) {
		return nil
	}
	var all []Renewer
	for i, line := range lines {
		r, ok := h.renewer(line.text)
		if !ok && h.rootReads(file) {
			r, ok = h.byScript(line.text)
		}
		before := lines[i:i] // a table's lines know nothing of each other
		if h.script(file) {
			before = lines[:i]
		}
		if ok && !(h.systemd() && stepsAside(before, line.text)) {
			r.Name, r.File, r.Line = h.within(file), file, line.number
			like := func(o Renewer) bool { return o.Client == r.Client && o.ConfigDir == r.ConfigDir }
			if !h.rootReads(file) && slices.ContainsFunc(all, like) {
				continue // a customer's thousand lines would drown whatever else is told
			}
			all = append(all, r)
		}
	}
	return all
}

// rootReads reports whether a table's commands are root's.
func (h Host) rootReads(file string) bool {
	dir, name := filepath.Split(h.within(file))
	return !strings.HasPrefix(dir, "/var/") || name == "root"
}

// within is a path as it is called below the root.
func (h Host) within(path string) string {
	name, err := filepath.Rel(h.path(), path)
	if err != nil {
		return path
	}
	return "/" + name
}

// timerRenewers are the enabled timers whose service renews.
func (h Host) timerRenewers() []Renewer {
	var all []Renewer
	for _, name := range h.enabledTimers() {
		service := h.serviceOf(name)
		lines := h.unit(service)
		for _, command := range settings(lines, "ExecStart") {
			r, ok := h.renewer(command)
			if !ok {
				r, ok = h.byScript(command)
			}
			if !ok {
				continue
			}
			r.Name, r.File = name, h.unitFile(service)
			if r.More == "" {
				r.More = h.more(lines, command)
			}
			for _, key := range []string{"RuntimeMaxSec", "TimeoutStartSec"} {
				if values := settings(lines, key); len(values) > 0 && r.Bound == "" && values[len(values)-1] != "infinity" {
					r.Bound = values[len(values)-1]
				}
			}
			all = append(all, r)
		}
	}
	return all
}

// more is what a service does beside one command, or may do by variables in it.
func (h Host) more(lines []string, command string) string {
	for _, key := range []string{"ExecStartPre", "ExecStartPost", "ExecStopPost", "ExecStop",
		"OnSuccess", "OnFailure"} {
		if len(settings(lines, key)) > 0 {
			return key
		}
	}
	if len(settings(lines, "ExecStart")) > 1 {
		return "ExecStart"
	}
	if !strings.Contains(command, "$") {
		return ""
	}
	if len(settings(lines, "Environment")) > 0 {
		return "Environment"
	}
	for _, file := range settings(lines, "EnvironmentFile") {
		file = strings.TrimPrefix(file, "-")
		for _, line := range h.read(h.path(file)) {
			if _, value, ok := strings.Cut(line, "="); ok && strings.Trim(value, "\"' \t") != "" {
				return file
			}
		}
	}
	return ""
}

// unitFile is where a unit stands.
func (h Host) unitFile(name string) string {
	for _, dir := range unitDirs() {
		if path := h.path(dir, name); len(h.read(path)) > 0 {
			return path
		}
	}
	return ""
}
