package e2e_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"orderly/testca"
)

// conf is the path of a lineage's renewal file.
func (h *host) conf(lineage string) string {
	return filepath.Join(h.config, "renewal", lineage+".conf")
}

// alter changes a lineage's renewal file.
func (h *host) alter(lineage, from, to string) {
	h.t.Helper()
	text := h.read(h.conf(lineage))
	if !strings.Contains(text, from) {
		h.t.Fatalf("%q is not in %s", from, text)
	}
	h.write(h.conf(lineage), strings.ReplaceAll(text, from, to))
}

// backdated is a CA whose certificates began a month ago, so that makeDue can make them due.
func backdated() testca.Config { return testca.Config{Backdate: 30 * 24 * time.Hour} }

// makeDue lets a lineage of a backdated CA be due for as long as this renewal file lasts.
func (h *host) makeDue(lineage string) {
	h.t.Helper()
	h.write(h.conf(lineage), "renew_before_expiry = 100 days\n"+h.read(h.conf(lineage)))
}

// lineages obtains a certificate for each name, every one in a document root of its own.
func (h *host) lineages(names ...string) {
	h.t.Helper()
	var commands [][]string
	for _, name := range names {
		commands = append(commands, h.certonly(h.site(name), name))
	}
	h.atOnce(commands...)
}

// requests counts what the CA has been asked so far.
func (w *world) requests(kind string) int {
	truth := w.ca.Truth()
	if kind == "" {
		return len(truth.Requests)
	}
	return truth.RequestsByKind[kind]
}

func TestRenewLeavesWhatIsNotDueAlone(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testca.Config{})
	h := w.host("one")
	h.lineages("a.example.com", "b.example.com")
	before := w.requests("")
	h.must("renew") // which asks when they should be renewed
	if n := w.requests("") - before; n != 3 || w.requests("renewal-info") != 2 {
		t.Errorf("%d requests were made for two certificates that are not due", n)
	}
	r := h.must("renew")
	if n := w.requests("") - before; n != 3 {
		t.Errorf("%d requests were made for certificates that are not due", n-3)
	}
	for _, want := range []string{"not due for renewal yet", "live/a.example.com/fullchain.pem expires on ", "(skipped)", "No renewals were attempted."} {
		if !strings.Contains(r.stdout, want) {
			t.Errorf("%q is not said: %s", want, r)
		}
	}
}

func TestRenewRenewsWhatIsDue(t *testing.T) {
	t.Parallel()
	w := newWorld(t, backdated())
	h := w.host("one")
	h.lineages("a.example.com", "b.example.com", "c.example.com")
	h.makeDue("b.example.com")
	r := h.must("renew")
	if n := w.requests("new-order"); n != 4 {
		t.Errorf("%d orders in all, not 4", n)
	}
	for _, want := range []string{"live/b.example.com/fullchain.pem (success)", "live/a.example.com/fullchain.pem expires on "} {
		if !strings.Contains(r.stdout, want) {
			t.Errorf("%q is not said: %s", want, r)
		}
	}
	if !strings.Contains(h.read(h.conf("b.example.com")), "renew_before_expiry = 100 days") {
		t.Error("the renewal lost renew_before_expiry")
	}
	h.kept(promise{names: []string{"b.example.com"}, certificates: 4})
}

// A certificate that lives a few seconds is due when half of that is over.
// dated is what certificates --json says of times.
type dated struct {
	Certificates []struct {
		DueAt   time.Time `json:"due_at"`
		Expires time.Time `json:"expires"`
	}
}

func (h *host) dates() dated {
	h.t.Helper()
	return decode[dated](h.world, h.must("certificates", "--json").stdout)
}

func TestRenewGoesByTheCertificatesLifetime(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testca.Config{Lifetimes: testca.Lifetimes{Certificate: 8 * time.Second}})
	h := w.host("one")
	h.lineages("a.example.com")
	h.must("renew") // which asks when it should be renewed
	list := h.dates()
	if len(list.Certificates) != 1 {
		t.Fatalf("%+v", list)
	}
	if at := list.Certificates[0]; at.Expires.Sub(at.DueAt) > 5*time.Second || at.Expires.Sub(at.DueAt) < 3*time.Second {
		t.Errorf("due at %s, expires at %s: not with half of it left, or a tenth before", at.DueAt, at.Expires)
	}
	until(t, "the certificate is due", func() bool { return time.Now().After(list.Certificates[0].DueAt) })
	h.must("renew")
	h.kept(promise{names: []string{"a.example.com"}, certificates: 2})
}

// A CA that is about to revoke moves the window into the past, where everybody may see it: the next pass renews, says what
// it replaces, and the CA's own store has it. Nothing is asked twice.
func TestAWindowInThePastIsRenewedByTheNextPass(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testca.Config{})
	h := w.host("one")
	h.lineages("a.example.com")
	issued := w.ca.Truth().Issued[0]
	h.lineages("b.example.com")
	control := httptest.NewServer(w.ca.Control())
	defer control.Close()
	ago := func(d time.Duration) string { return time.Now().Add(-d).UTC().Format(time.RFC3339) }
	answer, err := http.PostForm(control.URL+"/renewal-info", url.Values{"serial": {issued.Serial}, "start": {ago(2 * time.Hour)},
		"end": {ago(time.Hour)}, "explanation": {"https://ca.example/incident"}})
	if err != nil || answer.StatusCode != http.StatusOK {
		t.Fatalf("%v, %v", answer, err)
	}
	_ = answer.Body.Close()
	r := h.must("renew")
	if !strings.Contains(r.stdout+r.stderr, "why: https://ca.example/incident") || !strings.Contains(r.stdout, "a.example.com/fullchain.pem (success)") {
		t.Errorf("%s", r)
	}
	orders := w.ca.Truth().Orders
	if len(orders) != 3 || orders[2].Replaces == "" || orders[2].Names[0] != "a.example.com" {
		t.Errorf("%+v", orders)
	}
	asked := w.requests("renewal-info")
	h.must("renew") // what was noted was of the old certificate
	if n := w.requests("renewal-info") - asked; n != 1 || asked != 2 {
		t.Errorf("%d questions, then %d: one about each certificate is right", asked, n)
	}
	h.must("renew")
	if n := w.requests("renewal-info") - asked; n != 1 || len(w.ca.Truth().Orders) != 3 {
		t.Errorf("%d questions, %d orders", n, len(w.ca.Truth().Orders))
	}
	h.kept(promise{names: []string{"a.example.com"}, certificates: 3})
}

// A CA without renewal information, or with none that is of use, is as one that never heard of it: nothing fails, nothing is
// ordered, nothing is said, and it is let alone for a while.
func TestACAThatSaysNothingOfUseIsOneWithoutRenewalInformation(t *testing.T) {
	t.Parallel()
	const info = "renewal-info"
	for name, fault := range map[string]testca.Fault{
		"none":     {Kind: "directory", Action: testca.Rewrite, Patch: []byte(`{"renewalInfo":null}`)},
		"500":      {Kind: info, Action: testca.Respond, Status: http.StatusInternalServerError},
		"nonsense": {Kind: info, Action: testca.Rewrite, Patch: []byte(`{"suggestedWindow":{"start":"9999-01-01T00:00:00Z","end":"NaN"},"explanationURL":"javascript:alert(1)"}`)},
		"a page":   {Kind: info, Action: testca.Misshape, Shape: testca.PageInstead},
		"cut":      {Kind: info, Action: testca.LoseAnswer},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, testca.Config{})
			h := w.host("one")
			h.lineages("a.example.com")
			w.ca.Inject(fault)
			r := h.must("renew")
			if r.stderr != "" || !strings.Contains(r.stdout, "No renewals were attempted.") || strings.Contains(r.stdout, "alert") {
				t.Errorf("%s", r)
			}
			w.ca.ClearFaults()
			before := w.requests("")
			h.must("renew")
			if n := w.requests("") - before; n != 0 || len(w.ca.Truth().Orders) != 1 {
				t.Errorf("%d requests, %d orders", n, len(w.ca.Truth().Orders))
			}
			if due := h.must("certificates", "--due"); !strings.Contains(due.stdout, " lifetime ") {
				t.Errorf("%s", due)
			}
			h.kept(promise{names: []string{"a.example.com"}, certificates: 1})
		})
	}
}

func TestCertNameRenewsThatLineageAlone(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testca.Config{})
	h := w.host("one")
	h.lineages("a.example.com", "b.example.com")
	h.must("renew", "--force-renewal", "--cert-name", "b.example.com")
	h.kept(promise{names: []string{"b.example.com"}, certificates: 3})
	if r := h.orderly("renew", "--cert-name", "none"); r.code != 1 || !strings.Contains(r.stderr, "No certificate found with name none") {
		t.Errorf("%s", r)
	}
}

// breakage is a way in which a lineage is broken in the field.
type breakage struct {
	name string
	do   func(h *host, lineage string)
	says []string // on stderr
}

func breakages() []breakage {
	cut := func(h *host, lineage string, lines ...string) {
		var kept []string
		for line := range strings.Lines(h.read(h.conf(lineage))) {
			drop := false
			for _, part := range lines {
				drop = drop || strings.HasPrefix(line, part)
			}
			if !drop {
				kept = append(kept, line)
			}
		}
		h.write(h.conf(lineage), strings.Join(kept, ""))
	}
	return []breakage{
		{"empty", func(h *host, lineage string) { h.write(h.conf(lineage), "") }, []string{"empty.example.com.conf"}},
		{"badline", func(h *host, lineage string) { h.alter(lineage, "[renewalparams]", "what is this\n[renewalparams]") }, []string{"badline.example.com.conf", "line 10"}},
		{"duplicate", func(h *host, lineage string) {
			h.alter(lineage, "[renewalparams]", "[renewalparams]\nserver = a\nserver = b")
		}, []string{"duplicate.example.com.conf", "line 12", `"server"`}},
		{"unmapped", func(h *host, lineage string) { cut(h, lineage, "webroot_path", "[[webroot_map]]", lineage+" =") }, []string{"unmapped.example.com.conf", "--cert-name unmapped.example.com"}},
		{"gone", func(h *host, _ string) { h.remove(filepath.Join(h.dir, "sites", "gone.example.com")) }, []string{"sites/gone.example.com", "gone.example.com"}},
		{"file", func(h *host, lineage string) { h.wellKnownIsAFile(lineage) }, []string{"sites/file.example.com", ".well-known"}},
		{"nginx", func(h *host, lineage string) { h.alter(lineage, "authenticator = webroot", "authenticator = nginx") }, []string{"nginx.example.com.conf", "nginx"}},
		{"unlinked", func(h *host, lineage string) { h.remove(filepath.Join(h.config, "archive", lineage)) }, []string{"unlinked.example.com", "cert.pem"}},
		{"noserver", func(h *host, lineage string) { cut(h, lineage, "server") }, []string{"noserver.example.com", "acme-v02.api.letsencrypt.org"}},
		{"account", func(h *host, lineage string) { h.alter(lineage, "account = ", "account = 0123") }, []string{"account.example.com", "0123"}},
	}
}

func (h *host) remove(path string) {
	h.t.Helper()
	if err := os.RemoveAll(path); err != nil {
		h.t.Fatal(err)
	}
}

// wellKnownIsAFile puts a file where the directory for tokens should be.
func (h *host) wellKnownIsAFile(name string) {
	h.t.Helper()
	if err := os.WriteFile(filepath.Join(h.dir, "sites", name, ".well-known"), []byte("x"), 0o644); err != nil {
		h.t.Fatal(err)
	}
}

// The provider's case: broken lineages beside healthy ones, every day. They cost the CA nothing, and each gets a sentence.
func TestBrokenLineagesCostTheCANothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, backdated())
	h := w.host("one")
	names := []string{"healthy.example.com", "zhealthy.example.com"}
	for _, b := range breakages() {
		names = append(names, b.name+".example.com")
	}
	h.lineages(names...)
	for _, name := range names {
		h.makeDue(name)
	}
	for _, b := range breakages() {
		b.do(h, b.name+".example.com")
	}
	before := w.ca.Truth()
	r := h.orderly("renew")
	if r.code != 1 {
		t.Errorf("%s", r)
	}
	for _, b := range breakages() {
		for _, say := range b.says {
			if !strings.Contains(r.stderr, say) {
				t.Errorf("nothing says %q about the %s one", say, b.name)
			}
		}
	}
	if t.Failed() {
		t.Logf("%s", r)
	}
	after := w.ca.Truth()
	if n := len(after.Orders) - len(before.Orders); n != 2 {
		t.Errorf("%d orders were made for two healthy lineages", n)
	}
	for _, o := range after.Orders[len(before.Orders):] {
		if !strings.Contains(o.Names[0], "healthy") {
			t.Errorf("an order was made for %v", o.Names)
		}
	}
	h.goodPair("healthy.example.com", "healthy.example.com")
	h.goodPair("zhealthy.example.com", "zhealthy.example.com")
	if entries := h.pending(); len(entries) != 0 {
		t.Errorf("orderly pending lists %+v", entries)
	}
}

// DESIGN.md's three: a deleted document root, a renewal file without its map, one without anything. Alone they cost
// not one request.
func TestABrokenHostDoesNotEvenAskForTheDirectory(t *testing.T) {
	t.Parallel()
	w := newWorld(t, backdated())
	h := w.host("one")
	h.lineages("gone.example.com", "unmapped.example.com", "empty.example.com")
	for _, b := range breakages() {
		if b.name == "gone" || b.name == "unmapped" || b.name == "empty" {
			h.makeDue(b.name + ".example.com")
			b.do(h, b.name+".example.com")
		}
	}
	before := w.requests("")
	for range 3 {
		if r := h.orderly("renew"); r.code != 1 {
			t.Errorf("%s", r)
		}
	}
	if n := w.requests("") - before; n != 0 {
		t.Errorf("%d requests were made", n)
	}
}

// A clock that jumped ahead makes everything look expired; renewing it all at once would be the worst answer.
func TestAJumpingClockStopsRenew(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testca.Config{Lifetimes: testca.Lifetimes{Certificate: 4 * time.Second}})
	h := w.host("one")
	h.lineages("a.example.com", "b.example.com", "c.example.com")
	h.must("renew", "--force-renewal") // the run that the next one looks back at
	last := time.Now()
	until(t, "the certificates expire", func() bool { return time.Since(last) > 5*time.Second })
	before := w.requests("")
	r := h.orderly("renew")
	if r.code != 1 || !strings.Contains(r.stderr, "if this host's clock is right") {
		t.Errorf("%s", r)
	}
	if n := w.requests("") - before; n != 0 {
		t.Errorf("%d requests were made", n)
	}
	h.must("renew", "--force")
	if n := len(w.ca.Truth().Issued); n != 9 {
		t.Errorf("%d certificates in all, not 9", n)
	}
}
