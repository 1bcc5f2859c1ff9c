package diagnose_test

import (
	"encoding/json"
	"strings"
	"testing"

	"orderly/diagnose"
)

// hard breaks lines at a width, whatever stands there, as fold does.
func hard(width int) func(string) string {
	return func(text string) string {
		var out []string
		for line := range strings.SplitSeq(text, "\n") {
			for len(line) > width {
				out, line = append(out, line[:width]), line[width:]
			}
			out = append(out, line)
		}
		return strings.Join(out, "\n")
	}
}

// soft breaks lines at blanks, and indents those that go on.
func soft(width int) func(string) string {
	return func(text string) string {
		var out []string
		for line := range strings.SplitSeq(text, "\n") {
			for len(line) > width {
				at := strings.LastIndexByte(line[:width], ' ')
				if at <= 3 {
					break
				}
				out, line = append(out, line[:at]), "   "+line[at+1:]
			}
			out = append(out, line)
		}
		return strings.Join(out, "\n")
	}
}

// Mails, terminals, logs and JSON change a text's looks, and not what it means.
func TestWhatWrapsATextDoesNotChangeItsClass(t *testing.T) {
	quoted := func(text string) string {
		b, _ := json.Marshal(map[string]string{"message": text})
		return string(b)
	}
	lines := func(prefix string) func(string) string {
		return func(text string) string { return prefix + strings.ReplaceAll(text, "\n", "\n"+prefix) }
	}
	others := append(rows(t, "testdata/more-texts.tsv"), rows(t, "testdata/fresh-texts.tsv")...)
	for what, wrap := range map[string]func(string) string{
		"soft 72": soft(72), "soft 40": soft(40), "hard 80": hard(80), "hard 61": hard(61),
		"JSON": quoted, "JSON in JSON": func(s string) string { return quoted(quoted(s)) },
		"syslog":    lines("Nov 28 03:17:02 web4 certbot[4711]: "),
		"journal":   lines("2026-11-28T03:17:02.123456+00:00 srv-7.host.test certbot[99]: "),
		"container": lines("certbot-1  | "),
		"quoted":    lines("> "),
		"log":       lines("2026-11-28 03:17:02,123:ERROR:certbot._internal.renewal:"),
		"colours":   func(s string) string { return "\x1b[1;31m" + s + "\x1b[0m" },
		"CRLF":      func(s string) string { return strings.ReplaceAll(s, "\n", "\r\n") + "\r\n" },
		"one line":  func(s string) string { return strings.ReplaceAll(s, "\n", " ") },
		"mail":      func(s string) string { return "Subject: Cron <root@web4.host.test> certbot -q renew\n\n" + s + "\n" },
		"ask for help": func(s string) string {
			return s + "\nAsk for help or search for solutions at https://community.letsencrypt.org. See the logfile /var/log/letsencrypt/letsencrypt.log or re-run Certbot with -v for more details."
		},
	} {
		for _, r := range collected(t) {
			for _, f := range diagnose.Text(wrap(r.text), ours) {
				if string(f.Class) != r.class {
					t.Errorf("%s in %s is %s, want %s: %q", r.id, what, f.Class, r.class, wrap(r.text))
				}
			}
		}
		for _, row := range others {
			// Words that are broken, and logs whose lines were joined, say less.
			if strings.HasPrefix(what, "hard") || what == "one line" || strings.Contains(row[2], "=\n") {
				continue
			}
			classes, names := told(wrap(row[2]))
			if got := classes + " " + names; got != row[0]+" "+row[1] {
				t.Errorf("in %s it is %s, want %s %s: %q", what, got, row[0], row[1], wrap(row[2]))
			}
		}
	}
}

// A text that was cut off is of its class still, or says that it says too little; it is never of one
// that leads to something else.
func TestACutTextMisleadsNobody(t *testing.T) {
	vague := map[string]bool{"unclassified": true, "validation-failed": true, "ca-refused": true, "usage": true, "renewal-file": true}
	wrong, all := 0, 0
	for _, r := range collected(t) {
		for cut := 1; cut < len(r.text); cut++ {
			all++
			for _, f := range diagnose.Text(r.text[:cut], ours) {
				if string(f.Class) != r.class && !vague[string(f.Class)] {
					wrong++
					break
				}
			}
		}
	}
	// Most of them have lost the one word that tells two limits, or two answers of a site, apart.
	if wrong*10 > all {
		t.Errorf("%d of %d cut texts are of another class", wrong, all)
	}
}
