package cli

import (
	"testing"
	"time"

	"orderly/failure"
	"orderly/history"
	"orderly/preflight"
	"orderly/renewal"
)

// What a renewal failed of, and what the checks find in order now, is mended: nobody is sent to write
// what is written.
func TestWhatIsThereNowIsMended(t *testing.T) {
	at := time.Date(2026, 11, 28, 3, 0, 0, 0, time.UTC)
	pass := preflight.Result{Check: preflight.Writable, Verdict: preflight.Pass, Local: true}
	for _, c := range []struct {
		last   history.Entry
		checks []preflight.Result
		want   string
	}{
		{history.Entry{At: at, Class: failure.WebrootUnset}, []preflight.Result{pass}, mended},
		{history.Entry{At: at, Class: failure.WebrootUnset}, nil, fails},
		{history.Entry{At: at, Class: failure.WebrootUnset, Server: "web2"}, []preflight.Result{pass}, fails},
		{history.Entry{At: at, Class: failure.DNSMissing}, []preflight.Result{pass}, fails},
	} {
		v := &whyView{}
		v.judge(&printer{}, "a.example", judgement{checks: c.checks, now: at.Add(time.Hour),
			past: history.Past{Failures: []history.Entry{c.last}}})
		if v.Verdict != c.want || v.Class != c.last.Class || (v.Error == "") == (c.want == mended) {
			t.Errorf("%v: %s (%s), want %s: %s", c.last, v.Verdict, v.Class, c.want, v.Error)
		}
	}
}

// Why a certificate is due when it is, is told in words.
func TestWhyItIsDueIsTold(t *testing.T) {
	at := time.Date(2027, 1, 2, 3, 4, 5, 0, time.UTC)
	for _, c := range []struct {
		due  renewal.Due
		want string
	}{
		{renewal.Due{At: at, Because: renewal.DueByLifetime}, "a.example, due 2027-01-02 03:04:05"},
		{renewal.Due{At: at, Because: renewal.DueByFile}, "a.example, due 2027-01-02 03:04:05 as its renewal file says"},
		{renewal.Due{At: at, Because: renewal.DueRevoked}, "a.example, due 2027-01-02 03:04:05 since it was revoked"},
		{renewal.Due{At: at, Because: renewal.DueByCA}, "a.example, due 2027-01-02 03:04:05 as the CA suggests"},
		{renewal.Due{At: at, Because: renewal.DueByCA, Explanation: "https://ca.example/x"},
			"a.example, due 2027-01-02 03:04:05 as the CA suggests (https://ca.example/x)"},
		{renewal.Due{At: at, Because: renewal.DueByCA, Explanation: "https://ca.example/x", Calmed: true},
			"a.example, due 2027-01-02 03:04:05 as the CA suggests (the CA wants it sooner, as it did of the one before: https://ca.example/x)"},
	} {
		v := lineageView{Lineage: "a.example", DueAt: &c.due.At, DueBecause: c.due.Because, dueNote: dueNote(c.due)}
		if got := v.words(); got != c.want {
			t.Errorf("%q, not %q", got, c.want)
		}
	}
}
