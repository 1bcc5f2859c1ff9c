package webroot_test

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// A customer's rules are read where he wrote them, also those that are longer than one answer, and
// nothing that he put in their place: no link, no pipe, nothing that he could not read himself.
func TestACustomersFileIsReadAndNothingInItsPlace(t *testing.T) {
	g := newGround(t)
	text := strings.Repeat("# a comment of some length\n", 5000)
	file := filepath.Join(g.root, ".htaccess")
	g.must(os.WriteFile(file, []byte(text), 0o644))
	secret := filepath.Join(g.base, "secret")
	g.must(os.WriteFile(secret, []byte("secret"), 0o600))
	if got, found := g.w.ReadFile(t.Context(), g.root, ".htaccess", 1<<20); !found || string(got) != text {
		t.Errorf("%d bytes of %d, %v", len(got), len(text), found)
	}
	if got, _ := g.w.ReadFile(t.Context(), g.root, ".htaccess", 1000); string(got) != text[:1000] {
		t.Errorf("%d bytes, not 1000", len(got))
	}
	wantNone := func(what string) {
		t.Helper()
		if got, found := g.w.ReadFile(t.Context(), g.root, ".htaccess", 1000); found {
			t.Errorf("%s is read: %q", what, got)
		}
	}
	replace := func(make func() error) {
		t.Helper()
		g.must(os.Remove(file))
		g.must(make())
	}
	replace(func() error { return os.Symlink(secret, file) })
	wantNone("a link")
	replace(func() error { return syscall.Mkfifo(file, 0o644) })
	wantNone("a pipe")
	replace(func() error { return os.Mkdir(file, 0o755) })
	wantNone("a directory")
	g.must(os.Remove(file))
	wantNone("nothing")
	for _, name := range []string{"", "../secret", "/etc/passwd"} {
		if _, found := g.w.ReadFile(t.Context(), g.root, name, 1000); found {
			t.Errorf("%q is read", name)
		}
	}
}

// A link of the customer's in the way to his document root is followed with his own rights.
func TestACustomersLinkLeadsToNothingThatHeMayNotRead(t *testing.T) {
	g := newGround(t)
	closed := filepath.Join(g.base, "closed")
	g.must(os.Mkdir(closed, 0o755))
	g.must(os.WriteFile(filepath.Join(closed, ".htaccess"), []byte("secret"), 0o600))
	link := filepath.Join(g.root, "www")
	g.must(os.Symlink(closed, link))
	g.must(os.Lchown(link, customer, customer))
	if got, found := g.w.ReadFile(t.Context(), link, ".htaccess", 1000); found {
		t.Errorf("what root alone may read is read: %q", got)
	}
	g.must(os.Chmod(filepath.Join(closed, ".htaccess"), 0o644))
	if got, found := g.w.ReadFile(t.Context(), link, ".htaccess", 1000); !found || string(got) != "secret" {
		t.Errorf("what everybody may read is %q, %v", got, found)
	}
}
