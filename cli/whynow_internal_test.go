package cli

import (
	"testing"
	"time"

	"orderly/failure"
	"orderly/history"
	"orderly/preflight"
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
