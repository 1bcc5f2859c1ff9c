package account_test

import (
	"encoding/json"
	"strings"
	"testing"

	"orderly/account"
	"orderly/acme"
	"orderly/certbot"
	"orderly/failure"
	"orderly/testca"
)

// All of these do no harm when they are sent again: an answer that was lost is no reason to fail.
func TestALostAnswerIsAskedForOnceMore(t *testing.T) {
	type step struct {
		kind, status string
		do           func(*world, *account.Keeper, *certbot.Account) error
	}
	steps := map[string]step{
		"register": {"new-account", "valid", func(w *world, k *account.Keeper, _ *certbot.Account) error {
			_, err := k.RegisterNew(t.Context(), w.ca.DirectoryURL(), account.Registration{AgreeTOS: true, NoEmail: true})
			return err
		}},
		"show": {"account", "valid", func(_ *world, k *account.Keeper, a *certbot.Account) error {
			_, err := k.Show(t.Context(), a)
			return err
		}},
		"contacts": {"update-account", "valid", func(_ *world, k *account.Keeper, a *certbot.Account) error {
			_, err := k.UpdateContact(t.Context(), a, "b@example.com")
			return err
		}},
		"key": {"key-change", "valid", func(_ *world, k *account.Keeper, a *certbot.Account) error {
			_, err := k.ChangeKey(t.Context(), a)
			return err
		}},
		"unregister": {"deactivate-account", "deactivated", func(_ *world, k *account.Keeper, a *certbot.Account) error {
			return k.Unregister(t.Context(), a)
		}},
	}
	for name, s := range steps {
		for what, fault := range map[string]testca.Fault{
			"processed": {Action: testca.LoseAnswer}, "never processed": {Action: testca.Drop}, "a gateway's page": {Action: testca.Respond, Status: 502},
		} {
			t.Run(name+" "+what, func(t *testing.T) {
				w := newWorld(t, testca.Config{})
				var a *certbot.Account
				if name != "register" {
					a = w.registered()
				}
				before := w.requests(s.kind)
				fault.Kind, fault.Nth = s.kind, 1
				w.ca.Inject(fault)
				must(t, s.do(w, w.run(), a))
				if n := w.requests(s.kind) - before; n > 2 {
					t.Errorf("%d requests", n)
				}
				w.agree(s.status)
				w.nothingLeft()
			})
		}
		t.Run(name+" for ever", func(t *testing.T) {
			w := newWorld(t, testca.Config{})
			var a *certbot.Account
			if name != "register" {
				a = w.registered()
			}
			before := w.requests(s.kind)
			w.ca.Inject(testca.Fault{Kind: s.kind, Action: testca.Drop})
			err := s.do(w, w.run(), a)
			if n := w.requests(s.kind) - before; err == nil || n != 2 || failure.RemedyOf(err) == "" {
				t.Errorf("%d requests, %v", n, err)
			}
		})
	}
}

// What comes before the request is lost just as well.
func TestALostNonceIsNoReasonToFail(t *testing.T) {
	w := newWorld(t, testca.Config{})
	w.ca.Inject(testca.Fault{Kind: "new-nonce", Nth: 1, Action: testca.Drop})
	w.registered()
	w.agree("valid")
}

// A CA that is out of order for an hour is not asked twice in a second.
func TestACAThatNamesATimeIsLeftInPeace(t *testing.T) {
	w := newWorld(t, testca.Config{})
	w.ca.Inject(testca.Fault{Kind: "new-account", Action: testca.Respond, Status: 503, RetryAfter: "3600"})
	_, err := w.run().RegisterNew(t.Context(), w.ca.DirectoryURL(), account.Registration{AgreeTOS: true, NoEmail: true})
	if n := w.requests("new-account"); err == nil || n != 1 {
		t.Errorf("%d requests, %v", n, err)
	}
}

func TestAKeyIsMadeAsTheCAWantsIt(t *testing.T) {
	for _, algorithms := range [][]string{{"RS256"}, {"ES384"}, {"PS256", "RS256"}, {"ES256", "RS256"}} {
		t.Run(strings.Join(algorithms, " "), func(t *testing.T) {
			w := newWorld(t, testca.Config{Algorithms: algorithms})
			a := w.registered()
			w.agree("valid")
			key, err := acme.NewKey(a.Key)
			must(t, err)
			if !strings.Contains(strings.Join(algorithms, " "), key.Algorithm()) {
				t.Errorf("the key signs by %s", key.Algorithm())
			}
			// It is an account like any other: shown, and given another key.
			_, err = w.run().Show(t.Context(), a)
			must(t, err)
			changed, err := w.run().ChangeKey(t.Context(), a)
			must(t, err)
			if changed.ID == a.ID {
				t.Error("the key is the same")
			}
			w.agree("valid")
			w.nothingLeft()
			if n := w.requests("new-account"); n > 3 { // registered with two keys, and looked for the one that was refused
				t.Errorf("%d newAccount", n)
			}
		})
	}
}

func TestACAThatTakesNoKeyOfOursIsSaidSo(t *testing.T) {
	for _, algorithms := range [][]string{{"EdDSA"}, {"PS256", "ES512"}} {
		w := newWorld(t, testca.Config{Algorithms: algorithms})
		_, err := w.run().RegisterNew(t.Context(), w.ca.DirectoryURL(), account.Registration{AgreeTOS: true, NoEmail: true})
		if failure.ClassOf(err) != failure.CARefused || !strings.Contains(string(failure.RemedyOf(err)), string(failure.Do(failure.OtherCA))) || w.requests("new-account") != 1 {
			t.Errorf("%v: %d requests, %v; %s", algorithms, w.requests("new-account"), err, failure.RemedyOf(err))
		}
	}
}

// Not every CA says what it takes, or by which word it refuses; RS256 is what all know.
func TestACAThatDoesNotSayWhichKeyIsAskedWithRSA(t *testing.T) {
	for _, kind := range []string{"badSignatureAlgorithm", "badPublicKey"} {
		w := newWorld(t, testca.Config{})
		w.ca.Inject(testca.Fault{Kind: "new-account", Nth: 1, Action: testca.Respond, Status: 400, Problem: kind, Detail: "unsupported"})
		key, err := acme.NewKey(w.registered().Key)
		if must(t, err); key.Algorithm() != "RS256" {
			t.Errorf("%s: the key signs by %s", kind, key.Algorithm())
		}
		w.agree("valid")
		w = newWorld(t, testca.Config{})
		w.ca.Inject(testca.Fault{Kind: "new-account", Action: testca.Respond, Status: 400, Problem: kind, Detail: "unsupported"})
		_, err = w.run().RegisterNew(t.Context(), w.ca.DirectoryURL(), account.Registration{AgreeTOS: true, NoEmail: true})
		if err == nil || w.requests("new-account") != 2 {
			t.Errorf("%s for ever: %d requests, %v", kind, w.requests("new-account"), err)
		}
	}
}

// What a CA leaves out of an account, or writes in another form, is not needed.
func TestAnAccountInAnOddFormIsOne(t *testing.T) {
	for _, patch := range []string{`{"status":null}`, `{"orders":[]}`, `{"orders":{"url":7},"contact":"mailto:a@example.com"}`, `{"status":null,"contact":null,"orders":null}`} {
		w := newWorld(t, testca.Config{})
		for _, kind := range []string{"new-account", "account", "update-account", "deactivate-account"} {
			w.ca.Inject(testca.Fault{Kind: kind, Action: testca.Rewrite, Patch: json.RawMessage(patch)})
		}
		a := w.registered()
		w.agree("valid")
		if d, err := w.run().Show(t.Context(), a); err != nil || d.URL != a.URL {
			t.Errorf("%s: shown: %+v, %v", patch, d, err)
		}
		if _, err := w.run().UpdateContact(t.Context(), a, "b@example.com"); err != nil {
			t.Errorf("%s: %v", patch, err)
		}
		if err := w.run().Unregister(t.Context(), a); err != nil {
			t.Errorf("%s: %v", patch, err)
		}
		w.agree("deactivated")
		w.nothingLeft()
	}
}

// A CA that answers a deactivation with an account that is as it was has not deactivated it.
func TestAnAccountThatStaysValidIsNotForgotten(t *testing.T) {
	w := newWorld(t, testca.Config{})
	a := w.registered()
	w.ca.Inject(testca.Fault{Kind: "deactivate-account", Action: testca.Respond, Status: 200, Patch: json.RawMessage(`{"status":"valid"}`),
		Header: map[string]string{"Content-Type": "application/json"}})
	if err := w.run().Unregister(t.Context(), a); err == nil {
		t.Error("it is a success")
	}
	w.agree("valid")
}

func TestTheTermsThatACAWantsAgreedToAreNamed(t *testing.T) {
	const page = "https://ca.example/terms/v2"
	w := newWorld(t, testca.Config{})
	w.ca.Inject(testca.Fault{Kind: "new-account", Action: testca.Respond, Status: 403, Problem: "userActionRequired", Detail: "Terms of service have changed",
		Header: map[string]string{"Link": `<` + page + `>;rel="terms-of-service"`}})
	_, err := w.run().RegisterNew(t.Context(), w.ca.DirectoryURL(), account.Registration{AgreeTOS: true, NoEmail: true})
	if err == nil || !strings.Contains(err.Error(), page) || !strings.Contains(string(failure.RemedyOf(err)), page) {
		t.Errorf("%v; %s", err, failure.RemedyOf(err))
	}
}
