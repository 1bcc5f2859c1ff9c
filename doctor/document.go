package doctor

// A report as programs read it. It is also what servers send to whoever puts those of a fleet
// together.

import (
	"time"

	"orderly/failure"
)

// DocumentVersion is that of Document.
const DocumentVersion = 1

// Document is a report as programs read it: the schema of `doctor --json`.
type Document struct {
	Version  int               `json:"version"`
	Findings []DocumentFinding `json:"findings"`
	Summary  Summary           `json:"summary"`
}

// DocumentFinding is a finding as programs read it.
type DocumentFinding struct {
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
}

// Summary counts.
type Summary struct {
	Lineages int `json:"lineages"`
	Clean    int `json:"clean"`
	Findings int `json:"findings"`
}

// Document is the report with its remedies in the words that say gives them.
func (r Report) Document(say func(failure.Remedy) string) Document {
	d := Document{Version: DocumentVersion, Findings: []DocumentFinding{},
		Summary: Summary{r.Lineages, r.Clean, len(r.Findings)}}
	for _, f := range r.Findings {
		names := f.Names
		if names == nil {
			names = []string{}
		}
		d.Findings = append(d.Findings, DocumentFinding{ID: f.ID, Class: f.Class,
			Severity: f.Severity, Lineage: f.Lineage, Names: names, File: f.File, Line: f.Line,
			Since: moment(f.Since), HurtsAt: moment(f.HurtsAt), Sentence: f.Sentence,
			Remedy: say(f.Remedy), Fix: f.Fix, Cause: f.Cause})
	}
	return d
}

// moment is a time as JSON has it, null for none.
func moment(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC().Truncate(time.Second)
	return &t
}
