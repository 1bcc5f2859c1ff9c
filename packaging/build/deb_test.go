package main

import (
	"bytes"
	"crypto/md5"
	"debug/buildinfo"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"orderly/cli"
)

// Two builds of one commit are the same, whoever makes them where; and what is in them is what an
// administrator, dpkg and a lawyer look for.
func TestTheDebIsTheSameEachTimeAndWhole(t *testing.T) {
	one, other := filepath.Join(t.TempDir(), "one"), filepath.Join(t.TempDir(), "another", "place")
	source(t, one)
	source(t, other)
	first := built(t, one, "umask 022", "deb")
	// Nothing of the machine, of its user, and of what that has told Go is to show.
	second := built(t, other, `umask 077; mkdir -m 700 tmp; export TMPDIR=$PWD/tmp TZ=Asia/Tokyo LC_ALL=de_DE.UTF-8
		export GOFLAGS='-tags=nosuch -ldflags=-B=none' GOAMD64=v3 GOEXPERIMENT=nogreenteagc SOURCE_DATE_EPOCH=1`, "deb")
	version := "0.1.0~20261128220825.22ceb6e"
	names := []string{"orderly_" + version + "_" + runtime.GOARCH + ".deb", "orderly-certbot_" + version + "_all.deb"}
	for _, name := range names {
		if len(first[name]) == 0 {
			t.Fatalf("no %s was made", name)
		}
		if !bytes.Equal(first[name], second[name]) {
			t.Errorf("%s is another one when it is built again", name)
		}
	}
	if len(first) != len(names) {
		t.Errorf("%d files were made", len(first))
	}
	files, control := insideDeb(t, first[names[0]])
	t.Run("modes and dates", func(t *testing.T) { modes(t, files) })
	t.Run("contents", func(t *testing.T) { contents(t, files) })
	t.Run("dpkg's own", func(t *testing.T) { dpkgsOwn(t, files, control, version) })
	t.Run("licences", func(t *testing.T) { allLicences(t, files) })
}

// modes looks at who may do what with each file.
func modes(t *testing.T, files map[string]member) {
	at, _ := time.Parse(time.RFC3339, day)
	for name, m := range files {
		want := int64(0o644)
		if strings.HasSuffix(name, "/") || name == "/usr/bin/orderly" {
			want = 0o755
		}
		if h := m.header; h.Mode&0o7777 != want || h.Uid != 0 || h.Gid != 0 || !h.ModTime.Equal(at) {
			t.Errorf("%s: mode %o, owner %d:%d, of %v", name, h.Mode, h.Uid, h.Gid, h.ModTime)
		}
	}
}

// contents looks for what belongs into the package, and for nothing else.
func contents(t *testing.T, files map[string]member) {
	want := map[string]string{ // and what is said there
		"/usr/bin/orderly":                                  "ELF",
		"/etc/cron.d/orderly":                               "/usr/bin/orderly renew",
		"/usr/lib/systemd/system/orderly-renew.service":     "ExecStart=/usr/bin/orderly renew",
		"/usr/lib/systemd/system/orderly-renew.timer":       "Persistent=true",
		"/usr/share/bash-completion/completions/orderly":    "complete",
		"/usr/share/zsh/vendor-completions/_orderly":        "#compdef orderly",
		"/usr/share/fish/vendor_completions.d/orderly.fish": "complete -c orderly",
		"/usr/share/orderly/orderly.rules.yml":              "alert:",
		"/usr/share/doc/orderly/copyright":                  "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/",
		"/usr/share/doc/orderly/changelog.gz":               "orderly (0.1.0~20261128220825.22ceb6e) unstable; urgency=medium",
		"/usr/share/doc/orderly/README.md.gz":               "# Orderly",
		"/usr/share/doc/orderly/NOTICES.gz":                 "modernc.org/sqlite",
		"/usr/share/lintian/overrides/orderly":              "statically-linked-binary",
	}
	for _, name := range []string{"doctor", "doctor-findings", "metrics"} {
		want["/usr/share/doc/orderly/docs/"+name+".md.gz"] = "# "
	}
	pages := t.TempDir()
	if code := cli.Main(t.Context(), cli.Env{Program: "orderly", Args: []string{"man", pages, "-q"}, Getenv: os.Getenv,
		Stdout: &bytes.Buffer{}, Stderr: &bytes.Buffer{}}); code != 0 {
		t.Fatalf("orderly man: exit %d", code)
	}
	entries, err := os.ReadDir(pages)
	if err != nil || len(entries) < 30 {
		t.Fatalf("%d pages: %v", len(entries), err)
	}
	for _, page := range entries {
		want["/usr/share/man/man1/"+page.Name()+".gz"] = `"2026-11-28" "orderly`
	}
	for name, said := range want {
		m, there := files[name]
		text := string(m.data)
		if strings.HasSuffix(name, ".gz") && there {
			text = gunzipped(t, name, m.data)
		}
		if !strings.Contains(text, said) {
			t.Errorf("%s is missing, or does not say %q", name, said)
		}
	}
	for name := range files {
		if _, known := want[name]; !known && !strings.HasSuffix(name, "/") {
			t.Errorf("%s is in the package", name)
		}
	}
}

// dpkgsOwn looks at what dpkg keeps: who depends on what, what is an administrator's file, the sums.
func dpkgsOwn(t *testing.T, files, control map[string]member, version string) {
	fields := string(control["/control"].data)
	for _, field := range []string{"Package: orderly\n", "Version: " + version + "\n", "Architecture: " + runtime.GOARCH + "\n",
		"Depends: ca-certificates\n"} {
		if !strings.Contains(fields, field) {
			t.Errorf("the control file lacks %q:\n%s", field, fields)
		}
	}
	if got := string(control["/conffiles"].data); got != "/etc/cron.d/orderly\n" {
		t.Errorf("files of the administrator: %q", got)
	}
	sums := string(control["/md5sums"].data)
	for name, m := range files {
		line := fmt.Sprintf("%x  %s\n", md5.Sum(m.data), strings.TrimPrefix(name, "/"))
		if !strings.HasSuffix(name, "/") && name != "/etc/cron.d/orderly" && !strings.Contains(sums, line) {
			t.Errorf("md5sums lacks %q", line)
		}
	}
	for _, script := range []string{"/postinst", "/prerm", "/postrm"} {
		m := control[script]
		check := exec.CommandContext(t.Context(), "sh", "-n")
		check.Stdin = bytes.NewReader(m.data)
		if out, err := check.CombinedOutput(); err != nil || m.header.Mode&0o111 == 0 {
			t.Errorf("%s, mode %o: %v %s", script, m.header.Mode, err, out)
		}
		if regexp.MustCompile(`orderly-renew\.service|/etc/letsencrypt|rm -r`).Match(code(m.data)) {
			t.Errorf("%s ends a renewal, or takes what is nobody's to remove", script)
		}
	}
}

// code is a script without what is said about it.
func code(script []byte) []byte {
	return regexp.MustCompile(`(?m)^\s*#.*$`).ReplaceAll(script, nil)
}

// allLicences compares what is said with the modules that the binary itself names.
func allLicences(t *testing.T, files map[string]member) {
	info, err := buildinfo.Read(bytes.NewReader(files["/usr/bin/orderly"].data))
	if err != nil {
		t.Fatal(err)
	}
	flat := func(s string) string {
		return strings.Join(slices.DeleteFunc(strings.Fields(s), func(w string) bool { return w == "." }), " ")
	}
	copyright := string(files["/usr/share/doc/orderly/copyright"].data)
	said := flat(copyright + gunzipped(t, "NOTICES", files["/usr/share/doc/orderly/NOTICES.gz"].data))
	if len(info.Deps) < 20 || info.Main.Path != "orderly" {
		t.Fatalf("the binary names %d modules", len(info.Deps))
	}
	for _, m := range info.Deps {
		if !strings.Contains(copyright, "\nFiles: vendor/"+m.Path+"/*\n") || !strings.Contains(copyright, "\nComment: "+m.Path+" "+m.Version+"\n") {
			t.Errorf("the copyright file does not name %s %s", m.Path, m.Version)
		}
		dir, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", m.Path).Output()
		if err != nil {
			t.Fatal(err)
		}
		texts, err := textsIn(strings.TrimSpace(string(dir)), strings.TrimSpace(string(dir)))
		if err != nil || len(texts) == 0 {
			t.Fatalf("%s: %d texts, %v", m.Path, len(texts), err)
		}
		for _, text := range texts {
			if text.kind() != "Apache-2.0" && !strings.Contains(said, flat(text.body)) {
				t.Errorf("%s of %s is not told whole", text.path, m.Path)
			}
		}
	}
	root, err := exec.CommandContext(t.Context(), "go", "env", "GOROOT").Output()
	if err != nil {
		t.Fatal(err)
	}
	own, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(root)), "LICENSE"))
	if err == nil && !strings.Contains(said, flat(string(own))) {
		t.Error("Go's own licence is another one by now: packaging/licences/go")
	}
	// Each paragraph of the machine-readable form is one: a blank line or a name used twice would break it.
	names := map[string]bool{}
	for paragraph := range strings.SplitSeq(copyright, "\n\n") {
		first, _, _ := strings.Cut(paragraph, "\n")
		key, name, _ := strings.Cut(first, ": ")
		if key != "Format" && key != "Files" && key != "License" || names[first] {
			t.Errorf("a paragraph of the copyright file begins with %q, or twice", first)
		}
		names[first] = true
		if key == "Files" {
			_, under, _ := strings.Cut(paragraph, "\nLicense: ")
			under, _, _ = strings.Cut(under, "\n")
			for one := range strings.SplitSeq(under, " and ") {
				if !strings.Contains(copyright, "\n\nLicense: "+one+"\n ") {
					t.Errorf("%s is under %s, of which there is no text", name, one)
				}
			}
		}
	}
}
