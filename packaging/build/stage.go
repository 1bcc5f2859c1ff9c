package main

// The trees that packages are made of. Modes and times are set one by one: a umask of the machine,
// or the moment of the build, must not get into a package.

import (
	"bytes"
	"compress/gzip"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// stage is a tree that grows.
type stage struct {
	root string
	date time.Time
	err  error // the first one; nothing is written behind it
}

// put writes a file of the tree.
func (s *stage) put(path string, mode fs.FileMode, data []byte) {
	path = filepath.Join(s.root, path)
	if s.err == nil {
		s.err = os.MkdirAll(filepath.Dir(path), 0o755)
	}
	if s.err == nil {
		s.err = os.WriteFile(path, data, mode)
	}
	if s.err == nil {
		s.err = os.Chmod(path, mode)
	}
}

// copyOf writes a file as another one is.
func (s *stage) copyOf(path string, mode fs.FileMode, from string) {
	if s.err != nil {
		return
	}
	data, err := os.ReadFile(from)
	if err != nil {
		s.err = err
		return
	}
	s.put(path, mode, data)
}

// finish gives the directories their mode, and everything the date of the commit.
func (s *stage) finish() error {
	if s.err != nil {
		return s.err
	}
	var dirs []string
	err := filepath.WalkDir(s.root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			dirs = append(dirs, path)
			return nil
		}
		return os.Chtimes(path, s.date, s.date)
	})
	for _, dir := range dirs {
		if err == nil {
			err = os.Chmod(dir, 0o755)
		}
		if err == nil {
			err = os.Chtimes(dir, s.date, s.date)
		}
	}
	return err
}

// compressed is what `gzip -9n` makes.
func compressed(data []byte) []byte {
	var b bytes.Buffer
	w, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
	if err == nil {
		_, err = w.Write(data)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		panic(err) // memory does not fail
	}
	return b.Bytes()
}

// shape is where a kind of package has its files.
type shape struct {
	zsh  string // the directory for completions
	gzip bool   // are pages and documents compressed?
}

// shapeOf tells those of a kind of package, or of what `make install` copies.
func shapeOf(kind string) shape {
	switch kind {
	case "deb":
		return shape{zsh: "share/zsh/vendor-completions", gzip: true}
	case "rpm":
		return shape{zsh: "share/zsh/site-functions", gzip: true}
	}
	return shape{zsh: "share/zsh/site-functions"}
}

// fill puts the program, its pages and completions below the tree's directory.
func (b *builder) fill(s *stage, kind, binary string) error {
	at := shapeOf(kind)
	s.copyOf("bin/orderly", 0o755, binary)
	pages := filepath.Join(b.work, "pages")
	if _, err := b.output(b.program, "man", pages, "--quiet"); err != nil {
		return err
	}
	entries, err := os.ReadDir(pages)
	if err != nil {
		return err
	}
	for _, page := range entries {
		text, err := os.ReadFile(filepath.Join(pages, page.Name()))
		if err != nil {
			return err
		}
		s.document("share/man/man1/"+page.Name(), text, at.gzip)
	}
	for shell, path := range map[string]string{
		"bash": "share/bash-completion/completions/orderly",
		"zsh":  at.zsh + "/_orderly",
		"fish": "share/fish/vendor_completions.d/orderly.fish",
	} {
		script, err := b.output(b.program, "completion", shell)
		if err != nil {
			return err
		}
		s.put(path, 0o644, []byte(strings.TrimRight(script, "\n")+"\n"))
	}
	rules, err := b.output(b.program, "metrics", "--rules")
	if err != nil {
		return err
	}
	s.put("share/orderly/orderly.rules.yml", 0o644, []byte(rules))
	return b.documents(s, kind, binary, at.gzip)
}

// documents puts what there is to read below share/doc/orderly.
func (b *builder) documents(s *stage, kind, binary string, compress bool) error {
	const doc = "share/doc/orderly/"
	names := []string{"README.md", "docs/doctor.md", "docs/doctor-findings.md", "docs/metrics.md"}
	if kind != "deb" { // which has forms of its own for these
		names = append(names, "CHANGELOG.md", "LICENSE")
	}
	for _, name := range names {
		text, err := os.ReadFile(filepath.Join(b.top, name))
		if err != nil {
			return err
		}
		s.document(doc+name, text, compress)
	}
	all, err := b.licences(binary)
	if err != nil {
		return err
	}
	if kind != "deb" {
		s.document(doc+"NOTICES", all.plain(), compress)
		return nil
	}
	s.put(doc+"copyright", 0o644, all.dep5())
	s.document(doc+"NOTICES", all.plain("various"), true)
	s.copyOf("share/lintian/overrides/orderly", 0o644, filepath.Join(b.top, "packaging/deb/lintian-overrides"))
	changes, err := b.debianChangelog()
	if err != nil {
		return err
	}
	s.document(doc+"changelog", changes, true)
	return nil
}

// document writes what people read.
func (s *stage) document(path string, text []byte, compress bool) {
	if compress {
		path, text = path+".gz", compressed(text)
	}
	s.put(path, 0o644, text)
}

// tree makes what `make install` copies.
func (b *builder) tree(root string) error {
	if err := os.RemoveAll(root); err != nil {
		return err
	}
	s := &stage{root: root, date: b.release.date}
	if err := b.fill(s, "tree", b.program); err != nil {
		return err
	}
	return s.finish()
}
