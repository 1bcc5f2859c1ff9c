package client

// A failed attempt is told once, by the surest that the log has, in the words of each version and
// client.

import (
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// log writes certbot's records.
type debugLog struct {
	strings.Builder
	second int
}

func (l *debugLog) at(logger, message string) *debugLog {
	l.second++
	fmt.Fprintf(l, "2026-11-28 02:%02d:%02d,000:DEBUG:%s:%s\n", l.second/60, l.second%60, logger, message)
	return l
}

// run begins a run of a version, with a directory.
func (l *debugLog) run(package_ string) *debugLog {
	return l.at(package_+"main", "certbot version: 1.0").get()
}

// get asks for the directory.
func (l *debugLog) get() *debugLog {
	return l.at("acme.client", "Sending GET request to https://ca.example/dir.").
		at("acme.client", "Received response:\nHTTP 200\n\n{\"newOrder\": \"https://ca.example/new\"}")
}

// post sends something, and is answered.
func (l *debugLog) post(url, payload, answer string) *debugLog {
	l.at("acme.client", fmt.Sprintf("Sending POST request to %s:\n{\n  \"payload\": \"%s\"\n}", url,
		base64.RawURLEncoding.EncodeToString([]byte(payload))))
	if answer != "" {
		l.at("acme.client", "Received response:\n"+answer)
	}
	return l
}

// order asks for an order of names, each of which has an authorization.
func (l *debugLog) order(names ...string) *debugLog {
	var identifiers, authorizations []string
	for _, name := range names {
		identifiers = append(identifiers, fmt.Sprintf(`{"type": "dns", "value": %q}`, name))
		authorizations = append(authorizations, fmt.Sprintf("%q", "https://ca.example/authz/"+name))
	}
	all := strings.Join(identifiers, ",")
	return l.post("https://ca.example/new", `{"identifiers": [`+all+`]}`, fmt.Sprintf("HTTP 201\nLocation: https://ca.example/order/%s\n\n"+
		`{"status": "pending", "identifiers": [%s], "authorizations": [%s], "finalize": "https://ca.example/fin/%s"}`,
		names[0], all, strings.Join(authorizations, ","), names[0]))
}

// invalid fetches an authorization that failed.
func (l *debugLog) invalid(name, kind, detail string) *debugLog {
	return l.post("https://ca.example/authz/"+name, "", fmt.Sprintf("HTTP 200\n\n"+
		`{"identifier": {"type": "dns", "value": %q}, "status": "invalid", "challenges": [{"type": "http-01", "status": "invalid",`+
		` "url": "https://ca.example/chall/%s", "token": "t", "error": {"type": %q, "detail": %q, "status": 400}, "validationRecord": [{"url": "x"}]}]}`,
		name, name, kind, detail))
}

func (w *witness) failures() []string {
	var all []string
	for _, f := range w.failed {
		text := f.Text
		if f.Killed {
			text = "killed at " + string(f.Step)
		}
		all = append(all, fmt.Sprintf("%s [%s] %s%s", f.Lineage, strings.Join(f.Names, ","), f.Kind+": ", text))
	}
	return all
}

const (
	dns       = "urn:ietf:params:acme:error:dns"
	traceback = "Exiting abnormally:\nTraceback (most recent call last):\n  File \"/usr/bin/certbot\", line 8, in <module>\n    sys.exit(main())\n             ^^^^^^\n"
	refusal   = `{"type": "urn:ietf:params:acme:error:rateLimited", "detail": "too many certificates"}`
)

func TestAttemptsOfCertbot(t *testing.T) {
	fresh := func() *debugLog { return &debugLog{} }
	for what, c := range map[string]struct {
		log  *debugLog
		want []string
	}{
		"an invalid authorization counts, not what is said of it later": {
			fresh().run("certbot._internal.").at("certbot._internal.display.obj", "Notifying user: Processing /etc/letsencrypt/renewal/l.conf").
				order("a.example", "b.example").invalid("b.example", dns, "no such name").invalid("b.example", dns, "no such name").
				at("certbot._internal.display.obj", "Notifying user: \nCertbot failed to authenticate some domains:\n  Domain: b.example\n  Type:   dns\n  Detail: no such name\n").
				at("certbot._internal.renewal", "Failed to renew certificate l with error: Some challenges have failed.").
				at("certbot._internal.log", traceback+"certbot.errors.Error: 1 renew failure(s), 0 parse failure(s)").
				at("certbot._internal.log", "1 renew failure(s), 0 parse failure(s)"),
			[]string{"l [b.example] " + dns + ": no such name"}},
		"each name by its own, and the lineage by the summary of 0.34": {
			fresh().run("certbot.").order("a.example", "b.example").invalid("a.example", dns, "one").invalid("b.example", "x", "two").
				at("certbot.renewal", "Attempting to renew cert (l) from /etc/letsencrypt/renewal/l.conf produced an unexpected error: Some challenges have failed.. Skipping.").
				at("certbot.reporter", "Reporting to user: The following errors were reported by the server:\n\nDomain: a.example\nType:   dns\nDetail: one"),
			[]string{"l [a.example] " + dns + ": one", "l [b.example] x: two"}},
		"0.16 names the file": {
			fresh().run("certbot.").order("a.example").
				at("certbot.renewal", "Attempting to renew cert from /etc/letsencrypt/renewal/l.conf produced an unexpected error: Missing command line flag\nInput the webroot for a.example:. Skipping."),
			[]string{"l [a.example] : Missing command line flag\nInput the webroot for a.example:"}},
		"a refused newOrder counts before the summary": {
			fresh().run("certbot._internal.").post("https://ca.example/new", `{"identifiers": [{"type": "dns", "value": "a.example"}]}`, "HTTP 429\nRetry-After: 60\n\n"+refusal).
				at("certbot._internal.renewal", "Failed to renew certificate l with error: urn:ietf:params:acme:error:rateLimited :: There were too many requests"),
			[]string{"l [a.example] : " + refusal}},
		"a nonce that was refused is no failure": {
			fresh().run("certbot._internal.").post("https://ca.example/new", `{"identifiers": [{"type": "dns", "value": "a.example"}]}`,
				"HTTP 400\n\n"+`{"type": "urn:ietf:params:acme:error:badNonce", "detail": "x"}`).order("a.example").
				at("certbot._internal.storage", "Writing certificate to /etc/letsencrypt/archive/l/cert2.pem."), nil},
		"nor is what was sent again, and answered": {
			fresh().run("certbot._internal.").post("https://ca.example/new", `{"identifiers": [{"type": "dns", "value": "a.example"}]}`,
				"HTTP 503\n\n<html>busy").order("a.example").invalid("a.example", dns, "no").at("certbot._internal.log", traceback+"certbot.errors.AuthorizationError: Some challenges have failed."),
			[]string{" [a.example] " + dns + ": no"}},
		"an order that dies behind finalize": {
			fresh().run("certbot._internal.").order("a.example", "b.example").post("https://ca.example/order/a.example", "",
				"HTTP 200\n\n"+`{"status": "invalid", "identifiers": [{"type": "dns", "value": "a.example"}, {"type": "dns", "value": "b.example"}], "authorizations": ["https://ca.example/authz/a.example"], "finalize": "https://ca.example/fin/a.example",`+
					`"error": {"type": "urn:ietf:params:acme:error:caa", "detail": "CAA forbids", "subproblems": [{"type": "y", "detail": "z", "identifier": {"type": "dns", "value": "b.example"}}]}}`).
				at("certbot._internal.log", traceback+"certbot.errors.Error: order is invalid"),
			[]string{" [b.example] : urn:ietf:params:acme:error:caa :: CAA forbids"}},
		"the block alone, where the body is missing": {
			fresh().run("certbot._internal.").order("a.example", "b.example").
				at("certbot._internal.display.obj", "Notifying user: \nCertbot failed:\n  Identifier: a.example\n  Type:   dns\n  Detail: no\n  more of it\n\n  Identifier: b.example\n  Type:   connection\n  Detail: shut\n\nHint: x").
				at("certbot._internal.log", traceback+"certbot.errors.AuthorizationError: Some challenges have failed."),
			[]string{" [a.example] dns: no\nmore of it", " [b.example] connection: shut"}},
		"old reports at the end of a run whose bodies are missing": {
			fresh().run("certbot.").at("certbot.renewal", "Attempting to renew cert (l) from /x/l.conf produced an unexpected error: Some challenges have failed.. Skipping.").
				at("certbot.reporter", "Reporting to user: The following errors:\n\nDomain: a.example\nType:   dns\nDetail: one"),
			[]string{"l [] : Some challenges have failed.", " [a.example] dns: one"}},
		"what ended a run of certonly": {
			fresh().at("certbot._internal.main", "certbot version: 2.1.0").at("certbot._internal.main", "Arguments: ['--cert-name', 'l', '-d', 'a.example']").
				at("certbot._internal.log", traceback+"certbot.errors.PluginError: Could not bind TCP port 80\nbecause it is in use."),
			[]string{"l [a.example] : Could not bind TCP port 80\nbecause it is in use."}},
		"names of the command line, where nothing was asked for yet": {
			fresh().at("certbot._internal.main", "certbot version: 2.1.0").
				at("certbot._internal.main", "Arguments: ['--domains', 'a.example,B.example', '-n', '-d', 'c.example']").
				at("certbot._internal.log", traceback+"ValueError: Requesting 127.0.0.1/dir: Connection refused"),
			[]string{" [a.example,b.example,c.example] : ValueError: Requesting 127.0.0.1/dir: Connection refused"}},
		"0.9 and its main": {fresh().run("certbot.").order("a.example").
			at("certbot.main", traceback+"TypeError: write() argument must be str, not bytes"),
			[]string{" [a.example] : TypeError: write() argument must be str, not bytes"}},
		"renewal files that are broken, once": {
			fresh().run("certbot._internal.").at("certbot._internal.renewal", "Renewal configuration file /etc/letsencrypt/renewal/l.conf is broken.\nThe error was: expected /etc/letsencrypt/live/l/cert.pem to be a symlink\nSkipping.").
				at("certbot._internal.renewal", "Additionally, the following renewal configurations were invalid: ").
				at("certbot._internal.renewal", "  /etc/letsencrypt/renewal/l.conf (parsefail)\n  /etc/letsencrypt/renewal/m.conf (parsefail)"),
			[]string{"l [] : Renewal configuration file /etc/letsencrypt/renewal/l.conf is broken.\nThe error was: expected /etc/letsencrypt/live/l/cert.pem to be a symlink\nSkipping.",
				"m [] : /etc/letsencrypt/renewal/m.conf (parsefail)"}},
		"hooks, but those that prove": {
			fresh().run("certbot._internal.").order("a.example").at("certbot.compat.misc", "Hook '--manual-auth-hook' for a.example reported error code 1").
				at("certbot._internal.storage", "Writing certificate to /etc/letsencrypt/archive/l/cert2.pem.").
				at("certbot._internal.hooks", `deploy-hook command "/x" returned error code 3`).
				at("certbot.display.ops", "Hook 'post-hook' reported error code 1"),
			[]string{"l [] : deploy-hook command \"/x\" returned error code 3", " [] : Hook 'post-hook' reported error code 1"}},
		"killed while a lineage was at work, of which nothing is known but the file": {
			fresh().at("certbot._internal.main", "certbot version: 2.1.0").
				at("certbot._internal.display.obj", "Notifying user: Processing /etc/letsencrypt/renewal/l.conf").get(),
			[]string{"l [] : killed at directory"}},
		"killed after one was renewed and one failed": {
			fresh().run("certbot._internal.").order("a.example").at("certbot._internal.storage", "Writing certificate to /etc/letsencrypt/archive/a/cert2.pem.").
				get().order("b.example").invalid("b.example", dns, "no").at("certbot._internal.renewal", "Failed to renew certificate b with error: Some challenges have failed.").
				get().order("c.example"),
			[]string{"b [b.example] " + dns + ": no", " [c.example] : killed at new-order"}},
		"not killed: interrupted before anything was asked": {
			fresh().at("certbot._internal.main", "certbot version: 2.1.0").at("certbot._internal.log", traceback+"KeyboardInterrupt"), nil},
	} {
		t.Run(what, func(t *testing.T) {
			w := read(t, c.log.String())
			got := w.failures()
			for i, f := range w.failed {
				if f.Client != "certbot" || f.Place.Line <= 0 || f.At.IsZero() || f.At.Year() != 2026 {
					t.Errorf("failure %d: %+v", i, f)
				}
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("failures:\n%q\nwant\n%q", got, c.want)
			}
		})
	}
}

func TestRetryAfterIsKept(t *testing.T) {
	for header, want := range map[string]string{"60": "02:01:05", "Sat, 28 Nov 2026 05:06:07 GMT": "05:06:07", "soon": "00:00:00"} {
		l := (&debugLog{}).run("certbot._internal.").post("https://ca.example/new", `{"identifiers": [{"type": "dns", "value": "a.example"}]}`,
			"HTTP 429\nRetry-After: "+header+"\n\n"+refusal)
		l.at("certbot._internal.log", traceback+"acme.messages.Error: x")
		w := read(t, l.String())
		if len(w.failed) != 1 || w.failed[0].Until.Format("15:04:05") != want {
			t.Errorf("%s: %+v", header, w.failed)
		}
	}
}

func TestAttemptsOfOtherClients(t *testing.T) {
	const journal = "Nov 28 03:03:58 web1 lego[123]: "
	const problem = "{\n    \"type\": \"urn:ietf:params:acme:error:dns\",\n    \"detail\": \"no such name\"\n}\n"
	for what, c := range map[string]struct {
		log     string
		want    []string
		renewed []string
	}{
		"lego, one of two names": {lego4 + "2026/11/28 03:03:55 Could not obtain certificates:\n\terror: one or more domains had a problem:\n" +
			"[b.example] acme: error: 403 :: urn:ietf:params:acme:error:unauthorized :: no, url: \n",
			[]string{"a.example [b.example] : [b.example] acme: error: 403 :: urn:ietf:params:acme:error:unauthorized :: no, url: "}, nil},
		"lego in a journal": {journal + strings.ReplaceAll(strings.TrimSpace(lego4), "\n", "\n"+journal) + "\n" +
			journal + "[b.example] acme: error presenting token: permission denied\n",
			[]string{"a.example [b.example] : [b.example] acme: error presenting token: permission denied"}, nil},
		"lego, refused": {"2026/11/28 03:03:50 [INFO] [a.example] acme: Obtaining bundled SAN certificate\n" +
			"2026/11/28 03:03:51 Could not obtain certificates:\n\tacme: error: 429 :: POST :: https://ca.example/new :: urn:ietf:params:acme:error:rateLimited :: too many\n",
			[]string{"a.example [a.example] : Could not obtain certificates:\nacme: error: 429 :: POST :: https://ca.example/new :: urn:ietf:params:acme:error:rateLimited :: too many"}, nil},
		"lego, killed": {lego4, []string{"a.example [a.example,b.example] : killed at challenge"}, nil},
		"lego, whole": {lego4 + "2026/11/28 03:03:59 [INFO] [a.example] Server responded with a certificate.\n", nil,
			[]string{"a.example [a.example,b.example]"}},
		"uacme": {strings.Replace(uacme1, "uacme: fetching", "uacme: checking existence and expiration of /etc/ssl/uacme/a.example/cert.pem\nuacme: fetching", 1) +
			"uacme: starting challenge at https://ca.example/c\nuacme: polling challenge status at https://ca.example/c\n" +
			"uacme: challenge https://ca.example/c failed with status invalid\nuacme: the server reported the following error:\n" + problem,
			[]string{"a.example [a.example] : uacme: challenge https://ca.example/c failed with status invalid\n" +
				"uacme: the server reported the following error:\n{\n\"type\": \"urn:ietf:params:acme:error:dns\",\n\"detail\": \"no such name\"\n}"}, nil},
		"uacme, refused": {"uacme: version 1.7.4 starting on Sat, 28 Nov 2026 03:03:58 +0000\n" +
			"uacme: checking existence and expiration of uacme/a.example/cert.pem\nuacme: creating new order at https://ca.example/new\n" +
			"uacme: failed to create new order at https://ca.example/new\nuacme: the server reported the following error:\n" + problem,
			[]string{"a.example [a.example] : uacme: failed to create new order at https://ca.example/new\n" +
				"uacme: the server reported the following error:\n{\n\"type\": \"urn:ietf:params:acme:error:dns\",\n\"detail\": \"no such name\"\n}"}, nil},
		"uacme, whole": {uacme1 + "uacme: saving certificate to x\n", nil, []string{" [a.example]"}},
		"acme.sh, by its line": {acmeShLog("_main_domain='a.example'", "Using CA: https://ca.example/dir", "d='a.example'",
			"_authz_url='https://ca.example/authz/1'", "a.example: Invalid status. Verification error details: no such name", "Please add '--debug' or '--log' to see more information."),
			[]string{"a.example [a.example] : a.example: Invalid status. Verification error details: no such name"}, nil},
		"acme.sh, refused": {acmeShLog("_main_domain='a.example'", "d='a.example'", "Create new order error. Le_OrderFinalize not found. {") +
			"  \"type\": \"urn:ietf:params:acme:error:rateLimited\"\n}\n" + acmeShLog("Please check log file for more details: /x"),
			[]string{"a.example [a.example] : Create new order error. Le_OrderFinalize not found. {\n\"type\": \"urn:ietf:params:acme:error:rateLimited\"\n}"}, nil},
		"acme.sh, whole": {acmeShLog("_main_domain='a.example'", "d='a.example'", "Cert success."), nil, []string{"a.example [a.example]"}},
	} {
		t.Run(what, func(t *testing.T) {
			w := read(t, c.log)
			if got := w.failures(); !slices.Equal(got, c.want) {
				t.Errorf("failures:\n%q\nwant\n%q", got, c.want)
			}
			var renewed []string
			for _, r := range w.renewed {
				renewed = append(renewed, fmt.Sprintf("%s [%s]", r.Lineage, strings.Join(r.Names, ",")))
			}
			if !slices.Equal(renewed, c.renewed) {
				t.Errorf("renewed: %q, want %q", renewed, c.renewed)
			}
		})
	}
}
