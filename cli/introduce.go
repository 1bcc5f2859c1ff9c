package cli

// What certbot asks for where a command line lacks it: an account, names, document roots, a
// certificate. The questions come in certbot's order, which scripts that answer them rely on.

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"orderly/certbot"
	"orderly/failure"
	"orderly/renewal"
)

// What certbot says where a question was ended, and where nobody could be asked for names.
const (
	operationCanceled = "Operation canceled. You may re-run the client."
	noNames           = "Missing command line flag or config entry for this setting:\n" +
		"Please enter the domain name(s) you would like on your certificate (comma and/or space " +
		"separated)\n\n(You can set this with the --domains flag)"
)

// asks gives decisions their way to a person.
func (d *dialogue) asks(ctx context.Context) func(renewal.Question) (int, error) {
	return func(q renewal.Question) (int, error) {
		answer, err := d.put(ctx, q)
		if errors.Is(err, errCanceled) {
			err = failure.New(failure.Config, "", operationCanceled)
		}
		return answer, err
	}
}

// introduce asks for what an account needs that is chosen or made, in certbot's order: which one,
// or an address and the agreement to the CA's terms. What nobody answers stays as it is, and is
// refused as with -n.
func (f *accountFlags) introduce(ctx context.Context, d *dialogue, s *session) error {
	if !d.open(false) || f.account != "" {
		return nil
	}
	accounts, err := s.server.Disk.Accounts().At(f.server)
	switch {
	case err != nil || len(accounts) == 1:
		return nil // what is wrong is said where the account is chosen
	case len(accounts) > 1:
		return f.chooseAccount(ctx, d, accounts)
	}
	r := &f.registration
	if r.Email == "" && !r.NoEmail {
		if r.Email, err = d.email(ctx, true); err != nil {
			return unanswered(err)
		}
	}
	if r.AgreeTOS {
		return nil
	}
	terms, err := s.server.Accounts().Terms(ctx, f.server)
	if err != nil {
		return err
	}
	if r.AgreeTOS = terms == ""; !r.AgreeTOS {
		answer, err := d.put(ctx, renewal.Question{Yes: "Yes", No: "No",
			Text: "Please read the Terms of Service at " + terms +
				". You must agree in order to register with the ACME server. Do you agree?"})
		switch {
		case err != nil:
			return unanswered(err)
		case answer != 0:
			return failure.New(failure.Account, "",
				"Registration cannot proceed without accepting Terms of Service.")
		}
		r.AgreeTOS = true
	}
	return d.letters(ctx, r.Email)
}

// unanswered makes nothing of a question that nobody answers.
func unanswered(err error) error {
	if errors.Is(err, renewal.ErrNobody) {
		return nil
	}
	return err
}

func (f *accountFlags) chooseAccount(ctx context.Context, d *dialogue,
	accounts []certbot.Account) error {
	var labels []string
	for _, a := range accounts {
		labels = append(labels, a.Label())
	}
	i, err := d.menu(ctx, "Please choose an account", labels)
	switch {
	case errors.Is(err, errCanceled):
		return failure.New(failure.Account, "", "No account has been chosen.")
	case err != nil:
		return unanswered(err)
	}
	f.account = accounts[i].ID
	return nil
}

// email asks for an address (display/ops.py, get_email), which may be left out if it is optional.
func (d *dialogue) email(ctx context.Context, optional bool) (string, error) {
	const ask = "Enter email address (used for urgent renewal and security notices)\n"
	const unsafe = "\n\nIf you really want to skip this, you can run the client with " +
		"--register-unsafely-without-email but you will then be unable to receive notice about " +
		"impending expiration or revocation of your certificates or problems with your Certbot " +
		"installation that will lead to failure to renew.\n\n"
	text, wrong := ask, ""
	for {
		address, err := d.input(ctx, wrong+text)
		switch {
		case errors.Is(err, errCanceled) && optional:
			return "", failure.New(failure.Account, "",
				"An e-mail address or --register-unsafely-without-email must be provided.")
		case errors.Is(err, errCanceled):
			return "", failure.New(failure.Account, "", "An e-mail address must be provided.")
		case err != nil:
			return "", err
		}
		address = strings.TrimSpace(address)
		if isEmail(address) {
			return address, nil
		}
		if text == ask && optional {
			text = unsafe + ask
		}
		if wrong = ""; address != "" {
			d.p.fault("Invalid email address: %s.", failure.Clean(address))
			wrong = "There seem to be problems with that address. "
		}
	}
}

// letters is certbot's question about the EFF's, which is asked at terminals alone. Orderly passes
// no address on.
func (d *dialogue) letters(ctx context.Context, email string) error {
	if email == "" || !d.p.certbot || !d.watched {
		return nil
	}
	answer, err := d.put(ctx, renewal.Question{AtTerminal: true, Yes: "Yes", No: "No",
		Text: "Would you be willing, once your first certificate is successfully issued, to " +
			"share your email address with the Electronic Frontier Foundation, a founding partner " +
			"of the Let's Encrypt project and the non-profit organization that develops " +
			"Certbot? We'd like to send you email about our work encrypting the web, EFF " +
			"news, campaigns, and ways to support digital freedom."})
	if err == nil && answer == 0 {
		d.p.Tell("Orderly passes no address on; the EFF's letters are subscribed to at " +
			"https://www.eff.org.")
	}
	return unanswered(err)
}

// names asks for the names of a certificate.
func (d *dialogue) names(ctx context.Context) ([]string, error) {
	text, err := d.input(ctx,
		"Please enter the domain name(s) you would like on your certificate (comma and/or space "+
			"separated)")
	switch {
	case errors.Is(err, errCanceled):
		return nil, failure.New(failure.Config, "Add -d NAME.",
			"Please specify --domains, or --installer that will help in domain names "+
				"autodiscovery, or --cert-name for an existing certificate name.")
	case errors.Is(err, renewal.ErrNobody):
		return nil, failure.New(failure.Config, "Add -d NAME.", noNames)
	case err != nil:
		return nil, err
	}
	names := strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ' ' })
	if len(names) == 0 {
		return nil, failure.New(failure.Config, "Add -d NAME.", noNames)
	}
	return names, nil
}

// roots asks for the document roots of a wish's names that have none, as certbot's plugin webroot
// does.
func (d *dialogue) roots(ctx context.Context, s *session, w *renewal.Wish) error {
	var known []string
	for _, name := range w.Names {
		if root := w.Webroots[name]; root != "" {
			known = append(known, root)
			continue
		}
		root, err := d.root(ctx, s, name, known)
		if err != nil {
			return unanswered(err)
		}
		w.Webroots[name] = root
		if !slices.Contains(known, root) {
			known = append(known, root)
		}
	}
	return nil
}

// root asks for one name's document root: one of those that are known, or a new one.
func (d *dialogue) root(ctx context.Context, s *session, name string, known []string) (string,
	error) {
	given := failure.New(failure.WebrootUnset,
		"Add -w DIR, the directory that the web server serves for these names.",
		"Every requested domain must have a webroot when using the webroot plugin.")
	if !d.open(false) {
		return "", renewal.ErrNobody
	}
	if len(known) > 0 {
		i, err := d.menu(ctx, "Select the webroot for "+name+":",
			append([]string{"Enter a new webroot"}, known...))
		switch {
		case errors.Is(err, errCanceled):
			return "", given
		case err != nil:
			return "", err
		case i > 0:
			return known[i-1], nil
		}
	}
	for {
		text, err := d.input(ctx, "Input the webroot for "+name+":")
		if errors.Is(err, errCanceled) {
			return "", given
		}
		if err != nil {
			return "", err
		}
		root, err := filepath.Abs(strings.TrimSpace(text))
		if err == nil {
			err = s.documentRoot(ctx, root)
		}
		if err == nil || failure.ClassOf(err) == failure.Stopped {
			return root, err
		}
		d.print("\n" + frame + "\n" + fold(err.Error()) + "\n" + frame + "\n")
	}
}

// prover asks how the names are to be proven; both are false where nobody answers.
func (d *dialogue) prover(ctx context.Context) (standalone, webroot bool, err error) {
	i, err := d.menu(ctx, "How would you like to authenticate with the ACME CA?",
		[]string{"Spin up a temporary webserver (standalone)",
			"Place files in webroot directory (webroot)"})
	switch {
	case errors.Is(err, errCanceled):
		return false, false, failure.New(failure.Config, "Add --webroot -w DIR.",
			"authenticator could not be determined or is not installed")
	case err != nil:
		return false, false, unanswered(err)
	}
	return i == 0, i == 1, nil
}

// certificates asks which certificates a command is about: one, or several of them.
func (d *dialogue) certificates(ctx context.Context, s *session, question string,
	several bool) ([]string, error) {
	there, err := s.server.Disk.Names()
	if err != nil {
		return nil, err
	}
	if len(there) == 0 {
		return nil, failure.New(failure.Config, "", "No existing certificates found.")
	}
	names, err := d.pick(ctx, question, there, several)
	switch {
	case errors.Is(err, renewal.ErrNobody):
		return nil, failure.New(failure.Config, "Add --cert-name NAME.",
			"Missing command line flag or config entry for this setting:\n%s\nChoices: ['%s']\n\n"+
				"(You can set this with the --cert-name flag)", question,
			strings.Join(there, "', '"))
	case errors.Is(err, errCanceled):
		return nil, failure.New(failure.Config, "Add --cert-name NAME.", "User ended interaction.")
	}
	return names, err
}

// pick lets one or several be chosen from a list (FileDisplay.menu and checklist).
func (d *dialogue) pick(ctx context.Context, question string, all []string, several bool) ([]string,
	error) {
	if !d.open(false) {
		return nil, renewal.ErrNobody
	}
	if !several {
		i, err := d.menu(ctx, question, all)
		if err != nil {
			return nil, err
		}
		return all[i : i+1], nil
	}
	for {
		d.list(question, all)
		text, err := d.input(ctx,
			"Select the appropriate numbers separated by commas and/or spaces, or leave input "+
				"blank to select all options shown")
		if err != nil {
			return nil, err
		}
		if strings.TrimSpace(text) == "" {
			return all, nil
		}
		if picked := numbered(text, all); len(picked) > 0 {
			return picked, nil
		}
		d.print("** Error - Invalid selection **\n")
	}
}

// numbered are the elements of a list that a text names by their numbers, nothing where one of them
// is none.
func numbered(text string, all []string) []string {
	var picked []string
	for _, word := range strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ' ' }) {
		n, err := strconv.Atoi(word)
		if err != nil || n < 1 || n > len(all) {
			return nil
		}
		if !slices.Contains(picked, all[n-1]) {
			picked = append(picked, all[n-1])
		}
	}
	return picked
}
