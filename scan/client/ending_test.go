package client

import (
	"fmt"
	"strings"
	"testing"
)

const begun = "2026-11-28 14:35:57,500:DEBUG:certbot._internal.main:certbot version: 2.1.0\n" +
	`2026-11-28 14:35:57,600:DEBUG:acme.client:Sending GET request to https://ca.example/dir.
2026-11-28 14:35:57,610:DEBUG:acme.client:Received response:
HTTP 200
Content-Type: application/json

{"newOrder": "https://ca.example/new-order", "newNonce": "https://ca.example/nonce"}
`

// Runs of verbs that are about no certificate end with what they did, and were not killed.
func TestRunsAboutAnAccountEnd(t *testing.T) {
	for _, c := range []struct {
		logger string
		words  []string
		want   Fate
	}{
		{"display.obj", []string{"Notifying user: Account registered."}, Whole},
		{"display.obj", []string{"Notifying user: Account deactivated."}, Whole},
		{"display.obj", []string{"Notifying user: Account details for server https://ca.example/dir:\n  Email"},
			Whole},
		{"display.obj", []string{"Notifying user: Your e-mail address was updated to a@example.com."}, Whole},
		{"reporter", []string{"Reporting to user: Your account credentials have been saved in your " +
			"Certbot configuration directory at /etc/letsencrypt."}, Whole},
		{"display.obj", []string{"Notifying user: Account registered.",
			"Notifying user: Requesting a certificate for a.example.com"}, Killed},
		{"display.obj", []string{"Notifying user: Renewing an existing certificate for a.example"}, Killed},
	} {
		var b strings.Builder
		b.WriteString(begun)
		for _, w := range c.words {
			fmt.Fprintf(&b, "2026-11-28 14:35:57,666:INFO:certbot._internal.%s:%s\n", c.logger, w)
		}
		if got := read(t, b.String()).runs; len(got) != 1 || got[0].Fate != c.want {
			t.Errorf("%q: %+v, want %s", c.words, got, c.want)
		}
	}
}

// A round that is killed when it begins with the next lineage was not at the one before.
func TestARoundKilledBetweenLineages(t *testing.T) {
	const order = `2026-11-28 14:35:58,100:DEBUG:acme.client:Sending POST request to https://ca.example/new-order:
{
  "protected": "",
  "payload": "eyJpZGVudGlmaWVycyI6W3sidHlwZSI6ImRucyIsInZhbHVlIjoiYS5leGFtcGxlIn1dfQ"
}
2026-11-28 14:35:58,200:DEBUG:acme.client:Received response:
HTTP 429
Content-Type: application/problem+json

{"type": "urn:ietf:params:acme:error:rateLimited", "detail": "too many"}
`
	const next = "2026-11-28 14:35:59,600:DEBUG:acme.client:Sending GET request to https://ca.example/dir.\n"
	for text, want := range map[string]Step{begun + order: NewOrder, begun + order + next: Directory} {
		if got := read(t, text).runs; len(got) != 1 || got[0].Step != want || got[0].Fate != Killed {
			t.Errorf("%+v, want %s", got, want)
		}
	}
}
