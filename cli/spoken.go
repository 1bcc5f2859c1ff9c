package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"orderly/acme"
	"orderly/cli/argparse"
	"orderly/failure"
	"orderly/renewal"
)

// printVersion answers --version as the program's name wants it.
func (p *printer) printVersion() {
	if !p.certbot {
		fmt.Fprintf(p.out, "orderly %s\n", Version())
		return
	}
	fmt.Fprintf(p.out, "certbot %s\n", argparse.Certbot)
	if p.tty {
		fmt.Fprintf(p.err, "orderly %s stands in its place.\n", Version())
	}
}

// asCalled names the program in a remedy as it was called.
func (p *printer) asCalled(text string) string {
	if p.certbot {
		return text
	}
	return strings.ReplaceAll(text, "Use certonly", "Use orderly certonly")
}

// certbotUsage is what argparse prints for a wrong command line (cli_constants.SHORT_USAGE), with the error in its last line.
func (p *printer) certbotUsage(err error) {
	fmt.Fprintf(p.err, "usage: \n  certbot [SUBCOMMAND] [options] [-d DOMAIN] [-d DOMAIN] ...\n\ncertbot: error: %s\n", err)
	if remedy := failure.RemedyOf(err); remedy != "" {
		fmt.Fprintln(p.err, p.remedy(remedy))
	}
}

// acmeTitle is certbot's word for the CA's errors (acme/messages.py, ERROR_CODES), for those that scripts look for.
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
		return "Certification Authority Authorization (CAA) records forbid the CA from issuing a certificate"
	}
	return kind
}

// asCertbot prints an error in the words that scripts look for in certbot's output, before Orderly's own sentence.
func (p *printer) asCertbot(err error) {
	if !p.certbot {
		return
	}
	problem, ok := errors.AsType[*acme.Problem](err)
	switch {
	case failure.ClassOf(err) == failure.Validation:
		fmt.Fprintln(p.err, "Some challenges have failed.")
	case failure.ClassOf(err) == failure.RateLimited:
		fmt.Fprintf(p.err, "An unexpected error occurred:\n%s :: ", acmeTitle("rateLimited")) // the sentence follows
	case ok && problem.Type != "":
		fmt.Fprintf(p.err, "An unexpected error occurred:\n%s :: %s\n", acmeTitle(problem.Type), problem.Detail)
	}
}

// logName is the file in --logs-dir that Orderly writes.
const logName = "orderly.log"

// saving says, as certbot does at once, where the log is.
func (p *printer) saving(path string) {
	p.logPath = path
	if p.certbot && !p.quiet && !p.json {
		fmt.Fprintf(p.err, "Saving debug log to %s\n", path)
	}
}

// trailer is certbot's last line after an error (log.exit_with_advice). Called by its own name, Orderly gives the remedy alone.
func (p *printer) trailer() {
	if !p.certbot || p.quiet || p.json {
		return
	}
	see := "Re-run"
	if p.logPath != "" { // what fails before the log is open is not in it
		see = "See the logfile " + p.logPath + " or re-run"
	}
	fmt.Fprintf(p.err, "Ask for help or search for solutions at https://community.letsencrypt.org. %s Certbot with -v for more details.\n", see)
}

// received is certbot's block about a new certificate, and what is to be done next. That something renews it is said only
// where that is so: Debian's cli.ini claims it of certbot's own timer, which may run another program than this one.
func (p *printer) received(r renewal.Result) {
	task, found := p.renewals.Find()
	automatic := ""
	switch {
	case task.Ours && p.certbot:
		automatic = "\nCertbot has set up a scheduled task to automatically renew this certificate in the background."
	case task.Ours:
		automatic = "\nIt is renewed in the background by " + task.Name + "."
	}
	p.Say("\nSuccessfully received certificate.\nCertificate is saved at: %s\nKey is saved at:         %s\nThis certificate expires on %s.\nThese files will be updated when the certificate renews.%s",
		r.Path, r.Key, r.Expires.UTC().Format("2006-01-02"), automatic)
	if task.Ours {
		return
	}
	p.Say("\nNEXT STEPS:\n- The certificate will need to be renewed before it expires. Let a timer run %s twice a day.", p.remedy("`orderly renew`"))
	if found {
		p.Say("- %s runs %s, which is another program: %s.", task.Name, task.Program, task.End())
	}
}

func (p *printer) name() string {
	if p.certbot {
		return "certbot"
	}
	return "orderly"
}

// kept is what certbot says when there is nothing to do.
func (p *printer) kept(r renewal.Result) {
	if p.certbot {
		p.Say("Cert not yet due for renewal") // certbot before 1.10
	}
	p.Say("Certificate not yet due for renewal\n\n%s\nCertificate not yet due for renewal; no action taken.\nIt expires on %s and is due from %s on: %s\n%s", frame,
		r.Expires.UTC().Format("2006-01-02"), r.DueAt.UTC().Format("2006-01-02"), r.Path, frame)
}

// processing is what certbot says before it looks at a lineage.
func (p *printer) processing(path string) {
	p.say("\n%s\nProcessing %s\n%s", frame, path, frame)
}

// looked is what certbot says of a lineage before the summary.
func (p *printer) looked(r renewal.Result) {
	switch {
	case r.Outcome == renewal.Kept && p.certbot:
		p.say("Cert not yet due for renewal\nCertificate not yet due for renewal") // the former is certbot's before 1.10
	case r.Outcome == renewal.Kept:
		p.say("Certificate not yet due for renewal")
	case r.Outcome == renewal.Skipped:
		p.Warn("%s is skipped: %s. %s", r.Path, r.Sentence, r.Remedy)
	case r.Outcome == renewal.Invalid && p.certbot:
		p.fault("Renewal configuration file %s (cert: %s) produced an unexpected error: %s. Skipping.", r.Path, r.Lineage, r.Sentence)
	case r.Outcome == renewal.Failed && p.certbot:
		title := ""
		if r.Class == failure.RateLimited {
			title = acmeTitle("rateLimited") + " :: "
		}
		p.fault("Failed to renew certificate %s with error: %s%s", r.Lineage, title, r.Sentence)
	}
}

// invalidNames prints the CA's words about each name that it could not validate, as certbot does (auth_handler.py), with the
// keys of both certbot 2 and 5.
func (p *printer) invalidNames(ctx context.Context, s *session, r renewal.Result) {
	if r.Class != failure.Validation || r.Order == 0 || p.quiet || p.json {
		return
	}
	o, err := s.ledger.Order(ctx, r.Order)
	if err != nil {
		return // the error itself is printed anyway
	}
	var blocks []string
	for _, a := range o.Authorizations {
		if a.ErrorType != "" {
			blocks = append(blocks, fmt.Sprintf("  Domain: %s\n  Identifier: %s\n  Type:   %s\n  Detail: %s\n", a.FullName(), a.FullName(), a.ErrorType, a.ErrorDetail))
		}
	}
	if len(blocks) == 0 {
		return
	}
	p.Say("\nCertbot failed to authenticate some domains (authenticator: %s). The Certificate Authority reported these problems:\n%s\nHint: %s\n",
		solverName(o.Request), strings.Join(blocks, "\n"), validationHint(o.Request))
}

// addConfigFlag gives certbot's verbs the flag that is obeyed before cobra sees the command line, for help and completion.
func addConfigFlag(root *cobra.Command) {
	for _, c := range root.Commands() {
		if argparse.IsVerb(c) && c.Flags().Lookup("config") == nil {
			c.SetHelpFunc(func(c *cobra.Command, args []string) {
				root.HelpFunc()(c, args)
				fmt.Fprint(c.OutOrStdout(), otherHelp(c))
			})
			c.Flags().StringP("config", "c", "", "`file` with flags, beside /etc/letsencrypt/cli.ini and ~/.config/letsencrypt/cli.ini, which are always read")
		}
	}
}
