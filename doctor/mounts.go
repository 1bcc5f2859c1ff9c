package doctor

// What is mounted, and what was to be: from the kernel's list and from fstab, as texts. No path of
// theirs is touched: it may not answer.

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// mounts are places of file systems.
type mounts struct {
	are    []string // that are mounted
	wanted []string // that fstab wants mounted at each start
	from   map[string]source
}

// source is what is mounted somewhere: a device, and the kind of file system on it.
type source struct{ kind, device string }

// mounts reads both lists. A host that has none has nothing to say.
func (e *Exam) mounts() mounts {
	m := mounts{from: map[string]source{}}
	text, _ := os.ReadFile(filepath.Join(e.Root, "/proc/self/mountinfo"))
	for line := range strings.Lines(string(text)) {
		if fields := strings.Fields(line); len(fields) > 4 {
			point := unescaped(fields[4])
			m.are = append(m.are, point)
			_, behind, _ := strings.Cut(line, " - ")
			if what := strings.Fields(behind); len(what) > 1 { // the last one is on top
				m.from[point] = source{what[0], unescaped(what[1])}
			}
		}
	}
	text, _ = os.ReadFile(filepath.Join(e.Root, "/etc/fstab"))
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(line)
		if len(fields) < 4 || strings.HasPrefix(fields[0], "#") || fields[2] == "swap" {
			continue
		}
		options := strings.Split(fields[3], ",")
		if !slices.Contains(options, "noauto") && !slices.Contains(options, "x-systemd.automount") {
			m.wanted = append(m.wanted, filepath.Clean(unescaped(fields[1])))
		}
	}
	return m
}

// below reports whether a path is a place or below it.
func below(path, place string) bool {
	return path == place || strings.HasPrefix(path, strings.TrimSuffix(place, "/")+"/")
}

// innermost is the place among some in which a path is, "" for none.
func innermost(path string, places []string) string {
	best := ""
	for _, place := range places {
		if below(path, place) && len(place) > len(best) {
			best = place
		}
	}
	return best
}

// of is where the file system of a path is mounted, "" where nobody says.
func (m mounts) of(path string) string { return innermost(path, m.are) }

// missing is where a file system should be mounted for a path and is not; "" where all is.
func (m mounts) missing(path string) string {
	point := innermost(path, m.wanted)
	if point == "" || point == "/" || len(m.are) == 0 || slices.Contains(m.are, point) {
		return ""
	}
	return point
}

// unescaped undoes the writing of blanks and backslashes as octal numbers in both lists.
func unescaped(field string) string {
	var b strings.Builder
	for i := 0; i < len(field); i++ {
		if field[i] == '\\' && i+3 < len(field) {
			if n, err := strconv.ParseUint(field[i+1:i+4], 8, 8); err == nil {
				b.WriteByte(byte(n))
				i += 3
				continue
			}
		}
		b.WriteByte(field[i])
	}
	return b.String()
}
