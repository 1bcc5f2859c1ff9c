package acme

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"orderly/outside"
)

// What a CA says when it does not do what it was asked. Its words are what an operator reads, so
// that as much of them is kept as can be trusted to be printed.

// Problem is an answer that is no success: status 400 and above, or a redirect, none of which is
// followed. It also stands for the error of a challenge or an order, with the status the CA wrote
// into it.
type Problem struct {
	Reply
	Type   string       // without "urn:ietf:params:acme:error:"; "" if there was none
	Title  outside.Text //
	Detail outside.Text // never empty; made from the status when the CA said nothing
	// the page a person is sent to, which Detail may have cut in two: see page; "" if none
	Link string
	// of a 409 to a key change: the account that has the key already (RFC 8555 §7.3.5); ""
	// otherwise
	Location    string
	Subproblems []Subproblem // RFC 8555 §6.7.1; at most 200
	// whether the CA sent a problem document; a proxy before it sends HTML, or nothing
	Document bool
	// neither a problem document nor a nonce: something before the CA answered, and not the CA
	// itself
	Page bool
	// of a badSignatureAlgorithm: those that the CA takes (RFC 8555 §6.2); at most 20
	Algorithms []string
}

// Subproblem is what is wrong with one of several names.
type Subproblem struct {
	Type   string
	Detail outside.Text
	Name   string // as names are compared; "" when the CA named none
}

// namesSaid is how many of the names with a reason of their own an error tells.
const namesSaid = 10

// Error is the status, the type and the detail, then what is wrong with single names, and the page
// where more is to be read: "429 rateLimited: too many …".
func (p *Problem) Error() string {
	text := p.Detail.String()
	if p.Type != "" {
		text = p.Type + ": " + text
		if p.Status != 0 {
			text = fmt.Sprintf("%d %s", p.Status, text)
		}
	} else if p.Status != 0 {
		text = fmt.Sprintf("%d: %s", p.Status, text)
	}
	said := 0
	for _, s := range p.Subproblems {
		if s.Name == "" || p.Detail.Contains(s.Name) && p.Detail.Contains(s.Detail.Arrived()) {
			continue
		}
		if said++; said > namesSaid {
			return text + "; and more"
		}
		text += "; " + s.Name + ": " + cmp.Or(s.Detail.String(), s.Type, "no reason given")
	}
	if p.IsType("userActionRequired") && p.Link != "" && !strings.Contains(text, p.Link) {
		text += "; see " + p.Link
	}
	return text
}

// IsType reports whether the CA gave this type of RFC 8555 §6.7, without its prefix, such as
// "rateLimited". It is false for a nil Problem.
func (p *Problem) IsType(t string) bool { return p != nil && p.Type == t }

// Undecided reports whether the CA may have done what it was asked in spite of this answer: a 5xx,
// which a proxy in front of it also sends when the CA was merely slow.
func (p *Problem) Undecided() bool { return p.Status >= 500 }

// problem is nil for a success, and otherwise what the answer says went wrong. A document is known
// by what is in it and not by its content type, which gateways and CAs get wrong: a badNonce that
// was not read would end the run.
func (a answer) problem() *Problem {
	if a.success() {
		return nil
	}
	p := &Problem{}
	if a.broken == nil {
		p = parseProblem(a.body)
	}
	if p.Detail.Empty() {
		p.Detail = outside.Of(statusText(a.Status))
	}
	if p.IsType("userActionRequired") {
		p.Link = a.page(p.Link)
	}
	if a.Status == http.StatusConflict && a.request.kind == KindKeyChange {
		location, _ := a.location()
		p.Location = presentable(location)
	}
	p.Reply = a.Reply
	p.Page = !p.Document && a.header.Get("Replay-Nonce") == ""
	return p
}

// page is where a person learns what is to be done: the instance of the problem (RFC 8555 §7.3.3),
// else the new terms, else what the detail names.
func (a answer) page(named string) string {
	found, _ := members(a.body)
	pages := []string{textOf(found["instance"])}
	for _, page := range append(append(pages, a.links("terms-of-service")...), named) {
		if presentable(page) != "" {
			return page
		}
	}
	return ""
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

// parseProblem reads RFC 9457 and RFC 8555 §6.7, taking each member by itself: one of an unexpected
// kind must not hide the others. Document is false for what is no JSON object, or one without any
// of a problem's members.
func parseProblem(body []byte) *Problem {
	members, _ := members(body)
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
	algorithms := listOf(members["algorithms"])
	for _, raw := range algorithms[:min(len(algorithms), 20)] {
		p.Algorithms = append(p.Algorithms, wordOf("algorithm", textOf(raw)))
	}
	subproblems := listOf(members["subproblems"])
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

func shortType(t string) string {
	if t == "about:blank" {
		return ""
	}
	// the second is of RFC 8555's drafts
	for _, prefix := range []string{errorPrefix, "urn:acme:error:"} {
		t = strings.TrimPrefix(t, prefix)
	}
	return wordOf("type", t)
}

// firstLink finds the page a person is sent to: the limit that was reached, or Boulder's page to
// unpause a name, whose URL carries a token too long for a cleaned detail.
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
