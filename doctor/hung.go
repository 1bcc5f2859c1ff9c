package doctor

// Who keeps others from working: a certbot that hangs holds its lock for days, and every renewal
// waits for it and gives up.

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"orderly/failure"
	"orderly/lock"
)

func hungChecks() []Check {
	return []Check{{ID: "D32", Title: "A lock has been held for hours", Host: heldForLong}}
}

const (
	// certbotFor is how long certbot may be at work, and runFor a run of Orderly's: one over
	// thousands of certificates takes hours, and waits for CAs.
	certbotFor = 3 * time.Hour
	runFor     = 24 * time.Hour
)

// heldForLong tells of processes that hold certbot's lock or are at work here for long. Nothing is
// taken and nothing waited for.
func heldForLong(_ context.Context, e *Exam) ([]Finding, error) {
	var findings []Finding
	told := map[int]bool{}
	for _, dir := range []string{e.Disk.Dirs.Config, e.Disk.Dirs.Work} {
		path := filepath.Join(dir, ".certbot.lock")
		pid, held, err := lock.Foreign(path)
		if err != nil || !held || pid == 0 || told[pid] {
			continue // no certbot was ever here, or it is another container's
		}
		since := e.startOf(pid)
		if since.IsZero() || e.At.Sub(since) < certbotFor {
			continue
		}
		told[pid] = true
		findings = append(findings, hung(path, pid, since, e.nameOf(pid)))
	}
	for _, r := range e.runs {
		if !r.EndedAt.IsZero() || e.At.Sub(r.StartedAt) < runFor || e.Alive == nil || told[r.PID] {
			continue
		}
		if alive, err := e.Alive(r.ID); err == nil && alive {
			findings = append(findings, hung("", r.PID, r.StartedAt, fmt.Sprintf("run %d (%s)", r.ID, r.Command)))
		}
	}
	for i := range findings {
		findings[i].HurtsAt = e.At
	}
	return findings, nil
}

// hung is the finding about one process.
func hung(path string, pid int, since time.Time, what string) Finding {
	return Finding{ID: "D32", Class: failure.Locked, Severity: WillFail, Fix: FixNo, File: path, Since: since,
		Sentence: failure.Words("process %d (%s) is at work since %s, and others wait for it", pid, what,
			since.UTC().Format(time.DateTime)),
		Remedy: "Look at what it does; if it hangs, end it: " + failure.Shell("kill", strconv.Itoa(pid)) + "."}
}

// proc is a file of a process.
func (e *Exam) proc(elements ...string) string {
	return filepath.Join(append([]string{"/", e.Root, "proc"}, elements...)...)
}

// nameOf is what a process was started as.
func (e *Exam) nameOf(pid int) string {
	text, err := os.ReadFile(e.proc(strconv.Itoa(pid), "cmdline"))
	if err != nil || len(text) == 0 {
		return "its command line is not known"
	}
	const most = 200
	return failure.Clean(string(bytes.ReplaceAll(bytes.TrimRight(text[:min(len(text), most)], "\x00"), []byte{0}, []byte{' '})))
}

// ticks is how many of them a second has in /proc (USER_HZ), on every Linux that Go runs on.
const ticks = 100

// startOf is when a process was started, zero where that is not known: proc(5), field 22 of stat
// counts from the boot, whose time stands in /proc/stat.
func (e *Exam) startOf(pid int) time.Time {
	text, err := os.ReadFile(e.proc(strconv.Itoa(pid), "stat"))
	if err != nil {
		return time.Time{}
	}
	_, behind, _ := strings.Cut(string(text[bytes.LastIndexByte(text, ')')+1:]), " ")
	fields := strings.Fields(behind)
	const startTime = 22 - 3 // behind the name, which is the second
	if len(fields) <= startTime {
		return time.Time{}
	}
	after, err := strconv.ParseInt(fields[startTime], 10, 64)
	boot := e.bootedAt()
	if err != nil || boot.IsZero() {
		return time.Time{}
	}
	return boot.Add(time.Duration(after) * time.Second / ticks)
}

// bootedAt is when this host was booted.
func (e *Exam) bootedAt() time.Time {
	text, err := os.ReadFile(e.proc("stat"))
	if err != nil {
		return time.Time{}
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, "btime "); ok {
			seconds, err := strconv.ParseInt(strings.TrimSpace(rest), 10, 64)
			if err == nil {
				return time.Unix(seconds, 0)
			}
		}
	}
	return time.Time{}
}
