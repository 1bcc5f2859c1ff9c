package doctor

import (
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"orderly/solver/webroot"
)

// What the next renewal needs is told apart from what only looks little, and what does not count its
// inodes has none to lack.
func TestFileSystemsThatAreNearlyFullAreTold(t *testing.T) {
	const gib = 1 << 30
	first := time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)
	e := &Exam{Host: Host{Root: t.TempDir()}}
	for name, c := range map[string]struct {
		room     webroot.Room
		severity Severity
		words    string
	}{
		"fine":           {webroot.Room{Bytes: 20 * gib, Size: 100 * gib, Files: 5000, Inodes: 10_000}, "", ""},
		"small, half":    {webroot.Room{Bytes: 50 << 20, Size: 100 << 20, Files: 600, Inodes: 1000}, "", ""},
		"btrfs":          {webroot.Room{Bytes: 20 * gib, Size: 100 * gib}, "", ""},
		"full":           {webroot.Room{Bytes: 4096, Size: 100 * gib, Files: 5000, Inodes: 10_000}, WillFail, "4096 bytes are left"},
		"no inodes":      {webroot.Room{Bytes: 20 * gib, Size: 100 * gib, Files: 0, Inodes: 10_000}, WillFail, "0 inodes are left"},
		"nearly full":    {webroot.Room{Bytes: 100 << 20, Size: 100 * gib, Files: 5000, Inodes: 10_000}, Note, "100 MiB are left"},
		"few inodes":     {webroot.Room{Bytes: 20 * gib, Size: 100 * gib, Files: 90, Inodes: 10_000}, Note, "90 inodes are left"},
		"read-only":      {webroot.Room{Size: gib, Inodes: 10, ReadOnly: true}, "", ""},
		"without a word": {webroot.Room{Unlimited: true}, "", ""},
	} {
		all := (&disk{"/srv/www", c.room, first, 3}).full(e)
		if c.severity == "" {
			if len(all) > 0 {
				t.Errorf("%s: %+v", name, all)
			}
			continue
		}
		if len(all) != 1 || all[0].Severity != c.severity || !strings.Contains(all[0].Sentence, c.words) ||
			all[0].HurtsAt.Equal(first) != (c.severity == WillFail) || all[0].Remedy == "" {
			t.Errorf("%s: %+v", name, all)
		}
	}
}

// The remedy is that of the reason.
func TestADirectoryThatCannotBeWrittenHasTheRemedyOfItsReason(t *testing.T) {
	m := mounts{are: []string{"/", "/etc"}}
	for err, words := range map[unix.Errno]string{unix.EROFS: "remount,rw /etc`", unix.EPERM: "chattr -i", unix.EACCES: "ls -ld"} {
		if got := string(m.remedy(err, "/etc/letsencrypt")); !strings.Contains(got, words) {
			t.Errorf("%v: %s", err, got)
		}
	}
}
