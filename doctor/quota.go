package doctor

// Users' quotas: a file system that has room for root has none for a user who has used up his. They
// bind only what is written as that user (a token where the document root is behind his own links, or
// all of it where a user renews by himself); root is bound by none. What a project may have shows in
// what statfs says is left.

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"os"
	"os/user"
	"slices"
	"strconv"
	"time"

	"orderly/failure"
)

// Quota is what a user may have on a file system, and has.
type Quota struct {
	Bytes, Files Allowance
}

// Allowance is how much of something a user may have. A limit that is 0 is none.
type Allowance struct {
	Used, Soft, Hard uint64
	// Until is when what is above Soft is no longer allowed; zero where nothing is above it.
	Until time.Time
}

// What a token and the directories on its way take at most.
const (
	tokenBytes = 64 << 10
	tokenFiles = 3
)

// spender is a user who writes to a file system.
type spender struct {
	point  string // where the file system is mounted
	device string
	uid    uint32
}

// spending is what he writes there.
type spending struct {
	path  string // one of those
	first time.Time
	users int // certificates
}

// counted reports whether a kind of file system is one of this host's own that keeps users' quotas.
func counted(kind string) bool {
	switch kind {
	case "ext2", "ext3", "ext4", "xfs", "f2fs", "jfs", "gfs2", "ocfs2", "reiserfs":
		return true
	}
	return false
}

// overQuota tells of users whose quota leaves no room for what is written as them.
func (e *Exam) overQuota(ctx context.Context) (all []Finding) {
	if e.Quota == nil {
		return nil
	}
	spent := e.spenders(ctx)
	for _, who := range slices.SortedFunc(maps.Keys(spent), func(a, b spender) int {
		return cmp.Or(cmp.Compare(a.point, b.point), cmp.Compare(a.uid, b.uid))
	}) {
		quota, err := e.Quota(who.device, who.uid)
		if err != nil {
			continue // none is kept there, or nobody may ask
		}
		for _, what := range []struct {
			name      string
			allowance Allowance
			needed    uint64
		}{{"bytes", quota.Bytes, tokenBytes}, {"inodes", quota.Files, tokenFiles}} {
			if f, is := e.exceeded(who, spent[who], what.name, what.allowance, what.needed); is {
				all = append(all, f)
			}
		}
	}
	return all
}

// spenders are the users as whom something is written, but root.
func (e *Exam) spenders(ctx context.Context) map[spender]spending {
	spent := map[spender]spending{}
	mounts := e.mounts()
	add := func(path string, uid uint32, first time.Time, n int) {
		point := mounts.of(path)
		from := mounts.from[point]
		if uid == 0 || !counted(from.kind) {
			return
		}
		who := spender{point, from.device, uid}
		s := spent[who]
		s.path = cmp.Or(s.path, path)
		s.first, s.users = earlier(s.first, first), s.users+n
		spent[who] = s
	}
	if self := os.Geteuid(); self != 0 {
		first, n := e.first(e.Lineages)
		add(e.Disk.Dirs.Config, uint32(self), first, n)
	}
	found, lineages := e.grounds(ctx), e.users()
	for _, root := range slices.Sorted(maps.Keys(found)) {
		if uid, known := found[root].WrittenBy(); known && found[root].Path != "" {
			first, n := e.first(lineages[root])
			add(found[root].Path, uid, first, n)
		}
	}
	return spent
}

// exceeded is the finding that an allowance leaves less than is needed.
func (e *Exam) exceeded(who spender, s spending, of string, a Allowance, needed uint64) (Finding, bool) {
	f := Finding{ID: "D23", Class: failure.DiskFull, Severity: WillFail, Fix: FixNo, File: s.path,
		HurtsAt: s.first, Cause: fmt.Sprintf("%s %d %s", who.point, who.uid, of)}
	name := userName(who.uid)
	why := ""
	switch {
	case a.Hard > 0 && a.Used+needed > a.Hard:
		why = fmt.Sprintf("%d of %d %s are used", a.Used, a.Hard, of)
	case a.Soft == 0 || a.Used <= a.Soft || a.Until.IsZero():
		return Finding{}, false
	case !a.Until.After(e.At):
		why = fmt.Sprintf("%d %s are used, above the soft limit of %d, and the grace for that ended on %s",
			a.Used, of, a.Soft, day(a.Until))
		f.Since = a.Until
	default:
		why = fmt.Sprintf("%d %s are used, above the soft limit of %d, and the grace for that ends on %s",
			a.Used, of, a.Soft, day(a.Until))
		if !s.first.IsZero() && a.Until.After(s.first) { // it may have been tidied by then
			f.Severity, f.HurtsAt = Note, time.Time{}
		}
	}
	f.Sentence = failure.Words("the quota of the user %s on %s leaves nothing for tokens: %s (certificates "+
		"that are written as this user: %d)", name, who.point, why, s.users)
	f.Remedy = "Raise it, or let the user remove something: `" +
		failure.Shell("quota", "-v", "-u", name) + "` (package quota) shows it."
	return f, true
}

// userName is a user's name, or the number of one who has none.
func userName(uid uint32) string {
	number := strconv.FormatUint(uint64(uid), 10)
	if u, err := user.LookupId(number); err == nil {
		return failure.Clean(u.Username)
	}
	return number
}
