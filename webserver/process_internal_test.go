package webserver

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// process is one in a /proc of a test's.
func process(t *testing.T, proc string, pid, parent int, exe, cmdline string) {
	t.Helper()
	dir := filepath.Join(proc, fmt.Sprint(pid))
	err := os.MkdirAll(filepath.Join(dir, "ns"), 0o755)
	for name, text := range map[string]string{"cmdline": cmdline, "environ": "APACHE_RUN_DIR=/run/a\x00SECRET=x\x00",
		"status": fmt.Sprintf("Name:\tng\nUid:\t%[1]d\t%[1]d\t%[1]d\t%[1]d\n", os.Geteuid()),
		"stat":   fmt.Sprintf("%d (ng) inx) S %d 1 1", pid, parent)} {
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644)
		}
	}
	if err == nil {
		err = os.Symlink(exe, filepath.Join(dir, "exe"))
	}
	if err == nil {
		err = os.Symlink("mnt:[1]", filepath.Join(dir, "ns/mnt"))
	}
	if err != nil {
		t.Fatal(err)
	}
}

// Whoever can name a process cannot have a program executed as root, and what is executed is what runs.
func TestWhatRunsIsFoundAndOnlyRootsIsExecuted(t *testing.T) {
	proc, home := t.TempDir(), t.TempDir()
	customers := filepath.Join(home, "nginx")
	if err := os.WriteFile(customers, []byte("#!/bin/sh\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(customers, 12345, 12345); err != nil {
		t.Fatal(err)
	}
	process(t, proc, 10, 1, "/usr/sbin/nginx", "nginx: master process /usr/sbin/nginx -p /p -c /p/n.conf -g daemon off;\x00")
	process(t, proc, 11, 10, "/usr/sbin/nginx", "nginx: worker process\x00")
	process(t, proc, 12, 1, customers, "nginx\x00")
	process(t, proc, 13, 1, "/usr/sbin/apache2 (deleted)", "/usr/sbin/apache2\x00-d\x00/etc/a\x00-k\x00start\x00")
	process(t, proc, 14, 1, "/usr/bin/vim", "nginx: master process vim\x00")
	if err := os.MkdirAll(filepath.Join(proc, "self/ns"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("mnt:[1]", filepath.Join(proc, "self/ns/mnt")); err != nil {
		t.Fatal(err)
	}
	found := running(proc)
	if len(found) != 3 {
		t.Fatalf("found are %+v", found)
	}
	if p := found[0]; p.Foreign != "" || p.Kind != Nginx || fmt.Sprint(picked(p.Args, "-c", "-p")) != "[-p /p -c /p/n.conf]" {
		t.Errorf("%+v", p)
	}
	if p := found[1]; p.PID != 12 || p.Foreign == "" {
		t.Errorf("a customer's program would be executed: %+v", p)
	}
	if p := found[2]; p.Program != "/usr/sbin/apache2" || fmt.Sprint(picked(p.Args, "-f", "-d")) != "[-d /etc/a]" ||
		!slices.Equal(p.Environ, []string{"APACHE_RUN_DIR=/run/a"}) {
		t.Errorf("%+v", p)
	}
	// one in a container sees other files than the paths in its arguments mean here
	if err := os.Remove(filepath.Join(proc, "self/ns/mnt")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("mnt:[2]", filepath.Join(proc, "self/ns/mnt")); err != nil {
		t.Fatal(err)
	}
	for _, p := range running(proc) {
		if p.Foreign == "" {
			t.Errorf("%+v", p)
		}
	}
}

// Who listens is read from the kernel's table, with the process that holds the socket.
func TestWhoListensOnAPort(t *testing.T) {
	proc := t.TempDir()
	line := "  0: %s:0050 00000000:0000 %s 00000000:00000000 00:00000000 00000000 0 0 %d 1\n"
	head := "  sl  local_address rem_address   st\n"
	for name, text := range map[string]string{
		"tcp":  head + fmt.Sprintf(line, "0100007F", "0A", 71) + fmt.Sprintf(line, "0200007F", "01", 72),
		"tcp6": head + fmt.Sprintf(line, strings.Repeat("0", 24)+"01000000", "0A", 73),
	} {
		if err := os.MkdirAll(filepath.Join(proc, "net"), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(proc, "net", name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	process(t, proc, 20, 1, "/usr/bin/caddy", "caddy\x00")
	if err := os.Mkdir(filepath.Join(proc, "20/fd"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("socket:[71]", filepath.Join(proc, "20/fd/5")); err != nil {
		t.Fatal(err)
	}
	all, known := listeners(proc, 80)
	want := []Listener{{netip.MustParseAddr("127.0.0.1"), 20, "/usr/bin/caddy"}, {Address: netip.MustParseAddr("::1")}}
	if !known || !slices.Equal(all, want) {
		t.Errorf("%v, %v", all, known)
	}
	if all, known := listeners(proc, 81); !known || len(all) > 0 {
		t.Errorf("%v, %v", all, known)
	}
	if _, known := listeners(t.TempDir(), 80); known {
		t.Error("a kernel without such a table says who listens")
	}
}
