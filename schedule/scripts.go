package schedule

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
)

// Much of what renews stands in no table: the table starts a script, or a script asks first whether
// it is its turn.

// ofTheSystem reports whether a path is where root and packages keep programs and scripts, which are
// looked at. What is not there may be on a file server that does not answer, and everybody who waits
// for a certificate would wait for it.
func ofTheSystem(path string) bool {
	path = filepath.Clean(path)
	return slices.ContainsFunc([]string{"/root/", "/etc/", "/usr/", "/opt/", "/bin/", "/sbin/", "/var/", "/snap/", "/www/"},
		func(dir string) bool { return strings.HasPrefix(path, dir) })
}

// byScript says what a line starts by a shell script, if that renews.
func (h Host) byScript(line string) (Renewer, bool) {
	for _, words := range commands(line) {
		for _, word := range words {
			word = strings.TrimLeft(word, "@-:+!") // systemd's, before a program
			file := h.path(word)
			if !ofTheSystem(word) || !isShell(file) {
				continue
			}
			lines := h.numbered(file)
			for i, l := range lines {
				if r, ok := h.renewer(l.text); ok && !(h.systemd() && stepsAside(lines[:i], l.text)) {
					r.Script = h.within(file)
					return r, true
				}
			}
		}
	}
	return Renewer{}, false
}

// isShell reports whether a file is a script of a shell's.
func isShell(file string) bool {
	text, ok := textOf(file)
	first, _, _ := strings.Cut(text, "\n")
	return ok && strings.HasPrefix(first, "#!") && strings.Contains(first, "sh")
}

// script reports whether a file is run as a whole, line after line.
func (h Host) script(file string) bool {
	dir := filepath.Base(filepath.Dir(file))
	return slices.Contains([]string{"cron.daily", "cron.hourly", "cron.weekly", "cron.monthly", "daily",
		"weekly"}, dir)
}

// booted matches a question for systemd: before it stands that it must not run, or behind it what
// is done where it does not.
var booted = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`(!\s+)?-[de]\s+["']?/run/systemd/system/?["']?\s*(\]\]?)?\s*(\|\||&&\s*exit|;?\s*then\s+exit)?`)
})

// stepsAside reports whether a line does nothing where systemd runs, as those of Debian's packages;
// before it stand the others of its script.
func stepsAside(before []line, text string) bool {
	for i := len(before) - 1; i >= 0; i-- {
		text = before[i].text + "\n" + text
	}
	for _, asked := range booted().FindAllStringSubmatchIndex(text, -1) {
		group := func(n int) bool { return asked[2*n] >= 0 }
		ends := strings.Contains(text[asked[1]:], "\nfi\n") // of what a ! begins, in a script
		if group(3) || group(1) && !ends {
			return true
		}
	}
	return false
}

// knob matches the name by which FreeBSD's periodic(8) runs a script, or does not.
var knob = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`\b(?:daily|weekly|monthly)_[a-z0-9_]+_enable\b`)
})

// knobOff reports whether a script of FreeBSD's periodic is not enabled, which it is by
// periodic.conf alone.
func (h Host) knobOff(file string, lines []line) bool {
	if !strings.HasPrefix(h.within(file), "/usr/local/etc/periodic/") {
		return false
	}
	for _, l := range lines {
		name := knob().FindString(l.text)
		if name == "" {
			continue
		}
		var last string
		for _, conf := range []string{"etc/periodic.conf", "etc/periodic.conf.local", "usr/local/etc/periodic.conf"} {
			if values := settings(h.read(h.path(conf)), name); len(values) > 0 {
				last = values[len(values)-1]
			}
		}
		return !strings.EqualFold(strings.Trim(last, `"'`), "yes")
	}
	return false
}

// plesk is Plesk, whose own task manager renews: no table shows it.
func (h Host) plesk() []Renewer {
	for _, dir := range []string{"opt/psa", "usr/local/psa"} {
		for _, extension := range []string{"sslit", "letsencrypt"} {
			path := filepath.Join(dir, "admin/plib/modules", extension)
			if info, err := os.Stat(h.path(path)); err == nil && info.IsDir() {
				return []Renewer{{Task: Task{Name: "Plesk", Program: "/" + path}, Client: "its extension " + extension,
					File: h.path(path)}}
			}
		}
	}
	return nil
}
