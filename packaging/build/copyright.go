package main

// The licences as a reader finds them: one text for people, and Debian's machine-readable form
// (https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/).

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// plain is every text under the module that it is from, or those of one kind.
func (all licences) plain(kinds ...string) []byte {
	var b strings.Builder
	b.WriteString("Orderly is under the Apache License 2.0. What follows is about what is linked into its\n" +
		"binary, SQLite among it, which modernc.org/sqlite translated to Go.\n")
	for _, l := range all {
		for _, t := range l.texts {
			if len(kinds) > 0 && !slices.Contains(kinds, t.kind()) {
				continue
			}
			fmt.Fprintf(&b, "\n%s\n%s %s, %s\n\n%s\n", strings.Repeat("=", 80), l.module, l.version,
				t.path, strings.TrimSpace(t.body))
		}
	}
	return []byte(b.String())
}

// kind names the licence that a text gives, as Debian and SPDX do. "various" is what holds several,
// or lists other works.
func (t text) kind() string {
	words := strings.Join(strings.Fields(t.body), " ")
	has := func(s string) bool { return strings.Contains(words, s) }
	const apache = "Apache License Version 2.0, January 2004"
	switch {
	case strings.HasPrefix(words, apache):
		return "Apache-2.0"
	case has(apache), strings.Contains(t.path, "3RD-PARTY"):
		return "various"
	case has("Permission is hereby granted, free of charge"):
		return "Expat"
	case has("Additional IP Rights Grant (Patents)"):
		return "Go-patents"
	case has("Redistribution and use in source and binary forms"):
		if has("either the name") || has("names of") {
			return "BSD-3-Clause"
		}
		return "BSD-2-Clause"
	case has("dedicated to the public domain"):
		return "public-domain"
	}
	return "notice"
}

// owners are the lines that say whose a work is.
func (l licensed) owners() []string {
	said := regexp.MustCompile(`(?im)^[^a-z0-9©]*(?:(?:original|modified) work )?` +
		`(?:copyright )?(?:\(c\)|©|copyright)[ :]*(?:\(c\) )?(\d.*)$`)
	behind := regexp.MustCompile(`(?i)( or|[. ]*(use of this|it is licensed).*|[ *#|]+)$`)
	var owners []string
	for _, t := range l.texts {
		if strings.Contains(t.path, "3RD-PARTY") {
			continue
		}
		for _, m := range said.FindAllStringSubmatch(t.body, -1) {
			owner := behind.ReplaceAllString(strings.TrimSpace(m[1]), "")
			if !slices.Contains(owners, owner) {
				owners = append(owners, owner)
			}
		}
	}
	if len(owners) == 0 {
		return []string{"the authors of " + l.module}
	}
	return owners
}

// named gives each different text a name of its own: in one document a name means one text.
type named struct {
	names map[string]string // of a text
	count map[string]int    // of a kind
	texts []text            // in their order
}

func (n *named) of(t text) string {
	key := strings.Join(strings.Fields(t.body), " ")
	if t.kind() == "Apache-2.0" {
		key = "Apache-2.0" // Debian has that one text
	}
	if name, known := n.names[key]; known {
		return name
	}
	name := t.kind()
	n.count[name]++
	if n.count[name] > 1 {
		name = fmt.Sprintf("%s-v%d", name, n.count[name])
	}
	n.names[key] = name
	n.texts = append(n.texts, t)
	return name
}

// dep5 is /usr/share/doc/orderly/copyright.
func (all licences) dep5() []byte {
	names := &named{names: map[string]string{}, count: map[string]int{}}
	var b strings.Builder
	b.WriteString("Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\n" +
		"Upstream-Name: orderly\n" +
		"Comment: The program is one static binary. Below vendor/ is what is linked into it, by the\n" +
		" modules that `go version -m /usr/bin/orderly` names. modernc.org/sqlite is SQLite, which is\n" +
		" in the public domain, translated to Go.\n" +
		"\nFiles: *\nCopyright: 2026 The Orderly authors\nLicense: Apache-2.0\n")
	names.of(text{path: "LICENSE", body: "Apache License Version 2.0, January 2004"})
	for _, l := range all {
		path := strings.ReplaceAll(l.module, " ", "-")
		fmt.Fprintf(&b, "\nFiles: vendor/%s/*\n", path)
		fmt.Fprintf(&b, "Copyright: %s\n", strings.Join(l.owners(), "\n "))
		var under []string
		for _, t := range l.texts {
			if name := names.of(t); !slices.Contains(under, name) {
				under = append(under, name)
			}
		}
		fmt.Fprintf(&b, "License: %s\n", strings.Join(under, " and "))
		fmt.Fprintf(&b, "Comment: %s %s\n", l.module, l.version)
	}
	for _, t := range names.texts {
		body := t.body
		switch t.kind() {
		case "Apache-2.0":
			body = "On Debian systems, the whole text is in /usr/share/common-licenses/Apache-2.0."
		case "various":
			body = "The whole text is in /usr/share/doc/orderly/NOTICES.gz."
		}
		fmt.Fprintf(&b, "\nLicense: %s\n%s", names.of(t), folded(body))
	}
	return []byte(b.String())
}

// folded is a text as the value of a field: a blank line would end the paragraph.
func folded(body string) string {
	var b strings.Builder
	for line := range strings.SplitSeq(strings.TrimSpace(body), "\n") {
		line = strings.TrimRight(line, " \t\r")
		if line == "" {
			line = "."
		}
		b.WriteString(" " + line + "\n")
	}
	return b.String()
}
