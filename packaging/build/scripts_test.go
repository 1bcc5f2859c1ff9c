package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// script runs a maintainer script of a package over a root that is not this host's.
func script(t *testing.T, root, programs, name, action string) string {
	t.Helper()
	command := exec.CommandContext(t.Context(), "/bin/sh", filepath.Join("..", name), action)
	command.Env = []string{"DPKG_ROOT=" + root, "PATH=" + programs + ":/usr/bin:/bin"}
	out, err := command.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, action, err, out)
	}
	return string(out)
}

func put(t *testing.T, text string, mode os.FileMode, path ...string) {
	t.Helper()
	file := filepath.Join(path...)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
}

// In an image that is made from outside the image's own certbot says whether there are two.
func TestAnImagesOwnCertbotIsLookedFor(t *testing.T) {
	for file, want := range map[string]string{"/usr/bin/certbot": "--no-rename", "": "--rename"} {
		root, programs := t.TempDir(), t.TempDir()
		put(t, "#!/bin/sh\n[ \"$1\" = --listpackage ] && echo orderly-certbot || echo \"$@\"\n", 0o755, programs, "dpkg-divert")
		put(t, "certbot", 0o755, root, "/usr/bin/certbot.distrib")
		if file != "" {
			put(t, "theirs", 0o755, root, file)
		}
		out := script(t, root, programs, "certbot/postrm", "remove")
		if first, _, _ := strings.Cut(out, "\n"); !strings.Contains(first, " "+want+" ") {
			t.Errorf("with %q: %s", file, out)
		}
	}
}

// A purge goes to its end, whatever stands among the logs.
func TestAPurgeGoesToItsEnd(t *testing.T) {
	root, programs := t.TempDir(), t.TempDir()
	put(t, "#!/bin/sh\n", 0o755, programs, "deb-systemd-helper")
	logs := filepath.Join(root, "var/log/letsencrypt")
	put(t, "", 0o644, logs, "orderly.log")
	put(t, "", 0o644, logs, "orderly.log.old/mine")
	put(t, "", 0o644, root, "var/lib/systemd/timers/stamp-orderly-renew.timer")
	script(t, root, programs, "deb/postrm", "purge")
	for file, want := range map[string]bool{"var/log/letsencrypt/orderly.log": false, "var/log/letsencrypt/orderly.log.old/mine": true,
		"var/lib/systemd/timers/stamp-orderly-renew.timer": false} {
		if _, err := os.Lstat(filepath.Join(root, file)); (err == nil) != want {
			t.Errorf("%s: %v", file, err)
		}
	}
}
