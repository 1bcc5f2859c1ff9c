package cli

// certbot's own words, for scripts that look for them: whether the program was called as certbot
// changes what is said, never what is done.

import (
	"errors"
	"fmt"

	"orderly/acme"
	"orderly/cli/argparse"
	"orderly/failure"
	"orderly/renewal"
)

// printVersion answers --version as the program's name wants it.
func (p *printer) printVersion() {
	if !p.certbot {
		fmt.Fprintf(p.out, "orderly %s\n", built())
		return
	}
	fmt.Fprintf(p.out, "certbot %s\n", argparse.Certbot)
	if p.tty {
		fmt.Fprintf(p.err, "orderly %s stands in its place.\n", built())
	}
}

// certbotUsage is what argparse prints for a wrong command line (cli_constants.SHORT_USAGE), with
// the error in its last line.
func (p *printer) certbotUsage(err error) {
	fmt.Fprintf(p.err,
		"usage: \n  certbot [SUBCOMMAND] [options] [-d DOMAIN] [-d DOMAIN] ...\n\ncertbot: error: %s\n",
		p.pasted(err.Error()))
	if remedy := failure.RemedyOf(err); remedy != "" {
		fmt.Fprintln(p.err, p.remedy(remedy))
	}
}

// acmeTitle is certbot's word for the CA's errors (acme/messages.py, ERROR_CODES), for those that
// scripts look for.
func acmeTitle(kind string) string {
	switch kind {
	case "rateLimited":
		return "There were too many requests of a given type"
	case "rejectedIdentifier":
		return "The server will not issue certificates for the identifier"
	case "malformed":
		return "The request message was malformed"
	case "serverInternal":
		return "The server experienced an internal error"
	case "unauthorized":
		return "The client lacks sufficient authorization"
	case "accountDoesNotExist":
		return "The request specified an account that does not exist"
	case "externalAccountRequired":
		return "The server requires external account binding"
	case "alreadyRevoked":
		return "The request specified a certificate to be revoked that has already been revoked"
	case "badCSR":
		return "The CSR is unacceptable (e.g., due to a short key)"
	case "caa":
		return "Certification Authority Authorization (CAA) records forbid the CA from issuing " +
			"a certificate"
	}
	return kind
}

// asCertbot prints an error in the words that scripts look for in certbot's output, before
// Orderly's own sentence.
func (p *printer) asCertbot(err error) {
	if !p.certbot {
		return
	}
	problem, ok := errors.AsType[*acme.Problem](err)
	switch {
	case failure.ClassOf(err) == failure.Validation:
		fmt.Fprintln(p.err, "Some challenges have failed.")
	case failure.ClassOf(err) == failure.RateLimited:
		// the sentence follows
		fmt.Fprintf(p.err, "An unexpected error occurred:\n%s :: ", acmeTitle("rateLimited"))
	case ok && problem.Type != "":
		fmt.Fprintf(p.err, "An unexpected error occurred:\n%s :: %s\n", acmeTitle(problem.Type),
			problem.Detail)
	}
}

// trailer is certbot's last line after an error (log.exit_with_advice). Called by its own name,
// Orderly gives the remedy alone.
func (p *printer) trailer() {
	if !p.certbot || p.quiet || p.json {
		return
	}
	see := "Re-run"
	if p.logPath != "" { // what fails before the log is open is not in it
		see = "See the logfile " + p.logPath + " or re-run"
	}
	fmt.Fprintf(p.err,
		"Ask for help or search for solutions at https://community.letsencrypt.org. %s Certbot with "+
			"-v for more details.\n", see)
}

// received is certbot's block about a new certificate, and what is to be done next. That something
// renews it is said only where that is so: Debian's cli.ini claims it of certbot's own timer, which
// may run another program than this one.
func (p *printer) received(r renewal.Result) {
	task, found := p.renewals.Find()
	automatic := ""
	switch {
	case task.Ours && p.certbot:
		automatic = "\nCertbot has set up a scheduled task to automatically renew this certificate " +
			"in the background."
	case task.Ours:
		automatic = "\nIt is renewed in the background by " + task.Name + "."
	}
	p.Say("\nSuccessfully received certificate.\nCertificate is saved at: %s\n"+
		"Key is saved at:         %s\nThis certificate expires on %s.\n"+
		"These files will be updated when the certificate renews.%s",
		r.Path, r.Key, r.Expires.UTC().Format("2006-01-02"), automatic)
	if task.Ours {
		return
	}
	how := "Let a timer run " + p.pasted("`orderly renew`") + " twice a day."
	if timer := p.renewals.Waiting().Name; timer != "" {
		how = "Enable its timer: " + string(failure.Shell("systemctl", "enable", "--now", timer)) + "."
	}
	p.Say("\nNEXT STEPS:\n- The certificate will need to be renewed before it expires. %s", how)
	if found {
		p.Say("- %s runs %s, which is another program: %s.", task.Name, task.Program, task.End())
	}
}

// kept is what certbot says when there is nothing to do.
func (p *printer) kept(r renewal.Result) {
	if p.certbot {
		p.Say("Cert not yet due for renewal") // certbot before 1.10
	}
	p.Say("Certificate not yet due for renewal\n\n%s\n"+
		"Certificate not yet due for renewal; no action taken.\n"+
		"It expires on %s and is due from %s on: %s\n%s", frame,
		r.Expires.UTC().Format("2006-01-02"), r.DueAt.UTC().Format("2006-01-02"), r.Path, frame)
}

// whole is what is called before and after a lineage's block, where blocks are told of many: nothing that
// is told meanwhile stands between.
func (p *printer) whole(before func(string), after func(renewal.Result)) (func(string), func(renewal.Result)) {
	begin := func(path string) {
		p.block.Lock()
		before(path)
	}
	end := func(r renewal.Result) {
		defer p.block.Unlock()
		after(r)
	}
	return begin, end
}

// processing is what certbot says before it looks at a lineage.
func (p *printer) processing(path string) {
	p.say("\n%s\nProcessing %s\n%s", frame, path, frame)
}

// looked is what certbot says of a lineage before the summary.
func (p *printer) looked(r renewal.Result) {
	switch {
	case r.Outcome == renewal.Kept && p.certbot:
		// the former is certbot's before 1.10
		p.say("Cert not yet due for renewal\nCertificate not yet due for renewal")
	case r.Outcome == renewal.Kept:
		p.say("Certificate not yet due for renewal")
	case r.Outcome == renewal.Skipped:
		p.Warn("%s is skipped: %s. %s", r.Path, r.Sentence, r.Remedy)
	case r.Outcome == renewal.Invalid && p.certbot:
		p.fault("Renewal configuration file %s (cert: %s) produced an unexpected error: %s. Skipping.",
			r.Path, r.Lineage, r.Sentence)
	case r.Outcome == renewal.Failed && p.certbot:
		title := ""
		if r.Class == failure.RateLimited {
			title = acmeTitle("rateLimited") + " :: "
		}
		p.fault("Failed to renew certificate %s with error: %s%s", r.Lineage, title, r.Sentence)
	}
}
