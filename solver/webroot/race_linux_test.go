package webroot_test

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// attackVariable makes the test binary a customer who swaps whatever he can in the ground that it names.
const attackVariable = "ORDERLY_TEST_ATTACK"

// raceTime is how long each race goes on: a moment, and a minute where the whole of everything is asked for.
func raceTime() time.Duration {
	if os.Getenv("ORDERLY_E2E") == "all" {
		return time.Minute
	}
	return 1500 * time.Millisecond
}

// swap is what a customer does at random in his home until he is ended: entries that matter change their names, become links
// to everywhere, and are put back.
func swap(base string) {
	home := filepath.Join(base, "home")
	names := []string{"htdocs", "htdocs/.well-known", "htdocs/.well-known/acme-challenge", "htdocs/.well-known/acme-challenge/" + token, "htdocs/acme-challenge",
		"htdocs/aside", "aside", "roots", "rootlink", "bait", "current", ".well-known", "hers", "group/her-link", "group/.well-known", "roots/.well-known"}
	targets := []string{"../outside", base + "/outside", base + "/outside/acme-challenge", base + "/outside/secret", base + "/private", "/etc", "/", "..", ".", "htdocs",
		base + "/hers/www", base + "/hers", "rootlink", "roots", "aside"}
	at := func() string { return filepath.Join(home, names[rand.IntN(len(names))]) }
	for {
		a, b := at(), at()
		switch rand.IntN(12) {
		case 0, 1, 2:
			_ = os.Rename(a, b)
		case 3, 4:
			_ = unix.Renameat2(unix.AT_FDCWD, a, unix.AT_FDCWD, b, unix.RENAME_EXCHANGE)
		case 5, 6:
			_ = os.Symlink(targets[rand.IntN(len(targets))], a)
		case 7:
			_ = os.Mkdir(a, 0o755)
		case 8: // what is root's he keeps: it could be of use
			if info, err := os.Lstat(a); err == nil && info.Sys().(*syscall.Stat_t).Uid != 0 {
				_ = os.Remove(a)
			}
		case 9:
			_ = os.Link(b, a)
		case 10:
			_ = unix.Mkfifo(a, 0o666)
		case 11:
			_ = os.Remove(filepath.Join(home, "htdocs"))
			_ = os.Rename(filepath.Join(home, "htdocs-was"), filepath.Join(home, "htdocs"))
			_ = os.Mkdir(filepath.Join(home, "htdocs"), 0o755)
		}
	}
}

// attacked lets two customers attack until the returned function is called.
func (g *ground) attacked() (end func()) {
	g.t.Helper()
	var all []*exec.Cmd
	for _, uid := range []uint32{customer, neighbour, customer} {
		cmd := exec.Command("/proc/self/exe") // the directory of the binary is closed to customers
		cmd.Env = []string{attackVariable + "=" + g.base}
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid, Groups: []uint32{shared}}, Pdeathsig: syscall.SIGKILL}
		g.must(cmd.Start())
		all = append(all, cmd)
	}
	return func() {
		for _, cmd := range all {
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
		}
	}
}

// battlefield has what the customers could use: links and directories of root's that they can rename, an empty one that
// looks like one just made, root's own ground, and a neighbour's.
func battlefield(t *testing.T) *ground {
	g := newGround(t)
	g.dir(filepath.Join(g.outside, "acme-challenge"), 0, 0o755)
	g.dir(filepath.Join(g.outside, "htdocs"), 0, 0o755)
	private := g.dir(filepath.Join(g.base, "private"), 0, 0o700)
	g.dir(filepath.Join(private, ".well-known"), 0, 0o777)
	hers := g.dir(filepath.Join(g.base, "hers"), bystander, 0o755)
	g.dir(filepath.Join(hers, "www"), bystander, 0o755)
	g.file(filepath.Join(hers, "www", token), "hers", bystander)
	g.link(g.outside, filepath.Join(g.home, "rootlink"), 0)
	g.dir(filepath.Join(g.home, "roots"), 0, 0o755)
	g.file(filepath.Join(g.home, "roots", token), "root's own", 0)
	g.dir(filepath.Join(g.home, "bait"), 0, 0o700)
	g.link("../hers/www", filepath.Join(g.home, "hers"), bystander)
	group := g.dir(filepath.Join(g.home, "group"), customer, 0o755)
	g.must(os.Chown(group, customer, shared))
	g.must(unix.Chmod(group, 0o2775))
	g.link(hers, filepath.Join(group, "her-link"), bystander)
	g.link("htdocs", filepath.Join(g.home, "current"), customer)
	return g
}

const (
	shared    = 34567 // a group that both customers are in
	bystander = 45678 // a customer who does nothing, and whose things must stay as they are
)

func TestSwappingEverythingMeanwhileLeadsNowhere(t *testing.T) {
	var placed atomic.Int64
	for name, root := range map[string]string{
		"his directory":            "htdocs",
		"his link":                 "current",
		"root's link in his home":  "rootlink",
		"root's directory in it":   "roots",
		"a directory of two":       "group",
		"below what anybody makes": "aside/htdocs",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := battlefield(t)
			unchanged := []func(){g.unchanged(g.outside), g.unchanged(filepath.Join(g.base, "private")), g.unchanged(filepath.Join(g.base, "hers"))}
			roots := g.ofRoot()
			end := g.attacked()
			worked := g.workMeanwhile(filepath.Join(g.home, root))
			end()
			for _, look := range unchanged {
				look()
			}
			g.wantOnlyAdded(roots)
			placed.Add(int64(worked))
		})
	}
	t.Cleanup(func() {
		if placed.Load() == 0 {
			t.Error("the customers never let a token through, so nothing was attacked")
		}
	})
}

// workMeanwhile places and removes tokens until the time is over, and returns how often that succeeded.
func (g *ground) workMeanwhile(root string) (placed int) {
	ctx := g.t.Context()
	for end := time.Now().Add(raceTime()); time.Now().Before(end); {
		p, err := g.w.Plan(ctx, root, token)
		if err == nil {
			if p, err = g.put(p, content); err == nil {
				placed++
			}
			// What cannot be removed now is tried again by later runs, when nobody swaps anything.
			defer func() { _ = g.w.Remove(ctx, p) }()
			_ = g.w.Remove(ctx, p)
		}
		forged := g.forged(root)
		if forged, err = g.put(forged, content); err == nil {
			placed++
		}
		_ = g.w.Remove(ctx, forged)
		_ = g.w.Check(ctx, root)
	}
	return placed
}

// born tells a file from a later one that has its inode.
func (g *ground) born(path string) string {
	var st unix.Statx_t
	g.must(unix.Statx(unix.AT_FDCWD, path, unix.AT_SYMLINK_NOFOLLOW, unix.STATX_BTIME|unix.STATX_INO, &st))
	return fmt.Sprint(st.Ino, st.Btime.Sec, st.Btime.Nsec)
}

// ofRoot returns what root owns in the customer's home.
func (g *ground) ofRoot() map[string]string {
	g.t.Helper()
	all := map[string]string{}
	g.eachIn(g.home, func(path string, st *syscall.Stat_t) {
		if st.Uid == 0 {
			all[g.born(path)] = fmt.Sprintf("%s %o %d:%d %d", filepath.Base(path), st.Mode, st.Uid, st.Gid, st.Size)
		}
	})
	return all
}

// wantOnlyAdded says that in the customer's home nothing of root's was removed or given away but what others could have
// removed themselves, and that nothing was made but what tokens need.
func (g *ground) wantOnlyAdded(before map[string]string) {
	g.t.Helper()
	left := 0
	g.eachIn(g.home, func(path string, st *syscall.Stat_t) {
		was, there := before[g.born(path)]
		switch {
		case there && st.Uid != 0:
			g.t.Errorf("%s was given to %d (it was %s)", path, st.Uid, was)
		case there, st.Uid != 0:
		case st.Mode&syscall.S_IFMT == syscall.S_IFLNK:
			g.t.Errorf("root made the link %s", path)
		case st.Mode&0o022 != 0:
			g.t.Errorf("others may write in what root made: %s %o", path, st.Mode)
		case st.Mode&syscall.S_IFMT == syscall.S_IFREG && st.Size > int64(len(content)):
			g.t.Errorf("root wrote %s, %d bytes", path, st.Size)
		default:
			left++ // the customers moved it about, so that its record leads elsewhere
		}
	})
	g.t.Logf("%d things of root's were carried off by the customers", left)
	if text, err := os.ReadFile(g.find(before, "root's own")); err != nil || string(text) != "root's own" {
		g.t.Errorf("a file of root's with the token's name: %q %v", text, err)
	}
}

// find returns where root's own file is by now: the directory that it is in can be renamed.
func (g *ground) find(before map[string]string, what string) (found string) {
	g.eachIn(g.home, func(path string, st *syscall.Stat_t) {
		if was, ok := before[g.born(path)]; ok && strings.HasPrefix(was, token) && st.Size == int64(len(what)) {
			found = path
		}
	})
	return found
}

func (g *ground) eachIn(dir string, look func(path string, st *syscall.Stat_t)) {
	g.t.Helper()
	g.must(filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if errors.Is(err, unix.ENAMETOOLONG) {
			return fs.SkipDir // so deep have they put directories into each other
		}
		if err != nil {
			return err
		}
		info, err := os.Lstat(path)
		if errors.Is(err, unix.ENAMETOOLONG) {
			return nil
		}
		if err == nil {
			look(path, info.Sys().(*syscall.Stat_t))
		}
		return err
	}))
}
