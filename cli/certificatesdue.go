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
func printDue(p *printer, found []listed) {
	if len(found) == 0 {
		p.Say("No certificates found.")
		return
	}
	var rows [][]string
	for _, l := range found {
		note := l.stuck
		if note == "" {
			note = l.due.Explanation
		}
		rows = append(rows, []string{l.name, p.moment(l.due.At), l.due.Because,
			p.moment(l.facts.Expires), note})
	}
	p.table([]column{{"CERTIFICATE", flexible}, {"DUE (UTC)", fixed}, {"BECAUSE", fixed},
		{"EXPIRES (UTC)", fixed}, {"NOTE", aside}}, rows)
}
