package certbot_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"orderly/certbot"
)

// asNobody runs a function on a thread that is nobody's, where this process is root's. The thread ends with it.
func asNobody(t *testing.T, do func()) {
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread is of no use to others
		for _, call := range [][4]uintptr{{unix.SYS_SETGROUPS, 0, 0, 0}, {unix.SYS_SETRESGID, nobody, nobody, nobody}, {unix.SYS_SETRESUID, nobody, nobody, nobody}} {
			if _, _, errno := unix.RawSyscall(call[0], call[1], call[2], call[3]); errno != 0 && os.Geteuid() == 0 {
				done <- errno
				return
			}
		}
		do()
		done <- nil
	}()
	must(t, <-done)
}

const nobody = 65534

// Who is not root cannot give the new key to a group that is not theirs. The certificate is put in place all the same, the
// group of whoever did it is given nothing, and a note says whom it does not reach.
func TestAKeyWhoseGroupCannotBeGivenIsInstalledWithANote(t *testing.T) {
	for mode, want := range map[fs.FileMode]string{0o640: "cannot be given to group 4343", 0o600: ""} {
		s := newStore(t)
		must(t, os.Chmod(filepath.Dir(s.Dirs.Config), 0o755))
		must(t, os.Chmod(filepath.Dir(filepath.Dir(s.Dirs.Config)), 0o755))
		done := install(t, s, "a.example", issue(t, 9, "a.example"))
		key := filepath.Join(s.Dirs.Config, "archive/a.example/privkey1.pem")
		must(t, filepath.WalkDir(s.Dirs.Config, func(path string, _ fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			return os.Lchown(path, foreign(nobody, os.Geteuid()), foreign(nobody, os.Getegid()))
		}))
		must(t, os.Chown(key, foreign(nobody, os.Geteuid()), foreign(4343, os.Getegid())))
		must(t, os.Chmod(key, mode))
		next := issue(t, 90, "a.example")
		var again certbot.Installed
		var err error
		asNobody(t, func() { again, err = s.Install("a.example", next, testParams) })
		must(t, err)
		notes := strings.Join(again.Notes, "\n")
		if os.Geteuid() != 0 {
			want = ""
		}
		if (want == "") != (notes == "") || !strings.Contains(notes, want) {
			t.Errorf("notes %q, not %q", notes, want)
		}
		info, err := os.Stat(filepath.Join(s.Dirs.Config, "archive/a.example/privkey2.pem"))
		must(t, err)
		if os.Geteuid() == 0 && (info.Mode().Perm() != 0o600 || group(info) != nobody) {
			t.Errorf("the key has %s of group %d", info.Mode(), group(info))
		}
		l, err := s.Open("a.example")
		must(t, err)
		must(t, l.Verify())
		if l.Version != 2 || read(t, done.Dir, "fullchain.pem") != string(next.Chain) {
			t.Errorf("version %d", l.Version)
		}
		if want == "" {
			continue
		}
		_, remedy, _ := strings.Cut(notes, "as root: ")
		sh(t, remedy)
		if info, err := os.Stat(filepath.Join(s.Dirs.Config, "archive/a.example/privkey2.pem")); err != nil || info.Mode().Perm() != mode || group(info) != 4343 {
			t.Errorf("after the remedy: %+v, %v", info, err)
		}
	}
}
