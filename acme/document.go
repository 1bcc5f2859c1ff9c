package acme

import (
	"encoding/json"
	"strings"

	"orderly/outside"
)

// A problem is kept, and handed on, as the document that it came as, so that whoever stands between
// a CA and its clients can tell them what it said: cleaned, with the members that RFC 9457 and RFC
// 8555 §6.7 know and no others.

const errorPrefix = "urn:ietf:params:acme:error:"

type document struct {
	Type        string       `json:"type,omitempty"`
	Title       string       `json:"title,omitempty"`
	Detail      string       `json:"detail,omitempty"`
	Status      int          `json:"status,omitempty"`
	Instance    string       `json:"instance,omitempty"`
	Algorithms  []string     `json:"algorithms,omitempty"`
	Subproblems []subproblem `json:"subproblems,omitempty"`
}

type subproblem struct {
	Type       string      `json:"type,omitempty"`
	Detail     string      `json:"detail,omitempty"`
	Identifier *identifier `json:"identifier,omitempty"`
}

// Encode is the problem as a document, nil for a nil Problem. ReadProblem reads it.
func (p *Problem) Encode() json.RawMessage {
	if p == nil {
		return nil
	}
	d := document{Type: longType(p.Type), Title: p.Title.String(), Detail: p.Detail.String(),
		Status: p.Status, Algorithms: p.Algorithms}
	if p.IsType("userActionRequired") {
		d.Instance = p.Link
	}
	for _, s := range p.Subproblems {
		one := subproblem{Type: longType(s.Type), Detail: s.Detail.String()}
		if s.Name != "" {
			kind, value := IdentifierOf(s.Name)
			one.Identifier = &identifier{kind, value}
		}
		d.Subproblems = append(d.Subproblems, one)
	}
	text, err := json.Marshal(d)
	if err != nil {
		return nil // strings and numbers can be encoded
	}
	return text
}

// ReadProblem reads a document; nil where there is none.
func ReadProblem(text json.RawMessage) *Problem {
	if len(text) == 0 {
		return nil
	}
	p := parseProblem(text)
	if p.Detail.Empty() {
		p.Detail = outside.Of("the CA gives no reason")
	}
	return p
}

// longType is a type as it is sent: those of RFC 8555 are kept without their prefix.
func longType(short string) string {
	if short == "" || strings.Contains(short, ":") {
		return short
	}
	return errorPrefix + short
}
