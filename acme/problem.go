package acme

import (
	"encoding/json"
	"fmt"
	"mime"
	"net/http"
	"strings"

	"orderly/outside"
)

// Problem is an answer that is no success: status 400 and above, or a redirect, none of which is followed. It also stands
// for the error of a challenge or an order, with the status the CA wrote into it.
type Problem struct {
	Reply
	Type        string       // without "urn:ietf:params:acme:error:"; "" if there was none
	Title       outside.Text //
	Detail      outside.Text // never empty; made from the status when the CA said nothing
	Link        string       // the first https URL in the CA's own detail, which Detail may have cut in two; "" if none
	Location    string       // of a 409 to a key change: the account that has the key already (RFC 8555 §7.3.5); "" otherwise
	Subproblems []Subproblem // RFC 8555 §6.7.1; at most 200
	Document    bool         // whether the CA sent a problem document; a proxy before it sends HTML, or nothing
}

// Subproblem is what is wrong with one of several names.
type Subproblem struct {
	Type   string
	Detail outside.Text
	Name   string // as names are compared; "" when the CA named none
}

// Error is the status, the type and the detail: "429 rateLimited: too many …".
func (p *Problem) Error() string {
	switch {
	case p.Type == "" && p.Status == 0:
		return p.Detail.String()
	case p.Type == "":
		return fmt.Sprintf("%d: %s", p.Status, p.Detail)
	case p.Status == 0:
		return fmt.Sprintf("%s: %s", p.Type, p.Detail)
	}
	return fmt.Sprintf("%d %s: %s", p.Status, p.Type, p.Detail)
}

// IsType reports whether the CA gave this type of RFC 8555 §6.7, without its prefix, such as "rateLimited". It is false
// for a nil Problem.
func (p *Problem) IsType(t string) bool { return p != nil && p.Type == t }

// Undecided reports whether the CA may have done what it was asked in spite of this answer: a 5xx, which a proxy in front
// of it also sends when the CA was merely slow.
func (p *Problem) Undecided() bool { return p.Status >= 500 }

// problem is nil for a success, and otherwise what the answer says went wrong.
func (a answer) problem() *Problem {
	if a.success() {
		return nil
	}
	p := &Problem{}
	if a.broken == nil && mayBeDocument(a.header.Get("Content-Type")) {
		p = parseProblem(a.body)
	}
	if p.Detail.Empty() {
		p.Detail = outside.Of(statusText(a.Status))
	}
	if a.Status == http.StatusConflict && a.request.kind == KindKeyChange {
		location, _ := a.location()
		p.Location = presentable(location)
	}
	p.Reply = a.Reply
	return p
}

// mayBeDocument lets plain JSON through beside RFC 9457's type, because gateways are known to rewrite it.
func mayBeDocument(contentType string) bool {
	t, _, _ := mime.ParseMediaType(contentType)
	return t == "application/problem+json" || t == "application/json"
}

func statusText(status int) string {
	text := http.StatusText(status)
	if text == "" {
		text = "unknown status"
	}
	if status/100 == 3 {
		text += ", which is not followed"
	}
	return text
}

// parseProblem reads RFC 9457 and RFC 8555 §6.7, taking each member by itself: one of an unexpected kind must not hide
// the others. Document is false for what is no JSON object, or one without any of a problem's members.
func parseProblem(body []byte) *Problem {
	var members map[string]json.RawMessage
	json.Unmarshal(body, &members)
	detail := textOf(members["detail"])
	p := &Problem{
		Type:   shortType(textOf(members["type"])),
		Title:  outside.Of(textOf(members["title"])),
		Detail: outside.Of(detail),
		Link:   firstLink(detail),
	}
	p.Document = p.Type != "" || !p.Title.Empty() || !p.Detail.Empty()
	if p.Detail.Empty() {
		p.Detail = p.Title
	}
	json.Unmarshal(members["status"], &p.Status) // of another kind: stays 0
	var subproblems []json.RawMessage
	json.Unmarshal(members["subproblems"], &subproblems)
	for _, raw := range subproblems[:min(len(subproblems), 200)] {
		p.Subproblems = append(p.Subproblems, parseSubproblem(raw))
	}
	return p
}

func parseSubproblem(raw json.RawMessage) Subproblem {
	var members, identifier map[string]json.RawMessage
	json.Unmarshal(raw, &members)
	json.Unmarshal(members["identifier"], &identifier)
	name := textOf(identifier["value"])
	if name != "" {
		name = nameOf(name)
	}
	return Subproblem{
		Type:   shortType(textOf(members["type"])),
		Detail: outside.Of(textOf(members["detail"])),
		Name:   name,
	}
}

// embeddedProblem is the error member of an order or a challenge; nil when there is none.
func embeddedProblem(raw json.RawMessage) *Problem {
	if len(raw) == 0 || string(raw) == "null" {
		return nil
	}
	p := parseProblem(raw)
	if p.Detail.Empty() {
		p.Detail = outside.Of("the CA gives no reason")
	}
	return p
}

// textOf is the string in raw, or "" if raw holds something else.
func textOf(raw json.RawMessage) string {
	var s string
	if json.Unmarshal(raw, &s) != nil {
		return ""
	}
	return s
}

func shortType(t string) string {
	if t == "about:blank" {
		return ""
	}
	return wordOf("type", strings.TrimPrefix(t, "urn:ietf:params:acme:error:"))
}

// firstLink finds the page a person is sent to: the limit that was reached, or Boulder's page to unpause a name, whose
// URL carries a token too long for a cleaned detail.
func firstLink(detail string) string {
	at := strings.Index(detail, "https://")
	if at < 0 {
		return ""
	}
	link := detail[at:]
	if end := strings.IndexFunc(link, notInLink); end >= 0 {
		link = link[:end]
	}
	link = strings.TrimRight(link, ".,;:!?)")
	if len(link) > 2048 || len(link) <= len("https://") {
		return ""
	}
	return link
}

func notInLink(r rune) bool {
	return r <= ' ' || r > '~' || strings.ContainsRune("\"'<>\\`{|}^", r)
}
