package preflight_test

import (
	"io"
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"orderly/failure"
	"orderly/preflight"
)

// rule answers to every token as a static rule of a web server does.
func rule(thumbprint string) http.HandlerFunc {
	return func(to http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(to, strings.TrimPrefix(r.URL.Path, "/.well-known/acme-challenge/")+"."+thumbprint)
	}
}

func TestAStaticRuleIsTried(t *testing.T) {
	site := preflight.Site{Name: "a.example", Content: func(token string) string { return token + ".thumb" }}
	for _, test := range []struct {
		name    string
		serves  http.Handler
		verdict preflight.Verdict
	}{
		{"the rule", rule("thumb"), preflight.Pass},
		{"the rule of another account", rule("other"), preflight.Refuse},
		{"no rule", http.NotFoundHandler(), preflight.Refuse},
	} {
		w := newWorld(t)
		w.host(global+":80", test.serves)
		report := w.checkAll(site)
		if r := result(t, report, preflight.HTTP); r.Verdict != test.verdict || strings.Contains(string(r.Remedy), "document root") || (r.Remedy == "") != (r.Verdict == preflight.Pass) {
			t.Errorf("%s: %+v", test.name, r)
		}
		if r := result(t, report, preflight.Writable); r.Verdict != preflight.Skipped {
			t.Errorf("%s: %+v", test.name, r)
		}
	}
}

// Whoever owns a name may point it, and redirect, wherever he likes: nothing is dialled that was
// not named before.
func TestAFetchDialsTheGivenAddressesAlone(t *testing.T) {
	const inside, other = "10.0.0.7", "93.184.216.99"
	given := []netip.Addr{netip.MustParseAddr(inside)}
	for _, test := range []struct {
		name    string
		serves  http.Handler // at the given address
		points  string       // where b.example points
		verdict preflight.Verdict
		class   failure.Class
		dialled string
	}{
		{"as it must", rule("thumb"), other, preflight.Pass, "", inside + ":80"},
		{"another account's", rule("other"), other, preflight.Refuse, failure.HTTPWrong, inside + ":80"},
		{"nothing", http.NotFoundHandler(), other, preflight.Refuse, failure.HTTPWrong, inside + ":80"},
		{"led to a global address", leadTo(302, "http://b.example/x"), other, preflight.Refuse, failure.AddressRefuse, inside + ":80"},
		{"led to the cloud's metadata", leadTo(302, "http://169.254.169.254/x"), other, preflight.Refuse, failure.AddressRefuse, inside + ":80"},
		{"led to loopback", leadTo(302, "http://[::1]/x"), other, preflight.Refuse, failure.AddressRefuse, inside + ":80"},
		{"led to another name of the same server", http.HandlerFunc(func(to http.ResponseWriter, r *http.Request) {
			if r.Host == "b.example" {
				rule("thumb")(to, r)
				return
			}
			leadTo(301, "http://b.example"+r.URL.Path)(to, r)
		}), inside, preflight.Pass, "", inside + ":80 " + inside + ":80"},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t)
			w.host(inside+":80", test.serves)
			w.host(other+":80", rule("thumb"))
			w.points("b.example", test.points)
			r := w.checker.Fetch(t.Context(), "a.example", given, "token", "token.thumb")
			if r.Verdict != test.verdict || r.Class != test.class || r.Check != preflight.HTTP || r.Name != "a.example" {
				t.Errorf("%+v", r)
			}
			if got := strings.Join(w.dials(), " "); got != test.dialled {
				t.Errorf("dialled %s", got)
			}
			if w.questions()["a.exampleA"]+w.questions()["a.exampleAAAA"] != 0 {
				t.Error("the name was looked up")
			}
		})
	}
}

func TestAFetchWithoutAddressesDialsNobody(t *testing.T) {
	w := newWorld(t)
	r := w.checker.Fetch(t.Context(), "a.example", nil, "token", "token.thumb")
	if r.Verdict != preflight.Refuse || r.Class != failure.AddressRefuse || len(w.dials()) != 0 {
		t.Errorf("%+v, dialled %v", r, w.dials())
	}
}
