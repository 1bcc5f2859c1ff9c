package fleet

// One document, read as it streams by. Whoever wrote it may mean harm: each number has a bound,
// each text is cleaned before it is kept, and what is not asked for is passed over without being
// kept.

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"orderly/doctor"
	"orderly/failure"
)

// amount is how much of a document, or of all of them, is kept; odd counts findings that are not of
// a check or severity that is known.
type amount struct{ findings, names, odd int }

// The bounds of one document, and of all together.
var (
	mostOfOne = amount{findings: 100_000, names: 1_000_000}
	mostOfAll = amount{findings: 500_000, names: 2_000_000}
)

func (a amount) plus(b amount) amount {
	return amount{a.findings + b.findings, a.names + b.names, a.odd + b.odd}
}

func (a amount) over(bound amount) bool {
	return a.findings > bound.findings || a.names > bound.names
}

const (
	mostDepth     = 50 // of what is passed over
	longestServer = 253
	mostCounted   = 10_000_000 // of what a summary says
)

var (
	errHalf  = errors.New("half a report: it ends in the middle")
	errOther = errors.New("not a report of the doctor's")
	errDeep  = errors.New("not a report of the doctor's: it is nested too deep")
)

// document is one that was read, and how much of it is kept.
type document struct {
	server Server
	kept   amount
}

// read reads a document of a directory.
func read(ctx context.Context, dir string, f file, most int64) (document, error) {
	plain, opened, err := open(ctx, dir, f, most)
	if err != nil {
		return document{}, err
	}
	defer func() { _ = opened.Close() }() // nothing was written
	s, n, err := parse(plain)
	if err != nil {
		return document{}, err
	}
	s.File = failure.Clean(f.name)
	if s.Name == "" {
		s.Name = failure.Clean(strings.TrimSuffix(strings.TrimSuffix(f.name, ".gz"), ".json"))
	}
	if s.At.IsZero() {
		if info, err := opened.Stat(); err == nil {
			s.At = info.ModTime()
		}
	}
	for i := range s.Findings {
		s.Findings[i].Server = s.Name
	}
	return document{s, n}, nil
}

// parse parses a document. What it says of itself may be missing: it is "" or zero then.
func parse(r io.Reader) (Server, amount, error) {
	p := parsing{d: json.NewDecoder(r)}
	err := p.document()
	if err == nil {
		err = p.judge()
	}
	if err != nil {
		return Server{}, p.n, inWords(err)
	}
	return p.s, p.n, nil
}

// parsing is a document on its way.
type parsing struct {
	d                 *json.Decoder
	s                 Server
	n                 amount
	version           int
	findings, summary bool // there are some
	partial           bool
}

func (p *parsing) document() error {
	if err := p.opens('{'); err != nil {
		return err
	}
	for p.d.More() {
		key, err := p.d.Token()
		if err == nil {
			err = p.field(fmt.Sprint(key))
		}
		if err != nil {
			return err
		}
	}
	if _, err := p.d.Token(); err != nil { // the bracket that ends it
		return err
	}
	if _, err := p.d.Token(); !errors.Is(err, io.EOF) {
		return fmt.Errorf("%w: something stands behind it", errOther)
	}
	return nil
}

// opens takes the bracket that begins something.
func (p *parsing) opens(bracket json.Delim) error {
	t, err := p.d.Token()
	if err == nil && t != bracket {
		return errOther
	}
	return err
}

// field takes the value of a field.
func (p *parsing) field(key string) error {
	switch key {
	case "version":
		return p.d.Decode(&p.version)
	case "server":
		return p.server()
	case "at":
		var at *time.Time
		err := p.d.Decode(&at)
		if at != nil {
			p.s.At = at.UTC()
		}
		return err
	case "partial":
		return p.d.Decode(&p.partial)
	case "new_since": // what was found before is left out
		p.partial = true
		return p.pass()
	case "summary":
		p.summary = true
		return p.d.Decode(&p.s.Summary)
	case "findings":
		p.findings = true
		return p.each(p.finding)
	case "lineages":
		return p.each(p.lineage)
	}
	return p.pass()
}

func (p *parsing) server() error {
	var name string
	if err := p.d.Decode(&name); err != nil {
		return err
	}
	if len(name) > longestServer {
		return fmt.Errorf("the name of its server is longer than %d bytes", longestServer)
	}
	p.s.Name = failure.Clean(name)
	return nil
}

// each takes each element of a list.
func (p *parsing) each(element func() error) error {
	if err := p.opens('['); err != nil {
		return err
	}
	for p.d.More() {
		if err := element(); err != nil {
			return err
		}
		if p.n.over(mostOfOne) {
			return fmt.Errorf("more than %d findings or %d names", mostOfOne.findings, mostOfOne.names)
		}
	}
	_, err := p.d.Token()
	return err
}

func (p *parsing) finding() error {
	var read doctor.DocumentFinding
	if err := p.d.Decode(&read); err != nil {
		return err
	}
	p.n.findings++
	f := read.Finding()
	if !isID(f.ID) {
		p.n.odd++
		return nil
	}
	if !f.Severity.Known() {
		p.n.odd++
		f.Severity = doctor.Note
	}
	p.n.names += len(f.Names)
	p.s.Findings = append(p.s.Findings, f)
	return nil
}

// isID reports whether a check may have this id.
func isID(id string) bool {
	digits := strings.TrimPrefix(id, "D")
	return len(digits) == len(id)-1 && len(digits) > 0 && len(digits) < 5 &&
		strings.Trim(digits, "0123456789") == ""
}

func (p *parsing) lineage() error {
	var l doctor.DocumentLineage
	if err := p.d.Decode(&l); err != nil {
		return err
	}
	p.n.names += 1 + len(l.Names)
	l.Name = failure.Clean(l.Name)
	for i, name := range l.Names {
		l.Names[i] = failure.Clean(name)
	}
	p.s.Held = append(p.s.Held, l)
	return nil
}

// pass passes over a value.
func (p *parsing) pass() error {
	for depth := 0; ; {
		t, err := p.d.Token()
		if err != nil {
			return err
		}
		switch t {
		case json.Delim('{'), json.Delim('['):
			depth++
		case json.Delim('}'), json.Delim(']'):
			depth--
		}
		if depth > mostDepth {
			return errDeep
		}
		if depth == 0 {
			return nil
		}
	}
}

// judge refuses what is no report of one server.
func (p *parsing) judge() error {
	sum := &p.s.Summary
	switch {
	case !p.findings || !p.summary:
		return errOther
	case p.version != doctor.DocumentVersion:
		return fmt.Errorf("a report of version %d, where %d is understood here", p.version,
			doctor.DocumentVersion)
	case p.partial:
		return errors.New("not all that there is of its server: a report of some certificates, or of " +
			"what is new")
	case sum.Servers != 0:
		return errors.New("a report of several servers")
	case sum.Lineages < 0 || sum.Lineages > mostCounted || sum.Clean < 0 || sum.Clean > sum.Lineages:
		return fmt.Errorf("%w: its numbers cannot be", errOther)
	}
	return nil
}

// inWords says in plain words why a document cannot be read. It never quotes what is not a report:
// the file may be anybody's.
func inWords(err error) error {
	syntax, isSyntax := errors.AsType[*json.SyntaxError](err)
	kind, isKind := errors.AsType[*json.UnmarshalTypeError](err)
	_, isTime := errors.AsType[*time.ParseError](err)
	switch {
	case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
		return errHalf
	case isSyntax && strings.HasPrefix(syntax.Error(), "unexpected end"):
		return errHalf
	case isSyntax && strings.HasSuffix(syntax.Error(), "exceeded max depth"):
		return errDeep
	case isSyntax:
		return fmt.Errorf("%w: no JSON from byte %d on", errOther, syntax.Offset)
	case isKind && kind.Field != "":
		return fmt.Errorf("%w: %s is of another kind", errOther, kind.Field)
	case isKind:
		return errOther
	case isTime:
		return fmt.Errorf("%w: one of its times is none", errOther)
	}
	return err
}
