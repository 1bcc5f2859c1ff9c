package certbot_test

import (
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

func TestTheLiveDirectoryKeepsItsAttributes(t *testing.T) {
	s := newStore(t)
	done := install(t, s, "a.example", issue(t, 10, "a.example"))
	before := snapshot(t, done.Dir)
	// An access list as setfacl -m g:4242:rx makes it: version 2, then tag, permissions and id of each entry.
	acl := []byte{2, 0, 0, 0,
		1, 0, 7, 0, 255, 255, 255, 255,
		4, 0, 5, 0, 255, 255, 255, 255,
		8, 0, 5, 0, 0x92, 0x10, 0, 0,
		16, 0, 5, 0, 255, 255, 255, 255,
		32, 0, 5, 0, 255, 255, 255, 255,
	}
	set := map[string]string{}
	for name, value := range map[string]string{"user.note": "mine", "system.posix_acl_access": string(acl)} {
		if err := unix.Setxattr(done.Dir, name, []byte(value), 0); err == nil {
			set[name] = value
		}
	}
	if len(set) == 0 {
		t.Fatal("the file system of the temporary directory has no extended attributes")
	}
	// Since then the directory above hands its list down to new ones; this one was made before.
	inherits := unix.Setxattr(filepath.Dir(done.Dir), "system.posix_acl_default", acl, 0) == nil
	install(t, s, "a.example", issue(t, 90, "a.example"))
	if _, err := unix.Getxattr(done.Dir, "system.posix_acl_default", nil); inherits && err != unix.ENODATA {
		t.Errorf("the exchanged directory has a default access list: %v", err)
	}
	if before == snapshot(t, done.Dir) {
		t.Fatal("nothing was installed")
	}
	for name, want := range set {
		value := make([]byte, 100)
		n, err := unix.Getxattr(done.Dir, name, value)
		if err != nil || string(value[:n]) != want {
			t.Errorf("%s is %q, %v", name, value[:max(n, 0)], err)
		}
	}
}
