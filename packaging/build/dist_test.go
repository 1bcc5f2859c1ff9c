package main

import (
	"bytes"
	"compress/gzip"
	"debug/buildinfo"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

// What is unpacked below /usr/local as root changes no directory that others use.
func TestAnArchiveLeavesTheDirectoriesOfOthers(t *testing.T) {
	at, _ := time.Parse(time.RFC3339, day)
	root := filepath.Join(t.TempDir(), "orderly_1_linux_amd64")
	s := &stage{root: root, date: at}
	b := &builder{top: "../..", release: release{date: at}}
	s.put("bin/orderly", 0o755, []byte("program"))
	s.put("share/doc/orderly/README.md", 0o644, []byte("text"))
	for _, system := range []string{"linux", "freebsd"} {
		if err := b.schedules(s, system); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.finish(); err != nil {
		t.Fatal(err)
	}
	archive, err := packed(root, b.release)
	if err != nil {
		t.Fatal(err)
	}
	again, err := packed(root, b.release)
	if err != nil || !bytes.Equal(archive, again) {
		t.Errorf("packed again it is another one: %v", err)
	}
	r, err := gzip.NewReader(bytes.NewReader(archive))
	if err != nil {
		t.Fatal(err)
	}
	files := unpacked(t, r)
	want := map[string]int64{"bin/orderly": 0o755, "share/doc/orderly/": 0o755, "share/doc/orderly/README.md": 0o644,
		"lib/systemd/system/orderly-renew.service": 0o644, "lib/systemd/system/orderly-renew.timer": 0o644,
		"share/doc/orderly/examples/cron": 0o644, "etc/rc.d/orderly": 0o755, "etc/periodic/daily/500.orderly": 0o755}
	for name, mode := range want {
		m, there := files["orderly_1_linux_amd64/"+name]
		if !there || m.header.Mode != mode || m.header.Uid != 0 || m.header.Uname != "root" || !m.header.ModTime.Equal(at) {
			t.Errorf("%s: %+v", name, m.header)
		}
	}
	for name, m := range files {
		if _, known := want[strings.TrimPrefix(name, "orderly_1_linux_amd64/")]; !known {
			t.Errorf("%s is in the archive", name)
		}
		if strings.Contains(string(m.data), "/usr/bin/orderly") {
			t.Errorf("%s speaks of /usr/bin/orderly", name)
		}
	}
}

// The bill of materials names each module that the binary names, and nothing of who wrote it when.
func TestTheBillOfMaterialsNamesEachModule(t *testing.T) {
	top, out := filepath.Join(t.TempDir(), "source"), t.TempDir()
	source(t, top)
	b := &builder{ctx: t.Context(), goProgram: "go"}
	t.Cleanup(b.close)
	if err := b.begin(top); err != nil {
		t.Fatal(err)
	}
	if err := b.billOfMaterials(out, runtime.GOOS, runtime.GOARCH); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(out, b.called(runtime.GOOS, runtime.GOARCH)+".cdx.json"))
	if err != nil {
		t.Fatal(err)
	}
	var bill struct {
		SerialNumber string
		Metadata     struct {
			Timestamp string
			Tools     []struct{ Hashes []any }
			Component struct{ Name, Version string }
		}
		Components []struct{ Name, Version string }
	}
	if err := json.Unmarshal(text, &bill); err != nil {
		t.Fatal(err)
	}
	if bill.SerialNumber != "" || bill.Metadata.Timestamp != "" || len(bill.Metadata.Tools) != 1 ||
		len(bill.Metadata.Tools[0].Hashes) != 0 || bill.Metadata.Component.Name != "orderly" ||
		bill.Metadata.Component.Version != b.release.packageVersion() {
		t.Errorf("it says of itself %+v", bill.Metadata)
	}
	versions := map[string]string{}
	for _, c := range bill.Components {
		versions[c.Name] = c.Version
	}
	info, err := buildinfo.ReadFile(b.program)
	if err != nil || len(info.Deps) < 20 {
		t.Fatalf("the binary names %d modules: %v", len(info.Deps), err)
	}
	for _, m := range info.Deps {
		if versions[m.Path] != m.Version {
			t.Errorf("%s is %s in the binary, %q in the bill of materials", m.Path, m.Version, versions[m.Path])
		}
	}
	if versions["std"] != info.GoVersion || len(versions) != len(info.Deps)+1 {
		t.Errorf("Go's library is %q, and there are %d components", versions["std"], len(versions))
	}
}

// SHA256SUMS is what sha256sum reads, of all that lies beside it.
func TestTheSumsAreThoseOfAllFiles(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"orderly_1~2.deb", "orderly-1.rpm"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(name), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := sums(dir); err != nil {
		t.Fatal(err)
	}
	check := exec.CommandContext(t.Context(), "sha256sum", "--strict", "-c", "SHA256SUMS")
	check.Dir = dir
	if out, err := check.CombinedOutput(); err != nil || strings.Count(string(out), ": OK\n") != 2 {
		t.Errorf("%v: %s", err, out)
	}
}
