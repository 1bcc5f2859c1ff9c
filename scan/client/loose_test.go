package client

// Other clients' logs, line by line.

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// witness keeps what a log showed: of each URL what was shown last, and runs.
type witness struct {
	last map[string]Kind
	name map[string]string
	runs []Run
	lost []Lost

	failed  []Failure
	renewed []Renewal
}

func (w *witness) See(s Sighting) {
	if w.last == nil {
		w.last, w.name = map[string]Kind{}, map[string]string{}
	}
	if w.last[s.URL] != Final {
		w.last[s.URL] = s.Kind
	}
	if s.Name != "" {
		w.name[s.URL] = s.Name
	}
}
func (w *witness) Lose(l Lost)       { w.lost = append(w.lost, l) }
func (w *witness) Fail(f Failure)    { w.failed = append(w.failed, f) }
func (w *witness) Renew(one Renewal) { w.renewed = append(w.renewed, one) }
func (w *witness) End(r Run)         { w.runs = append(w.runs, r) }

func (w *witness) of(kind Kind) []string {
	var all []string
	for u, k := range w.last {
		if k == kind {
			all = append(all, u[strings.LastIndex(u, "/")+1:]+" "+w.name[u])
		}
	}
	slices.Sort(all)
	return all
}

func read(t *testing.T, text string) *witness {
	t.Helper()
	w := &witness{}
	log := NewLog(w)
	if err := log.Read(context.Background(), 0, strings.NewReader(text)); err != nil {
		t.Fatal(err)
	}
	log.Close(false)
	return w
}

const lego4 = `2026/11/28 03:03:50 [INFO] [a.example, b.example] acme: Obtaining bundled SAN certificate
2026/11/28 03:03:51 [INFO] [a.example] AuthURL: https://ca.example/acme/authz-v3/1
2026/11/28 03:03:51 [INFO] [b.example] AuthURL: https://ca.example/acme/authz-v3/2
2026/11/28 03:03:51 [INFO] [a.example] acme: Could not find solver for: tls-alpn-01
2026/11/28 03:03:51 [INFO] [a.example] acme: use http-01 solver
2026/11/28 03:03:51 [INFO] [b.example] acme: use http-01 solver
2026/11/28 03:03:51 [INFO] [a.example] acme: Trying to solve HTTP-01
`

func TestLego(t *testing.T) {
	const certificate = "2026/11/28 03:03:58 [INFO] [a.example, b.example] acme: Validations succeeded; requesting certificates\n" +
		"2026/11/28 03:03:59 [INFO] [a.example] Server responded with a certificate.\n"
	for _, c := range []struct {
		what, text       string
		open, doubt, end []string
		fate             Fate
		step             Step
	}{
		{"killed as the first was answered", lego4, []string{"2 b.example"}, []string{"1 a.example"}, nil, Killed, Challenge},
		{"killed after the first was valid", lego4 + "2026/11/28 03:03:55 [INFO] [a.example] The server validated our request\n",
			[]string{"2 b.example"}, nil, []string{"1 a.example"}, Killed, Poll},
		{"whole", lego4 + certificate, nil, nil, []string{"1 a.example", "2 b.example"}, Whole, Certificate},
		{"failed and deactivated", lego4 +
			"2026/11/28 03:03:55 [INFO] Deactivating auth: https://ca.example/acme/authz-v3/1\n" +
			"2026/11/28 03:03:55 [INFO] Skipping deactivating of valid auth: https://ca.example/acme/authz-v3/2\n" +
			"2026/11/28 03:03:55 Could not obtain certificates:\n\terror: one or more domains had a problem:\n" +
			"[a.example] acme: error: 403 :: urn:ietf:params:acme:error:unauthorized :: no\n",
			nil, nil, []string{"1 a.example", "2 b.example"}, Failed, Authorization},
		{"killed as one was about to be deactivated", lego4 +
			"2026/11/28 03:03:55 [INFO] Deactivating auth: https://ca.example/acme/authz-v3/2\n",
			nil, []string{"1 a.example", "2 b.example"}, nil, Killed, Authorization},
		{"what was not deactivated is what it was", lego4 +
			"2026/11/28 03:03:55 [INFO] Deactivating auth: https://ca.example/acme/authz-v3/2\n" +
			"2026/11/28 03:03:55 [INFO] Unable to deactivate the authorization: " +
			"https://ca.example/acme/authz-v3/2\n" +
			"2026/11/28 03:03:55 Could not obtain certificates:\n\terror: no\n",
			[]string{"2 b.example"}, []string{"1 a.example"}, nil, Failed, Authorization},
	} {
		for _, prefix := range []string{"", "Nov 28 03:03:58 web1 lego[123]: "} {
			t.Run(c.what+prefix, func(t *testing.T) {
				var text strings.Builder
				for line := range strings.Lines(c.text) {
					text.WriteString(prefix + line)
				}
				if prefix != "" && strings.Contains(c.text, "\n[a.example]") {
					return // the journal's prefix hides a bracket at the beginning of a line
				}
				w := read(t, text.String())
				same(t, "open", w.of(Named), c.open)
				same(t, "doubtful", w.of(Unanswered), c.doubt)
				same(t, "final", w.of(Final), c.end)
				if len(w.runs) != 1 || w.runs[0].Fate != c.fate || w.runs[0].Step != c.step {
					t.Errorf("runs: %+v, want %s at %s", w.runs, c.fate, c.step)
				}
			})
		}
	}
}

const uacme1 = `uacme: version 1.7.4 starting on Sat, 28 Nov 2026 03:03:58 +0000
uacme: loading key from /etc/ssl/uacme/private/key.pem
uacme: fetching directory at https://ca.example/directory
uacme: retrieving account at https://ca.example/acme/new-acct
uacme: account location: https://ca.example/acme/acct/7
uacme: creating new order at https://ca.example/acme/new-order
uacme: order location: https://ca.example/acme/order/7/9
uacme: retrieving authorization at https://ca.example/acme/authz/7/1
uacme: running /usr/share/uacme/uacme.sh begin http-01 a.example TOKEN KEYAUTH
`

func TestUacme(t *testing.T) {
	const (
		start = "uacme: starting challenge at https://ca.example/acme/chall/7/1/x\n"
		poll  = "uacme: polling challenge status at https://ca.example/acme/chall/7/1/x\n"
		next  = "uacme: retrieving authorization at https://ca.example/acme/authz/7/2\n"
	)
	for _, c := range []struct {
		what, text       string
		open, doubt, end []string
		order            Kind // 0: none
		fate             Fate
		step             Step
	}{
		{"killed before", uacme1, []string{"1 a.example"}, nil, nil, Partial, Killed, Authorization},
		{"killed as it was answered", uacme1 + start, nil, []string{"1 a.example"}, nil, Partial, Killed, Challenge},
		{"killed while polling", uacme1 + start + poll, nil, nil, []string{"1 a.example"}, Partial, Killed, Poll},
		{"killed at the second", uacme1 + start + poll + next, []string{"2 "}, nil, []string{"1 a.example"}, Partial, Killed, Authorization},
		{"the second was valid", uacme1 + start + poll + next +
			"uacme: polling order status at https://ca.example/acme/order/7/9\n" +
			"uacme: finalizing order at https://ca.example/acme/finalize/7/9\n" +
			"uacme: retrieving certificate at https://ca.example/acme/cert/1\nuacme: saving certificate to x\n",
			nil, nil, []string{"1 a.example", "2 "}, Final, Whole, Certificate},
		{"failed", uacme1 + start + poll +
			"uacme: challenge https://ca.example/acme/chall/7/1/x failed with status invalid\n",
			nil, nil, []string{"1 a.example"}, Partial, Failed, Poll},
	} {
		t.Run(c.what, func(t *testing.T) {
			w := read(t, c.text)
			const order = "https://ca.example/acme/order/7/9"
			if got := w.last[order]; got != c.order {
				t.Errorf("the order is %d, want %d", got, c.order)
			}
			delete(w.last, order)
			same(t, "open", w.of(Named), c.open)
			same(t, "doubtful", w.of(Unanswered), c.doubt)
			same(t, "final", w.of(Final), c.end)
			if len(w.runs) != 1 || w.runs[0].Fate != c.fate || w.runs[0].Step != c.step {
				t.Errorf("runs: %+v, want %s at %s", w.runs, c.fate, c.step)
			}
		})
	}
}

// A newOrder without an answer is lost, whichever client sent it.
func TestLostOrdersOfLooseClients(t *testing.T) {
	for _, c := range []struct {
		text  string
		names []string
	}{
		{strings.SplitAfter(lego4, "\n")[0], []string{"a.example", "b.example"}},
		{strings.SplitAfter(lego4, "\n")[0] + lego4, []string{"a.example", "b.example"}},
		{strings.SplitAfter(lego4, "\n")[0] + "2026/11/28 03:03:55 Could not obtain certificates:\n", nil},
		{lego4, nil},
		{"uacme: version 1.7.4 starting on Sat, 28 Nov 2026 03:03:58 +0000\n" +
			"uacme: checking existence and expiration of /etc/ssl/uacme/a.example/cert.pem\n" +
			"uacme: creating new order at https://ca.example/acme/new-order\n", []string{"a.example"}},
		{uacme1, nil},
	} {
		w := read(t, c.text)
		if len(w.lost) != min(1, len(c.names)) || len(w.lost) == 1 && !slices.Equal(w.lost[0].Names, c.names) {
			t.Errorf("%s: lost %+v, want %q", c.text, w.lost, c.names)
		}
	}
}

// acmeShLog writes lines as acme.sh does.
func acmeShLog(lines ...string) string {
	var b strings.Builder
	for i, line := range lines {
		fmt.Fprintf(&b, "[Sat Nov 28 03:03:%02d UTC 2026] %s\n", i%60, line)
	}
	return b.String()
}

func TestAcmeSh(t *testing.T) {
	begin := []string{"_main_domain='a.example'", "Using CA: https://ca.example/directory",
		"url='https://ca.example/acme/new-order'", `payload='{"identifiers": [{"type":"dns","value":"a.example"}]}'`}
	made := append(slices.Clone(begin), "code='201'",
		`response='{"status":"pending","expires":"2026-12-05T03:03:00Z","identifiers":[{"type":"dns","value":"a.example"}],"authorizations":["https://ca.example/acme/authz/7/1"],"finalize":"https://ca.example/acme/finalize/7/9"}'`)
	shown := append(slices.Clone(made), "_authz_url='https://ca.example/acme/authz/7/1'",
		"url='https://ca.example/acme/authz/7/1'", "payload", "code='200'",
		`response='{"status":"pending","expires":"2026-12-05T03:03:00Z","identifier":{"type":"dns","value":"a.example"},"challenges":[{"type":"http-01","url":"https://ca.example/acme/chall/7/1/x","status":"pending","token":"t"}]}'`)
	sent := append(slices.Clone(shown), "url='https://ca.example/acme/chall/7/1/x'", "payload='{}'")
	brief := []string{"_main_domain='a.example'", "Using CA: https://ca.example/directory", "d='a.example'",
		"_authz_url='https://ca.example/acme/authz/7/1'", "url='https://ca.example/acme/chall/7/1/x'", "payload='{}'"}
	for _, c := range []struct {
		what             string
		text             []string
		open, doubt, end []string
		lost             int
	}{
		{"newOrder lost", begin, nil, nil, nil, 1},
		{"ordered", made, []string{"1 a.example"}, nil, nil, 0},
		{"shown", shown, nil, nil, nil, 0},
		{"answered", sent, nil, []string{"1 a.example"}, nil, 0},
		{"taken", append(slices.Clone(sent), "code='200'"), nil, nil, []string{"1 a.example"}, 0},
		{"refused", append(slices.Clone(sent), "code='400'"), nil, nil, nil, 0},
		{"level 1, answered", brief, nil, []string{"1 a.example"}, nil, 0},
		{"level 1, taken", append(slices.Clone(brief), "code='200'", "Success"), nil, nil, []string{"1 a.example"}, 0},
		{"level 1, verified before", append(slices.Clone(brief[:4]), "a.example is already verified, skipping http-01."),
			nil, nil, []string{"1 a.example"}, 0},
	} {
		t.Run(c.what, func(t *testing.T) {
			w := read(t, acmeShLog(c.text...))
			same(t, "open", w.of(Named), c.open)
			same(t, "doubtful", w.of(Unanswered), c.doubt)
			same(t, "final", w.of(Final), c.end)
			if len(w.lost) != c.lost {
				t.Errorf("lost: %v", w.lost)
			}
			if len(w.runs) != 1 || w.runs[0].Fate == Failed {
				t.Errorf("runs: %+v", w.runs)
			}
		})
	}
}

func TestAcmeShDates(t *testing.T) {
	for _, text := range []string{"Sat Nov 28 03:03:58 UTC 2026", "Sat 28 Nov 03:03:58 UTC 2026",
		"Sat Nov 28 03:03:58 AM CET 2026", "Sat Nov 28 03:03:58 CET 2026", "Sat, 28 Nov 2026 03:03:58 +0100"} {
		if got := acmeShTime(text).in(zone{}).Format("2006-01-02 15:04:05"); got != "2026-11-28 03:03:58" {
			t.Errorf("%s: %s", text, got)
		}
	}
	if got := acmeShTime("Sat Nov 28 03:03:58 PM UTC 2026").in(zone{}); got.Hour() != 15 {
		t.Errorf("afternoon: %s", got)
	}
}

func same(t *testing.T, what string, got, want []string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: %q, want %q", what, got, want)
	}
}
