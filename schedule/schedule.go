// Package schedule finds out what renews certificates on this host by itself: systemd's timers and
// cron's tables that run certbot or Orderly. It reads files alone; it must never start, stop or
// change anything, and never claim a renewal that it did not find.
package schedule

import (
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"orderly/failure"
)

// Host is where schedules are looked for.
type Host struct {
	Root string // of the file system; "" for /
	Self string // the program that should be run, absolute, below Root
}

// Task is something that renews in the background.
type Task struct {
	Name    string // "certbot.timer", "/etc/cron.d/certbot"
	Program string // that it runs
	Ours    bool   // which is Self
}

// End is how a person ends a task that runs another program, or makes it run the right one.
func (t Task) End() failure.Remedy {
	if unit, ok := strings.CutSuffix(t.Name, ".timer"); ok {
		return "disable it (" + failure.Shell("systemctl", "disable", "--now", t.Name) +
			"), or let its service run this one (" +
			failure.Shell("systemctl", "edit", unit+".service") + ")"
	}
	if !strings.HasPrefix(t.Name, "/") {
		return failure.Remedy("turn it off in " + t.Name) // a panel
	}
	return "take the line out of that file, or let it run this one"
}

// Find returns what renews the certificates of certbot's directory: what runs Self before what runs
// another program; ok is false where there is nothing.
func (h Host) Find() (task Task, ok bool) {
	for _, r := range h.All() {
		if !r.Certbots || r.Part != "" || !h.rootReads(r.File) {
			continue // it renews others, or one of them, or cannot read the keys
		}
		if r.Ours {
			return r.Task, true
		}
		if !ok {
			task, ok = r.Task, true
		}
	}
	return task, ok
}

// Waiting is the timer that would run Self, and that is not enabled; one without a name for none.
func (h Host) Waiting() Renewer {
	if !h.systemd() {
		return Renewer{}
	}
	enabled := h.enabledTimers()
	for _, dir := range unitDirs() {
		files, _ := filepath.Glob(h.path(dir, "*.timer")) // well formed
		for _, file := range files {
			name := filepath.Base(file)
			for _, command := range settings(h.unit(h.serviceOf(name)), "ExecStart") {
				r, ok := h.renewer(command)
				if ok && r.Ours && r.Part == "" && len(h.unit(name)) > 0 && !slices.Contains(enabled, name) {
					r.Name = name
					return r
				}
			}
		}
	}
	return Renewer{}
}

func (h Host) path(elements ...string) string {
	return filepath.Join(append([]string{"/", h.Root}, elements...)...)
}

// Booted reports whether this is a host that was booted, or a virtual one, and no container: one whose
// scheduler and clock are its own business.
func (h Host) Booted() bool { return h.systemd() }

// Scheduled reports whether a scheduler runs here, so that what renews would be found.
func (h Host) Scheduled() bool {
	for _, file := range []string{"run/crond.pid", "run/cron.pid", "var/run/cron.pid", "var/run/crond.pid"} {
		if _, err := os.Lstat(h.path(file)); err == nil {
			return true
		}
	}
	return h.systemd()
}

// systemd reports whether the host was booted with it (sd_booted(3)).
func (h Host) systemd() bool {
	info, err := os.Lstat(h.path("run/systemd/system"))
	return err == nil && info.IsDir()
}

// program is the path of a program as services and cron find it, "" if it is not there. Of one that is
// named outside of where systems keep theirs it is believed: any user's cron table may name a file
// system that does not answer.
func (h Host) program(word string) string {
	places := []string{"/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin",
		"/bin"}
	if filepath.IsAbs(word) {
		if !ofTheSystem(word) {
			return filepath.Clean(word)
		}
		places, word = []string{filepath.Dir(word)}, filepath.Base(word)
	}
	for _, dir := range places {
		path := filepath.Join(dir, word)
		if info, err := os.Stat(h.path(path)); err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
			return path
		}
	}
	return ""
}

// same reports whether a program is this one.
func (h Host) same(program string) bool {
	if !ofTheSystem(program) {
		return program == h.Self
	}
	a, errA := os.Stat(h.path(program))
	b, errB := os.Stat(h.path(h.Self))
	return h.Self != "" && errA == nil && errB == nil && os.SameFile(a, b)
}

// mostText is how much of a file is read.
const mostText = 1 << 16

// read returns the lines of a file that are no comments; what cannot be read has none.
func (h Host) read(path string) []string {
	var lines []string
	for _, line := range h.numbered(path) {
		lines = append(lines, line.text)
	}
	return lines
}

// textOf is the text of a file; of nothing else: a pipe would be waited for, and a device has no end.
func textOf(path string) (string, bool) {
	file, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return "", false
	}
	defer func() { _ = file.Close() }() // nothing was written
	if info, err := file.Stat(); err != nil || !info.Mode().IsRegular() {
		return "", false
	}
	text, err := io.ReadAll(io.LimitReader(file, mostText+1))
	return string(text), err == nil && len(text) <= mostText
}

// line is one of a file, with those that continue it.
type line struct {
	number int // of the first, 1-based
	text   string
}

// numbered is read with the numbers of the lines.
func (h Host) numbered(path string) []line {
	text, ok := textOf(path)
	if !ok {
		return nil
	}
	var lines []line
	number, begun := 0, 0
	joined := ""
	for part := range strings.Lines(text) {
		number++
		if joined == "" {
			begun = number
		}
		if rest, goesOn := strings.CutSuffix(part, "\\\n"); goesOn {
			joined += rest + " "
			continue
		}
		whole := strings.TrimSpace(joined + part)
		joined = ""
		if whole != "" && !strings.ContainsRune("#;", rune(whole[0])) {
			lines = append(lines, line{begun, whole})
		}
	}
	if whole := strings.TrimSpace(joined); whole != "" && !strings.ContainsRune("#;", rune(whole[0])) {
		lines = append(lines, line{begun, whole})
	}
	return lines
}
