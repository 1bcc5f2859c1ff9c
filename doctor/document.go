package doctor

// A report as programs read it. It is also what servers send to whoever puts those of a fleet
// together (package fleet), so that it says whose it is, of when, and which names live there.

import (
	"time"

	"orderly/failure"
)

// DocumentVersion is that of Document.
const DocumentVersion = 1

// Document is a report as programs read it: the schema of `doctor --json`.
type Document struct {
	Version  int               `json:"version"`
	Server   string            `json:"server,omitempty"`  // which looked at itself
	At       *time.Time        `json:"at,omitempty"`      // when it did
	Partial  bool              `json:"partial,omitempty"` // only some of its certificates
	Findings []DocumentFinding `json:"findings"`
	Lineages []DocumentLineage `json:"lineages,omitempty"` // that can be read
	Summary  Summary           `json:"summary"`
	Unread   []Unread          `json:"unread,omitempty"` // of a fleet: what is missing in this report
}

// DocumentLineage is a certificate of a server, for those who look at several.
type DocumentLineage struct {
	Name    string    `json:"name"`
	Names   []string  `json:"names"`
	Issued  time.Time `json:"issued"`
	Expires time.Time `json:"expires"`
	Due     time.Time `json:"due,omitzero"` // when it is renewed; none for never
}

// Unread is why a fleet's report lacks a server, or has an old word of it.
type Unread struct {
	File     string `json:"file"`
	Server   string `json:"server,omitempty"` // where it is known
	Sentence string `json:"sentence"`
}

// DocumentFinding is a finding as programs read it.
type DocumentFinding struct {
	Server   string        `json:"server,omitempty"` // of a fleet
	ID       string        `json:"id"`
	Class    failure.Class `json:"class"`
	Severity Severity      `json:"severity"`
	Lineage  string        `json:"lineage"`
	Names    []string      `json:"names"`
	File     string        `json:"file"`
	Line     int           `json:"line"`
	Since    *time.Time    `json:"since"`    // null where it is not known
	HurtsAt  *time.Time    `json:"hurts_at"` // null where it is not known
	Sentence string        `json:"sentence"`
	Remedy   string        `json:"remedy"`
	Fix      Fix           `json:"fix"`
	Cause    string        `json:"cause,omitempty"`
	Unseen   bool          `json:"unseen,omitempty"` // the check could not be made
}

// Summary counts.
type Summary struct {
	Lineages int `json:"lineages"`
	Clean    int `json:"clean"`
	Findings int `json:"findings"`
	Servers  int `json:"servers,omitempty"` // of a fleet
}

// Document is the report with its remedies in the words that say gives them.
func (r Report) Document(say func(failure.Remedy) string) Document {
	d := r.Frame()
	for _, f := range r.Findings {
		d.Findings = append(d.Findings, f.Document(say))
	}
	return d
}

// Frame is the document without its findings, for whoever writes them one by one.
func (r Report) Frame() Document {
	return Document{Version: DocumentVersion, Server: r.Server, At: moment(r.At), Partial: r.Partial,
		Findings: []DocumentFinding{}, Lineages: r.Held, Unread: r.Unread,
		Summary: Summary{r.Lineages, r.Clean, len(r.Findings), r.Servers}}
}

// Document is the finding with its remedy in the words that say gives it.
func (f Finding) Document(say func(failure.Remedy) string) DocumentFinding {
	names := f.Names
	if names == nil {
		names = []string{}
	}
	return DocumentFinding{Server: f.Server, ID: f.ID, Class: f.Class,
		Severity: f.Severity, Lineage: f.Lineage, Names: names, File: f.File, Line: f.Line,
		Since: moment(f.Since), HurtsAt: moment(f.HurtsAt), Sentence: f.Sentence,
		Remedy: say(f.Remedy), Fix: f.Fix, Cause: f.Cause, Unseen: f.Unseen}
}

// Finding is the finding of a document that anybody may have written, cleaned. Its remedy is in words.
func (d DocumentFinding) Finding() Finding {
	f := Finding{ID: d.ID, Server: failure.Clean(d.Server), Class: failure.Class(failure.Clean(string(d.Class))),
		Severity: d.Severity, Lineage: failure.Clean(d.Lineage), Names: d.Names,
		File: failure.Clean(d.File), Line: max(d.Line, 0), Sentence: failure.Clean(d.Sentence),
		Remedy: failure.Remedy(failure.Clean(d.Remedy)), Fix: d.Fix, Cause: failure.Clean(d.Cause),
		Unseen: d.Unseen}
	for i, name := range f.Names {
		f.Names[i] = failure.Clean(name)
	}
	if d.Since != nil {
		f.Since = d.Since.UTC()
	}
	if d.HurtsAt != nil {
		f.HurtsAt = d.HurtsAt.UTC()
	}
	if f.Fix != FixYes && f.Fix != FixAsk {
		f.Fix = FixNo
	}
	return f
}

// moment is a time as JSON has it, null for none.
func moment(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC().Truncate(time.Second)
	return &t
}
