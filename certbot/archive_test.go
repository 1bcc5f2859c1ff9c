package certbot_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestAKeyThatIsReachedThroughAPrunedLinkStays(t *testing.T) {
	s := newStore(t)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	archive := filepath.Join(s.Dirs.Config, "archive", "a.example")
	for n := 1; n <= 8; n++ {
		install(t, s, "a.example", issueFor(t, key, n, "a.example"))
		if n == 2 || n == 4 {
			path := filepath.Join(archive, map[int]string{2: "privkey2.pem", 4: "privkey4.pem"}[n])
			must(t, os.Remove(path))
			must(t, os.Symlink(map[int]string{2: "privkey1.pem", 4: "privkey2.pem"}[n], path))
		}
	}
	if all := strings.Join(list(t, archive), " "); !strings.Contains(all, " privkey1.pem privkey2.pem privkey3.pem") || strings.Contains(all, "cert2.pem") {
		t.Errorf("kept %s", all)
	}
	if wrong := pairAt(filepath.Join(s.Dirs.Config, "live", "a.example"), ""); wrong != "" {
		t.Error(wrong)
	}
}

func TestAKeyThatIsKeptIsWrittenAgainWithItsModeAndGroup(t *testing.T) {
	s := newStore(t)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	done := install(t, s, "a.example", issueFor(t, key, 10, "a.example"))
	must(t, os.Chmod(filepath.Join(s.Dirs.Config, "archive/a.example/privkey1.pem"), 0o640))
	done = install(t, s, "a.example", issueFor(t, key, 90, "a.example"))
	path := filepath.Join(s.Dirs.Config, "archive/a.example/privkey2.pem")
	info, err := os.Lstat(path)
	must(t, err)
	if !info.Mode().IsRegular() || info.Mode().Perm() != 0o640 || done.Version != 2 || read(t, path) != read(t, s.Dirs.Config, "archive/a.example/privkey1.pem") {
		t.Errorf("%v, version %d", info.Mode(), done.Version)
	}
}

func BenchmarkLookAtALineage(b *testing.B) {
	s := newStore(b)
	_, err := s.Install("a.example", issue(b, 90, "a.example", "www.a.example"), testParams)
	must(b, err)
	for b.Loop() {
		l, err := s.Look("a.example")
		must(b, err)
		must(b, l.Verify())
	}
}
