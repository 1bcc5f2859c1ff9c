package webroot

import (
	"os"
	"os/exec"
	"strconv"
	"strings"
)

// Which file system does not answer is found in the kernel's own list: to look at its path would be
// to wait for it.

// mount is where a file system is mounted, and what it is.
type mount struct {
	point, kind string
}

// mountOf finds the file system of a path by its text alone, from the kernel's list: nothing of the
// path is touched, since it may not answer.
func mountOf(p string) mount {
	text, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return mount{}
	}
	var best mount
	for line := range strings.Lines(string(text)) {
		before, after, ok := strings.Cut(line, " - ")
		fields, kinds := strings.Fields(before), strings.Fields(after)
		if !ok || len(fields) < 5 || len(kinds) < 1 {
			continue
		}
		point := unescaped(fields[4])
		// of several at one place the last one is on top
		if within(p, point) && len(point) >= len(best.point) {
			best = mount{point: point, kind: kinds[0]}
		}
	}
	return best
}

// unescaped undoes the kernel's writing of blanks and backslashes as octal numbers.
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

// thisProgram is what was executed for this process, also if its file was replaced since.
func thisProgram() (string, error) {
	const self = "/proc/self/exe"
	if _, err := os.Lstat(self); err != nil { // no /proc
		return exec.LookPath(os.Args[0])
	}
	return self, nil
}
