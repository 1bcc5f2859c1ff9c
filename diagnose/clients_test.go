package diagnose_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// caSays is what CAs say of {N}, which stands for the name; each with the class that it has whichever
// client printed it.
var caSays = []struct{ class, kind, detail string }{
	{"dns-missing", "dns", "DNS problem: NXDOMAIN looking up A for {N} - check that a DNS record exists for this domain"},
	{"dns-missing", "dns", "no valid A records found for {N}; no valid AAAA records found for {N}"},
	{"dns-missing", "dns", "During secondary validation: DNS problem: NXDOMAIN looking up A for {N} - check that a DNS record exists for this domain"},
	{"dns-missing", "malformed", "No IP addresses found for \"{N}\""},
	{"dns-broken", "dns", "DNS problem: SERVFAIL looking up A for {N} - the domain's nameservers may be malfunctioning"},
	{"dns-broken", "dns", "DNS problem: query timed out looking up CAA for {N}"},
	{"dns-broken", "caa", "While processing CAA for {N}: DNS problem: SERVFAIL looking up CAA for {N} - the domain's nameservers may be malfunctioning"},
	{"dns-broken", "dns", "DNS problem: looking up A for {N}: DNSSEC: DNSKEY Missing: validation failure <{N}. A IN>: no keys have a DS"},
	{"caa-forbids", "caa", "While processing CAA for {N}: CAA record for {N} prevents issuance"},
	{"caa-forbids", "caa", "CAA record for example.org prevents issuance for {N}"},
	{"http-unreachable", "connection", "192.0.2.10: Fetching http://{N}/.well-known/acme-challenge/x: Timeout during connect (likely firewall problem)"},
	{"http-unreachable", "connection", "192.0.2.44: Fetching http://{N}/.well-known/acme-challenge/x: Connection refused"},
	{"http-unreachable", "connection", "192.0.2.10: Fetching https://{N}/login: Connection reset by peer"},
	{"http-unreachable", "connection", "192.0.2.10: Fetching http://{N}/.well-known/acme-challenge/x: Network unreachable"},
	{"http-unreachable", "connection", "192.0.2.10: Fetching http://{N}/.well-known/acme-challenge/x: Error getting validation data"},
	{"http-wrong-answer", "unauthorized", "192.0.2.10: Invalid response from http://{N}/.well-known/acme-challenge/x: 404"},
	{"http-wrong-answer", "unauthorized", "Invalid response from http://{N}/.well-known/acme-challenge/x [192.0.2.10]: \"<!DOCTYPE html>\\n<html>\\n<head>\\n<title>Home</title>\""},
	{"http-wrong-answer", "unauthorized", "192.0.2.10: The key authorization file from the server did not match this challenge. Expected \"x.y\" (got \"x.z\")"},
	{"http-wrong-answer", "unauthorized", "192.0.2.44: Invalid response from https://www.{N}/index.php?p=.well-known/acme-challenge/x: 410"},
	{"http-error", "unauthorized", "192.0.2.10: Invalid response from http://{N}/.well-known/acme-challenge/x: 403"},
	{"http-error", "unauthorized", "192.0.2.10: Invalid response from https://{N}/.well-known/acme-challenge/x: 500"},
	{"http-error", "unauthorized", "Invalid response from http://{N}/.well-known/acme-challenge/x [192.0.2.10]: 429"},
	{"http-error", "connection", "192.0.2.10: Fetching https://{N}/.well-known/acme-challenge/x: remote error: tls: handshake failure"},
	{"http-error", "tls", "192.0.2.10: Fetching https://{N}/.well-known/acme-challenge/x: Server only speaks HTTP, not TLS"},
	{"redirect", "connection", "192.0.2.10: Fetching http://{N}/.well-known/acme-challenge/x: Redirect loop detected"},
	{"redirect", "connection", "192.0.2.10: Fetching https://{N}:8443/.well-known/acme-challenge/x: Invalid port in redirect target. Only ports 80 and 443 are supported, not 8443"},
	{"redirect", "connection", "192.0.2.10: Fetching https://{N}.well-known/acme-challenge/x: Invalid hostname in redirect target, must end in IANA registered TLD"},
	{"redirect", "connection", "192.0.2.10: Fetching https://10.0.0.5/.well-known/acme-challenge/x: Invalid host in redirect target: IP address is in a reserved address block: [RFC1918]: Private-Use"},
	{"dns-elsewhere", "unauthorized", "203.0.113.80: Invalid response from http://{N}/.well-known/acme-challenge/x: 404"},
	{"dns-elsewhere", "connection", "203.0.113.81: Fetching http://{N}/.well-known/acme-challenge/x: Timeout during connect (likely firewall problem)"},
	{"dns-elsewhere", "unauthorized", "Invalid response from https://parked.example.net/ [203.0.113.82]: \"<html>\""},
	{"ipv6-broken", "unauthorized", "2001:db8::bad: Invalid response from http://{N}/.well-known/acme-challenge/x: 404"},
	{"ipv6-broken", "connection", "2001:db8:1::2: Fetching http://{N}/.well-known/acme-challenge/x: Connection refused"},
	{"ipv6-broken", "unauthorized", "Invalid response from http://{N}/.well-known/acme-challenge/x [2001:db8::3]: 403"},
	{"blocked-abroad", "connection", "During secondary validation: 192.0.2.10: Fetching http://{N}/.well-known/acme-challenge/x: Timeout during connect (likely firewall problem)"},
	{"blocked-abroad", "unauthorized", "During secondary validation: 203.0.113.5: Invalid response from http://{N}/.well-known/acme-challenge/x: 403"},
	{"ca-unavailable", "serverInternal", "During secondary validation: Remote PerformValidation RPCs failed"},
	{"validation-failed", "unauthorized", "Incorrect TXT record \"abc\" (and 1 more) found at _acme-challenge.{N}"},
	{"validation-failed", "unauthorized", "No TXT record found at _acme-challenge.{N}"},
}

// status is that of a problem's answer.
func status(kind string) int {
	switch kind {
	case "unauthorized", "caa":
		return 403
	case "serverInternal":
		return 500
	}
	return 400
}

// titles are certbot's words for the sorts of problems.
var titles = map[string]string{"dns": "There was a problem with a DNS query during identifier validation",
	"malformed": "The request message was malformed", "tls": "The server experienced a TLS error during domain verification",
	"caa":            "Certification Authority Authorization (CAA) records forbid the CA from issuing a certificate",
	"connection":     "The server could not connect to the client to verify the domain",
	"unauthorized":   "The client lacks sufficient authorization",
	"serverInternal": "The server experienced an internal error"}

const urn = "urn:ietf:params:acme:error:"

// quoted is a text as JSON has it.
func quoted(text string) string {
	var out strings.Builder
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	_ = e.Encode(text)
	return strings.TrimSpace(out.String())
}

// problem is a problem document.
func problem(kind, detail string) string {
	return fmt.Sprintf(`{"type":"%s%s","detail":%s,"status":%d}`, urn, kind, quoted(detail), status(kind))
}

// clients are how clients and their hosts print what a CA says of a name.
var clients = map[string]func(name, kind, detail string) string{
	"certbot 5.3": func(n, k, d string) string {
		return "Certbot failed to authenticate some domains (authenticator: webroot). The Certificate Authority reported these problems:\n  Identifier: " + n + "\n  Type:   " + k + "\n  Detail: " + d + "\n\nHint: The Certificate Authority failed to download the temporary challenge files created by Certbot. Ensure that the listed domains serve their content from the provided --webroot-path/-w and that files created there can be downloaded from the internet.\n\nFailed to renew certificate " + n + " with error: Some challenges have failed."
	},
	"certbot 0.40": func(n, k, d string) string {
		return "Challenge failed for domain " + n + "\nhttp-01 challenge for " + n + "\nCleaning up challenges\nAttempting to renew cert (" + n + ") from /etc/letsencrypt/renewal/" + n + ".conf produced an unexpected error: Some challenges have failed.. Skipping.\nAll renewal attempts failed. The following certs could not be renewed:\n  /etc/letsencrypt/live/" + n + "/fullchain.pem (failure)\n1 renew failure(s), 0 parse failure(s)\n\nIMPORTANT NOTES:\n - The following errors were reported by the server:\n\n   Domain: " + n + "\n   Type:   " + k + "\n   Detail: " + d + "\n\n   To fix these errors, please make sure that your domain name was\n   entered correctly and the DNS A/AAAA record(s) for that domain\n   contain(s) the right IP address."
	},
	"certbot 0.28": func(n, k, d string) string {
		return "Attempting to renew cert (" + n + ") from /etc/letsencrypt/renewal/" + n + ".conf produced an unexpected error: Failed authorization procedure. " + n + " (http-01): " + urn + k + " :: " + titles[k] + " :: " + d + ". Skipping."
	},
	"certbot 0.10": func(n, k, d string) string {
		return "Attempting to renew cert from /etc/letsencrypt/renewal/" + n + ".conf produced an unexpected error: Failed authorization procedure. " + n + " (http-01): urn:acme:error:" + k + " :: " + titles[k] + " :: " + d + ". Skipping."
	},
	"lego 4": func(n, k, d string) string {
		return fmt.Sprintf("2026/11/28 03:17:02 Could not obtain certificates:\n\terror: one or more domains had a problem:\n[%s] acme: error: %d :: %s%s :: %s\n", n, status(k), urn, k, d)
	},
	"lego 4.20": func(n, k, d string) string {
		return fmt.Sprintf("2026/11/28 03:17:02 error: one or more domains had a problem:\n[%s] invalid authorization: acme: error: %d :: %s%s :: %s", n, status(k), urn, k, d)
	},
	"lego 5": func(n, k, d string) string {
		return fmt.Sprintf("ERROR could not obtain the certificate for %q: error: one or more domains had a problem:\n[%s] invalid challenge: acme: error: %d :: %s%s :: %s", n, n, status(k), urn, k, d)
	},
	"Traefik": func(n, k, d string) string {
		return fmt.Sprintf(`time="2026-11-28T03:17:02Z" level=error msg="Unable to obtain ACME certificate for domains \"%s\": unable to generate a certificate for the domains [%s]: error: one or more domains had a problem:\n[%s] acme: error: %d :: %s%s :: %s\n" providerName=le.acme`, n, n, n, status(k), urn, k, strings.Trim(quoted(d), `"`))
	},
	"acme.sh 3": func(n, _, d string) string {
		return "[Sat Nov 28 03:17:02 UTC 2026] " + n + ": Invalid status. Verification error details: " + d + "\n[Sat Nov 28 03:17:02 UTC 2026] Please add '--debug' or '--log' to see more information."
	},
	"acme.sh 2": func(n, _, d string) string {
		return "[Sat Nov 28 03:17:02 UTC 2026] " + n + ":Verify error:" + d + "\n[Sat Nov 28 03:17:02 UTC 2026] Please add '--debug' or '--log' to check more details."
	},
	"dehydrated": func(n, k, d string) string {
		return fmt.Sprintf(" + Responding to challenge for %s authorization...\n + Cleaning challenge tokens...\n + Challenge validation has failed :(\nERROR: Challenge is invalid! (returned: invalid) (result: [\"type\"]\t\"http-01\"\n[\"status\"]\t\"invalid\"\n[\"error\",\"type\"]\t\"%s%s\"\n[\"error\",\"detail\"]\t%s\n[\"error\",\"status\"]\t%d\n[\"error\"]\t%s\n[\"token\"]\t\"x\")", n, urn, k, quoted(d), status(k), problem(k, d))
	},
	"uacme": func(n, k, d string) string {
		return fmt.Sprintf("uacme: challenge https://acme-v02.api.letsencrypt.org/acme/chall/1/2/x failed with status invalid\nuacme: the server reported the following error:\n{\n    \"identifier\": { \"type\": \"dns\", \"value\": %q },\n    \"type\": \"%s%s\",\n    \"detail\": %s,\n    \"status\": %d\n}", n, urn, k, quoted(d), status(k))
	},
	"acme-tiny": func(n, k, d string) string {
		return fmt.Sprintf("ValueError: Challenge did not pass for %s: {u'status': u'invalid', u'error': {u'status': %d, u'type': u'%s%s', u'detail': u%s}, u'type': u'http-01'}", n, status(k), urn, k, quoted(d))
	},
	"Caddy": func(n, k, d string) string {
		return fmt.Sprintf(`{"level":"error","ts":1764299822.1,"logger":"http.acme_client","msg":"challenge failed","identifier":%q,"challenge_type":"http-01","problem":{"type":"%s%s","title":"","detail":%s,"instance":"","subproblems":[]}}`, n, urn, k, quoted(d))
	},
	"certmagic": func(n, k, d string) string {
		return fmt.Sprintf("%s: obtaining certificate: [%s] Obtain: [%s] solving challenge: %s: [%s] authorization failed: HTTP %d %s%s - %s (order=https://acme-v02.api.letsencrypt.org/acme/order/1/2) (ca=https://acme-v02.api.letsencrypt.org/directory)", n, n, n, n, n, status(k), urn, k, d)
	},
	"cert-manager": func(n, k, d string) string {
		return fmt.Sprintf("Error accepting authorization: acme: authorization error for %s: %d %s%s: %s", n, status(k), urn, k, d)
	},
	"an authorization": func(n, k, d string) string {
		return fmt.Sprintf(`{"identifier":{"type":"dns","value":%q},"status":"invalid","expires":"2026-12-05T03:17:02Z","challenges":[{"type":"http-01","url":"https://acme-v02.api.letsencrypt.org/acme/chall/1/2/x","status":"invalid","validated":"2026-11-28T03:17:02Z","error":%s,"token":"x"}]}`, n, problem(k, d))
	},
}

// What a CA says means the same, whichever client prints it.
func TestWhoeverPrintsACAsWords(t *testing.T) {
	for _, said := range caSays {
		for _, name := range []string{"a.example", "www.xn--bcher-kva.co.uk"} {
			detail := strings.ReplaceAll(said.detail, "{N}", name)
			for client, wrap := range clients {
				text := wrap(name, said.kind, detail)
				classes, names := told(text)
				if classes != said.class || names != name {
					t.Errorf("%s: %s is %s of %q, want %s of %q:\n%s", client, said.kind, classes, names, said.class, name, text)
				}
			}
		}
	}
}
