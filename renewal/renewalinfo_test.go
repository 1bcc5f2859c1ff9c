package renewal_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"orderly/acme"
	"orderly/ledger/memory"
	"orderly/order"
	"orderly/renewal"
	"orderly/testca"
)

// inquired counts the requests for renewal information.
func (h *machine) inquired() int { return h.ca.Truth().RequestsByKind[acme.KindRenewalInfo] }

// wants sets when the CA wants the certificate in place renewed, from now on.
func (h *machine) wants(lineage string, start, end time.Duration, why string) {
	h.t.Helper()
	now := h.clock.Now()
	must(h.t, h.ca.SetRenewalInfo(h.opened(lineage).Certificate.Leaf.SerialNumber.Text(16), now.Add(start), now.Add(end), why))
}

// round is a run of renew, with what came of each lineage.
func (h *machine) round() map[string]renewal.Result {
	h.t.Helper()
	results, err := h.renew(renewal.Round{})
	must(h.t, err)
	all := map[string]renewal.Result{}
	for _, r := range results {
		all[r.Lineage] = r
	}
	return all
}

// A CA that is about to revoke a batch moves its windows into the past: what is of the batch is renewed by the next
// pass, and says what it replaces.
func TestAWindowInThePastMeansNow(t *testing.T) {
	t.Parallel()
	h := newHost(t, testca.Config{})
	h.has("a.example", "b.example")
	h.wants("a.example", -2*time.Hour, -time.Hour, "https://ca.example/incident")
	old := acme.RenewalID(h.opened("a.example").Certificate.Leaf)
	got := h.round()
	if a, b := got["a.example"], got["b.example"]; a.Outcome != renewal.Issued || a.Explanation != "https://ca.example/incident" ||
		b.Outcome != renewal.Kept || b.Explanation != "" {
		t.Errorf("%+v\n%+v", a, b)
	}
	orders := h.ca.Truth().Orders
	if len(orders) != 3 || orders[2].Replaces != old || orders[2].Status != "valid" {
		t.Errorf("the CA's orders: %+v; replaced %s", orders, old)
	}
	if told := strings.Join(h.report.lines, "\n"); !strings.Contains(told, "wants a.example renewed before its time; why: https://ca.example/incident") {
		t.Error(told)
	}
	// The next one soon after is not obeyed at once: it may be the CA that is wrong.
	h.wants("a.example", -2*time.Hour, -time.Hour, "")
	if got = h.round(); got["a.example"].Outcome != renewal.Kept || len(h.ca.Truth().Orders) != 3 {
		t.Errorf("renewed again: %+v", got["a.example"])
	}
	h.clock.skip(6*time.Hour + time.Minute)
	h.set.SkipPreflight = map[string]bool{"http": true} // whose probe looks hours old
	if got = h.round(); got["a.example"].Outcome != renewal.Issued {
		t.Errorf("not renewed after six hours: %+v", got["a.example"])
	}
}

// Whoever asks for the same names with certonly is served by the same calendar.
func TestCertonlyHeedsAWindowInThePast(t *testing.T) {
	t.Parallel()
	h := newHost(t, testca.Config{})
	h.has("a.example")
	h.wants("a.example", -2*time.Hour, -time.Hour, "")
	if r := h.obtain(h.wish("a.example")); r.Outcome != renewal.Issued {
		t.Errorf("%+v", r)
	}
	if r := h.obtain(h.wish("a.example")); r.Outcome != renewal.Kept {
		t.Errorf("again: %+v", r)
	}
}

func TestOneMomentIsKeptForEachWindow(t *testing.T) {
	t.Parallel()
	h := newHost(t, testca.Config{})
	h.has("a.example", "b.example", "c.example")
	h.edit("c.example", "[renewalparams]\n", "[renewalparams]\nautorenew = False\n")
	first := h.round()
	if h.inquired() != 2 {
		t.Errorf("%d questions about two certificates", h.inquired())
	}
	for _, name := range []string{"a.example", "b.example"} {
		r := first[name]
		usual, err := renewal.DueAt(h.opened(name).Certificate.NotBefore, r.Expires, "")
		if must(t, err); r.DueBecause != renewal.DueByCA || r.DueAt.Sub(usual).Abs() > 30*time.Hour {
			t.Errorf("%+v", r)
		}
	}
	h.round()
	if h.inquired() != 2 {
		t.Error("asked again before the CA's time")
	}
	h.clock.skip(6*time.Hour + time.Minute)
	second := h.round()
	if h.inquired() != 4 || !second["a.example"].DueAt.Equal(first["a.example"].DueAt) {
		t.Errorf("%d questions; %s, then %s", h.inquired(), first["a.example"].DueAt, second["a.example"].DueAt)
	}
	h.wants("a.example", 20*24*time.Hour, 21*24*time.Hour, "")
	h.clock.skip(6*time.Hour + time.Minute)
	third := h.round()
	if left := third["a.example"].DueAt.Sub(h.clock.Now()); left < 19*day || left > 21*day ||
		!third["b.example"].DueAt.Equal(first["b.example"].DueAt) {
		t.Errorf("%s, %s", third["a.example"].DueAt, third["b.example"].DueAt)
	}
}

// What certbot ≥ 5 has noted counts as well, unless its clock was wrong.
func TestWhatCertbotNotedIsObeyed(t *testing.T) {
	t.Parallel()
	h := newHost(t, testca.Config{})
	h.has("a.example", "b.example", "c.example")
	for name, ahead := range map[string]time.Duration{"a.example": 5 * time.Hour, "b.example": 400 * day, "c.example": -time.Hour} {
		path := h.disk().Dirs.Renewal(name)
		text, err := os.ReadFile(path)
		must(t, err)
		note := h.clock.Now().Add(ahead).In(time.Local).Format("2006-01-02T15:04:05")
		must(t, os.WriteFile(path, fmt.Appendf(text, "[acme_renewal_info]\nari_retry_after = %s\n", note), 0o644))
	}
	got := h.round()
	if got["a.example"].DueBecause != renewal.DueByLifetime || got["b.example"].DueBecause != renewal.DueByCA ||
		got["c.example"].DueBecause != renewal.DueByCA || h.inquired() != 2 {
		t.Errorf("%d questions; %+v", h.inquired(), got)
	}
}

// noteOf is what certbot would read in a lineage's renewal file of when its CA may be asked again.
func (h *machine) noteOf(lineage string) time.Time {
	return h.opened(lineage).Renewal.Params.RetryAfter
}

// When the CA may be asked again is noted in the renewal files, as certbot does: each time that it was asked, and not when
// it was not. Who loses the ledger, or goes back to certbot, asks no more often than the CA allows.
func TestWhenTheCAMayBeAskedAgainIsNotedAsCertbotDoes(t *testing.T) {
	t.Parallel()
	h := newHost(t, testca.Config{})
	h.has("a.example", "b.example", "off.example", "busy.example")
	h.edit("off.example", "[renewalparams]\n", "[renewalparams]\nautorenew = False\n")
	unlock, free, err := h.locks.TryLock(order.LineageLock("busy.example"))
	if err != nil || !free {
		t.Fatal(free, err)
	}
	before := h.opened("off.example").Renewal.Text()
	h.round()
	must(t, unlock())
	first := h.noteOf("a.example")
	rows, err := h.ledger.RenewalInfos(t.Context(), "a.example")
	if must(t, err); len(rows) != 1 || first.IsZero() || !first.Equal(rows[0].NextAt.Truncate(time.Second)) {
		t.Errorf("noted %s; the ledger has %+v", first, rows)
	}
	if h.noteOf("b.example").IsZero() || !h.noteOf("busy.example").IsZero() || h.opened("off.example").Renewal.Text() != before {
		t.Errorf("b: %s, busy: %s; off:\n%s", h.noteOf("b.example"), h.noteOf("busy.example"), h.opened("off.example").Renewal.Text())
	}
	info, err := os.Stat(h.disk().Dirs.Renewal("a.example"))
	must(t, err)
	h.round()
	again, err := os.Stat(h.disk().Dirs.Renewal("a.example"))
	if must(t, err); !os.SameFile(info, again) {
		t.Error("written although nobody was asked")
	}
	asked := h.inquired()
	h.ledger = memory.New() // a host set up anew
	h.openLocks()
	if h.round(); h.inquired() != asked+1 { // about busy.example
		t.Errorf("%d questions without a ledger", h.inquired()-asked)
	}
	h.ca.Inject(testca.Fault{Kind: acme.KindRenewalInfo, Action: testca.Respond, Status: 429, Problem: "rateLimited", RetryAfter: "28800"})
	h.clock.skip(8 * time.Hour)
	h.round()
	if got := max(h.noteOf("a.example").Sub(h.clock.Now()), h.noteOf("b.example").Sub(h.clock.Now())); got < 7*time.Hour || got > 8*time.Hour {
		t.Errorf("a CA that wants to be left alone for eight hours is for %s", got)
	}
}

// What the CA said of one certificate says nothing of the next one, which may be wanted back at once.
func TestANewCertificateIsAskedAboutWhateverWasSaidOfTheOld(t *testing.T) {
	t.Parallel()
	h := newHost(t, testca.Config{})
	h.has("a.example")
	h.round()
	if _, err := h.renew(renewal.Round{Renew: true}); err != nil || !h.noteOf("a.example").IsZero() {
		t.Fatal(err, h.opened("a.example").Renewal.Text())
	}
	h.wants("a.example", -2*time.Hour, -time.Hour, "")
	if r := h.round()["a.example"]; r.Outcome != renewal.Issued {
		t.Errorf("%+v", r)
	}
}

// A renewal file that cannot be written is no reason to fail, and none to ask more often.
func TestANoteThatCannotBeWrittenIsNone(t *testing.T) {
	t.Parallel()
	h := newHost(t, testca.Config{})
	h.has("a.example")
	path := h.disk().Dirs.Renewal("a.example")
	must(t, os.MkdirAll(filepath.Join(filepath.Dir(path), "."+filepath.Base(path)+".orderly-new", "in the way"), 0o755))
	before := h.opened("a.example").Renewal.Text()
	if r := h.round()["a.example"]; r.Outcome != renewal.Kept || r.DueBecause != renewal.DueByCA || len(h.report.warnings) != 0 {
		t.Errorf("%+v, %q", r, h.report.warnings)
	}
	if h.round(); h.inquired() != 1 || h.opened("a.example").Renewal.Text() != before {
		t.Errorf("%d questions;\n%s", h.inquired(), h.opened("a.example").Renewal.Text())
	}
}

// A CA that has no renewal information, or none that is of use, is one without it: nothing fails, nothing waits for it, and
// it is let alone for a while.
func TestAsIfThereWereNoRenewalInformation(t *testing.T) {
	t.Parallel()
	info := acme.KindRenewalInfo
	window := func(start, end string) []byte {
		return fmt.Appendf(nil, `{"suggestedWindow":{"start":%q,"end":%q},"explanationURL":"http://ca.example/\u001b[2J"}`, start, end)
	}
	for name, fault := range map[string]testca.Fault{
		"none":             {Kind: acme.KindDirectory, Action: testca.Rewrite, Patch: []byte(`{"renewalInfo":null}`)},
		"elsewhere":        {Kind: acme.KindDirectory, Action: testca.Rewrite, Patch: []byte(`{"renewalInfo":"https://127.0.0.2:1/info"}`)},
		"no directory":     {Kind: acme.KindDirectory, Action: testca.Respond, Status: 503},
		"no answer":        {Kind: info, Action: testca.Drop},
		"a lost answer":    {Kind: info, Action: testca.LoseAnswer},
		"500":              {Kind: info, Action: testca.Respond, Status: 500, RetryAfter: "99999999"},
		"429":              {Kind: info, Action: testca.Respond, Status: 429, Problem: "rateLimited", RetryAfter: "7200"},
		"404":              {Kind: info, Action: testca.Respond, Status: 404, Problem: "malformed"},
		"a page":           {Kind: info, Action: testca.Misshape, Shape: testca.PageInstead},
		"a list":           {Kind: info, Action: testca.Misshape, Shape: testca.BareArray},
		"no window":        {Kind: info, Action: testca.Rewrite, Patch: []byte(`{"suggestedWindow":null}`)},
		"numbers":          {Kind: info, Action: testca.Rewrite, Patch: []byte(`{"suggestedWindow":{"start":1,"end":2}}`)},
		"backwards":        {Kind: info, Action: testca.Rewrite, Patch: window("2030-01-02T00:00:00Z", "2030-01-01T00:00:00Z")},
		"the year 9999":    {Kind: info, Action: testca.Rewrite, Patch: window("9999-01-01T00:00:00Z", "9999-12-31T23:59:59Z")},
		"before its birth": {Kind: info, Action: testca.Rewrite, Patch: window("0001-01-01T00:00:01Z", "2000-12-31T23:59:59Z")},
		"for ever":         {Kind: info, Action: testca.Rewrite, Patch: window("0001-01-01T00:00:01Z", "9999-12-31T23:59:59Z")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHost(t, testca.Config{})
			h.has("a.example")
			h.ca.Inject(fault)
			r := h.round()["a.example"]
			usual, err := renewal.DueAt(h.opened("a.example").Certificate.NotBefore, r.Expires, "")
			must(t, err)
			if r.Outcome != renewal.Kept || r.DueBecause != renewal.DueByLifetime || r.DueAt.After(usual) ||
				usual.Sub(r.DueAt) > 9*day || len(h.report.warnings) != 0 {
				t.Errorf("%+v, %q", r, h.report.warnings)
			}
			requests := len(h.ca.Truth().Requests)
			h.clock.skip(time.Hour)
			if r = h.round()["a.example"]; r.Outcome != renewal.Kept || len(h.ca.Truth().Requests) != requests {
				t.Errorf("an hour later: %+v, %d requests", r, len(h.ca.Truth().Requests)-requests)
			}
			h.ca.ClearFaults()
			h.clock.skip(24 * time.Hour)
			if r = h.round()["a.example"]; r.DueBecause != renewal.DueByCA {
				t.Errorf("when it has some again: %+v", r)
			}
		})
	}
}

// What a CA said once stays when it cannot be asked any more.
func TestAWindowOutlivesItsCAsOutage(t *testing.T) {
	t.Parallel()
	h := newHost(t, testca.Config{})
	h.has("a.example")
	before := h.round()["a.example"]
	h.ca.Inject(testca.Fault{Kind: acme.KindRenewalInfo, Action: testca.Respond, Status: 500})
	h.clock.skip(7 * time.Hour)
	after := h.round()["a.example"]
	if h.inquired() != 2 || !after.DueAt.Equal(before.DueAt) || after.DueBecause != renewal.DueByCA {
		t.Errorf("%d questions; %+v", h.inquired(), after)
	}
}

// A CA that says why is quoted also where the renewal is hardly before its time.
func TestWhyACAWantsItNowIsTold(t *testing.T) {
	t.Parallel()
	h := newHost(t, testca.Config{})
	h.has("a.example", "b.example")
	h.clock.skip(53 * day)
	h.set.SkipPreflight = map[string]bool{"http": true} // whose probe looks weeks old
	h.wants("a.example", -2*time.Hour, -time.Hour, "https://ca.example/incident")
	h.wants("b.example", -2*time.Hour, -time.Hour, "")
	got := h.round()
	if got["a.example"].Outcome != renewal.Issued || got["a.example"].Explanation != "https://ca.example/incident" || got["b.example"].Outcome != renewal.Issued {
		t.Errorf("%+v", got)
	}
	if told := strings.Join(h.report.lines, "\n"); !strings.Contains(told, "The CA wants a.example renewed now; why: https://ca.example/incident") ||
		strings.Contains(told, "wants b.example") {
		t.Error(told)
	}
}
