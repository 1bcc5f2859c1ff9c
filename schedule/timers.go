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

// enabledTimers are the names of the timers that something wants, and that are neither masked nor
// kept still by a condition.
func (h Host) enabledTimers() []string {
	var names []string
	for _, dir := range unitDirs() {
		links, _ := filepath.Glob(h.path(dir, "*.wants", "*.timer")) // the pattern is well formed
		for _, link := range links {
			name := filepath.Base(link)
			unit := h.unit(name)
			if !slices.Contains(names, name) && len(unit) > 0 && !h.forbidden(unit) {
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
