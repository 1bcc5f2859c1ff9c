package cli

import (
	"bytes"
	"io"
	"strings"
	"testing"
	"time"

	"orderly/doctor"
	"orderly/failure"
)

// What the doctor found is read at a terminal of any width: no line is longer, but for a command that is there to be pasted
// and a name that is as long, sentences go on below their begin, names of wide characters keep their column, and no word is lost. A pipe gets each
// finding in one line.
func TestWhatTheDoctorFoundFitsTheTerminal(t *testing.T) {
	finding := func(id, lineage, sentence string) doctor.Finding {
		return doctor.Finding{ID: id, Severity: doctor.WillFail, Lineage: lineage, File: "/etc/letsencrypt/renewal/" + lineage + ".conf",
			Line: 12, HurtsAt: time.Date(2027, 1, 22, 0, 0, 0, 0, time.UTC), Sentence: sentence,
			Remedy: failure.Advise("Move the line below [renewalparams], where certbot looks for it, or let it be mended: %s.",
				failure.Do(failure.Mend, id, lineage))}
	}
	report := doctor.Report{Lineages: 3, Findings: []doctor.Finding{
		finding("D5", "例え.テスト.example", "the setting post_hook stands behind [[webroot_map]], where certbot takes it for a name"),
		finding("D5", "a.example", "the setting pre_hook stands behind [[webroot_map]], where certbot takes it for a name"),
		finding("D5", strings.Repeat("very-long-", 8)+".example", "short"),
	}}
	printed := func(columns string) string {
		var out bytes.Buffer
		p := &printer{out: &out, err: io.Discard, tty: columns != "", getenv: func(name string) string {
			return map[string]string{"COLUMNS": columns, "NO_COLOR": "1"}[name]
		}}
		printReport(p, report, nil, false)
		return out.String()
	}
	piped := printed("")
	if lines := strings.Count(piped, "\n"); lines != 1+2*len(report.Findings)+2 {
		t.Errorf("a pipe gets %d lines:\n%s", lines, piped)
	}
	for columns, room := range map[string]int{"40": 40, "80": 80, "132": 132} {
		text := printed(columns)
		for line := range strings.Lines(text) {
			if line = strings.TrimRight(line, "\n"); cells(line) > room && !strings.Contains(line, "`") && strings.Contains(strings.TrimSpace(line), " ") {
				t.Errorf("%d columns at %d: %q", cells(line), room, line)
			}
		}
		if got, want := strings.Join(strings.Fields(text), ""), strings.Join(strings.Fields(piped), ""); got != want {
			t.Errorf("at %d columns:\n%s\nnot\n%s", room, text, piped)
		}
	}
	var starts []int
	for line := range strings.Lines(printed("132")) {
		if at := strings.Index(line, "the setting"); at > 0 {
			starts = append(starts, cells(line[:at]))
		}
	}
	if len(starts) != 2 || starts[0] != starts[1] {
		t.Errorf("sentences begin in columns %v", starts)
	}
}
