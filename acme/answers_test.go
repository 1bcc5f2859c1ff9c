package acme_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"orderly/acme"
	"orderly/outside"
)

// problemFrom is the Problem that an answer of this kind to newOrder becomes.
func problemFrom(t *testing.T, status int, contentType, body string) *acme.Problem {
	t.Helper()
	ca := newFakeCA(t)
	_, a := ca.ready(t)
	ca.on("/new-order", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", contentType)
		w.Header().Set("Retry-After", "60")
		w.WriteHeader(status)
		w.Write([]byte(body))
	})
	_, err := newOrder(t.Context(), a)
	p, ok := errors.AsType[*acme.Problem](err)
	if !ok {
		t.Fatalf("got %v", err)
	}
	if p.Status != status || p.RetryAfter != time.Minute || !p.HasRetryAfter || p.Date.IsZero() {
		t.Errorf("reply %+v", p.Reply)
	}
	return p
}

func TestAProblemDocumentIsTold(t *testing.T) {
	p := problemFrom(t, 429, "application/problem+json; charset=utf-8", `{
		"type": "urn:ietf:params:acme:error:rateLimited", "title": "slow\u001b[2J", "status": 400,
		"detail": "too many new orders (300) from this account in the last 3h0m0s: see https://letsencrypt.org/docs/rate-limits/#new-orders-per-account.",
		"subproblems": [
			{"type":"urn:ietf:params:acme:error:caa","detail":"no\nway","identifier":{"type":"dns","value":"A.Example"}},
			{"type":"urn:ietf:params:acme:error:dns","detail":5}, "odd"]}`)
	if got := p.Error(); got != "429 rateLimited: too many new orders (300) from this account in the last 3h0m0s: see https://letsencrypt.org/docs/rate-limits/#new-orders-per-account."+
		"; a.example: no way" {
		t.Errorf("Error: %s", got)
	}
	if !p.Document || !p.IsType("rateLimited") || p.IsType("malformed") || p.Title.String() != "slow [2J" || p.Undecided() {
		t.Errorf("got %+v", p)
	}
	if p.Link != "https://letsencrypt.org/docs/rate-limits/#new-orders-per-account" {
		t.Errorf("link %q", p.Link)
	}
	want := []acme.Subproblem{{Type: "caa", Detail: outside.Of("no\nway"), Name: "a.example"}, {Type: "dns"}, {}}
	if !slices.Equal(p.Subproblems, want) {
		t.Errorf("subproblems %+v", p.Subproblems)
	}
}

func TestTheLinkToUnpauseIsKeptWhole(t *testing.T) {
	link := "https://ca.example/sfe/v1/unpause?jwt=" + strings.Repeat("aB-_.9", 150)
	p := problemFrom(t, 429, "application/problem+json", `{"type":"urn:ietf:params:acme:error:rateLimited","detail":"Your account is temporarily prevented. Please visit: `+link+`"}`)
	if p.Link != link || len(p.Detail.String()) > 500 {
		t.Errorf("link %q, detail of %d bytes", p.Link, len(p.Detail.String()))
	}
}

func TestWhatIsNoProblemDocumentIsToldByItsStatus(t *testing.T) {
	long := `{"type":"urn:ietf:params:acme:error:malformed","detail":"` + strings.Repeat("x", acme.ProblemLimit) + `"}`
	for _, c := range []struct {
		status                     int
		contentType, body, message string
		undecided                  bool
	}{
		{429, "text/html", "<html><script>alert(1)</script>", "429: Too Many Requests", false},
		{503, "", "", "503: Service Unavailable", true},
		{502, "application/problem+json", "<html>", "502: Bad Gateway", true},
		{400, "application/problem+json", "null", "400: Bad Request", false},
		{400, "application/problem+json", "{}", "400: Bad Request", false},
		{400, "application/json", `{"message":"Forbidden"}`, "400: Bad Request", false},
		{400, "application/problem+json", long, "400: Bad Request", false},
		{599, "text/plain", "plain", "599: unknown status", true},
		{300, "text/html", "choose", "300: Multiple Choices, which is not followed", false},
	} {
		p := problemFrom(t, c.status, c.contentType, c.body)
		if p.Error() != c.message || p.Document || p.Undecided() != c.undecided || p.Type != "" {
			t.Errorf("%d %s: %q, %+v", c.status, c.contentType, p.Error(), p)
		}
	}
	p := problemFrom(t, 400, "application/json", `{"type":"urn:ietf:params:acme:error:malformed","detail":7,"subproblems":"none"}`)
	if p.Error() != "400 malformed: Bad Request" || !p.Document {
		t.Errorf("a gateway's content type: %q", p.Error())
	}
}

func TestTheErrorOfAnOrderIsAProblem(t *testing.T) {
	ca := newFakeCA(t)
	_, a := ca.ready(t)
	for body, want := range map[string]string{
		`{"type":"urn:ietf:params:acme:error:serverInternal","status":500,"detail":"Error finalizing"}`: "500 serverInternal: Error finalizing",
		`{"type":"urn:ietf:params:acme:error:dns"}`:                                                     "dns: the CA gives no reason",
		`{"type":"about:blank","status":400,"title":"T"}`:                                               "400: T",
		`"odd"`: "the CA gives no reason",
	} {
		ca.on("/order/1", ca.located(200, "", strings.Replace(ca.order("invalid"), `"status"`, `"error":`+body+`,"status"`, 1)))
		o, err := a.Order(t.Context(), ca.URL+"/order/1")
		if err != nil || o.Error == nil || o.Error.Error() != want {
			t.Errorf("%s: %v, %v", body, o.Error, err)
		}
	}
	ca.on("/order/1", ca.located(200, "", strings.Replace(ca.order("invalid"), `"status"`, `"error":null,"status"`, 1)))
	if o, err := a.Order(t.Context(), ca.URL+"/order/1"); err != nil || o.Error != nil || o.Error.IsType("") {
		t.Errorf("%v, %v", o.Error, err)
	}
}

func TestRetryAfter(t *testing.T) {
	date := time.Date(2026, 11, 7, 10, 0, 0, 0, time.UTC)
	received := date.Add(-time.Hour) // a clock that is behind
	for _, c := range []struct {
		value string
		date  time.Time
		want  time.Duration
		ok    bool
	}{
		{"", date, 0, false},
		{"0", date, 0, true},
		{" 120 ", date, 2 * time.Minute, true},
		{"86400", date, 24 * time.Hour, true},
		{"-5", date, 0, true},
		{"99999999999999999999999", date, acme.LongestWait, true},
		{"-99999999999999999999999", date, 0, true},
		{"9223372036854775807", date, acme.LongestWait, true},
		{"1.5", date, 0, false},
		{"soon", date, 0, false},
		{"Sat, 07 Nov 2026 10:00:30 GMT", date, 30 * time.Second, true},
		{"Saturday, 07-Nov-26 10:00:30 GMT", date, 30 * time.Second, true},
		{"Sat, 07 Nov 2026 10:00:30 GMT", time.Time{}, time.Hour + 30*time.Second, true},
		{"Sat, 07 Nov 2026 09:59:00 GMT", date, 0, true},
		{"Sat, 07 Nov 9999 09:59:00 GMT", date, acme.LongestWait, true},
		{"Sat, 07 Nov 0000 09:59:00 GMT", date, 0, true},
	} {
		got, ok := acme.RetryAfter(c.value, c.date, received)
		if got != c.want || ok != c.ok {
			t.Errorf("%q: %s, %v", c.value, got, ok)
		}
	}
}

func TestLinkHeaders(t *testing.T) {
	for header, want := range map[string][]string{
		``:                      nil,
		`<a>;rel="next"`:        {"a"},
		`<a>; rel=next`:         {"a"},
		`<a>;REL="Next"`:        {"a"},
		`<a>; rel="index next"`: {"a"},
		`<a>;rel="index",<b>;rel="next" , <c>; title="x, <y>; rel=\"next\""; rel="next"`: {"b", "c"},
		`<a,b;c>;rel="next"`:              {"a,b;c"},
		`<a>; rel="index"; rel="next"`:    nil,
		`<a>`:                             nil,
		`<a>; title="next"`:               nil,
		`<>; rel="next"`:                  nil,
		`a; rel="next"`:                   nil,
		`<a; rel="next"`:                  nil,
		`<a>; title="open, <b>; rel=next`: nil,
	} {
		if got := acme.ParseLinks([]string{header}, "next"); !slices.Equal(got, want) {
			t.Errorf("%s: %q", header, got)
		}
	}
	if got := acme.ParseLinks([]string{`<a>;rel=next`, `<b>;rel=next`}, "next"); !slices.Equal(got, []string{"a", "b"}) {
		t.Errorf("two headers: %q", got)
	}
}

func FuzzRetryAfter(f *testing.F) {
	for _, seed := range []string{"120", "-1", "Sat, 07 Nov 2026 10:00:30 GMT", "99999999999999999999", "1e3", ""} {
		f.Add(seed, int64(1_790_000_000))
	}
	f.Fuzz(func(t *testing.T, value string, date int64) {
		got, ok := acme.RetryAfter(value, time.Unix(date%253_402_300_800, 0), time.Unix(0, 0))
		if got < 0 || got > acme.LongestWait || (!ok && got != 0) {
			t.Errorf("%q at %d: %s, %v", value, date, got, ok)
		}
	})
}

func FuzzLinks(f *testing.F) {
	f.Add(`<a>;rel="index",<b>;rel="next"`, "next")
	f.Add(`<a>; title="x, <y>; rel=\"next\""; rel="next"`, "alternate")
	f.Add(`<<>>;;,,""\`, "next")
	f.Fuzz(func(t *testing.T, header, relation string) {
		found := acme.ParseLinks([]string{header}, relation)
		if len(found) > strings.Count(header, "<") {
			t.Errorf("%d targets in %q", len(found), header)
		}
		for _, target := range found {
			if target == "" || !strings.Contains(header, target) {
				t.Errorf("%q is not in %q", target, header)
			}
		}
	})
}

func FuzzProblem(f *testing.F) {
	f.Add([]byte(`{"type":"urn:ietf:params:acme:error:dns","detail":"see https://x.example/?a=b.","status":400,"subproblems":[{"identifier":{"value":"A"}}]}`))
	f.Add([]byte(`{"type":7,"detail":["\u001b"],"status":"x","subproblems":{}}`))
	f.Add([]byte("null"))
	f.Add([]byte("<html>"))
	f.Fuzz(func(t *testing.T, body []byte) {
		p := acme.ParseProblem(body)
		texts := []string{p.Type, p.Title.String(), p.Detail.String(), p.Error()}
		for _, s := range p.Subproblems {
			texts = append(texts, s.Type, s.Detail.String(), s.Name)
		}
		for _, text := range texts {
			if !utf8.ValidString(text) || len(text) > 1100 || strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r == 0x7f }) {
				t.Errorf("%q gave %q", body, text)
			}
		}
		if p.Document && !json.Valid(body) {
			t.Errorf("%q is no JSON and yet a document", body)
		}
		if p.Link != "" && (!strings.HasPrefix(p.Link, "https://") || strings.ContainsAny(p.Link, " \"<>\x1b\n")) {
			t.Errorf("%q gave the link %q", body, p.Link)
		}
	})
}
