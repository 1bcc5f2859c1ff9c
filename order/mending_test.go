package order

import (
	"strings"
	"testing"

	"orderly/failure"
	"orderly/ledger"
)

// What the CA says of a name decides what is to be done, for every kind of problem and in the words of Boulder, old and new,
// Pebble and step-ca. Each text is one that was seen.
func TestWhatTheCASaysDecidesWhatToDo(t *testing.T) {
	const url = "http://a.example/.well-known/acme-challenge/u4hTqVf2C0bYzXn7mKs5LwRjPeG9aDi1oNtB3rHxU8E"
	for _, test := range []struct{ kind, detail, want string }{
		{"serverInternal", "Could not communicate with VA", "the CA's own trouble"},
		{"rateLimited", "slow down", "Wait"},
		{"caa", "While processing CAA for a.example: CAA record for a.example prevents issuance", "CAA record of a.example"},
		{"rejectedIdentifier", "Policy forbids issuing for name", "Leave a.example out"},
		{"connection", "192.0.2.10: Fetching " + url + ": Connection refused", "Nothing listens on port 80 of 192.0.2.10: start the web server"},
		{"connection", "Fetching " + url + ": Connection refused", "Nothing listens on port 80 of a.example: start the web server"},
		{"connection", "Get \"" + url + "\": dial tcp 127.0.0.1:80: connect: connection refused", "port 80 of 127.0.0.1"},
		{"connection", "192.0.2.10: Fetching " + url + ": Timeout during connect (likely firewall problem)", "Open port 80 of 192.0.2.10"},
		{"connection", "2001:db8::10: Fetching " + url + ": Timeout during connect (likely firewall problem)", "AAAA record"},
		{"connection", "192.0.2.10: Fetching " + url + ": Connection reset by peer", "breaks connections off"},
		{"connection", "During secondary validation: 192.0.2.10: Fetching " + url + ": Timeout during connect", "whole world"},
		{"connection", "192.0.2.10: Fetching " + url + ": Redirect loop detected", "from the redirect"},
		{"connection", "192.0.2.10: Fetching https://10.0.0.5/: Invalid host in redirect target: IP address is in a reserved address block", "from the redirect"},
		{"connection", "DNS problem: query timed out looking up CAA for a.example", "name servers of a.example"},
		{"dns", "DNS problem: NXDOMAIN looking up A for a.example - check that a DNS record exists for this domain", "Create an A or AAAA record of a.example"},
		{"dns", "no valid A records found for a.example; no valid AAAA records found for a.example", "Create an A or AAAA record"},
		{"unknownHost", "No valid IP addresses found for a.example", "Create an A or AAAA record"},
		{"dns", "DNS problem: SERVFAIL looking up CAA for a.example - the domain's nameservers may be malfunctioning", "name servers of a.example"},
		{"dns", "During secondary validation: DNS problem: SERVFAIL looking up A for a.example", "name servers of a.example"},
		{"dns", "something new", "name servers of a.example"},
		{"unauthorized", "192.0.2.10: The key authorization file from the server did not match this challenge. Expected \"x\" (got \"<!DOCTYPE html>\")", "from the document root"},
		{"unauthorized", "192.0.2.10: Invalid response from " + url + ": 404", "Let the web server at 192.0.2.10 serve"},
		{"unauthorized", "Invalid response from " + url + " [2001:db8::bad]: 404", "Let the web server at 2001:db8::bad serve"},
		{"unauthorized", "192.0.2.10: Invalid response from " + url + ": 403", "passwords, firewalls"},
		{"unauthorized", "192.0.2.10: Invalid response from " + url + ": 502", "passwords, firewalls"},
		{"unauthorized", "Incorrect TXT record \"x\" found at _acme-challenge.a.example", "TXT record of _acme-challenge.a.example"},
		{"unauthorized", "No TXT record found at _acme-challenge.a.example", "TXT record of _acme-challenge.a.example"},
		{"tls", "192.0.2.10: Fetching https://a.example/: tls: handshake failure", "TLS"},
		{"new", "words that nobody knows", "See what the CA says of a.example"},
	} {
		a := &ledger.Authorization{Name: "a.example", Status: "invalid", ErrorType: test.kind, ErrorDetail: test.detail}
		got := string(Mending([]*ledger.Authorization{a, a}, by(SiteAnswers)))
		if !strings.Contains(got, test.want) {
			t.Errorf("%s: %s\n%s\nlacks %s", test.kind, test.detail, got, test.want)
		}
		if waits := strings.HasPrefix(got, "Wait: this"); waits == strings.Contains(got, "a change lifts the back-off") {
			t.Errorf("%s: what nobody here can change lifts nothing: %s", test.kind, got)
		}
	}
}

func by(who Answerer) func(*ledger.Authorization) Way {
	return func(*ledger.Authorization) Way { return Way{Type: ledger.HTTP01, Answers: who} }
}

// A run's own web server is there while the CA looks: what refuses is something before it.
func TestAStandaloneServerIsNotStarted(t *testing.T) {
	a := &ledger.Authorization{Name: "a.example", ErrorType: "connection", ErrorDetail: "192.0.2.10: Fetching http://a.example/: Connection refused"}
	if got := string(Mending([]*ledger.Authorization{a}, by(RunAnswers))); !strings.Contains(got, "lead port 80 of that address") {
		t.Errorf("%s", got)
	}
}

func TestARemedyOfACheckNamesTheCertificate(t *testing.T) {
	r := ledger.Request{Lineage: "rehearsal/it's"}
	if got := RemedyFor(r, failure.Do(failure.NameRoot)); got != failure.Do(failure.NameRoot, "it's") {
		t.Errorf("%s", got)
	}
}
