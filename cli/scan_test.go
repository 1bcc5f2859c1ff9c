package cli_test

// pending scan: what another client's log names, asked about at the CA, finished and given up.

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"orderly/acme"
	"orderly/certbot"
	"orderly/testca"
)

// other is another client of the host's account, whose log is kept as certbot's.
type other struct {
	*host
	account *acme.Account
	url     string
	log     strings.Builder
	second  int
}

func (h *host) other() *other {
	h.t.Helper()
	accounts, err := (&certbot.Store{Dirs: certbot.Dirs{Config: h.config, Work: h.working, Logs: h.logs}}).Accounts().At(h.ca.DirectoryURL())
	if err != nil || len(accounts) != 1 {
		h.t.Fatalf("accounts: %v, %v", accounts, err)
	}
	transport, err := acme.HTTPClient(func(name string) string { return h.env[name] })
	if err != nil {
		h.t.Fatal(err)
	}
	client, err := acme.New(h.ca.DirectoryURL(), acme.Options{HTTP: transport, UserAgent: "other"})
	if err != nil {
		h.t.Fatal(err)
	}
	key, err := acme.NewKey(accounts[0].Key)
	if err != nil {
		h.t.Fatal(err)
	}
	o := &other{host: h, account: client.Account(key, accounts[0].URL), url: accounts[0].URL}
	o.record("certbot._internal.main", "certbot version: 2.1.0")
	o.record("acme.client", "Sending GET request to "+h.ca.DirectoryURL()+".")
	o.record("acme.client", "Received response:\nHTTP 200\n\n"+fmt.Sprintf("{%q: %q}", "newOrder", h.ca.DirectoryURL()+"/new"))
	return o
}

func (o *other) record(logger, message string) {
	o.second++
	at := time.Now().UTC().Add(time.Duration(o.second) * time.Millisecond)
	fmt.Fprintf(&o.log, "%s,%03d:DEBUG:%s:%s\n", at.Format("2006-01-02 15:04:05"), at.Nanosecond()/1e6, logger, message)
}

// order makes an order, which the log names, and returns its authorizations.
func (o *other) order(names ...string) []string {
	o.t.Helper()
	made, err := o.account.NewOrder(o.t.Context(), acme.OrderRequest{Names: names})
	if err != nil {
		o.t.Fatal(err)
	}
	encode := func(format string, args ...any) string {
		return base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, format, args...))
	}
	var identifiers []string
	for _, name := range names {
		identifiers = append(identifiers, fmt.Sprintf(`{"type":"dns","value":%q}`, name))
	}
	all := strings.Join(identifiers, ",")
	o.record("acme.client", fmt.Sprintf("Sending POST request to %s/new:\n{\n  \"protected\": %q,\n  \"payload\": %q\n}",
		o.ca.DirectoryURL(), encode(`{"kid":%q,"nonce":"x"}`, o.url), encode(`{"identifiers":[%s]}`, all)))
	o.record("acme.client", fmt.Sprintf("Received response:\nHTTP 201\nLocation: %s\n\n"+
		`{"status":"pending","expires":%q,"identifiers":[%s],"authorizations":["%s"],"finalize":%q}`, made.URL,
		made.Expires.Format(time.RFC3339), all, strings.Join(made.Authorizations, `","`), made.Finalize))
	return made.Authorizations
}

// logged writes the log down.
func (o *other) logged() string {
	path := filepath.Join(o.dir, "letsencrypt", "letsencrypt.log")
	o.write(path, o.log.String())
	return path
}

type scanReport struct {
	Open, Doubtful []struct{ URL, Name, Account, Server string }
	Checked        struct{ Asked, Pending, Final int }
}

func TestWhatAnotherClientLeftIsFoundFinishedAndGivenUp(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testca.Config{HideProcessing: true})
	h := w.host("one")
	h.lineages("works.example.com")
	o := h.other()
	works := o.order("works.example.com")[0]
	o.order("gone.example.com")
	closed := o.order("closed.example.com")[0]
	seen, err := o.account.Authorization(t.Context(), closed)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := o.account.Deactivate(t.Context(), seen); err != nil {
		t.Fatal(err)
	}
	path := o.logged()

	// Without --check nobody is asked, and the ledger lists what was found.
	before := w.requests("")
	found := decode[scanReport](w, h.must("pending", "scan", "--json", path).stdout)
	if len(found.Open) != 3 || len(found.Doubtful) != 0 || w.requests("") != before {
		t.Fatalf("found %+v, %d requests", found, w.requests("")-before)
	}
	if found.Open[0].Account != o.url || found.Open[0].Server != h.ca.DirectoryURL() {
		t.Errorf("found %+v", found.Open[0])
	}
	h.must("pending").says(t, 0, "works.example.com", "gone.example.com", "found",
		"pending scan --check "+filepath.Dir(path)+" ")
	h.must("pending", "drain").says(t, 0, "Nothing was left unfinished")
	if h.must("renew"); w.requests(acme.KindNewOrder) != 4 {
		t.Errorf("what was found made %d newOrders", w.requests("new-order"))
	}

	// What the log shows closed later is not listed any more.
	o.record("acme.client", "Sending GET request to "+closed+".")
	o.record("acme.client", `Received response:
HTTP 200

{"status":"deactivated","identifier":{"type":"dns","value":"closed.example.com"},"challenges":[]}`)
	later := filepath.Join(w.dir, "later", "letsencrypt.log")
	w.write(later, o.log.String())
	h.must("pending", "scan", later)
	if listed := h.must("pending").stdout; strings.Contains(listed, "closed.example.com") || !strings.Contains(listed, "gone.example.com") {
		t.Errorf("pending: %s", listed)
	}

	// The CA is asked about each once, and not again.
	asked := w.requests(acme.KindAuthorization)
	checked := decode[scanReport](w, h.must("pending", "scan", "--check", "--json", path).stdout).Checked
	if checked.Asked != 3 || checked.Pending != 2 || checked.Final != 1 || w.requests(acme.KindAuthorization)-asked != 2 {
		t.Errorf("checked %+v with %d questions", checked, w.requests(acme.KindAuthorization)-asked)
	}
	before = w.requests("")
	h.must("pending", "scan", "--check", path).says(t, 0, "Open at the CA: 2, as it says itself.",
		"The CA was asked about 3: 2 are pending, 1 are not")
	if n := w.requests("") - before; n != 0 {
		t.Errorf("asked again: %d requests", n)
	}
	listed := h.must("pending").stdout
	if !strings.Contains(listed, "works.example.com") || strings.Contains(listed, "closed.example.com") || strings.Contains(listed, "--check") {
		t.Errorf("pending: %s", listed)
	}

	// What this host can prove becomes valid, the rest is given up.
	accounts := w.requests(acme.KindAccount)
	h.orderly("pending", "drain").says(t, 1, "found/works.example.com/1: ready", "nothing here can prove it",
		"1 name(s) that another client left open are valid at the CA now",
		"orderly pending release --name gone.example.com")
	if r := h.must("failures"); strings.Contains(r.stdout, "found/") {
		t.Errorf("what another client left is listed as a certificate: %s", r)
	}
	if n := w.requests(acme.KindAccount) - accounts; n != 0 {
		t.Errorf("the account was asked for %d times", n)
	}
	if status := o.status(works); status != "valid" {
		t.Errorf("the site that works is %s", status)
	}
	if w.ca.Truth().Pending() != 1 {
		t.Errorf("after drain: %d pending", w.ca.Truth().Pending())
	}
	// Whose document root is named later is proven by the next run.
	later2 := o.order("mended.example.com")
	w.write(later, o.log.String())
	h.must("pending", "scan", "--check", later)
	h.orderly("pending", "drain")
	h.lineages("mended.example.com")
	h.orderly("pending", "drain").says(t, 1, "found/mended.example.com/1: ready")
	if status := o.status(later2[0]); status != "valid" {
		t.Errorf("what was mended is %s", status)
	}
	h.must("pending", "release", "--all", "--yes")
	if w.ca.Truth().Pending() != 0 || !strings.Contains(h.must("pending").stdout, "Nothing is pending") {
		t.Errorf("after release: %d pending; %s", w.ca.Truth().Pending(), h.orderly("pending"))
	}
	// What was finished and given up since is not called pending because the CA held it an hour ago.
	again := decode[scanReport](w, h.must("pending", "scan", "--check", "--json", later).stdout)
	if len(again.Open)+len(again.Doubtful) != 0 || again.Checked.Pending != 0 {
		t.Errorf("after release: %+v", again)
	}
}

// status is what the CA holds an authorization for.
func (o *other) status(url string) string {
	for _, one := range o.ca.Truth().Orders {
		for _, a := range one.Authorizations {
			if a.URL == url {
				return a.Status
			}
		}
	}
	return ""
}

// Forged logs lead nowhere: not to another origin, not to the account, not to a host that nobody
// has an account at.
func TestAForgedLogLeadsNowhere(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testca.Config{})
	h := w.host("one")
	h.lineages("works.example.com")
	o := h.other()
	o.order("works.example.com")
	text := o.logged()
	honest := w.read(text)
	before := w.requests("")
	for _, forged := range []string{
		strings.ReplaceAll(honest, o.ca.DirectoryURL(), "https://evil.example/dir"),
		strings.ReplaceAll(honest, o.named(), "https://evil.example/authz/1"),
		strings.ReplaceAll(honest, o.named(), "https://127.0.0.1:1/authz/1"),
	} {
		w.write(text, forged)
		h.orderly("pending", "scan", "--check", "--json", text)
	}
	if n := w.requests(acme.KindAuthorization) - 1; n > before {
		t.Errorf("%d questions", n)
	}
	// An account's URL in the place of an authorization's is asked for, and is none.
	w.write(text, strings.ReplaceAll(honest, o.named(), o.url))
	h.orderly("pending", "scan", "--check", "--json", text)
	h.orderly("pending", "release", "--all", "--yes")
	if status := w.account().Status; status != "valid" {
		t.Errorf("the account is %s", status)
	}
}

// named is the authorization that the log names.
func (o *other) named() string {
	_, rest, _ := strings.Cut(o.log.String(), `"authorizations":["`)
	url, _, _ := strings.Cut(rest, `"`)
	return url
}

func TestScanRefuses(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		args []string
		said string
	}{
		{[]string{}, "takes the paths of logs"},
		{[]string{"x", "--now", "yesterday"}, "--now yesterday: not a time"},
		{[]string{"x", "--server-from", "("}, "--server-from (: not a regular expression"},
		{[]string{"x", "--check", "--no-ledger"}, "--check writes into the ledger"},
	} {
		dir := t.TempDir()
		code, _, problems := runIn(dir, append([]string{"pending", "scan"}, c.args...)...)
		if code != 2 || !strings.Contains(problems, c.said) {
			t.Errorf("%q: exit %d, %s", c.args, code, problems)
		}
	}
	code, _, problems := runIn(t.TempDir(), "pending", "scan", "--no-ledger", "/nowhere/at/all")
	if code != 1 || !strings.Contains(problems, "/nowhere/at/all cannot be read") {
		t.Errorf("a missing path: exit %d, %s", code, problems)
	}
}

func runIn(dir string, args ...string) (code int, out, problems string) {
	h := &host{world: &world{dir: dir}, config: dir + "/c", working: dir + "/w", logs: dir + "/l", program: "orderly",
		env: map[string]string{}}
	r := h.run(context.Background(), args...)
	return r.code, r.stdout, r.stderr
}

// Whatever stands in a log, in its name, or in the names that it has: nothing of it reaches a terminal
// or a document as it is.
func TestNothingOfALogReachesATerminal(t *testing.T) {
	t.Parallel()
	for i, text := range hostile {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			places := []string{"--config-dir", dir + "/c", "--work-dir", dir + "/w", "--logs-dir", dir + "/l"}
			name, err := json.Marshal(text[:min(len(text), 2000)])
			if err != nil {
				t.Fatal(err)
			}
			log := "2026-11-28 02:51:12,840:DEBUG:certbot.main:certbot version: " + text + "\n" +
				"2026-11-28 02:51:12,840:DEBUG:acme.client:Sending GET request to https://ca.example/directory.\n" +
				"2026-11-28 02:51:12,840:DEBUG:acme.client:Received response:\nHTTP 200\n\n{\"newOrder\": \"https://ca.example/new\"}\n" +
				"2026-11-28 02:51:12,840:DEBUG:acme.client:Sending POST request to https://ca.example/new:\n{\"payload\": \"" +
				base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, `{"identifiers":[{"type":"dns","value":%s}]}`, name)) + "\"}\n" +
				"2026-11-28 02:51:12,840:DEBUG:acme.client:Received response:\nHTTP 201\nLocation: https://ca.example/1\n\n" +
				fmt.Sprintf(`{"status":"pending","identifiers":[{"type":"dns","value":%s}],"authorizations":["https://ca.example/2"]}`, name) + "\n" +
				"2026-11-28 02:51:12,840:DEBUG:acme.client:Sending POST request to https://ca.example/new:\n{\"payload\": \"" +
				base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, `{"identifiers":[{"type":"dns","value":%s}]}`, name)) + "\"}\n"
			for _, said := range []string{"certbot._internal.renewal:Failed to renew certificate a.example with error: " + text,
				"certbot._internal.renewal:Failed to renew certificate " + text + " with error: x",
				"certbot._internal.renewal:Renewal configuration file " + text + " is broken.",
				"certbot._internal.display.obj:Notifying user: Processing /x/" + text + ".conf",
				"certbot._internal.display.obj:Notifying user: \n Domain: a.example\n Type: " + text + "\n Detail: " + text + "\n",
				"certbot._internal.display.obj:Notifying user: \n Domain: " + text + "\n Type: dns\n Detail: x\n",
				"certbot.display.ops:Hook '" + text + "' reported error code 1",
				"certbot._internal.log:Exiting abnormally:\nTraceback:\n  File \"x\", line 1\n    x\ncertbot.errors.Error: " + text} {
				log += "2026-11-28 02:51:12,840:DEBUG:" + said + "\n"
			}
			path := filepath.Join(dir, "logs", strings.ReplaceAll(text[:min(len(text), 100)], "/", "_"))
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte(log), 0o600); err != nil {
				t.Fatal(err)
			}
			for _, command := range [][]string{{"pending", "scan", filepath.Dir(path)},
				{"pending", "scan", path, "--server-from", "(?s).*"}, {"pending", "scan", text[:min(len(text), 100)]},
				{"pending", "scan", "x", "--server-from", "(" + text[:min(len(text), 100)]}, {"pending", "scan", "x", "--now", text[:min(len(text), 100)]},
				{"pending"}, {"ledger", "export"}, {"failures", "--since", "2026-11-01"}, {"why", "a.example"}} {
				for _, form := range [][]string{nil, {"--json"}} {
					out := show(t, append(append(command, places...), form...))
					requireHarmless(t, strings.Join(append(command, form...), " "), out)
					if command[0] == "pending" && len(command) == 1 && !strings.Contains(out, "https://ca.example/2") && form != nil {
						t.Errorf("nothing was found: %s", out)
					}
				}
			}
		})
	}
}
