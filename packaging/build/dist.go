package main

// What a version is given out as: archives of each system, packages, a bill of materials of each
// binary, and the sums of all of them.

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// systems are those that the program is built for.
var systems = [...]struct{ system, arch string }{
	{"linux", "amd64"}, {"linux", "arm64"}, {"freebsd", "amd64"}}

// dist makes everything in a directory of its own, which then takes the place of the earlier one:
// a build that ends half-way leaves no mixture behind.
func (b *builder) dist(out string) error {
	made := filepath.Join(b.work, "dist")
	if err := os.MkdirAll(made, 0o755); err != nil {
		return err
	}
	for _, s := range systems {
		if err := b.archive(made, s.system, s.arch); err != nil {
			return err
		}
		if err := b.billOfMaterials(made, s.system, s.arch); err != nil {
			return err
		}
	}
	for _, kind := range []string{"deb", "rpm"} {
		for _, arch := range []string{"amd64", "arm64"} {
			if err := b.onePackage(kind, arch, filepath.Join(made, b.packageName(kind, arch))); err != nil {
				return err
			}
		}
	}
	if _, err := b.certbotPackage(made); err != nil {
		return err
	}
	if err := sums(made); err != nil {
		return err
	}
	return replace(out, made)
}

// called is the name of what is made for a system.
func (b *builder) called(system, arch string) string {
	return fmt.Sprintf("orderly_%s_%s_%s", b.release.packageVersion(), system, arch)
}

// archive makes what is unpacked below /usr/local.
func (b *builder) archive(out, system, arch string) error {
	binary, err := b.binary(system, arch)
	if err != nil {
		return err
	}
	root := filepath.Join(b.work, "archive", b.called(system, arch))
	s := &stage{root: root, date: b.release.date}
	if err := b.fill(s, "tree", binary); err != nil {
		return err
	}
	if err := b.schedules(s, system); err != nil {
		return err
	}
	if err := s.finish(); err != nil {
		return err
	}
	packed, err := packed(root, b.release)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(out, b.called(system, arch)+".tar.gz"), packed, 0o644)
}

// schedules puts what renews on a system, told that the program is below /usr/local, where systemd
// and FreeBSD look for such; a cron file is looked for nowhere there, and is an example.
func (b *builder) schedules(s *stage, system string) error {
	places := map[string]string{
		"systemd/orderly-renew.service": "lib/systemd/system/orderly-renew.service",
		"systemd/orderly-renew.timer":   "lib/systemd/system/orderly-renew.timer",
		"cron/orderly":                  "share/doc/orderly/examples/cron",
	}
	if system == "freebsd" {
		return b.freebsd(s)
	}
	for from, to := range places {
		if err := b.local(s, from, to, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// freebsd puts the rc script and the one of periodic(8).
func (b *builder) freebsd(s *stage) error {
	const scripts = "packaging/freebsd"
	entries, err := os.ReadDir(filepath.Join(b.top, scripts))
	if err != nil {
		return err
	}
	for _, e := range entries {
		to := "etc/periodic/daily/" + e.Name()
		if e.Name() == "orderly" {
			to = "etc/rc.d/orderly"
		}
		if err := b.local(s, "freebsd/"+e.Name(), to, 0o755); err != nil {
			return err
		}
	}
	return nil
}

// local puts a file of packaging/ that speaks of the program in /usr/bin.
func (b *builder) local(s *stage, from, to string, mode fs.FileMode) error {
	text, err := os.ReadFile(filepath.Join(b.top, "packaging", from))
	if err != nil {
		return err
	}
	s.put(to, mode, bytes.ReplaceAll(text, []byte("/usr/bin/orderly"), []byte("/usr/local/bin/orderly")))
	return s.err
}

// packed is a tree as a compressed archive, which says nothing of who made it where. Directories that
// others use as well are not in it: unpacked by root, it would give /usr/local/bin another owner.
func packed(root string, r release) ([]byte, error) {
	var out bytes.Buffer
	compressor, err := gzip.NewWriterLevel(&out, gzip.BestCompression)
	if err != nil {
		return nil, err
	}
	w := tar.NewWriter(compressor)
	err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() && d.Name() != "orderly" {
			return err
		}
		return pack(w, root, path, d, r)
	})
	err = errors.Join(err, w.Close(), compressor.Close())
	return out.Bytes(), err
}

// pack writes a file, or a directory, of a tree to an archive.
func pack(w *tar.Writer, root, path string, d fs.DirEntry, r release) error {
	info, err := d.Info()
	if err != nil {
		return err
	}
	name, err := filepath.Rel(filepath.Dir(root), path)
	if err != nil {
		return err
	}
	header := &tar.Header{Format: tar.FormatUSTAR, Name: filepath.ToSlash(name), Uname: "root",
		Gname: "root", ModTime: r.date, Mode: int64(info.Mode().Perm()), Typeflag: tar.TypeReg,
		Size: info.Size()}
	if d.IsDir() {
		header.Typeflag, header.Size, header.Name = tar.TypeDir, 0, header.Name+"/"
		return w.WriteHeader(header)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := w.WriteHeader(header); err != nil {
		return err
	}
	_, err = w.Write(data)
	return err
}

// billOfMaterials lists the modules of a binary in CycloneDX's form: no serial number and no time
// of the build, which would be others each time.
func (b *builder) billOfMaterials(out, system, arch string) error {
	binary, err := b.binary(system, arch)
	if err != nil {
		return err
	}
	target, err := filepath.Abs(filepath.Join(out, b.called(system, arch)+".cdx.json"))
	if err != nil {
		return err
	}
	if err := b.tool(nil, "cyclonedx-gomod", "bin", "-json", "-noserial", "-notimestamp", "-std",
		"-version", b.release.packageVersion(), "-output", target, binary); err != nil {
		return err
	}
	text, err := os.ReadFile(target)
	if err != nil {
		return err
	}
	return os.WriteFile(target, withoutToolHashes(text), 0o644)
}

// withoutToolHashes takes the sums of cyclonedx-gomod itself away: it is another file on each kind of
// machine that builds.
func withoutToolHashes(bill []byte) []byte {
	tool, rest, found := bytes.Cut(bill, []byte(`"component": {`))
	if !found {
		return bill
	}
	hashes := regexp.MustCompile(`(?s),\s*"hashes": \[.*?\]`)
	return slices.Concat(hashes.ReplaceAll(tool, nil), []byte(`"component": {`), rest)
}

// sums writes what `sha256sum -c` reads.
func sums(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	var b strings.Builder
	for _, e := range entries {
		data, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			return err
		}
		fmt.Fprintf(&b, "%x  %s\n", sha256.Sum256(data), e.Name())
	}
	return os.WriteFile(filepath.Join(dir, "SHA256SUMS"), []byte(b.String()), 0o644)
}

// replace empties a directory of what earlier builds made and fills it.
func replace(out, made string) error {
	if err := os.MkdirAll(out, 0o755); err != nil {
		return err
	}
	earlier, err := filepath.Glob(filepath.Join(out, "orderly[_\\-]*"))
	if err != nil {
		return err
	}
	for _, old := range earlier {
		if err := os.Remove(old); err != nil {
			return err
		}
	}
	entries, err := os.ReadDir(made)
	if err != nil {
		return err
	}
	for _, e := range entries {
		data, err := os.ReadFile(filepath.Join(made, e.Name()))
		if err != nil {
			return err
		}
		path := filepath.Join(out, e.Name())
		if err := errors.Join(os.WriteFile(path, data, 0o644), os.Chmod(path, 0o644)); err != nil {
			return err
		}
		fmt.Println(path)
	}
	return nil
}
