package cli

// certificates --due: when each certificate is to be renewed, the next first. What a round would do
// is said from the disk and the ledger alone, also while certbot is in charge.

import "orderly/renewal"

// soonest orders certificates by when they are due, those that never are last.
func soonest(a, b renewal.Due) int {
	if a.At.IsZero() != b.At.IsZero() {
		return b.At.Compare(a.At) // zero is before everything
	}
	return a.At.Compare(b.At)
}

// printDue prints when each certificate is to be renewed.
func printDue(p *printer, found []listed, invalid []invalidView) {
	if len(found) == 0 {
		if len(invalid) == 0 {
			p.Say("No certificates found.")
		}
		return
	}
	var rows [][]string
	for _, l := range found {
		note := l.stuck
		if note == "" {
			note = dueNote(l.due)
		}
		rows = append(rows, []string{l.name, p.moment(l.due.At), l.due.Because,
			p.moment(l.facts.Expires), note})
	}
	p.table([]column{{"CERTIFICATE", flexible}, {"DUE (UTC)", fixed}, {"BECAUSE", fixed},
		{"EXPIRES (UTC)", fixed}, {"NOTE", aside}}, rows)
}

// dueNote is what a person is to know of why a certificate is due then.
func dueNote(due renewal.Due) string {
	if !due.Calmed {
		return due.Explanation
	}
	note := "the CA wants it sooner, as it did of the one before"
	if due.Explanation != "" {
		note += ": " + due.Explanation
	}
	return note
}
