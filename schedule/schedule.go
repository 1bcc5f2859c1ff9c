// Package schedule finds out what renews certificates on this host by itself: systemd's timers and
// cron's tables that run certbot or Orderly. It reads files alone; it must never start, stop or
// change anything, and never claim a renewal that it did not find.
package schedule

import (
	"os"
	"path/filepath"
	"slices"
	"strings"

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
	return "take the line out of that file, or let it run this one"
}

// Find returns what renews: what runs Self before what runs another program; ok is false where
// there is nothing.
func (h Host) Find() (task Task, ok bool) {
	var all []Task
	if h.systemd() {
		all = h.timers()
	}
	all = append(all, h.tables()...)
	for _, t := range all {
		if t.Ours {
			return t, true
		}
	}
	if len(all) == 0 {
		return Task{}, false
	}
	return all[0], true
}

func (h Host) path(elements ...string) string {
	return filepath.Join(append([]string{"/", h.Root}, elements...)...)
}

// Booted reports whether this is a host that was booted, or a virtual one, and no container: one whose
// scheduler and clock are its own business.
func (h Host) Booted() bool { return h.systemd() }

// systemd reports whether the host was booted with it (sd_booted(3)).
func (h Host) systemd() bool {
	info, err := os.Lstat(h.path("run/systemd/system"))
	return err == nil && info.IsDir()
}

// task says what a command line runs, if that renews: its program, and behind it the word renew.
func (h Host) task(name, command string) (Task, bool) {
	all := words(command)
	for i, word := range all {
		word = strings.TrimLeft(word, "@-:+!") // systemd's, before a program
		base := filepath.Base(word)
		known := slices.ContainsFunc([]string{"certbot", "letsencrypt", "orderly"},
			func(p string) bool { return strings.HasPrefix(base, p) })
		if !known || !slices.Contains(all[i+1:], "renew") {
			continue
		}
		if program := h.program(word); program != "" {
			return Task{Name: name, Program: program, Ours: h.same(program)}, true
		}
	}
	return Task{}, false
}

// program is the path of a program as services and cron find it, "" if it is not there.
func (h Host) program(word string) string {
	places := []string{"/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin",
		"/bin"}
	if filepath.IsAbs(word) {
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

func (h Host) same(program string) bool {
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

// line is one of a file, with those that continue it.
type line struct {
	number int // of the first, 1-based
	text   string
}

// numbered is read with the numbers of the lines.
func (h Host) numbered(path string) []line {
	text, err := os.ReadFile(path)
	if err != nil || len(text) > mostText {
		return nil
	}
	var lines []line
	number, begun := 0, 0
	joined := ""
	for part := range strings.Lines(string(text)) {
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
