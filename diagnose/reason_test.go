package diagnose_test

import (
	"strings"
	"testing"

	"orderly/diagnose"
)

// Where many reasons have one class, the sentence has the text's own, and what is in a file's way.
func TestTheReasonIsTheTextsOwn(t *testing.T) {
	for text, want := range map[string]string{
		`{"type":"urn:ietf:params:acme:error:malformed","detail":"No order for ID \"7\"","status":404}`:                                                                                 `the CA refused a request: No order for ID "7"`,
		"Failed to renew certificate a.example with error: urn:ietf:params:acme:error:badCSR :: The CSR is unacceptable :: Error finalizing order :: signature algorithm not supported": "the CA refuses the key or the CSR for a.example: signature algorithm not supported",
		"[Sat Nov 28 03:17:02 UTC 2026] Cannot resolve _eab_id":                                                                                                                         "the account at the CA cannot be used: Cannot resolve _eab_id",
		"ERROR: domains.txt not found and --domain not given":                                                                                                                           "the command lacks something, contradicts itself, or asks what nobody can answer: domains.txt not found and --domain not given",
		"Failed to renew certificate a.example with error: [Errno 30] Read-only file system: '/srv/a/.well-known/acme-challenge'":                                                       "the token of a.example cannot be written to /srv/a/.well-known/acme-challenge: the file system is read-only",
		"open /srv/a/.well-known/acme-challenge/x: permission denied":                                                                                                                   "the token cannot be written to /srv/a/.well-known/acme-challenge/x: permission is denied",
		"Failed to renew certificate a.example with error: Couldn't create root for deploy_hook http-01 challenge responses: [Errno 13] Permission denied: 'x/.well-known'":             "the renewal file of a.example cannot be used: deploy_hook stands below [[webroot_map]], where names of sites belong",
		"post-hook command \"/usr/local/sbin/up\" returned error code 3":                                                                                                                "a hook is missing, cannot be run, or failed: /usr/local/sbin/up",
	} {
		if got := diagnose.Text(text, ours)[0].Sentence; got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	long := diagnose.Text("acme: error: 400 :: urn:ietf:params:acme:error:malformed :: "+strings.Repeat("é", 5000), ours)[0].Sentence
	if len(long) > 400 || !strings.HasSuffix(long, "…") {
		t.Errorf("a long reason is shown as %q", long)
	}
}
