package doctor

// Room on the file systems that a renewal writes to, and whether it may write there at all. Each file
// system is asked once.

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"orderly/certbot"
	"orderly/failure"
	"orderly/solver/webroot"
)

func roomChecks() []Check {
	return []Check{{ID: "D23", Title: "A file system is full, or cannot be written",
		Lineage: barred, Host: fullDisks}}
}

// What a file system must have left, lest the next renewal fails (needed), or the one after it
// (wanted, where that is less than a hundredth of all).
const (
	neededBytes = 1 << 20
	neededFiles = 10
	wantedBytes = 256 << 20
	wantedFiles = 1000
	hundredth   = 100
)

// disk is a file system that something is written to.
type disk struct {
	path  string // one of those on it
	room  webroot.Room
	first time.Time // when the first of those is renewed that are written there
	users int       // certificates
}

// fullDisks tells of file systems that have little left.
func fullDisks(ctx context.Context, e *Exam) ([]Finding, error) {
	if !e.speaksForRuns() {
		return nil, nil
	}
	disks := map[uint64]*disk{}
	first, users := e.first(e.Lineages)
	all, err := e.unwritable(first)
	for _, dir := range e.ownDirs() {
		device, room, ok := own(dir)
		if ok && disks[device] == nil {
			disks[device] = &disk{dir, room, first, users}
		}
	}
	found, lineages := e.grounds(ctx), e.users()
	for _, root := range slices.Sorted(maps.Keys(found)) {
		is := found[root]
		if is.Device == 0 || is.Room.Size == 0 && !is.Room.Unlimited {
			continue
		}
		d := disks[is.Device]
		if d == nil {
			d = &disk{path: root, room: is.Room}
			disks[is.Device] = d
		}
		at, n := e.first(lineages[root])
		d.first, d.users = earlier(d.first, at), d.users+n
	}
	for _, d := range slices.SortedFunc(maps.Values(disks), func(a, b *disk) int {
		return cmp.Compare(a.path, b.path)
	}) {
		all = append(all, d.full(e)...)
	}
	return append(all, e.overQuota(ctx)...), err
}

// first is when the first of some lineages is renewed, and how many they are.
func (e *Exam) first(some []*Lineage) (at time.Time, n int) {
	for _, x := range some {
		if !x.off() {
			at, n = earlier(at, x.hurtsAt()), n+1
		}
	}
	return at, n
}

// ownDirs are the directories that a run writes to beside document roots.
func (e *Exam) ownDirs() []string {
	dirs := e.Disk.Dirs
	all := []string{dirs.Config}
	for _, name := range []string{"renewal", "archive", "live", "accounts", "orderly"} {
		all = append(all, filepath.Join(dirs.Config, name))
	}
	return append(all, dirs.Work, dirs.Logs)
}

// own looks at a directory of this program's own.
func own(dir string) (device uint64, room webroot.Room, ok bool) {
	info, err := os.Stat(dir)
	if err != nil {
		return 0, room, false
	}
	stat, is := info.Sys().(*syscall.Stat_t)
	if !is {
		return 0, room, false
	}
	room, err = webroot.RoomAt(dir, os.Geteuid() != 0)
	return uint64(stat.Dev), room, err == nil
}

// full is the finding about a file system that has little left.
func (d *disk) full(e *Exam) []Finding {
	r := d.room
	if r.Unlimited || r.ReadOnly {
		return nil // what cannot be written is told by where it is
	}
	where := d.path
	if point := e.mounts().of(d.path); point != "" {
		where = point
	}
	short, severity := "", WillFail
	switch {
	case r.Bytes < neededBytes:
		short = fmt.Sprintf("%d bytes", r.Bytes)
	case r.Inodes > 0 && r.Files < neededFiles:
		short = fmt.Sprintf("%d inodes", r.Files)
	case r.Bytes < wantedBytes && r.Bytes < r.Size/hundredth:
		short, severity = fmt.Sprintf("%d MiB", r.Bytes>>20), Note
	case r.Inodes > 0 && r.Files < wantedFiles && r.Files < r.Inodes/hundredth:
		short, severity = fmt.Sprintf("%d inodes", r.Files), Note
	default:
		return nil
	}
	f := Finding{ID: "D23", Class: failure.DiskFull, Severity: severity, File: d.path, Cause: where,
		Sentence: failure.Words("%s are left on the file system of %s (certificates that are written there: %d)",
			short, where, d.users),
		Remedy: "Make room there: `" + failure.Shell("df", "-h", where) + "`, `" +
			failure.Shell("df", "-i", where) + "`."}
	if severity == WillFail {
		f.HurtsAt = d.first
	}
	return []Finding{f}
}

// unwritable tells of directories of this program's own that it may not write to.
func (e *Exam) unwritable(first time.Time) ([]Finding, error) {
	var all []Finding
	for _, dir := range e.ownDirs() {
		err := unix.Access(dir, unix.W_OK|unix.X_OK)
		if err == nil || errors.Is(err, fs.ErrNotExist) {
			continue
		}
		f := Finding{ID: "D23", Class: failure.Config, Severity: WillFail, File: dir, HurtsAt: first,
			Sentence: failure.Words("nothing can be written to %s: %v", dir, err),
			Remedy:   e.mounts().remedy(err, dir), Cause: err.Error()}
		all = append(all, f)
		if errors.Is(err, unix.EROFS) {
			break // the others are on it as well, or are the least of it
		}
	}
	return all, nil
}

// remedy is what is to be done about a directory that cannot be written.
func (m mounts) remedy(err error, dir string) failure.Remedy {
	switch {
	case errors.Is(err, unix.EROFS):
		return "Mount the file system writable: `" +
			failure.Shell("mount", "-o", "remount,rw", cmp.Or(m.of(dir), dir)) + "`."
	case errors.Is(err, unix.EPERM):
		return "Take the attribute away: `" + failure.Shell("chattr", "-i", "-a", dir) + "`."
	}
	return "Look at its owner and mode: `" + failure.Shell("ls", "-ld", dir) + "`."
}

// barred tells of a lineage's own directories that nothing can be put into: a certificate would be
// ordered in vain.
func barred(e *Exam, x *Lineage, l *certbot.Lineage) []Finding {
	if l == nil || x.off() || !e.speaksForRuns() || e.memo.readOnly(e) {
		return nil
	}
	var all []Finding
	for _, dir := range []string{l.Renewal.ArchiveDir, filepath.Dir(l.Renewal.Cert)} {
		err := unix.Access(dir, unix.W_OK|unix.X_OK)
		if err == nil || errors.Is(err, fs.ErrNotExist) {
			continue
		}
		f := x.finds("D23", failure.Config, e.mounts().remedy(err, dir), "nothing can be written to %s: %v", dir, err)
		f.File, f.Cause = dir, err.Error()
		all = append(all, f)
	}
	return all
}

// readOnly reports whether the configuration directory as a whole cannot be written.
func (m *memo) readOnly(e *Exam) bool {
	m.whole.Do(func() {
		m.cannot = unix.Access(e.Disk.Dirs.Config, unix.W_OK) != nil
	})
	return m.cannot
}
