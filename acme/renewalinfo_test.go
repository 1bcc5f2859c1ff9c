package acme_test

import (
	"crypto/x509"
	"encoding/json"
	"errors"
	"io"
	"math/big"
	"net/http"
	"strings"
	"testing"
	"time"

	"orderly/acme"
)

const window = `"suggestedWindow":{"start":"2025-01-02T04:00:00Z","end":"2025-01-03T04:00:00+01:00"}`

func TestRenewalInformationIsAskedForWithOneGETThatIsNotSigned(t *testing.T) {
	ca := newFakeCA(t)
	var asked []string
	ca.on("/ari/aYhba4dGQEHhs3uEe6CuLN4ByNQ.AIdlQyE", func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		asked = append(asked, r.Method+string(body)+r.Header.Get("Content-Type"))
		w.Header().Set("Retry-After", "21600")
		w.Write([]byte(`{` + window + `,"explanationURL":"https://ca.example/docs?a=b"}`))
	})
	for _, base := range []string{"/ari", "/ari/"} { // the RFC's own, and with the slash of its drafts
		ca.on("/directory", ca.located(200, "", strings.Replace(ca.directory(), ca.URL+"/ari", ca.URL+base, 1)))
		c := ca.client(t)
		got, err := c.RenewalInfo(t.Context(), "aYhba4dGQEHhs3uEe6CuLN4ByNQ.AIdlQyE")
		if err != nil || !got.Start.Equal(time.Date(2025, 1, 2, 4, 0, 0, 0, time.UTC)) || !got.End.Equal(time.Date(2025, 1, 3, 3, 0, 0, 0, time.UTC)) ||
			got.ExplanationURL != "https://ca.example/docs?a=b" || !got.HasRetryAfter || got.RetryAfter != 6*time.Hour || got.Status != 200 {
			t.Errorf("%+v, %v", got, err)
		}
		if c.Nonces() != 0 {
			t.Error("an answer that may come from a cache brought a nonce")
		}
	}
	if strings.Join(asked, " ") != "GET GET" {
		t.Errorf("asked %q", asked)
	}
}

func TestRenewalInformationThatCannotBeHadSaysWhenToAskAgain(t *testing.T) {
	ca := newFakeCA(t)
	c := ca.client(t)
	answer := func(status int, kind, body string) {
		ca.on("/ari/a.b", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "Sat, 07 Nov 2026 10:02:00 GMT")
			w.Header().Set("Content-Type", kind)
			w.WriteHeader(status)
			io.WriteString(w, body)
		})
	}
	for body, status := range map[string]int{
		"": 200, "{}": 200, "null": 200, "[]": 200, "<html>": 200, `{"suggestedWindow":[]}`: 200, `{"suggestedWindow":{"start":1,"end":2}}`: 200,
		`{"suggestedWindow":{"start":"2025-01-02T04:00:00Z"}}`:                                200,
		`{"suggestedWindow":{"start":"2025-01-02T04:00:00Z","end":"2025-01-02T04:00:00Z"}}`:   200,
		`{"suggestedWindow":{"start":"2025-01-02T04:00:00Z","end":"2025-01-02T04:00:00+1Z"}}`: 200,
		`{` + window + `}` + strings.Repeat(" ", acme.BodyLimit):                              203,
	} {
		answer(status, "application/json", body)
		_, err := c.RenewalInfo(t.Context(), "a.b")
		if lost, ok := errors.AsType[*acme.Lost](err); !ok || lost.Reply.RetryAfter != 2*time.Minute {
			t.Errorf("%.80q: %v", body, err)
		}
	}
	for status, body := range map[int]string{404: `{"type":"urn:ietf:params:acme:error:malformed","detail":"none"}`, 503: "<html>", 429: ""} {
		answer(status, "application/json", body)
		_, err := c.RenewalInfo(t.Context(), "a.b")
		if p, ok := errors.AsType[*acme.Problem](err); !ok || p.Status != status || p.RetryAfter != 2*time.Minute {
			t.Errorf("%d: %v", status, err)
		}
	}
	ca.on("/ari/a.b", cut)
	if _, err := c.RenewalInfo(t.Context(), "a.b"); !isA[*acme.Lost](err) && !isA[*acme.NotSent](err) {
		t.Errorf("got %v", err)
	}
	before := ca.count("/ari/a.b")
	for _, id := range []string{"", "a", ".", "a.", ".b", "a.b.c", "a.b/../..", "a.b?c", "a.b=", "%61.b", "a.\x00"} {
		if _, err := c.RenewalInfo(t.Context(), id); !isA[*acme.NotSent](err) {
			t.Errorf("%q: %v", id, err)
		}
	}
	if ca.count("/ari/a.b") != before {
		t.Error("something was sent for no certificate")
	}
}

func TestOnlyAPageForPeopleIsAnExplanation(t *testing.T) {
	for url, want := range map[string]bool{
		"https://ca.example/x": true, "http://ca.example/x": false, "HTTPS://ca.example/x": false, "https://ca.example/" + strings.Repeat("x", 400): true,
		"": false, "x": false, "javascript:alert(1)": false, "https://": false, "https://u:p@ca.example/": false, "file:///etc/passwd": false,
		"https://ca.example/\x1b[2J": false, "https://ca.example/a b": false, "https://ca.example/" + strings.Repeat("x", 600): false, `https://ca.example/"><script>`: false,
	} {
		quoted, _ := json.Marshal(url)
		info, err := acme.ParseRenewalInfo([]byte(`{` + window + `,"explanationURL":` + string(quoted) + `}`))
		if err != nil || (info.ExplanationURL == url && url != "") != want || (!want && info.ExplanationURL != "") {
			t.Errorf("%q gave %q, %v", url, info.ExplanationURL, err)
		}
	}
	if info, err := acme.ParseRenewalInfo([]byte(`{` + window + `,"explanationURL":{}}`)); err != nil || info.ExplanationURL != "" {
		t.Errorf("%+v, %v", info, err)
	}
}

func FuzzRenewalInfo(f *testing.F) {
	f.Add([]byte(`{` + window + `,"explanationURL":"https://ca.example/docs"}`))
	f.Add([]byte(`{"suggestedWindow":{"start":"9999-12-31T23:59:59Z","end":"0001-01-01T00:00:01Z"}}`))
	f.Add([]byte(`{"suggestedWindow":null,"explanationURL":7}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		info, err := acme.ParseRenewalInfo(body)
		if err != nil {
			if info != (acme.RenewalInfo{}) {
				t.Errorf("%q: %+v beside %v", body, info, err)
			}
			return
		}
		if !json.Valid(body) || info.Start.IsZero() || !info.Start.Before(info.End) {
			t.Errorf("%q gave %+v", body, info)
		}
		if u := info.ExplanationURL; u != "" && (!strings.HasPrefix(u, "https:") || len(u) > 500 || strings.ContainsAny(u, " \"<>\x1b\n")) {
			t.Errorf("%q explains itself at %q", body, u)
		}
	})
}

func TestRenewalIDIsThatOfTheRFC(t *testing.T) {
	// The example of RFC 9773, section 4.1, whose serial number needs a zero byte before it in DER.
	leaf := &x509.Certificate{
		AuthorityKeyId: []byte{0x69, 0x88, 0x5b, 0x6b, 0x87, 0x46, 0x40, 0x41, 0xe1, 0xb3, 0x7b, 0x84, 0x7b, 0xa0, 0xae, 0x2c, 0xde, 0x01, 0xc8, 0xd4},
		SerialNumber:   new(big.Int).SetBytes([]byte{0x87, 0x65, 0x43, 0x21}),
	}
	if got := acme.RenewalID(leaf); got != "aYhba4dGQEHhs3uEe6CuLN4ByNQ.AIdlQyE" {
		t.Errorf("got %s", got)
	}
	leaf.SerialNumber = big.NewInt(0x12)
	if got := acme.RenewalID(leaf); got != "aYhba4dGQEHhs3uEe6CuLN4ByNQ.Eg" {
		t.Errorf("got %s", got)
	}
	leaf.AuthorityKeyId = nil
	if got := acme.RenewalID(leaf); got != "" {
		t.Errorf("got %s", got)
	}
}
