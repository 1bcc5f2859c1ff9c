package fleet

import (
	"strings"
	"testing"
	"unicode"
)

// Whatever a document holds, it is a server's report, or a sentence says why not; nothing that is
// kept does anything, and no more of it than its bounds.
func FuzzDocument(f *testing.F) {
	const head, summary = `{"version":1,"server":"web1","at":"2026-11-28T06:00:00Z",`, `"summary":{"lineages":1,"clean":0,"findings":1}}`
	f.Add(head + `"findings":[{"id":"D14","class":"lineage-broken","severity":"fails","lineage":"a","names":["a"],` +
		`"file":"/x","line":1,"since":null,"hurts_at":"2026-11-28T06:00:00Z","sentence":"s","remedy":"r","fix":"no","cause":"c"}],` +
		`"lineages":[{"name":"a","names":["a","b"],"issued":"2026-11-01T00:00:00Z","expires":"2027-01-01T00:00:00Z"}],` + summary)
	f.Add(head + `"findings":[],"x":[[{"y":[1]}]],` + summary)
	f.Add(head + `"findings":[{}],"lineages":[{}],` + summary + "\x00")
	f.Add(head + `"findings":[{"names":[null]}],"lineages":[null],"server":null,"at":null,` + summary)
	f.Add(`{"version":1,"findings":[],"findings":null}`)
	f.Add("\ufeff{}")
	f.Fuzz(func(t *testing.T, text string) {
		s, n, err := parse(strings.NewReader(text))
		if err != nil {
			if err.Error() == "" || strings.ContainsFunc(err.Error(), unicode.IsControl) {
				t.Errorf("%q", err)
			}
			return
		}
		if n.over(mostOfOne) || len(s.Findings) > n.findings || len(s.Name) > longestServer {
			t.Errorf("%+v", n)
		}
		kept := []string{s.Name}
		for _, one := range s.Findings {
			kept = append(append(kept, one.ID, string(one.Class), one.Lineage, one.File, one.Sentence,
				string(one.Remedy), string(one.Fix), string(one.Severity), one.Cause), one.Names...)
		}
		for _, l := range s.Held {
			kept = append(append(kept, l.Name), l.Names...)
		}
		for _, one := range kept {
			if len(one) > 500 || strings.ContainsFunc(one, unicode.IsControl) {
				t.Errorf("kept is %.600q", one)
			}
		}
	})
}
