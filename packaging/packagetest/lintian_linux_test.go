package packagetest

import (
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// contentsOf has lintian judge the packages, in a tree where it is installed from a directory of
// packages: neither an error nor a warning is left.
func contentsOf(t *testing.T, b *bench, from string) {
	tr := b.tree(t)
	tr.installAll(from, "")
	tr.mount(built, "/srv", "", unix.MS_BIND|unix.MS_RDONLY, "")
	said := tr.sh("lintian --allow-root --fail-on none /srv/*.deb")
	if strings.TrimSpace(said) != "" {
		t.Error(said)
	}
}
