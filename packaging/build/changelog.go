package main

// CHANGELOG.md as Debian has it.

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

// change is what one version brought.
type change struct {
	version, date string
	entries       []string
}

// parseChanges reads the sections of CHANGELOG.md, the newest first.
func parseChanges(text string) ([]change, error) {
	heading := regexp.MustCompile(`^## (\S+) \((\S+)\)$`)
	var changes []change
	for line := range strings.SplitSeq(text, "\n") {
		if m := heading.FindStringSubmatch(line); m != nil {
			changes = append(changes, change{version: m[1], date: m[2]})
			continue
		}
		if len(changes) == 0 || strings.TrimSpace(line) == "" {
			continue
		}
		last := &changes[len(changes)-1]
		entry, begins := strings.CutPrefix(line, "- ")
		if begins || len(last.entries) == 0 || !strings.HasPrefix(line, "  ") {
			last.entries = append(last.entries, entry)
			continue
		}
		last.entries[len(last.entries)-1] += " " + strings.TrimSpace(line)
	}
	if len(changes) == 0 {
		return nil, fmt.Errorf("CHANGELOG.md has no heading such as %q", "## 0.1.0 (2026-01-31)")
	}
	return changes, nil
}

// changelog reads CHANGELOG.md, and whether the version is out.
func (b *builder) changelog() error {
	text, err := os.ReadFile(filepath.Join(b.top, "CHANGELOG.md"))
	if err != nil {
		return err
	}
	if b.changes, err = parseChanges(string(text)); err != nil {
		return err
	}
	if b.changes[0].version != b.release.version {
		return fmt.Errorf("CHANGELOG.md begins with %s, and the program says it is %s",
			b.changes[0].version, b.release.version)
	}
	out := b.changes[0].date
	if out == "unreleased" {
		return nil
	}
	if _, err := time.Parse(time.DateOnly, out); err != nil {
		return fmt.Errorf("CHANGELOG.md: %w", err)
	}
	b.release.out = out
	return nil
}

// debianChangelog is CHANGELOG.md in the form of deb-changelog(5); its head is the version that is
// built, since dpkg and apt-listchanges compare the two.
func (b *builder) debianChangelog() ([]byte, error) {
	by, err := b.maintainer()
	if err != nil {
		return nil, err
	}
	var out strings.Builder
	for i, c := range b.changes {
		version, date := c.version, b.release.date
		if i == 0 {
			version = b.release.packageVersion()
		} else if date, err = time.Parse(time.DateOnly, c.date); err != nil {
			return nil, fmt.Errorf("CHANGELOG.md: %w", err)
		}
		fmt.Fprintf(&out, "orderly (%s) unstable; urgency=medium\n\n", version)
		for _, entry := range c.entries {
			out.WriteString(wrapped("  * ", "    ", entry))
		}
		fmt.Fprintf(&out, "\n -- %s  %s\n\n", by, date.Format(time.RFC1123Z))
	}
	return []byte(strings.TrimSuffix(out.String(), "\n")), nil
}

// maintainer is whom packaging/orderly.yaml names.
func (b *builder) maintainer() (string, error) {
	text, err := os.ReadFile(filepath.Join(b.top, "packaging/orderly.yaml"))
	if err != nil {
		return "", err
	}
	m := regexp.MustCompile(`(?m)^maintainer: "?([^"\n]+)"?$`).FindSubmatch(text)
	if m == nil {
		return "", fmt.Errorf("packaging/orderly.yaml names no maintainer")
	}
	return string(m[1]), nil
}

// wrapped puts words into lines of at most 80 columns.
func wrapped(first, others, text string) string {
	var b strings.Builder
	line := first
	for word := range strings.FieldsSeq(text) {
		if len(line)+len(word) > 80 && strings.TrimSpace(line) != "" && line != others {
			b.WriteString(strings.TrimRight(line, " ") + "\n")
			line = others
		}
		line += word + " "
	}
	b.WriteString(strings.TrimRight(line, " ") + "\n")
	return b.String()
}
