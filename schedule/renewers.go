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
	Client  string // what is run: "certbot", "acme.sh", "cPanel AutoSSL"
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
	// Bound is after how long the command is ended by whoever starts it, "" if that is not said.
	Bound string
}

// client is a program that renews, and how it is told to.
type client struct {
	name     string
	programs []string // what its base name begins with
	verbs    []string // one of which stands behind it; none: always
}

// clients are those that are known. That of certbot's and Orderly's own comes first.
func clients() []client {
	return []client{
		{"certbot", []string{"certbot", "letsencrypt", "orderly"}, []string{"renew"}},
		{"certbot", []string{"certbot.renew"}, nil}, // the snap's
		{"acme.sh", []string{"acme.sh"}, []string{"--cron", "--renew-all"}},
		{"dehydrated", []string{"dehydrated"}, []string{"-c", "--cron"}},
		{"lego", []string{"lego"}, []string{"renew"}},
		{"getssl", []string{"getssl"}, []string{"-a", "--all", "-u"}},
		{"uacme", []string{"uacme"}, []string{"issue"}},
		{"acmetool", []string{"acmetool"}, []string{"reconcile"}},
		{"cPanel AutoSSL", []string{"autossl_check"}, nil},
		{"HestiaCP", []string{"v-update-letsencrypt-ssl"}, nil},
		{"Webmin", []string{"letsencrypt-cron.pl"}, nil},
		{"DirectAdmin", []string{"letsencrypt.sh"}, []string{"renew"}},
	}
}

// All are all that renew, timers first.
func (h Host) All() []Renewer {
	var all []Renewer
	booted := h.systemd()
	if booted {
		all = h.timerRenewers()
	}
	for _, pattern := range []string{"etc/crontab", "etc/anacrontab", "etc/cron.d/*", "var/spool/cron/crontabs/*",
		"var/spool/cron/*", "var/cron/tabs/*", "etc/cron.daily/*", "etc/cron.hourly/*", "etc/cron.weekly/*",
		"etc/periodic/daily/*", "etc/periodic/weekly/*"} {
		files, _ := filepath.Glob(h.path(pattern)) // well formed
		for _, file := range files {
			for _, line := range h.numbered(file) {
				if strings.Contains(line.text, "-d /run/systemd/system") && booted {
					continue // Debian's does nothing there
				}
				if r, ok := h.renewer(line.text); ok {
					r.Name, r.File, r.Line = h.within(file), file, line.number
					all = append(all, r)
				}
			}
		}
	}
	return all
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

// given is the first of some flags that stands in a command line; "" for none.
func given(behind []string, flags ...string) string {
	for _, word := range behind {
		if flag, _, _ := strings.Cut(word, "="); slices.Contains(flags, flag) {
			return flag
		}
	}
	return ""
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

// words are those of a command line, as far as a shell's syntax matters here.
func words(command string) []string {
	plain := strings.NewReplacer("'", "", "\"", "").Replace(command) // "/root/.acme.sh"/acme.sh is one word
	return strings.FieldsFunc(plain, func(r rune) bool { return strings.ContainsRune(" \t;&|()", r) })
}

// renewer says what a command line runs, if that renews.
func (h Host) renewer(command string) (Renewer, bool) {
	all := words(command)
	for i, word := range all {
		word = strings.TrimLeft(word, "@-:+!") // systemd's, before a program
		for _, c := range clients() {
			if !c.runs(filepath.Base(word), all[i+1:]) {
				continue
			}
			r := Renewer{Client: c.name, Command: command, Certbots: c.name == "certbot", Bound: bound(all[:i])}
			if r.Program = h.program(word); r.Program == "" && strings.HasPrefix(word, "certbot.renew") {
				r.Program = h.program("/snap/bin/certbot")
			}
			if r.Program == "" {
				continue // it was removed, and its line stayed
			}
			r.Ours = h.same(r.Program)
			r.ConfigDir = valueOf(all[i+1:], "--config-dir")
			r.Part = given(all[i+1:], "--cert-name", "-d", "--domain", "--domains", "--dry-run",
				"--staging", "--test-cert", "--help", "-h")
			r.More = given(all[i+1:], "--pre-hook", "--post-hook", "--deploy-hook", "--renew-hook",
				"--deploy-hook-once")
			return r, true
		}
	}
	return Renewer{}, false
}

// runs reports whether a program and what stands behind it renew.
func (c client) runs(base string, behind []string) bool {
	known := slices.ContainsFunc(c.programs, func(p string) bool { return strings.HasPrefix(base, p) })
	return known && (len(c.verbs) == 0 ||
		slices.ContainsFunc(c.verbs, func(v string) bool { return slices.Contains(behind, v) }))
}

// bound is after how long timeout(1) before a program ends it.
func bound(before []string) string {
	at := slices.IndexFunc(before, func(w string) bool { return filepath.Base(w) == "timeout" })
	if at < 0 {
		return ""
	}
	for i := at + 1; i < len(before); i++ {
		switch word := before[i]; {
		case word == "-k" || word == "-s" || word == "--kill-after" || word == "--signal":
			i++ // with its value
		case !strings.HasPrefix(word, "-"):
			return word
		}
	}
	return ""
}

// valueOf is what stands behind a flag.
func valueOf(all []string, flag string) string {
	for i, word := range all {
		if value, ok := strings.CutPrefix(word, flag+"="); ok {
			return value
		}
		if word == flag && i+1 < len(all) {
			return all[i+1]
		}
	}
	return ""
}
