package webroot_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"syscall"
	"testing"

	"orderly/failure"
	"orderly/solver/webroot"
)

// customer is the user who owns hostile ground in these tests.
const customer = 12345

// neighbour is another customer of the same host.
const neighbour = 23456

const token = "evaGxfADs6pSRb2LAv9IZf17Dt3juxGJ-PCt92wr-oA"

func TestMain(m *testing.M) {
	if code, ours := webroot.Helper(os.Args); ours {
		os.Exit(code)
	}
	if root := os.Getenv(checkVariable); root != "" {
		os.Exit(checkAs(root))
	}
	if base := os.Getenv(attackVariable); base != "" {
		swap(base) // until it is ended
	}
	os.Exit(m.Run())
}

// checkVariable makes the test binary check a document root as whoever executes it.
const checkVariable = "ORDERLY_TEST_CHECK"

func checkAs(root string) (code int) {
	w := new(webroot.Writer)
	defer w.Close()
	if err := w.Check(context.Background(), root); err != nil {
		fmt.Print(err)
		return 1
	}
	return 0
}

// content is a key authorization for token.
const content = token + ".9jg46WB3rR_AHD-EBXdN7cBkH1WOu0tA3M9fm21mqTI"

// ground is a directory tree with a customer's home in it and something outside that must stay as it is.
type ground struct {
	t       *testing.T
	base    string // root's, mode 0755
	home    string // the customer's
	root    string // the customer's document root, below home
	outside string // root's, mode 0755: /etc, say
	w       *webroot.Writer
}

func newGround(t *testing.T) *ground {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Fatal("these tests make files of other users: run them as root")
	}
	g := &ground{t: t, base: t.TempDir(), w: newWriter(t)}
	g.chmod(g.base, 0o755)
	g.chmod(filepath.Dir(g.base), 0o755)
	g.home = g.dir(filepath.Join(g.base, "home"), customer, 0o755)
	g.root = g.dir(filepath.Join(g.home, "htdocs"), customer, 0o755)
	g.outside = g.dir(filepath.Join(g.base, "outside"), 0, 0o755)
	g.file(filepath.Join(g.outside, "secret"), "do not touch", 0)
	return g
}

// newWriter makes a writer whose customers are in groups of their own and nowhere else.
func newWriter(t *testing.T) *webroot.Writer {
	w := &webroot.Writer{Groups: func(_ context.Context, uid uint32) []int { return []int{int(uid)} }}
	t.Cleanup(w.Close)
	return w
}

func (g *ground) must(err error) {
	g.t.Helper()
	if err != nil {
		g.t.Fatal(err)
	}
}

func (g *ground) chmod(path string, mode fs.FileMode) {
	g.t.Helper()
	g.must(os.Chmod(path, mode))
}

func (g *ground) dir(path string, owner int, mode fs.FileMode) string {
	g.t.Helper()
	g.must(os.Mkdir(path, 0o700))
	g.must(os.Chown(path, owner, owner))
	g.chmod(path, mode)
	return path
}

func (g *ground) file(path, content string, owner int) string {
	g.t.Helper()
	g.must(os.WriteFile(path, []byte(content), 0o644))
	g.must(os.Chown(path, owner, owner))
	return path
}

func (g *ground) link(target, path string, owner int) string {
	g.t.Helper()
	g.must(os.Symlink(target, path))
	g.must(os.Lchown(path, owner, owner))
	return path
}

// picture describes a tree: names, kinds, modes, owners, inodes and contents.
func (g *ground) picture(dir string) string {
	g.t.Helper()
	var lines []string
	g.must(filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := os.Lstat(path)
		if err != nil {
			return err
		}
		st := info.Sys().(*syscall.Stat_t)
		content := []byte{}
		if info.Mode().IsRegular() {
			if content, err = os.ReadFile(path); err != nil {
				return err
			}
		}
		rel, err := filepath.Rel(dir, path)
		lines = append(lines, fmt.Sprintf("%s %s %d:%d #%d %q", rel, info.Mode(), st.Uid, st.Gid, st.Ino, content))
		return err
	}))
	sort.Strings(lines)
	return strings.Join(lines, "\n")
}

// unchanged takes a picture of dir and returns a function that compares.
func (g *ground) unchanged(dir string) func() {
	g.t.Helper()
	before := g.picture(dir)
	return func() {
		g.t.Helper()
		if after := g.picture(dir); after != before {
			g.t.Errorf("%s was changed\nbefore:\n%s\nafter:\n%s", dir, before, after)
		}
	}
}

// place plans and places token in root.
func (g *ground) place(root, content string) (webroot.Placement, error) {
	p, err := g.w.Plan(g.t.Context(), root, token)
	if err != nil {
		return p, err
	}
	return g.put(p, content)
}

// put places what was planned, wherever the document root leads by now.
func (g *ground) put(p webroot.Placement, content string) (webroot.Placement, error) {
	err := webroot.ErrMoved
	for errors.Is(err, webroot.ErrMoved) {
		p, err = g.w.Place(g.t.Context(), p, content)
	}
	return p, err
}

func (g *ground) placed(root, content string) webroot.Placement {
	g.t.Helper()
	p, err := g.place(root, content)
	g.must(err)
	return p
}

// again places what was planned.
func (g *ground) again(p webroot.Placement, content string) {
	g.t.Helper()
	_, err := g.put(p, content)
	g.must(err)
}

func (g *ground) owner(path string) (uid, gid uint32) {
	g.t.Helper()
	info, err := os.Lstat(path)
	g.must(err)
	st := info.Sys().(*syscall.Stat_t)
	return st.Uid, st.Gid
}

func (g *ground) wantFile(path, content string) {
	g.t.Helper()
	g.wantFileOf(path, content, 0)
}

func (g *ground) wantFileOf(path, content string, owner uint32) {
	g.t.Helper()
	info, err := os.Lstat(path)
	g.must(err)
	got, err := os.ReadFile(path)
	g.must(err)
	uid, _ := g.owner(path)
	if info.Mode() != 0o644 || uid != owner || string(got) != content {
		g.t.Errorf("%s: mode %v, owner %d, content %q; want 0644, %d, %q", path, info.Mode(), uid, got, owner, content)
	}
}

func wantClass(t *testing.T, err error, class failure.Class, words ...string) {
	t.Helper()
	if failure.ClassOf(err) != class {
		t.Fatalf("got %q (%v), want class %q", failure.ClassOf(err), err, class)
	}
	if failure.RemedyOf(err) == "" {
		t.Errorf("no remedy: %v", err)
	}
	for _, word := range words {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("%q does not name %q", err, word)
		}
	}
}
