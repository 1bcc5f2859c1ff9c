package metrics

// What the doctor knows: how long certificates live, and what was found.

import (
	"strconv"
	"time"

	"orderly/doctor"
)

const day = 24 * time.Hour

// withins are the days within which certificates are counted to end. Each counts those of the lower
// ones, too, as the buckets of a histogram do.
var withins = [...]int{0, 1, 3, 7, 14, 30, 60, 90}

// certificates counts certificates by when they end. What is overdue ends although somebody should
// have renewed it: a certificate that lives six days is always about to end.
func certificates(f Facts) []Family {
	expiring := Family{Name: "orderly_certificates_expiring",
		Help: "Certificates that end within so many days, 0 for those that have ended."}
	overdue := Family{Name: "orderly_certificates_overdue",
		Help: "Of these, those whose renewal has been due for more than a day, or an eighth of their lifetime."}
	for _, days := range withins {
		label := strconv.Itoa(days)
		expiring.add(0, "within_days", label)
		overdue.add(0, "within_days", label)
		for _, l := range f.Report.Held {
			if l.Expires.After(f.At.Add(time.Duration(days) * day)) {
				continue
			}
			expiring.add(1, "within_days", label)
			if late(l, f.At) {
				overdue.add(1, "within_days", label)
			}
		}
	}
	all := []Family{
		one("orderly_certificates", "Certificates of this host.", float64(f.Report.Lineages)),
		one("orderly_certificates_unreadable", "Of these, those that cannot be read.",
			float64(f.Report.Lineages-len(f.Report.Held))),
		expiring, overdue,
	}
	first := Family{Name: "orderly_certificate_first_expiry_timestamp_seconds",
		Help: "When the first of the certificates ends that have not ended."}
	for _, l := range f.Report.Held {
		if l.Expires.After(f.At) {
			first.least(seconds(l.Expires))
		}
	}
	return append(all, first)
}

// late reports whether a certificate should have been renewed by now. One that is never renewed by
// itself is nobody's to renew.
func late(l doctor.DocumentLineage, now time.Time) bool {
	return !l.Due.IsZero() && now.Sub(l.Due) > min(day, l.Expires.Sub(l.Issued)/8)
}

// findings counts what was found by check and severity.
func findings(r doctor.Report) Family {
	f := Family{Name: "orderly_findings", Help: "What the doctor finds, by check and severity."}
	for _, one := range r.Findings {
		f.add(1, "id", one.ID, "severity", string(one.Severity))
	}
	return f
}
