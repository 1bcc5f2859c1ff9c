package client

// What certbot says of failures in its own words, by version: the error of a certificate, the block
// for people, the error that ended the run, a renewal file or a hook that is broken.

import (
	"bytes"
	"path"
	"strings"
)

// words takes a record in which certbot may tell of a failure or of a certificate.
func (c *certbot) words(now *run, logger []byte, r record) {
	m := r.message
	switch l := string(logger); {
	case (l == "hooks" || l == "compat.misc" || l == "display.ops") && hookFailed(m):
		c.hook(now, m, r.place)
	case l == "renewal":
		c.ofRenewal(now, m, r.place)
	case begins(logger, "display"), l == "reporter":
		c.forPeople(now, m, r.place)
	case l == "storage":
		c.stored(now, m)
	case l == "main" && begins(m, "Arguments: ["):
		now.arguments(m)
	case (l == "main" || l == "log") && begins(m, "Exiting abnormally:"):
		c.ended(now, raised(m), r.place)
	}
}

// arguments are the command line as Python lists it: what the certificate is called, and its names,
// which no request tells where none was answered.
func (r *run) arguments(m []byte) {
	if name := between(m, "cert-name', '", "'"); lineageName(name) {
		r.attempt.lineage = strings.Clone(name)
	}
	words := strings.Split(string(m[:min(len(m), 64<<10)]), "', '")
	for i, word := range words[1:] {
		flag := strings.TrimLeft(words[i][strings.LastIndexByte(words[i], '\'')+1:], "-")
		if flag != "d" && flag != "domain" && flag != "domains" {
			continue
		}
		for name := range strings.SplitSeq(strings.TrimRight(word, "']\n "), ",") {
			r.attempt.asksFor(strings.ToLower(strings.TrimSpace(name)))
		}
	}
}

// ofRenewal: `Attempting to renew cert …`, `Failed to renew certificate …` and what the loop says of
// files.
func (c *certbot) ofRenewal(now *run, m []byte, place Place) {
	text := string(m[:min(len(m), maxText)])
	if strings.HasPrefix(text, "Renewal configuration file ") {
		file, _, _ := strings.Cut(strings.TrimPrefix(text, "Renewal configuration file "), " ")
		lineage := ofFile(strings.Trim(file, `'"`))
		now.tell(c.sink, Failure{Lineage: lineage, Names: []string{}, Text: bounded(text),
			At: now.last.in(now.zone), Place: place})
		now.note(lineage)
		return
	}
	if lineage, e, ok := renewError(text); ok {
		now.concerns(c.sink, lineage)
		now.says(e, place)
		now.settle(c.sink)
		return
	}
	c.parsefail(now, text, place)
}

// parsefail lists files that could not be read, which were told by themselves unless the log was cut.
func (c *certbot) parsefail(now *run, text string, place Place) {
	if !strings.Contains(text, "(parsefail)") {
		return
	}
	for line := range strings.Lines(text) {
		file, _, found := strings.Cut(strings.TrimSpace(line), " (parsefail)")
		if !found || now.failed[ofFile(file)] {
			continue
		}
		now.tell(c.sink, Failure{Lineage: ofFile(file), Names: []string{}, Text: strings.TrimSpace(line),
			At: now.last.in(now.zone), Place: place})
	}
}

// renewError is the certificate, and the error, of which certbot says that it could not be renewed.
func renewError(text string) (lineage, e string, ok bool) {
	if rest, found := strings.CutPrefix(text, "Failed to renew certificate "); found {
		lineage, e, ok = strings.Cut(rest, " with error: ")
		return lineage, e, ok && lineageName(lineage)
	}
	rest, found := strings.CutPrefix(text, "Attempting to renew cert ")
	if !found {
		return "", "", false
	}
	head, e, ok := strings.Cut(rest, " produced an unexpected error: ")
	if !ok {
		return "", "", false
	}
	e = strings.TrimSuffix(strings.TrimSpace(e), ". Skipping.")
	if name, from, two := strings.Cut(head, ") from "); two && strings.HasPrefix(name, "(") {
		return name[1:], e, lineageName(name[1:])
	} else if two {
		return ofFile(from), e, true
	}
	return ofFile(strings.TrimPrefix(head, "from ")), e, true
}

// concerns says which certificate the attempt is for; another one's is over.
func (r *run) concerns(sink Sink, lineage string) {
	t := &r.attempt
	if t.lineage != "" && t.lineage != lineage || t.obtained != 0 {
		r.settle(sink)
	}
	t.lineage = strings.Clone(lineage)
}

// forPeople: which file is at hand, and the block of names, types and details.
func (c *certbot) forPeople(now *run, m []byte, place Place) {
	m = m[:min(len(m), 64<<10)]
	if _, file, ok := bytes.Cut(m, []byte("Notifying user: Processing ")); ok {
		now.settle(c.sink)
		now.attempt.lineage = ofFile(strings.TrimSpace(string(file)))
		return
	}
	if !bytes.Contains(m, []byte("Detail:")) {
		return
	}
	for _, one := range blocks(string(m)) {
		if now.attempt.has(one.name) || now.failed[one.name] {
			continue
		}
		f := Failure{Names: []string{one.name}, Kind: one.kind, Text: one.detail,
			At: now.last.in(now.zone), Place: place}
		if now.attempt.empty() || !now.attempt.asked {
			now.tell(c.sink, f) // printed at the end of the run by old versions
		} else {
			now.body(f)
		}
	}
}

// has says whether a name of the attempt is known to have failed.
func (a *attempt) has(name string) bool {
	for _, f := range a.bodies {
		if strings.TrimPrefix(f.Names[0], "*.") == strings.TrimPrefix(name, "*.") {
			return true
		}
	}
	return false
}

// block is what is printed for people of one name.
type block struct{ name, kind, detail string }

// blocks reads `Domain: N`, `Type: T`, `Detail: D`, of which the last may have several lines.
func blocks(text string) []block {
	var all []block
	var now *block
	detail := false
	for line := range strings.Lines(text) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		value = strings.TrimSpace(value)
		switch {
		case (key == "Domain" || key == "Identifier") && len(all) < maxFailed && value != "":
			all, detail = append(all, block{name: strings.ToLower(value)}), false
			now = &all[len(all)-1]
		case now == nil:
		case key == "Type" && now.kind == "":
			now.kind = value
		case key == "Detail" && now.detail == "":
			now.detail, detail = value, true
		case strings.TrimSpace(line) == "" || strings.HasPrefix(key, "Hint"):
			detail = false
		case detail && len(now.detail) < maxText:
			now.detail += "\n" + strings.TrimSpace(line)
		}
	}
	return all
}

// stored: the certificate is on disk, in a directory that has the lineage's name.
func (c *certbot) stored(now *run, m []byte) {
	_, file, ok := bytes.Cut(m[:min(len(m), maxURL)], []byte("Writing certificate to "))
	if !ok {
		return
	}
	lineage := path.Base(path.Dir(strings.TrimSuffix(strings.TrimSpace(string(file)), ".")))
	if !lineageName(lineage) {
		return
	}
	if now.attempt.lineage != "" && now.attempt.lineage != lineage {
		now.settle(c.sink)
	}
	now.attempt.lineage = strings.Clone(lineage)
	now.gets()
}

// ended: an error ended the run. That some certificates failed is a count of what was told.
func (c *certbot) ended(now *run, e string, place Place) {
	if e == "" || e == "KeyboardInterrupt" || strings.Contains(e, " renew failure(s), ") ||
		strings.HasPrefix(e, "SystemExit") {
		return
	}
	now.says(e, place)
	now.settle(c.sink)
}

// raised is the error at the end of a traceback, without the name of its type.
func raised(m []byte) string {
	text := strings.TrimSpace(string(m[:min(len(m), 64<<10)]))
	if i := strings.LastIndex(text, "\n  File \""); i >= 0 {
		text = text[i+1:]
		for strings.HasPrefix(text, " ") { // the file, its line, and what points into it
			_, rest, more := strings.Cut(text, "\n")
			if !more {
				return ""
			}
			text = rest
		}
	} else if i := strings.LastIndexByte(text, '\n'); i >= 0 {
		text = text[i+1:]
	} else {
		return ""
	}
	if kind, rest, ok := strings.Cut(text, ": "); ok && strings.Contains(kind, "certbot") &&
		!strings.ContainsAny(kind, " \n") {
		return rest
	}
	return text
}

// hookFailed says whether a record tells of a hook that failed. What a hook for proving does wrong
// is told by the CA.
func hookFailed(m []byte) bool {
	m = m[:min(len(m), maxURL)]
	return bytes.Contains(m, []byte("error code ")) && !bytes.Contains(m, []byte("manual-"))
}

func (c *certbot) hook(now *run, m []byte, place Place) {
	f := Failure{Names: []string{}, Text: bounded(string(m)), At: now.last.in(now.zone), Place: place}
	if bytes.Contains(m, []byte("pre-hook")) || bytes.Contains(m, []byte("post-hook")) {
		now.settle(c.sink) // of the run, and of no certificate
	}
	now.tell(c.sink, f)
}

// ofFile is the lineage of a renewal file.
func ofFile(file string) string {
	name := strings.TrimSuffix(path.Base(strings.TrimSpace(file)), ".conf")
	if !lineageName(name) {
		return ""
	}
	return strings.Clone(name)
}

// lineageName says whether a text can be a lineage's name.
func lineageName(name string) bool {
	return name != "" && name != "." && name != "/" && len(name) <= 255 &&
		!strings.ContainsAny(name, "/\n\x00")
}
