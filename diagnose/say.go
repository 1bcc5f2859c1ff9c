package diagnose

// The words for each class: to whoever runs the server, to the customer where it is theirs, and what
// to do. What a text gave (a name, a path, an address) stands in them cleaned.

import (
	"cmp"
	"strings"
	"sync"
	"time"

	"orderly/failure"
)

// saying is what is said of a class. {name} and the like are put in.
type saying struct {
	sentence string
	customer string
	remedy   failure.Remedy
}

// say puts what is known into the words of a class.
func say(class failure.Class, of facts, f Finding) (sentence, customer string, r failure.Remedy) {
	s := sayings()[class]
	if special, ok := ofStatus(class, of); ok {
		s.sentence = special
	}
	if f.weak || class != failure.Validation {
		r = s.remedy
	} else {
		s.sentence, r = txt.sentence, txt.remedy
	}
	gap := gaps{f: f, of: of}
	return upper(gap.filled(s.sentence)), upper(gap.filled(s.customer)),
		failure.Remedy(gap.filled(string(r)))
}

// gaps are what is put into words.
type gaps struct {
	f  Finding
	of facts
}

// filled is a sentence with its gaps filled. What is put in is not looked at again.
func (g gaps) filled(s string) string {
	open := strings.IndexByte(s, '{')
	if open < 0 {
		return s
	}
	var out strings.Builder
	for ; open >= 0; open = strings.IndexByte(s, '{') {
		end := open + strings.IndexByte(s[open:], '}')
		out.WriteString(s[:open])
		out.WriteString(g.value(s[open+1 : end]))
		s = s[end+1:]
	}
	out.WriteString(s)
	return out.String()
}

// value is what fills a gap.
func (g gaps) value(gap string) string {
	switch gap {
	case "name":
		return cmp.Or(g.f.Name, "the name")
	case "arg":
		return cmp.Or(g.f.Name, "NAME")
	case "for":
		if g.f.Name == "" {
			return ""
		}
		return " for " + g.f.Name
	case "of":
		if g.f.Name == "" {
			return ""
		}
		return " of " + g.f.Name
	case "bare":
		return strings.TrimPrefix(cmp.Or(g.f.Name, "NAME"), "*.")
	case "until":
		if g.f.Until.IsZero() {
			return ""
		}
		return " until " + g.f.Until.Format(time.DateTime) + " UTC"
	case "path":
		return pathIn(g.of)
	case "colon-path":
		return after(":", pathIn(g.of))
	case "for-path":
		return after(" for", pathIn(g.of))
	case "way":
		return orElse(g.of.way)
	case "setting":
		if g.of.setting == "" {
			return after(":", pathIn(g.of))
		}
		return ": " + g.of.setting + " stands below [[webroot_map]], where names of sites belong"
	case "at":
		return atOf(g.of)
	case "limit":
		return limitIn(g.f.Limit)
	}
	return "{" + gap + "}"
}

// ofStatus is the sentence for what a site answered.
func ofStatus(class failure.Class, of facts) (string, bool) {
	switch {
	case of.status == "":
	case class == failure.HTTPWrong && of.status[0] != '2':
		return "{name}{at} answers " + of.status + " where the token should be: the web server's document root is not the one that is written to", true
	case class == failure.HTTPError:
		return "{name}{at} answers the token's path with status " + of.status, true
	}
	return "", false
}

// atOf is the address that the CA used, in parentheses.
func atOf(of facts) string {
	if !of.address.IsValid() {
		return ""
	}
	return " (" + of.address.String() + ")"
}

// after is what stands before a text, and the text; nothing where there is none.
func after(before, text string) string {
	if text == "" {
		return ""
	}
	return before + text
}

// mostOfPath is the longest path that is shown.
const mostOfPath = 200

// pathIn is the path of a text, after a blank.
func pathIn(of facts) string {
	if of.path == "" {
		return ""
	}
	p := failure.Clean(of.path)
	if len(p) > mostOfPath {
		p = failure.Clean(p[:mostOfPath]) + "…"
	}
	return " " + p
}

func limitIn(limit string) string {
	if limit == "" {
		return "a limit of the CA"
	}
	return "the CA's limit " + limit
}

// upper begins a sentence about "the name" with a capital letter where it stands first.
func upper(s string) string {
	if strings.HasPrefix(s, "the name") {
		return "T" + s[1:]
	}
	return s
}

// unclassified keeps a text that nothing is known of.
func unclassified(text string) (string, failure.Remedy) {
	clean := failure.Clean(text)
	if strings.TrimSpace(clean) == "" {
		return "the text is empty: there is nothing to explain", "Give the text that the client printed."
	}
	return clean,
		"Look at the lines around it in the log: the cause may stand there. If it does, this text is one that Orderly should know: please report it."
}

// txt is said where the CA read TXT records, which no class of its own is for.
var txt = saying{"the TXT record of _acme-challenge.{bare} is missing, or is not the one that was asked for", "",
	"Let the hook or DNS plugin put the record of _acme-challenge.{bare} in place, wait until every name server shows it, and remove old ones."}

// sayings are the words by class.
var sayings = sync.OnceValue(func() map[failure.Class]saying {
	return map[failure.Class]saying{
		failure.WebrootUnset: {"{name} has no document root in its renewal file (neither the map nor the path has it)", "",
			"Write `{arg} = DIR` below [[webroot_map]] of the renewal file, or obtain the certificate again and name the document root with " + failure.Do(failure.DocumentRoot, "DIR") + "."},
		failure.WebrootGone: {"the document root{path}{of} does not exist, or is no directory", "The site's directory{of} is gone.",
			"Put the directory back, name the new one with " + failure.Do(failure.DocumentRoot, "DIR") + ", or retire the certificate if the site is gone."},
		failure.WebrootLocked: {"the token{of} cannot be written to{path}: {way}", "",
			"Remove what is in the way, or give the directory back its owner and mode; then run the command again."},
		failure.DiskFull: {"no room, no inodes or no quota left{for-path}", "The web space{of} is full.",
			"Make room or raise the quota: a renewal needs one small file."},
		failure.RenewalFile: {"the renewal file{of} cannot be used{setting}", "",
			"Repair the line that is named (a setting below [[webroot_map]] belongs above it), or empty the file and obtain the certificate anew under its name (" + failure.Do(failure.NameCertificate, "{arg}") + "), which replaces it."},
		failure.LineageBroken: {"the certificate's files{of} contradict each other{colon-path}", "",
			"Link live/ to the newest whole version in archive/; where there is none, delete the certificate and obtain it anew."},
		failure.Account: {"the account at the CA cannot be used: it is not here, not known there, deactivated, or terms or an external binding are wanted", "",
			"Name the right account in the renewal file, restore its directory, or register (with EAB where the CA wants it)."},
		failure.Usage: {"the command lacks something, contradicts itself, or asks what nobody can answer", "",
			"Give the flag that the text names."},
		failure.SolverUnfit: {"{name} cannot be proven this way: a wildcard without DNS, a plugin that is not there, or a challenge type that is not offered", "",
			"Choose another way of proving (for a wildcard " + failure.Do(failure.ProveByDNS) + "), or install the plugin."},
		failure.PortTaken: {"the client's own web server cannot have its port", "",
			"Prove through the web server that runs, by its document root, or stop it in a pre-hook and start it in a post-hook."},
		failure.Hook: {"a hook is missing, cannot be run, or failed{colon-path}", "",
			"Run the hook by hand and mend it. The certificate itself may be there: see the step before it."},
		failure.Locked: {"another run holds the lock", "",
			"Nothing: the next run goes on. If it holds for hours, look for a run that hangs."},
		failure.Killed: {"the run was ended from outside: a time-out, a signal, or no memory", "",
			"If the script that calls it ends it after a time, raise that time-out; else look who sent the signal (a reboot, a service manager, the OOM killer in the kernel's log). Then look at what is pending at the CA."},
		failure.BadName: {"the CA issues nothing for {name}", "No certificate can be had for {name}.",
			"Take {name} out of the certificate."},
		failure.BadCSR: {"the CA refuses the key or the CSR{for}", "",
			"Make a new key, and look at " + failure.Do(failure.RequestFile) + ", " + failure.Do(failure.KeepKey) + " and " + failure.Do(failure.KeyType) + "."},
		failure.ClientOutdated: {"the CA no longer speaks what this client speaks", "",
			"Upgrade the client, and set `server =` in the renewal files to the CA's directory of today."},
		failure.DNSMissing: {"{name} does not exist in DNS, or has no address", "The domain {name} has no address record, or has expired.",
			"Create an A or AAAA record of {name}, or drop the name or the certificate."},
		failure.DNSElsewhere: {"{name} points to an address that is not ours{at}", "The domain {name} points to another provider.",
			"Stop renewing {name} here; retire the certificate after a time of grace."},
		failure.DNSBroken: {"the name servers of {name} fail (no answer, SERVFAIL, REFUSED, DNSSEC), perhaps for CAA alone", "The name servers of the domain {name} do not answer properly.",
			"Have whoever runs the zone of {name} mend it: servers reachable, signatures valid, CAA queries answered."},
		failure.CAAForbids: {"a CAA record of {name} forbids this CA to issue", "A CAA record in the DNS of {name} forbids the certificate.",
			"Have the CA added to the CAA record of {name} (issue, and issuewild for a wildcard)."},
		failure.HTTPUnreached: {"the CA cannot connect to {name}{at} on port 80", "The site {name} does not answer.",
			"Open port 80 of {name} to the world, start the web server, and look at its load."},
		failure.IPv6Broken: {"the CA used the IPv6 address of {name}{at}, and that one fails", "The AAAA record of the domain {name} points to a wrong place.",
			"Have the AAAA record of {name} corrected or removed, or let the web server listen on IPv6."},
		failure.BlockedAbroad: {"one place of the CA's reaches {name}{at}, others do not", "A firewall in front of {name} admits some countries only.",
			"Except /.well-known/acme-challenge/ on port 80 from country blocks, rate limits and bot rules."},
		failure.HTTPWrong: {"{name}{at} serves something else than the token: the web server's document root is not the one that is written to", "",
			"Name the document root that the web server serves for {name} with " + failure.Do(failure.DocumentRoot, "DIR") + ", or let it serve /.well-known/acme-challenge/ from the one that is configured."},
		failure.HTTPError: {"{name}{at} answers the token's path with an error, a bot page or another protocol", "The site {name} (its .htaccess, firewall or application) blocks the check.",
			"Except /.well-known/acme-challenge/ of {name} from passwords, firewall, proxy and rewriting."},
		failure.Redirect: {"the redirect of {name} leads nowhere: a loop, too many, a port other than 80 and 443, a missing slash, or a private address", "The redirect of the site {name} is wrong.",
			"Except /.well-known/acme-challenge/ of {name} from the redirect, or correct its target."},
		failure.RateLimited: {"{limit} is used up{until}", "",
			"Wait for that date, and spread orders; for a domain with many names use fewer certificates, or ask the CA for more. See " + failure.Do(failure.ShowLimits) + "."},
		failure.LimitFailures: {"too many validations of {name} failed; the CA refuses more{until}", "",
			"Mend what failed first (the failure before this one in the log), and try once after the date."},
		failure.LimitSet: {"the same set of names was issued too often; the CA refuses more{until}", "",
			"Find what orders again and again, and install one of the certificates that exist."},
		failure.LimitPending: {"the account has too many pending authorizations at the CA", "",
			"Finish what is pending with " + failure.Do(failure.DrainPending) + ", or give it up: " + failure.Do(failure.PriceRelease) + " says what that costs."},
		failure.Paused: {"the CA has paused {name} for this account after long failure", "",
			"Mend the site, let a person visit the page that the CA's text names, then run " + failure.Do(failure.Unpause, "{arg}") + "."},
		failure.CAUnavailable: {"the CA fails, or does not come to an end", "",
			"Nothing: later runs go on."},
		failure.CAUnreachable: {"this server cannot talk to the CA", "",
			"Look at the resolver, the firewall (port 443 outwards), the proxy variables, ca-certificates and the clock."},
		failure.AnswerLost: {"a request was sent and its answer never came: what the CA did is not known", "",
			"The client's logs say which request it was (" + failure.Do(failure.ScanLogs, "LOGS") + "); the next order for the same names finds what it made, where the CA reuses orders."},
		failure.Validation: {"the CA could not validate {name}, and the text does not say why", "",
			"Look for the line with Detail nearby, or ask the CA for the authorization."},
		failure.CARefused: {"the CA refused a request{for}", "",
			"Keep the text, and try once more: refused twice in the same words it is a report to the authors of the client."},
		failure.Unclassified: {"", "",
			"Look at the text, and at the lines around it in the log: the cause may stand there."},
	}
})
