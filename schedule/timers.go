package schedule

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Whether a host renews by itself is seen in the units and tables of its scheduler: nobody is asked
// to remember.

// unitDirs are where systemd looks for units, the most important first.
func unitDirs() []string {
	return []string{"etc/systemd/system", "run/systemd/system", "usr/local/lib/systemd/system",
		"usr/lib/systemd/system", "lib/systemd/system"}
}

// timers are the enabled timers whose service renews.
func (h Host) timers() []Task {
	var tasks []Task
	for _, name := range h.enabledTimers() {
		for _, command := range settings(h.unit(h.serviceOf(name)), "ExecStart") {
			if t, ok := h.task(name, command); ok {
				tasks = append(tasks, t)
			}
		}
	}
	return tasks
}

// enabledTimers are the names of the timers that something wants, and that are not masked.
func (h Host) enabledTimers() []string {
	var names []string
	for _, dir := range unitDirs() {
		links, _ := filepath.Glob(h.path(dir, "*.wants", "*.timer")) // the pattern is well formed
		for _, link := range links {
			name := filepath.Base(link)
			if !slices.Contains(names, name) && len(h.unit(name)) > 0 {
				names = append(names, name)
			}
		}
	}
	return names
}

// serviceOf is the service that a timer starts.
func (h Host) serviceOf(timer string) string {
	if unit := settings(h.unit(timer), "Unit"); len(unit) > 0 {
		return unit[len(unit)-1]
	}
	return strings.TrimSuffix(timer, ".timer") + ".service"
}

// unit is the text of a unit with what its drop-ins add; nothing for one that is masked.
func (h Host) unit(name string) []string {
	var lines []string
	for _, dir := range unitDirs() {
		path := h.path(dir, name)
		if target, err := os.Readlink(path); err == nil && target == "/dev/null" {
			return nil
		}
		if lines = h.read(path); len(lines) > 0 {
			break
		}
	}
	if len(lines) == 0 {
		return nil
	}
	for _, dir := range slices.Backward(unitDirs()) { // the most important last
		files, _ := filepath.Glob(h.path(dir, name+".d", "*.conf")) // sorted, and well formed
		for _, file := range files {
			lines = append(lines, h.read(file)...)
		}
	}
	return lines
}

// settings are the values of a key; an empty one takes back those before it.
func settings(lines []string, key string) []string {
	var values []string
	for _, line := range lines {
		k, value, ok := strings.Cut(line, "=")
		if !ok || strings.TrimSpace(k) != key {
			continue
		}
		if value = strings.TrimSpace(value); value == "" {
			values = nil
			continue
		}
		values = append(values, value)
	}
	return values
}

// tables are the lines of cron's tables, and the daily scripts, that renew. Debian's certbot has
// one that does nothing where systemd runs.
func (h Host) tables() []Task {
	files := []string{h.path("etc/crontab")}
	for _, pattern := range []string{"etc/cron.d/*", "var/spool/cron/crontabs/root", "var/spool/cron/root", "var/cron/tabs/root",
		"etc/cron.daily/*", "etc/cron.hourly/*", "etc/cron.weekly/*", "etc/periodic/daily/*"} {
		found, _ := filepath.Glob(h.path(pattern)) // well formed
		files = append(files, found...)
	}
	var tasks []Task
	for _, file := range files {
		for _, line := range h.read(file) {
			if strings.Contains(line, "-d /run/systemd/system") && h.systemd() {
				continue
			}
			name, err := filepath.Rel(h.path(), file)
			if t, ok := h.task("/"+name, line); ok && err == nil {
				tasks = append(tasks, t)
			}
		}
	}
	return tasks
}
