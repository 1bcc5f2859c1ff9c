package testca

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"strings"

	"github.com/letsencrypt/pebble/v2/acme"
)

// reply is an answer that can still be changed; Pebble writes into it as an http.ResponseWriter.
type reply struct {
	status  int
	header  http.Header
	body    bytes.Buffer
	limited bool // refused by one of Config.Limits
}

func newReply(status int) *reply { return &reply{status: status, header: http.Header{}} }

// Header is that of http.ResponseWriter.
func (r *reply) Header() http.Header { return r.header }

// WriteHeader is that of http.ResponseWriter.
func (r *reply) WriteHeader(status int) { r.status = status }

// Write is that of http.ResponseWriter.
func (r *reply) Write(b []byte) (int, error) { return r.body.Write(b) }

func (r *reply) send(w http.ResponseWriter, date string) {
	maps.Copy(w.Header(), r.header)
	// Clients judge time by this header (the front's clock may be ahead of the machine's).
	w.Header().Set("Date", date)
	w.WriteHeader(r.status)
	_, _ = w.Write(r.body.Bytes()) // a client that is gone is no concern of the CA's
}

// json replaces the body.
func (r *reply) json(status int, v any) *reply {
	text, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return r.refuse(problemf(http.StatusInternalServerError, "serverInternal", "%v", err))
	}
	r.status = status
	r.header.Set("Content-Type", "application/json")
	r.body.Reset()
	r.body.Write(text)
	return r
}

// refuse makes the answer a problem document.
func (r *reply) refuse(p *problem) *reply {
	r.json(p.Status, p)
	r.header.Set("Content-Type", "application/problem+json")
	r.header.Del("Location")
	if p.retryAfter != "" {
		r.header.Set("Retry-After", p.retryAfter)
	}
	r.limited = p.limit
	return r
}

// documented gives Pebble's bare 404s the problem document Boulder sends.
func (r *reply) documented() *reply {
	if r.status == http.StatusNotFound && r.body.Len() == 0 {
		return r.refuse(problemf(http.StatusNotFound, "malformed", "No such resource"))
	}
	return r
}

const errorPrefix = "urn:ietf:params:acme:error:"

// problem is a problem document (RFC 8555 §6.7) and the error it stands for.
type problem struct {
	Type   string `json:"type"`
	Detail string `json:"detail"`
	Status int    `json:"status"`
	// Algorithms are those that are taken, in a badSignatureAlgorithm.
	Algorithms []string `json:"algorithms,omitempty"`
	// Subproblems are about one identifier each (RFC 8555 §6.7.1).
	Subproblems []subproblem `json:"subproblems,omitempty"`

	retryAfter string
	limit      bool
}

type subproblem struct {
	Type       string          `json:"type"`
	Detail     string          `json:"detail"`
	Status     int             `json:"status"`
	Identifier acme.Identifier `json:"identifier"`
}

func problemf(status int, kind, format string, arguments ...any) *problem {
	return &problem{Type: errorPrefix + kind, Status: status, Detail: fmt.Sprintf(format, arguments...)}
}

func (p *problem) Error() string { return strings.TrimPrefix(p.Type, errorPrefix) + ": " + p.Detail }

// details is the form in which Pebble's objects hold a problem.
func (p *problem) details() *acme.ProblemDetails {
	return &acme.ProblemDetails{Type: p.Type, Detail: p.Detail, HTTPStatus: p.Status}
}
