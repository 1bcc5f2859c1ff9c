package acme_test

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"

	"orderly/acme"
)

// typed answers with a body of some content type.
func typed(status int, contentType, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", contentType)
		w.WriteHeader(status)
		w.Write([]byte(body))
	}
}

func TestAnAccountNeedsNoMemberButToBeOne(t *testing.T) {
	ca := newFakeCA(t)
	c, a := ca.ready(t)
	for body, want := range map[string]string{
		`{"key":{}}`: "", `{"status":"valid","orders":[]}`: "valid", `{"status":"valid","orders":null,"contact":null}`: "valid",
		`{"status":7,"contact":"mailto:a@example.com"}`: "", `{"contact":{},"orders":{"url":"x"},"status":null}`: "",
		"\xef\xbb\xbf" + `{"status":"valid"}`: "valid",
	} {
		ca.on("/new-account", ca.located(201, "/account/1", body))
		ca.on("/account/1", ca.located(200, "", body))
		made, err := c.NewAccount(t.Context(), ca.key, acme.Registration{})
		if err != nil || made.URL != ca.URL+"/account/1" || made.Status != want || made.Orders != "" {
			t.Errorf("newAccount %s: %+v, %v", body, made, err)
		}
		if got, err := a.Fetch(t.Context()); err != nil || got.Status != want {
			t.Errorf("fetched %s: %+v, %v", body, got, err)
		}
	}
}

// A CA that says by its own words that the account is not deactivated has not done it.
func TestOnlyADeactivatedAccountIsDeactivated(t *testing.T) {
	ca := newFakeCA(t)
	_, a := ca.ready(t)
	for body, done := range map[string]bool{`{"status":"deactivated"}`: true, `{"contact":[]}`: true, `{"status":"valid"}`: false,
		`{"status":"odd"}`: false, `{}`: false} {
		ca.on("/account/1", ca.located(200, "", body))
		if _, err := a.DeactivateAccount(t.Context()); (err == nil) != done || err != nil && !isA[*acme.Lost](err) {
			t.Errorf("%s: %v", body, err)
		}
	}
}

func TestAnOrderIsReadInSpiteOfOddMembers(t *testing.T) {
	ca := newFakeCA(t)
	_, a := ca.ready(t)
	for body, names := range map[string]int{
		`{"status":"pending","expires":7,"identifiers":[{"type":"dns","value":"a.example"}],"authorizations":["U/authz/1",null,7,{}],"finalize":"U/f","certificate":null,"error":null}`: 1,
		`{"status":"pending","expires":null,"identifiers":null,"authorizations":["U/authz/1"],"finalize":"U/f","profile":7,"replaces":{},"error":"odd"}`:                                0,
		`{"status":"pending","expires":"soon","identifiers":[{"type":7,"value":7},"a.example"],"authorizations":["U/authz/1"],"finalize":"U/f","certificate":[]}`:                       2,
		`{"status":"pending","identifiers":{},"authorizations":["U/authz/1"],"finalize":"U/f","notBefore":0}`:                                                                           0,
	} {
		ca.on("/order/1", ca.located(200, "", strings.ReplaceAll(body, "U", ca.URL)))
		o, err := a.Order(t.Context(), ca.URL+"/order/1")
		if err != nil || o.Status != "pending" || !o.Expires.IsZero() || o.Certificate != "" || len(o.Names) != names ||
			o.Finalize != ca.URL+"/f" || !slices.Equal(o.Authorizations, []string{ca.URL + "/authz/1"}) {
			t.Errorf("%s: %+v, %v", body, o, err)
		}
		for _, name := range o.Names {
			if name == "" {
				t.Errorf("%s: a name that says nothing: %q", body, o.Names)
			}
		}
	}
	// Without a status nobody knows what to do next, and it is not guessed.
	for _, body := range []string{`{"identifiers":[{"type":"dns","value":"a.example"}]}`, `{"status":["pending"],"finalize":"x"}`, `{"status":"valid"}`} {
		ca.on("/order/1", ca.located(200, "", body))
		if o, err := a.Order(t.Context(), ca.URL+"/order/1"); !isA[*acme.Lost](err) {
			t.Errorf("%s: %+v, %v", body, o, err)
		}
	}
}

func TestAnAuthorizationIsReadInSpiteOfOddMembers(t *testing.T) {
	ca := newFakeCA(t)
	_, a := ca.ready(t)
	for wildcard, want := range map[string]bool{`true`: true, `"true"`: true, `"True"`: true, `1`: true, `"false"`: false, `0`: false, `null`: false, `{}`: false, `"*"`: false} {
		ca.on("/authz/1", ca.located(200, "", `{"status":"pending","expires":1,"identifier":{"type":"dns","value":"a.example"},"wildcard":`+wildcard+
			`,"challenges":[`+ca.challenge()+`]}`))
		got, err := a.Authorization(t.Context(), ca.URL+"/authz/1")
		if err != nil || got.Wildcard != want || got.Name != "a.example" || len(got.Challenges) != 1 {
			t.Errorf("wildcard %s: %+v, %v", wildcard, got, err)
		}
	}
	ca.on("/authz/1", ca.located(200, "", `{"status":"pending","identifier":{"type":"dns","value":"a.example"},"challenges":{}}`))
	if got, err := a.Authorization(t.Context(), ca.URL+"/authz/1"); err != nil || len(got.Challenges) != 0 {
		t.Errorf("%+v, %v", got, err)
	}
	ca.on("/chall/1", ca.located(200, "", `{"type":"http-01","url":"x","token":null}`))
	if got, err := a.Respond(t.Context(), ca.URL+"/chall/1"); err != nil || got.Status != "" || got.Token != "" {
		t.Errorf("a challenge that shows no status was answered all the same: %+v, %v", got, err)
	}
}

// The CA did nothing, whatever it calls the paper on which it says so.
func TestABadNonceIsRepeatedWhateverItsContentType(t *testing.T) {
	for _, contentType := range []string{"application/problem+json", "text/plain; charset=utf-8", "text/html", "", "application/problem+json; charset", "application/octet-stream"} {
		for _, prefix := range []string{"urn:ietf:params:acme:error:", "urn:acme:error:", ""} {
			ca := newFakeCA(t)
			_, a := ca.ready(t)
			refused := false
			ca.on("/new-order", func(w http.ResponseWriter, r *http.Request) {
				if !refused {
					refused = true
					typed(400, contentType, `{"type":"`+prefix+`badNonce","detail":"old"}`)(w, r)
					return
				}
				ca.located(201, "/order/1", ca.order("pending"))(w, r)
			})
			if _, err := newOrder(t.Context(), a); err != nil || ca.count("/new-order") != 2 {
				t.Errorf("%q %q: %d requests, %v", contentType, prefix, ca.count("/new-order"), err)
			}
		}
	}
}

func TestAProblemSaysWhichNamesAndWhichPage(t *testing.T) {
	ca := newFakeCA(t)
	_, a := ca.ready(t)
	problem := func(body, link string) *acme.Problem {
		ca.on("/new-order", func(w http.ResponseWriter, r *http.Request) {
			if link != "" {
				w.Header().Set("Link", link)
			}
			typed(403, "application/problem+json", body)(w, r)
		})
		_, err := newOrder(t.Context(), a)
		p, _ := errors.AsType[*acme.Problem](err)
		if p == nil {
			t.Fatalf("%s: %v", body, err)
		}
		return p
	}
	const urn = `urn:ietf:params:acme:error:`
	sub := func(name string) string {
		return `{"type":"` + urn + `rejectedIdentifier","detail":"forbidden by policy","identifier":{"type":"dns","value":"` + name + `"}}`
	}
	p := problem(`{"type":"`+urn+`rejectedIdentifier","detail":"2 names are refused","subproblems":[`+sub("B.example")+`,`+sub("c.example")+`]}`, "")
	if want := "403 rejectedIdentifier: 2 names are refused; b.example: forbidden by policy; c.example: forbidden by policy"; p.Error() != want {
		t.Errorf("%s", p)
	}
	p = problem(`{"type":"`+urn+`rejectedIdentifier","detail":"b.example: forbidden by policy","subproblems":[`+sub("b.example")+`]}`, "")
	if want := "403 rejectedIdentifier: b.example: forbidden by policy"; p.Error() != want {
		t.Errorf("said twice: %s", p)
	}
	p = problem(`{"type":"`+urn+`rejectedIdentifier","detail":"many","subproblems":[`+strings.Repeat(sub("d.example")+",", 30)+sub("e.example")+`]}`, "")
	if !strings.HasSuffix(p.Error(), "; and more") || len(p.Error()) > 600 {
		t.Errorf("%s", p)
	}
	const terms = `<https://ca.example/terms/v2>; rel="terms-of-service"`
	p = problem(`{"type":"`+urn+`userActionRequired","detail":"Terms of service have changed"}`, `<https://ca.example/dir>;rel="index", `+terms)
	if p.Link != "https://ca.example/terms/v2" || p.Error() != "403 userActionRequired: Terms of service have changed; see https://ca.example/terms/v2" {
		t.Errorf("%q: %s", p.Link, p)
	}
	p = problem(`{"type":"`+urn+`userActionRequired","detail":"Agree at https://ca.example/old","instance":"https://ca.example/agree?x=1"}`, terms)
	if p.Link != "https://ca.example/agree?x=1" {
		t.Errorf("the instance is where it is done: %q", p.Link)
	}
	p = problem(`{"type":"`+urn+`userActionRequired","detail":"Agree","instance":"javascript:x"}`, "<relative>;rel=\"terms-of-service\"")
	if p.Link != ca.URL+"/relative" {
		t.Errorf("%q", p.Link)
	}
}

func TestTheAlgorithmsThatACATakesAreTold(t *testing.T) {
	p := problemFrom(t, 400, "application/problem+json", `{"type":"urn:ietf:params:acme:error:badSignatureAlgorithm","detail":"no","algorithms":["RS256",7,"\u001b[2J"]}`)
	if len(p.Algorithms) != 3 || p.Algorithms[0] != "RS256" || strings.ContainsRune(p.Algorithms[2], '\x1b') {
		t.Errorf("%q", p.Algorithms)
	}
}
