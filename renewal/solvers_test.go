package renewal_test

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"orderly/failure"
	"orderly/host"
	"orderly/ledger"
	"orderly/renewal"
	"orderly/testca"
)

// freePort is a port of the loopback address that nobody listens on just now. Tests that use it are
// not run beside others: the kernel would give it to one of them.
func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	must(t, l.Close())
	return l.Addr().(*net.TCPAddr).Port
}

// bareHost is a host without a web server, to which the CA comes at a port of its own.
func bareHost(t *testing.T) *machine {
	t.Helper()
	return newHost(t, testca.Config{HTTPPort: freePort(t)})
}

// served is a wish for names that the run's own web server proves.
func (h *machine) served(names ...string) renewal.Wish {
	w := h.wish(names...)
	w.Webroots, w.WebrootPaths = map[string]string{}, nil
	w.Proof = host.Proof{Solver: host.Say(host.StandaloneSolver), Address: host.Say("127.0.0.1"), Port: host.Say(h.port)}
	return w
}

// control is the URL of the test CA's control endpoint.
func (h *machine) control() string {
	h.t.Helper()
	server := httptest.NewServer(h.ca.Control())
	h.t.Cleanup(server.Close)
	return server.URL
}

// byHooks is a wish for names that hooks prove by DNS. The hooks note what they do.
func (h *machine) byHooks(names ...string) renewal.Wish {
	w := h.served(names...)
	record := "curl -sf " + h.control() + "/txt -d name=_acme-challenge.$CERTBOT_DOMAIN --data-urlencode value=$CERTBOT_VALIDATION"
	notes := filepath.Join(h.dir, "notes")
	w.Proof = host.Proof{
		Solver: host.Say(host.ManualSolver), Challenges: host.Say(ledger.DNS01),
		Auth: host.Say(record + " && echo auth $CERTBOT_DOMAIN $CERTBOT_REMAINING_CHALLENGES >> " + notes +
			" && echo made"),
		Cleanup: host.Say(record + " -d remove=true && echo cleanup $CERTBOT_DOMAIN $CERTBOT_AUTH_OUTPUT >> " +
			notes),
	}
	return w
}

// get is a run of certonly.
func (h *machine) get(w renewal.Wish) renewal.Result {
	h.t.Helper()
	s := h.process("certonly")
	r := s.Obtain(h.t.Context(), w)
	must(h.t, s.Finish(h.t.Context()))
	must(h.t, s.End(r.Outcome, 0, ""))
	return r
}

func (h *machine) issued(w renewal.Wish) renewal.Result {
	h.t.Helper()
	r := h.get(w)
	if r.Outcome != renewal.Issued {
		h.t.Fatalf("%v: %s: %s %v\n%s", w.Names, r.Outcome, r.Class, r.Err, strings.Join(append(h.report.lines, h.report.warnings...), "\n"))
	}
	return r
}

func (h *machine) refused(w renewal.Wish, class failure.Class, text string) {
	h.t.Helper()
	before := h.ca.Truth().RequestsByKind["new-order"]
	r := h.get(w)
	if r.Class != class || !strings.Contains(r.Sentence, text) || r.Remedy == "" {
		h.t.Errorf("%v: %s %q, remedy %q", w.Names, r.Class, r.Sentence, r.Remedy)
	}
	if after := h.ca.Truth().RequestsByKind["new-order"]; after != before {
		h.t.Errorf("%v: an order was made", w.Names)
	}
}

// renewalFile is a lineage's renewal file.
func (h *machine) renewalFile(name string) string {
	h.t.Helper()
	text, err := os.ReadFile(h.disk().Dirs.Renewal(name))
	must(h.t, err)
	return string(text)
}

// portFree wants that nobody listens any more.
func (h *machine) portFree() {
	h.t.Helper()
	l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", h.port))
	if err != nil {
		h.t.Fatalf("the port is still taken: %v", err)
	}
	must(h.t, l.Close())
}

func TestARunsOwnWebServerProvesNamesAndRenewals(t *testing.T) {
	h := bareHost(t)
	h.issued(h.served("a.example", "b.example"))
	h.portFree()
	text := h.renewalFile("a.example")
	for _, line := range []string{"authenticator = standalone", fmt.Sprintf("http01_port = %d", h.port), "http01_address = 127.0.0.1"} {
		if !strings.Contains(text, line+"\n") {
			t.Errorf("no %q in\n%s", line, text)
		}
	}
	if strings.Contains(text, "webroot") {
		t.Errorf("webroots in\n%s", text)
	}
	h.due("a.example")
	results, err := h.renew(renewal.Round{})
	if must(t, err); outcomes(results) != "a.example issued" {
		t.Errorf("%+v", results)
	}
	h.portFree()
}

// What of a change of the way names are proven would stay behind in the file, certbot would obey.
func TestALineageChangesTheWayItIsProven(t *testing.T) {
	h := bareHost(t)
	h.issued(h.served("a.example"))
	w := h.byHooks("a.example")
	w.Renew = true
	h.issued(w)
	text := h.renewalFile("a.example")
	for _, line := range []string{"authenticator = manual", "pref_challs = dns-01,", "manual_auth_hook = ", "manual_cleanup_hook = "} {
		if !strings.Contains(text, line) {
			t.Errorf("no %q in\n%s", line, text)
		}
	}
	h.due("a.example")
	results, err := h.renew(renewal.Round{Said: host.Said{Proof: host.Proof{Solver: host.Say(host.StandaloneSolver)}}})
	if must(t, err); outcomes(results) != "a.example failed" || !strings.Contains(results[0].Sentence, "None of the preferred challenges") {
		t.Errorf("%+v", results)
	}
	if got := h.notes(); got != "auth a.example 0; cleanup a.example made" {
		t.Errorf("hooks: %s", got)
	}
}

func TestAPortThatIsTakenCostsTheCANothing(t *testing.T) {
	h := bareHost(t)
	l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", h.port))
	must(t, err)
	h.refused(h.served("a.example"), failure.PortTaken, "because it is already in use by another process on this system (such as a web server)")
	must(t, l.Close())
	h.issued(h.served("a.example"))
}

// That is what certbot's users have: a pre-hook stops the web server, and a post-hook starts it
// again.
func TestAPreHookMayFreeThePortAndAPostHookTakeIt(t *testing.T) {
	h := bareHost(t)
	l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", h.port))
	must(t, err)
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/stop":
			_ = l.Close()
		case "/start":
			if l, err = net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", h.port)); err != nil {
				http.Error(w, err.Error(), http.StatusConflict)
			}
		}
	}))
	defer service.Close()
	w := h.served("a.example")
	w.Hooks = host.Hooked{Pre: host.Say("curl -sf " + service.URL + "/stop"), Post: host.Say("curl -sf " + service.URL + "/start || " + h.note("refused"))}
	h.issued(w)
	must(t, l.Close())
	if h.notes() != "" {
		t.Error("the web server could not be started again")
	}
	if len(h.debts()) != 0 {
		t.Errorf("owed: %+v", h.debts())
	}
}

func TestHooksProveAWildcardAndItsRenewal(t *testing.T) {
	h := bareHost(t)
	h.issued(h.byHooks("w.example", "*.w.example"))
	if got := h.notes(); got != "auth w.example 1; auth w.example 0; cleanup w.example made; cleanup w.example made" {
		t.Errorf("hooks: %s", got)
	}
	if left := h.ca.TXT("_acme-challenge.w.example"); len(left) != 0 {
		t.Errorf("records are left: %v", left)
	}
	l, err := h.disk().Open("w.example")
	must(t, err)
	if names := l.Certificate.Names; !slices.Contains(names, "*.w.example") || !slices.Contains(names, "w.example") {
		t.Errorf("names: %v", names)
	}
	h.due("w.example")
	results, err := h.renew(renewal.Round{})
	if must(t, err); outcomes(results) != "w.example issued" || strings.Count(h.notes(), "cleanup") != 4 {
		t.Errorf("%+v; %s", results, h.notes())
	}
	if said := strings.Join(h.report.lines, "\n"); !strings.Contains(said, string(failure.Advise("Hook '%s' for w.example ran with output:\n made", failure.Do(failure.ProofHook)))) {
		t.Errorf("said: %s", said)
	}
}

// An auth hook that fails has put nothing in place, so that an answer would be charged; the order
// waits for a better one.
func TestAnAuthHookThatFailsCostsNoFailureAndNoOrder(t *testing.T) {
	h := bareHost(t)
	w := h.byHooks("a.example", "b.example")
	good := w.Proof.Auth
	w.Proof.Auth = host.Say("if [ $CERTBOT_DOMAIN = b.example ]; then exit 9; fi; " + good.Is())
	r := h.get(w)
	if r.Class != failure.Hook || !strings.Contains(r.Sentence, "the auth hook for b.example ended with code 9") {
		t.Fatalf("%s %v", r.Class, r.Err)
	}
	for _, a := range h.ca.Truth().Orders[0].Authorizations {
		if want := map[string]string{"a.example": "valid", "b.example": "pending"}[a.Name]; a.Status != want {
			t.Errorf("%s is %s", a.Name, a.Status)
		}
	}
	w.Proof.Auth = good
	h.issued(w)
	if n := len(h.ca.Truth().Orders); n != 1 {
		t.Errorf("%d orders were made", n)
	}
	for _, name := range w.Names {
		if left := h.ca.TXT("_acme-challenge." + name); len(left) > 0 {
			t.Errorf("records of %s are left: %v", name, left)
		}
	}
}

func TestWhatCannotBeProvenIsRefusedBeforeAnythingIsOrdered(t *testing.T) {
	h := bareHost(t)
	webroots := h.wish("w.example", "*.w.example")
	h.site("w.example")
	h.refused(webroots, failure.Config, "*.w.example is a wildcard, which only a DNS record can prove")
	dns := h.served("a.example")
	dns.Proof.Challenges = host.Say(ledger.DNS01)
	h.refused(dns, failure.Config, "None of the preferred challenges are supported by the selected plugin")
	http := h.byHooks("*.a.example")
	http.Proof.Challenges = host.Say(ledger.HTTP01)
	h.refused(http, failure.Config, "is a wildcard")
	without := h.byHooks("a.example")
	without.Proof.Auth = host.Value[string]{}
	h.refused(without, failure.RenewalFile, string("An authentication script must be provided with "+failure.Do(failure.ProofHook)))
	gone := h.byHooks("a.example")
	gone.Proof.Cleanup = host.Say("/nowhere/cleanup")
	h.refused(gone, failure.Hook, "Unable to find manual-cleanup-hook command /nowhere/cleanup in the PATH")
	broken := h.byHooks("a.servfail.test")
	h.refused(broken, failure.DNSBroken, "the TXT record of _acme-challenge.a.servfail.test is answered with SERVFAIL")
	if h.notes() != "" {
		t.Errorf("hooks ran: %s", h.notes())
	}
}

func TestOtherAuthenticatorsAreRefusedWithWhatToDo(t *testing.T) {
	t.Parallel()
	h := newHost(t, testca.Config{})
	h.has("a.example")
	h.due("a.example")
	h.edit("a.example", "authenticator = webroot", "authenticator = nginx")
	results, err := h.renew(renewal.Round{})
	if must(t, err); results[0].Class != failure.RenewalFile || !strings.Contains(string(results[0].Remedy), string(failure.Do(failure.NameRoot, "a.example"))) {
		t.Errorf("%+v", results[0])
	}
}

// certbot keeps hooks that hold a comma unquoted, if somebody wrote them so; and its own files have
// no port where 80 is meant.
func TestCertbotsFilesOfOtherAuthenticatorsAreRead(t *testing.T) {
	t.Parallel()
	h := newHost(t, testca.Config{})
	h.has("a.example")
	h.edit("a.example", "authenticator = webroot", "authenticator = manual\npref_challs = dns-01, http-01\nmanual_auth_hook = add one, two\nmanual_cleanup_hook = \"remove, 'it'\"")
	l, err := h.disk().Open("a.example")
	must(t, err)
	var r host.Request
	must(t, host.Said{}.Complete(&r, l))
	if want := (host.Manual{Auth: "add one, two", Cleanup: "remove, 'it'", Challenge: "dns-01,http-01"}); r.Manual != want || r.Solver != host.ManualSolver {
		t.Errorf("%+v", r)
	}
	if host.ChallengeType(r, false) != ledger.DNS01 || host.ChallengeType(r, true) != ledger.DNS01 {
		t.Error("dns is preferred")
	}
	r = host.Request{}
	must(t, host.Said{Proof: host.Proof{Solver: host.Say(host.StandaloneSolver)}}.Complete(&r, l))
	if r.Standalone != (host.Standalone{}) || r.Solver != host.StandaloneSolver {
		t.Errorf("%+v", r)
	}
}
