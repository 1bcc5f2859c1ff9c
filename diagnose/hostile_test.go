package diagnose_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"orderly/diagnose"
	"orderly/failure"
	"orderly/outside"
)

// hostile are texts that would do something, or be taken for another's.
var hostile = []string{
	"", " ", "\n", "\x00", "\xff\xfe", strings.Repeat("a", 1<<20), strings.Repeat("Domain: a.example\nType: dns\nDetail: x\n", 5000),
	strings.Repeat("{", 10000), strings.Repeat(`{"subproblems":[{"type":"urn:ietf:params:acme:error:dns","identifier":{`, 2000),
	"Domain: \x1b[2J\x1b]8;;https://evil.example\x07.example\nType: dns\nDetail: \u202egnp.exe",
	"Domain: ../../etc/passwd\nType: unauthorized\nDetail: 192.0.2.10: Invalid response from http://`id`/: 404",
	"[$(reboot).example] acme: error: 403 :: urn:ietf:params:acme:error:caa :: x",
	"Failed to renew certificate a\x02unpause\x1fb\x03.example with error: x",
	"Your account is temporarily prevented from requesting certificates for \x02resume\x03.example, b.example",
	strings.Repeat(`\`, 100000) + `"`, strings.Repeat("Invalid response from http://x: \"", 3000),
	"see https://letsencrypt.org/docs/rate-limits/#x}{type:caa} {retired} {elsewhere}",
	"{type:caa} {ip6} {elsewhere} {retired} {status:404}", strings.Repeat("during secondary validation 2001:db8::1: ", 4000),
	"retry after 9999-99-99 99:99:99 UTC urn:ietf:params:acme:error:rateLimited",
}

// harmless checks what holds of every finding, whatever the text.
func harmless(t *testing.T, text string) {
	found := diagnose.Text(text, ours)
	if len(found) == 0 {
		t.Fatalf("nothing is said of %.80q", text)
	}
	for _, f := range found {
		remedy := f.Remedy.Say(func(s failure.Step, args []string) string { return strings.Join(args, " ") })
		for what, shown := range map[string]string{"name": f.Name, "sentence": f.Sentence, "customer": f.Customer, "remedy": remedy, "limit": f.Limit} {
			if !utf8.ValidString(shown) || strings.ContainsFunc(shown, outside.Unprintable) || len(shown) > 2000 {
				t.Errorf("%.80q has the %s %.200q", text, what, shown)
			}
		}
		if name, ok := outside.Name(f.Name); f.Name != "" && (!ok || name != f.Name) {
			t.Errorf("%.80q is about %q, which is no name", text, f.Name)
		}
		if !f.Class.Known() || f.Sentence == "" {
			t.Errorf("%.80q is %q: %q", text, f.Class, f.Sentence)
		}
	}
}

func TestHostileTextsDoNothing(t *testing.T) {
	for _, text := range hostile {
		harmless(t, text)
	}
	for _, text := range []string{"{type:caa} {ip6} {elsewhere} {retired}", "see https://letsencrypt.org/docs/rate-limits/#x}{type:caa}"} {
		if f := diagnose.Text(text, ours)[0]; f.Class != failure.Unclassified {
			t.Errorf("a mark in a text makes it %s: %q", f.Class, text)
		}
	}
}

func FuzzText(f *testing.F) {
	for _, text := range hostile {
		f.Add(text[:min(len(text), 2000)])
	}
	for _, r := range collected(f) {
		f.Add(r.text)
	}
	f.Fuzz(harmless)
}

// Each class has something to do, and what is the customer's a sentence for them.
func TestEveryClassHasWords(t *testing.T) {
	for _, r := range collected(t) {
		found := diagnose.Text(r.text, ours)
		if found[0].Remedy == "" {
			t.Errorf("%s (%s): no remedy", r.id, r.class)
		}
		if customers := found[0].Class.Who() == failure.Customer; customers && found[0].Customer == "" {
			t.Errorf("%s (%s): nothing is said to the customer", r.id, r.class)
		}
	}
}
