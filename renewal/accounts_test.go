package renewal_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"orderly/account"
	"orderly/acme"
	"orderly/certbot"
	"orderly/failure"
	"orderly/ledger"
	"orderly/renewal"
	"orderly/testca"
)

// account is the host's only one.
func (h *machine) account() *certbot.Account {
	h.t.Helper()
	a, err := h.disk().Accounts().Choose(h.ca.DirectoryURL(), "")
	must(h.t, err)
	return &a
}

// theirs is the account as the CA has it.
func (h *machine) theirs() testca.TruthAccount {
	h.t.Helper()
	accounts := h.ca.Truth().Accounts
	if len(accounts) != 1 {
		h.t.Fatalf("the CA has the accounts %+v", accounts)
	}
	return accounts[0]
}

func (h *machine) thumbprint(a *certbot.Account) string {
	h.t.Helper()
	key, err := acme.NewKey(a.Key)
	must(h.t, err)
	return key.Thumbprint()
}

// once makes the next request of a kind go wrong.
func (h *machine) once(kind string, action testca.Action) {
	h.ca.Inject(testca.Fault{Kind: kind, Nth: 1, Action: action})
}

// twice makes the next two requests of a kind go wrong: a run asks a second time.
func (h *machine) twice(kind string, fault testca.Fault) {
	for _, fault.Nth = range []int{1, 2} {
		fault.Kind = kind
		h.ca.Inject(fault)
	}
}

// vanish ends a run as a kill does: nothing is recorded, every lock is free.
func (h *machine) vanish() { h.openLocks() }

func external(t *testing.T, id, key string) *acme.ExternalAccount {
	t.Helper()
	e, err := acme.NewExternalAccount(id, key, "")
	must(t, err)
	return e
}

func TestAnAccountIsMadeForTheCAsCustomer(t *testing.T) {
	t.Parallel()
	h := newHost(t, testca.Config{ExternalAccountRequired: true, ExternalAccountKeys: map[string]string{"customer-1": "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlY3JldA"}})
	s := h.process("register")
	_, err := s.Accounts().RegisterNew(t.Context(), h.ca.DirectoryURL(), account.Registration{AgreeTOS: true, NoEmail: true})
	if err == nil || err.Error() != string("Server requires external account binding. Please use "+failure.Do(failure.CustomerID)+" and "+failure.Do(failure.CustomerKey)+".") {
		t.Errorf("without a binding: %v", err)
	}
	if n := h.ca.Truth().RequestsByKind["new-account"]; n != 0 {
		t.Errorf("%d newAccount were sent in vain", n)
	}
	r := account.Registration{AgreeTOS: true, Email: "a@example.com", External: external(t, "customer-1", "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlY3JldA")}
	_, err = s.Accounts().RegisterNew(t.Context(), h.ca.DirectoryURL(), r)
	must(t, err)
	if a := h.theirs(); a.Customer != "customer-1" || len(a.Contact) != 1 {
		t.Errorf("the CA has %+v", a)
	}
	_, err = s.Accounts().RegisterNew(t.Context(), h.ca.DirectoryURL(), r)
	if err == nil || !strings.HasPrefix(err.Error(), "There is an existing account; registration of a duplicate account") {
		t.Errorf("a second time: %v", err)
	}
}

func TestALostAnswerToRegisterMakesNoSecondAccount(t *testing.T) {
	t.Parallel()
	h := newHost(t, testca.Config{})
	r := account.Registration{AgreeTOS: true, NoEmail: true}
	h.ca.Inject(testca.Fault{Kind: "new-account", Action: testca.LoseAnswer})
	if _, err := h.process("register").Accounts().RegisterNew(t.Context(), h.ca.DirectoryURL(), r); err == nil {
		t.Fatal("a lost answer is a success")
	}
	h.vanish()
	h.ca.ClearFaults()
	a, err := h.process("register").Accounts().RegisterNew(t.Context(), h.ca.DirectoryURL(), r)
	must(t, err)
	if theirs := h.theirs(); theirs.URL != a.URL || theirs.Thumbprint != h.thumbprint(a) {
		t.Errorf("%+v is not %+v", a, theirs)
	}
}

func TestContactsAreReplacedAndRemoved(t *testing.T) {
	t.Parallel()
	h := newHost(t, testca.Config{})
	h.has("a.example.com")
	s, a := h.process("update_account"), h.account()
	if _, err := s.Accounts().UpdateContact(t.Context(), a, "b@example.com,c@example.com"); err != nil {
		t.Fatal(err)
	}
	d, err := s.Accounts().Show(t.Context(), a)
	must(t, err)
	if strings.Join(d.Emails(), " ") != "b@example.com c@example.com" || d.Thumbprint != h.thumbprint(a) || d.Status != "valid" || d.URL != h.theirs().URL {
		t.Errorf("shown: %+v", d)
	}
	if _, err := s.Accounts().UpdateContact(t.Context(), a, ""); err != nil {
		t.Fatal(err)
	}
	if c := h.theirs().Contact; len(c) != 0 {
		t.Errorf("left: %v", c)
	}
}

// followed checks that CA and host agree about the account's key, and that nothing names another
// account.
func (h *machine) followed(lineages ...string) *certbot.Account {
	h.t.Helper()
	a := h.account()
	if theirs := h.theirs(); theirs.Thumbprint != h.thumbprint(a) || theirs.URL != a.URL {
		h.t.Errorf("the CA has another key than the host: %+v, %+v", theirs, a)
	}
	if filepath.Base(a.Dir) != a.ID {
		h.t.Errorf("account %s is in %s", a.ID, a.Dir)
	}
	for _, name := range lineages {
		l, err := h.disk().Open(name)
		must(h.t, err)
		if l.Renewal.Params.Account != a.ID {
			h.t.Errorf("%s names the account %s, not %s", name, l.Renewal.Params.Account, a.ID)
		}
	}
	row, err := h.ledger.Account(h.t.Context(), h.ca.DirectoryURL(), a.URL)
	must(h.t, err)
	if row.KeyID != a.ID {
		h.t.Errorf("the ledger has the key %s, not %s", row.KeyID, a.ID)
	}
	if left, err := h.disk().Accounts().KeyChanges(); err != nil || len(left) != 0 {
		h.t.Errorf("left: %v, %v", left, err)
	}
	return a
}

func TestEverythingFollowsAnAccountsNewKey(t *testing.T) {
	t.Parallel()
	h := newHost(t, testca.Config{})
	h.has("a.example.com", "b.example.com")
	before := h.account()
	after, err := h.process("update_account").Accounts().ChangeKey(t.Context(), before)
	must(t, err)
	if after.ID == before.ID || after.URL != before.URL {
		t.Errorf("%+v became %+v", before, after)
	}
	h.followed("a.example.com", "b.example.com")
	if results, err := h.renew(renewal.Round{Renew: true}); err != nil || outcomes(results) != "a.example.com issued, b.example.com issued" {
		t.Errorf("renewed: %s, %v", outcomes(results), err)
	}
}

// Whatever becomes of the request, no key is lost: the next run, whatever it is about, works with
// the one that counts, and the change can be made.
func TestAChangeOfKeyThatGoesWrongLosesNoKey(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]testca.Fault{
		"never processed":         {Action: testca.Drop},
		"answer lost":             {Action: testca.LoseAnswer},
		"a gateway's error":       {Action: testca.Respond, Status: 502},
		"refused":                 {Action: testca.Respond, Status: 403, Problem: "unauthorized"},
		"answer lost, CA is away": {Action: testca.LoseAnswer},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHost(t, testca.Config{})
			h.has("a.example.com")
			h.twice("key-change", fault)
			if strings.Contains(name, "away") {
				h.ca.Inject(testca.Fault{Kind: "new-account", Action: testca.Drop})
			}
			_, err := h.process("update_account").Accounts().ChangeKey(t.Context(), h.account())
			if name != "answer lost" && err == nil {
				t.Error("it is a success")
			}
			h.vanish()
			h.ca.ClearFaults()
			if results, err := h.renew(renewal.Round{Renew: true}); err != nil || outcomes(results) != "a.example.com issued" {
				t.Errorf("the next run: %s, %v, warnings %v", outcomes(results), err, h.report.warnings)
			}
			_, err = h.process("update_account").Accounts().ChangeKey(t.Context(), h.account())
			must(t, err)
			h.followed("a.example.com")
		})
	}
}

// A run killed anywhere behind the CA's acceptance is ended by the next one, whatever that is
// about.
func TestAKilledChangeOfKeyIsEndedByTheNextRun(t *testing.T) {
	t.Parallel()
	for _, step := range []string{"before write private_key.json aside", "after write private_key.json", "after rename account", "after write a.example.com.conf"} {
		t.Run(step, func(t *testing.T) {
			t.Parallel()
			h := newHost(t, testca.Config{})
			h.has("a.example.com", "b.example.com")
			s := h.process("update_account")
			s.Disk.Trace = func(at string) {
				if at == step {
					panic(errKilled)
				}
			}
			func() {
				defer func() {
					if r := recover(); r != errKilled {
						t.Fatalf("not killed: %v", r)
					}
				}()
				_, err := s.Accounts().ChangeKey(t.Context(), h.account())
				t.Errorf("not killed: %v", err)
			}()
			h.vanish()
			if results, err := h.renew(renewal.Round{Renew: true}); err != nil || outcomes(results) != "a.example.com issued, b.example.com issued" {
				t.Errorf("the next run: %s, %v", outcomes(results), err)
			}
			h.followed("a.example.com", "b.example.com")
		})
	}
}

var errKilled = errors.New("killed")

// An order that an earlier run left goes on with the new key, and the renewal file it makes names
// the account by it.
func TestAnUnfinishedOrderFollowsItsAccountsNewKey(t *testing.T) {
	t.Parallel()
	h := newHost(t, testca.Config{})
	h.has("a.example.com")
	h.site("b.example.com")
	ctx, cancel := context.WithCancel(t.Context())
	h.ca.Inject(testca.Fault{Kind: "finalize", Nth: 1, Action: testca.Hold})
	go func() {
		<-h.ca.Held()
		cancel()
		h.ca.Release()
	}()
	if r := h.process("certonly").Obtain(ctx, h.wish("b.example.com")); r.Outcome == renewal.Issued {
		t.Fatalf("not left: %+v", r)
	}
	h.vanish()
	h.ca.ClearFaults()
	_, err := h.process("update_account").Accounts().ChangeKey(t.Context(), h.account())
	must(t, err)
	h.vanish()
	results, err := h.process("resume").ResumeAll(t.Context())
	must(t, err)
	if outcomes(results) != "b.example.com issued" {
		t.Errorf("resumed: %s", outcomes(results))
	}
	h.followed("a.example.com", "b.example.com")
}

func TestUnregisterEndsWhatTheAccountLeftAndRemovesIt(t *testing.T) {
	t.Parallel()
	h := newHost(t, testca.Config{})
	h.has("a.example.com")
	h.site("b.example.com")
	h.once("challenge", testca.Drop)
	h.ca.Inject(testca.Fault{Kind: "order", Action: testca.Hold})
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-h.ca.Held()
		cancel()
	}()
	h.process("certonly").Obtain(ctx, h.wish("b.example.com"))
	h.vanish()
	h.ca.ClearFaults()
	a := h.account()
	must(t, h.process("unregister").Accounts().Unregister(t.Context(), a))
	if theirs := h.theirs(); theirs.Status != "deactivated" {
		t.Errorf("the CA has %+v", theirs)
	}
	if _, err := h.disk().Accounts().Choose(h.ca.DirectoryURL(), ""); !errors.Is(err, certbot.ErrNoAccount) {
		t.Errorf("still there: %v", err)
	}
	if n := h.ca.Truth().Pending(); n != 0 {
		t.Errorf("%d authorizations stay pending", n)
	}
	if left, err := h.ledger.Orders(t.Context(), ledger.OrderFilter{Unsettled: true}); err != nil || len(left) != 0 {
		t.Errorf("orders left: %v, %v", left, err)
	}
}

// The CA must not be left with an account that it believes valid, nor the host with one that is
// not.
func TestAnUnregisterThatGoesWrongIsEndedByTheNext(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]testca.Fault{
		"never processed":   {Action: testca.Drop},
		"answer lost":       {Action: testca.LoseAnswer},
		"a gateway's error": {Action: testca.Respond, Status: 502},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHost(t, testca.Config{})
			h.has("a.example.com")
			h.twice("deactivate-account", fault)
			a := h.account()
			first := h.process(account.Unregistering(a)).Accounts().Unregister(t.Context(), a)
			h.vanish()
			h.ca.ClearFaults()
			if (first == nil) != (name == "answer lost") {
				t.Errorf("the first: %v", first)
			}
			if first != nil {
				must(t, h.process(account.Unregistering(a)).Accounts().Unregister(t.Context(), a))
			}
			if theirs := h.theirs(); theirs.Status != "deactivated" {
				t.Errorf("the CA has %+v", theirs)
			}
			if _, err := os.Stat(a.Dir); !os.IsNotExist(err) {
				t.Errorf("%s is there: %v", a.Dir, err)
			}
		})
	}
}

func TestAKilledUnregisterIsEndedByTheNext(t *testing.T) {
	t.Parallel()
	for _, step := range []string{"before remove private_key.json", "after remove private_key.json"} {
		t.Run(step, func(t *testing.T) {
			t.Parallel()
			h := newHost(t, testca.Config{})
			h.has("a.example.com")
			a := h.account()
			s := h.process(account.Unregistering(a))
			s.Disk.Trace = func(at string) {
				if at == step {
					panic(errKilled)
				}
			}
			func() {
				defer func() { _ = recover() }()
				t.Errorf("not killed: %v", s.Accounts().Unregister(t.Context(), a))
			}()
			h.vanish()
			s = h.process("renew") // whatever comes next
			if !s.Accounts().FinishedUnregister(h.ca.DirectoryURL()) {
				t.Errorf("not finished: %v", h.report.warnings)
			}
			must(t, s.End("done", 0, ""))
			if _, err := os.Stat(a.Dir); !os.IsNotExist(err) {
				t.Errorf("%s is there: %v", a.Dir, err)
			}
			if h.process("renew").Accounts().FinishedUnregister(h.ca.DirectoryURL()) {
				t.Error("it is finished once more")
			}
		})
	}
}

func TestAnAccountThatTheCADoesNotAcceptIsSaidSo(t *testing.T) {
	t.Parallel()
	h := newHost(t, testca.Config{})
	h.has("a.example.com")
	a := h.account()
	h.ca.Inject(testca.Fault{Kind: "account", Action: testca.Respond, Status: 400, Problem: "accountDoesNotExist"})
	if _, err := h.process("show_account").Accounts().Show(t.Context(), a); failure.ClassOf(err) != failure.Account || !strings.Contains(string(failure.RemedyOf(err)), string(failure.Do(failure.ForgetAccount))) {
		t.Errorf("ShowAccount = %v", err)
	}
}

// forgetful is a way to a CA that shows no addresses, as Let's Encrypt since 2025.
type forgetful struct{ http.RoundTripper }

var contactMember = regexp.MustCompile(`"contact":\s*\[[^\]]*\],?`)

func (f forgetful) RoundTrip(r *http.Request) (*http.Response, error) {
	answer, err := f.RoundTripper.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	text, err := io.ReadAll(answer.Body)
	answer.Body.Close()
	text = contactMember.ReplaceAll(text, nil)
	answer.Body, answer.ContentLength = io.NopCloser(bytes.NewReader(text)), int64(len(text))
	return answer, err
}

// A CA that takes addresses and keeps none has not "updated" anything.
func TestWhatACAKeepsOfAContactIsSaid(t *testing.T) {
	t.Parallel()
	h := newHost(t, testca.Config{})
	h.has("a.example.com")
	for _, keeps := range []bool{true, false} {
		s, a := h.process("update_account"), h.account()
		if !keeps {
			s.Accounts().Clients.HTTP = &http.Client{Transport: forgetful{s.HTTP.Transport}}
		}
		kept, err := s.Accounts().UpdateContact(t.Context(), a, "b@example.com")
		if err != nil || kept != keeps {
			t.Errorf("a CA that keeps them (%t): %t, %v", keeps, kept, err)
		}
	}
}
