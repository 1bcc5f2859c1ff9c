package client

// What certbot received: a status, headers and a body, over many lines, or on one in Python's own
// spelling. Of the headers only those are kept that say what the body does not: where the object
// is, what is above it, the next nonce and the CA's clock.

import (
	"bytes"
	"net/http"
	"strings"
	"time"
)

// answer is what came back.
type answer struct {
	status              int
	location, up, nonce string
	retryAfter          string
	body                []byte // until the next record is read
	date                time.Time
	whole               bool // the body is one JSON object, to its end
	json                bool // it begins as one
	said                *said
	at                  moment
	place               Place
}

// received: HTTP status, headers, an empty line, the body.
func (c *certbot) received(r record, text []byte) {
	a := &answer{place: r.place, at: momentOf(r.stamp), said: &c.said}
	first, rest, _ := splitAt(text, '\n')
	a.status = number(bytes.TrimPrefix(first, []byte("HTTP ")))
	for len(rest) > 0 {
		var header []byte
		header, rest, _ = splitAt(rest, '\n')
		header = bytes.TrimSuffix(header, []byte("\r"))
		if len(header) == 0 {
			break
		}
		name, value, _ := bytes.Cut(header, []byte(": "))
		a.header(name, value)
	}
	c.answer(r, a, rest)
}

// receivedOnOneLine is 0.9's: everything in Python's own spelling.
func (c *certbot) receivedOnOneLine(r record, text []byte, headers, body string) {
	a := &answer{place: r.place, at: momentOf(r.stamp), said: &c.said}
	a.status = number(text)
	i := bytes.Index(text, []byte(headers))
	if i < 0 {
		return
	}
	rest, ok := eachHeader(text[i+len(headers):], a.header)
	if !ok {
		return
	}
	_, rest, _ = bytes.Cut(rest, []byte(body[:1]))
	rest = bytes.TrimPrefix(rest, []byte(body[1:]))
	c.answer(r, a, bytes.TrimLeft(rest, " "))
}

// header takes what a scan needs to know.
func (a *answer) header(name, value []byte) {
	switch len(name) {
	case len("Date"):
		if bytes.EqualFold(name, []byte("Date")) {
			a.date, _ = time.Parse(http.TimeFormat, string(value))
		}
		if bytes.EqualFold(name, []byte("Link")) {
			if u := upward(string(value)); u != "" {
				a.up = u
			}
		}
	case len("Location"):
		if bytes.EqualFold(name, []byte("Location")) {
			a.location = string(value)
		}
	case len("Retry-After"):
		if bytes.EqualFold(name, []byte("Retry-After")) {
			a.retryAfter = string(value[:min(len(value), 64)])
		}
	case len("Replay-Nonce"):
		if bytes.EqualFold(name, []byte("Replay-Nonce")) {
			a.nonce = string(value)
		}
	}
}

// upward is the URL of a Link header with rel="up".
func upward(links string) string {
	for link := range strings.SplitSeq(links, ",") {
		target, params, ok := strings.Cut(strings.TrimSpace(link), ">")
		if ok && strings.HasPrefix(target, "<") && strings.Contains(params, `rel="up"`) {
			return target[1:]
		}
	}
	return ""
}

// when is the moment of an answer: the CA's own date, where it was written down.
func (a *answer) when(z zone) time.Time {
	if !a.date.IsZero() {
		return a.date
	}
	return a.at.in(z)
}

// until is the moment of its Retry-After; zero without one.
func (a *answer) until(at time.Time) time.Time {
	if when, err := time.Parse(http.TimeFormat, a.retryAfter); err == nil {
		return when.UTC()
	}
	if n := number([]byte(a.retryAfter)); n > 0 && !at.IsZero() {
		return at.Add(time.Duration(n) * time.Second)
	}
	return time.Time{}
}

func number(b []byte) int {
	n := 0
	for i := 0; i < len(b) && i < 6 && b[i] >= '0' && b[i] <= '9'; i++ {
		n = n*10 + int(b[i]-'0')
	}
	return n
}
