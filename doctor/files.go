package doctor

// What a lineage's own files show: whether they can be read, and agree.

import (
	"errors"

	"orderly/certbot"
	"orderly/failure"
)

func fileChecks() []Check {
	blank := func(err error) bool { return errors.Is(err, certbot.ErrBlank) }
	class := func(class failure.Class) func(error) bool {
		return func(err error) bool { return !blank(err) && failure.ClassOf(err) == class }
	}
	return []Check{
		{ID: "D1", Title: "The renewal file cannot be used",
			Lineage: refused("D1", class(failure.RenewalFile))},
		{ID: "D2", Title: "The renewal file is empty", Lineage: refused("D2", blank)},
		{ID: "D4", Title: "No document root is configured",
			Lineage: refused("D4", class(failure.WebrootUnset))},
		{ID: "D14", Title: "The files of a certificate contradict each other",
			Lineage: refused("D14", class(failure.LineageBroken))},
		{ID: "D15", Title: "The private key is not the certificate's", Lineage: keyLost},
	}
}

// refused is a check for what keeps a lineage from being opened, or from being renewed with its own
// settings.
func refused(id string, is func(error) bool) func(*Exam, *Lineage, *certbot.Lineage) []Finding {
	return func(_ *Exam, x *Lineage, l *certbot.Lineage) []Finding {
		err := x.Err
		if err == nil && !x.off() {
			err = l.Usable()
		}
		if err == nil || !is(err) {
			return nil
		}
		return []Finding{x.findsError(id, err)}
	}
}

// keyLost tells of a certificate that nobody can serve. A renewal makes another key, so that it is due
// at once.
func keyLost(_ *Exam, x *Lineage, l *certbot.Lineage) []Finding {
	if l == nil || l.KeyLost == nil {
		return nil
	}
	f := x.findsError("D15", l.KeyLost)
	f.Class, f.Severity = failure.LineageBroken, Note
	f.Remedy = failure.Remedy("Renew it: " + failure.Do(failure.RenewNow, x.Name) + ".")
	return []Finding{f}
}
