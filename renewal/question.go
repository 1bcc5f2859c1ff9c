package renewal

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"orderly/certbot"
	"orderly/failure"
	"orderly/host"
)

// What certbot asks a person before it decides about a wish, each question once.

// Question is what certbot asks before it decides: one of Choices, or yes or no.
type Question struct {
	Text    string
	Yes, No string
	Choices []string // in place of Yes and No
	// AtTerminal: certbot asks it only where a person sits at a terminal, and otherwise takes its
	// default.
	AtTerminal bool
}

// ErrNobody says that nobody can be asked, or nobody answers: then everything is as with -n.
var ErrNobody = errors.New("nobody answers")

// ask puts a question, each once for a wish: decisions are made again under the lineage's lock,
// where nobody may be waited for. The answer counts from 0, which is yes or the first choice.
func (w Wish) ask(q Question) (int, error) {
	if a, ok := w.answers[q.Text]; ok {
		if a < 0 {
			return 0, ErrNobody
		}
		return a, nil
	}
	switch {
	case w.Ask == nil:
		return 0, ErrNobody
	case w.closed:
		return 0, errMoved // what is asked now was not so before the lock was waited for
	}
	a, err := w.Ask(q)
	if errors.Is(err, ErrNobody) {
		a = -1
	}
	if (err == nil || a < 0) && w.answers != nil {
		w.answers[q.Text] = a
	}
	return a, err
}

// keeps asks what is to be done about a certificate that is as it was asked for and not due. Where
// nobody answers it is kept.
func (w Wish) keeps(l *certbot.Lineage) (bool, error) {
	if w.Keep {
		return true, nil
	}
	a, err := w.ask(Question{
		Text: fmt.Sprintf("You have an existing certificate that has exactly the same domains or certificate name you requested and isn't close to expiry.\n(ref: %s)\n\nWhat would you like to do?", l.Renewal.Path),
		Choices: []string{"Keep the existing certificate for now",
			"Renew & replace the certificate (may be subject to CA rate limits)"},
	})
	if errors.Is(err, ErrNobody) {
		return true, nil
	}
	return a == 0, err
}

// expands asks whether a lineage is to hold more names. Where nobody answers it is not, with
// certbot's words for -n.
func (w Wish) expands(part *certbot.Lineage) error {
	if w.Expand || w.Renew {
		return nil
	}
	const form = "You have an existing certificate that contains a portion of the domains you requested (ref: %s)\n\nIt contains these names: %s\n\nYou requested these names for the new certificate: %s.\n\nDo you want to expand and replace this existing certificate with the new certificate?"
	facts := []any{part.Renewal.Path, strings.Join(part.Certificate.Names, ", "),
		strings.Join(w.Names, ", ")}
	remedy := "Add " + failure.Do(failure.Expand) + " to put all names into that certificate, or " +
		failure.Do(failure.NameCertificate) + " for one of its own."
	switch a, err := w.ask(Question{Text: fmt.Sprintf(form, facts...), Yes: "Expand",
		No: "Cancel"}); {
	case errors.Is(err, ErrNobody):
		return failure.New(failure.Config, remedy,
			"Missing command line flag or config entry for this setting:\n"+form+
				"\n\n(You can set this with the %s flag)",
			append(facts, failure.Do(failure.Expand))...)
	case err != nil || a == 0:
		return err
	}
	return failure.New(failure.Config,
		failure.Advise("Use %s for a new certificate that contains these names, without replacing "+
			"the one for %s.",
			failure.Do(failure.Duplicate), strings.Join(part.Certificate.Names, ", ")),
		"User chose to cancel the operation and may reinvoke the client.")
}

// changesNames asks whether the names of a lineage that was named are to change, as certbot does at
// a terminal.
func (w Wish) changesNames(l *certbot.Lineage) error {
	if w.NewNames {
		return nil
	}
	list := func(mark string, names, others []string) string {
		var lines []string
		for _, name := range names {
			if !slices.ContainsFunc(others,
				func(other string) bool { return strings.EqualFold(other, name) }) {
				lines = append(lines, "\n"+mark+" "+strings.ToLower(name))
			}
		}
		if slices.Sort(lines); len(lines) == 0 {
			return "\n(None)"
		}
		return strings.Join(lines, "")
	}
	a, err := w.ask(Question{AtTerminal: true, Yes: "Update certificate", No: "Cancel",
		Text: fmt.Sprintf("You are updating certificate %s to include new domain(s): %s\n\nYou are also removing previously included domain(s): %s\n\nDid you intend to make this change?",
			l.Name, list("+", w.Names, l.Certificate.Names), list("-", l.Certificate.Names,
				w.Names))})
	switch {
	case errors.Is(err, ErrNobody):
		return nil
	case err != nil || a == 0:
		return err
	}
	return failure.New(failure.Config, "", "Specified mismatched certificate name and domains.")
}

// confirms says whether the type of key changes, and refuses, as certbot does, to change that of a
// certificate that was not named: one that a device needs as RSA would otherwise change with the
// first script that has another default. At a terminal it is asked, also where certbot's own
// default is another one than the certificate has.
func (w *Wish) confirms(l *certbot.Lineage) error {
	given := w.Choice.KeyType.Said()
	wanted := cmp.Or(w.Choice.KeyType.Is(), "ecdsa")
	if l.Certificate.KeyType == "" || strings.EqualFold(wanted, l.Certificate.KeyType) || given &&
		w.CertName != "" {
		return nil
	}
	old, new := strings.ToUpper(l.Certificate.KeyType), strings.ToUpper(wanted)
	a, err := w.ask(Question{AtTerminal: true, Yes: "Update key type", No: "Keep existing key type",
		Text: fmt.Sprintf("An %s certificate named %s already exists. Do you want to update its key type to %s?", old, l.Name, new)})
	switch {
	case err == nil && a == 0:
		w.Choice.KeyType = host.Say(wanted)
		return nil
	case err != nil && !errors.Is(err, ErrNobody):
		return err
	case !given:
		return nil
	}
	return failure.New(failure.Config,
		"Add "+failure.Do(failure.NameCertificate, l.Name)+" to confirm it.",
		"Are you trying to change the key type of the certificate named %s from %s to %s? Please "+
			"provide both %s and %s on the command line to confirm the change you are trying to make.",
		l.Name, old, new, failure.Do(failure.NameCertificate), failure.Do(failure.KeyType))
}
