package acme_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"orderly/acme"
	"orderly/failure"
)

func mustExternal(t *testing.T, id, key, algorithm string) *acme.ExternalAccount {
	t.Helper()
	e, err := acme.NewExternalAccount(id, key, algorithm)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestABindingIsWhatItsKeyVerifies(t *testing.T) {
	ca := newFakeCA(t)
	secret := bytes.Repeat([]byte{0xfb, 0xff, 0x3e}, 22) // 66 bytes whose base64 has both odd letters
	for given, algorithm := range map[string]jose.SignatureAlgorithm{"": jose.HS256, "HS256": jose.HS256, "HS384": jose.HS384, "HS512": jose.HS512} {
		e := mustExternal(t, "customer/1&<2>", base64.RawURLEncoding.EncodeToString(secret), given)
		r := acme.Registration{TermsOfServiceAgreed: true, External: e}
		if _, err := ca.client(t).NewAccount(t.Context(), ca.key, r); err != nil {
			t.Fatal(err)
		}
		outer := ca.lastPost()
		var payload struct {
			ExternalAccountBinding json.RawMessage
			TermsOfServiceAgreed   bool
		}
		if err := json.Unmarshal(outer.payload, &payload); err != nil || !payload.TermsOfServiceAgreed {
			t.Fatalf("%s: %v", outer.payload, err)
		}
		jws, err := jose.ParseSignedJSON(string(payload.ExternalAccountBinding), []jose.SignatureAlgorithm{algorithm})
		if err != nil {
			t.Fatalf("%s: %v", given, err)
		}
		bound, err := jws.Verify(secret)
		if err != nil {
			t.Errorf("%s: %v", given, err)
		}
		var jwk jose.JSONWebKey
		if err := json.Unmarshal(bound, &jwk); err != nil || !jwk.IsPublic() || jwk.KeyID != "" {
			t.Errorf("%s: %v", bound, err)
		}
		if want := outer.protected["jwk"]; string(want) != string(bound) {
			t.Errorf("bound to %s, signed by %s", bound, want)
		}
		checkBindingHeader(t, payload.ExternalAccountBinding, string(algorithm), ca.URL+"/new-account")
	}
}

func checkBindingHeader(t *testing.T, jws []byte, algorithm, url string) {
	t.Helper()
	var flat struct{ Protected string }
	var header map[string]json.RawMessage
	json.Unmarshal(jws, &flat)
	text, _ := base64.RawURLEncoding.DecodeString(flat.Protected)
	json.Unmarshal(text, &header)
	var id string
	json.Unmarshal(header["kid"], &id)
	if got := names(header); !slices.Equal(got, []string{"alg", "kid", "url"}) || id != "customer/1&<2>" ||
		string(header["alg"]) != `"`+algorithm+`"` || string(header["url"]) != `"`+url+`"` {
		t.Errorf("protected header %s", text)
	}
}

// TestTheMACIsThatOfRFC7515 uses the example of RFC 7515 A.1.
func TestTheMACIsThatOfRFC7515(t *testing.T) {
	e := mustExternal(t, "x", "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow", "HS256")
	text := "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
	if got := base64.RawURLEncoding.EncodeToString(e.MAC(text)); got != "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk" {
		t.Errorf("got %s", got)
	}
}

func TestAKeyShorterThanTheHashIsTakenAsTheCAGaveIt(t *testing.T) {
	e := mustExternal(t, "x", "c2hvcnQ", "HS512")
	if e.MAC("a") == nil {
		t.Fatal("no MAC")
	}
	m := hmac.New(sha256.New, []byte("short"))
	m.Write([]byte("a"))
	if got := mustExternal(t, "x", "c2hvcnQ", "").MAC("a"); !hmac.Equal(got, m.Sum(nil)) {
		t.Errorf("got %x", got)
	}
}

func TestAKeyIsReadInEverySpelling(t *testing.T) {
	want := mustExternal(t, "x", "-_8-_w", "").MAC("a")
	for _, key := range []string{"-_8-_w==", "+/8+/w==", "+/8+/w", " -_8-\n_w== \r\n", "-_8-_w="} {
		if got := mustExternal(t, "x", key, "").MAC("a"); !hmac.Equal(got, want) {
			t.Errorf("%q is another key", key)
		}
	}
	for _, c := range [][3]string{
		{"", "c2hvcnQ", ""}, {"x", "", ""}, {"x", "==", ""}, {"x", " ", ""}, {"x", "c2ho.cnQ", ""}, {"x", "secretsecre=t", ""}, {"x", "c2hvcnQxy", ""},
		{"x", "sécret", ""}, {"x", "c2hvcnQ", "hs256"}, {"x", "c2hvcnQ", "RS256"}, {"x", "c2hvcnQ", "none"},
	} {
		_, err := acme.NewExternalAccount(c[0], c[1], c[2])
		if failure.ClassOf(err) != failure.Usage || failure.RemedyOf(err) == "" {
			t.Errorf("%q: %v", c, err)
		}
		if key := strings.TrimSpace(c[1]); len(key) > 2 && strings.Contains(err.Error()+string(failure.RemedyOf(err)), key) {
			t.Errorf("%q tells the key", err)
		}
	}
}

func TestTheSecretIsNeverPrinted(t *testing.T) {
	e := mustExternal(t, "kid-1", "c2VjcmV0", "")
	for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
		for _, value := range []any{e, acme.Registration{External: e}, []*acme.ExternalAccount{e}} {
			if text := fmt.Sprintf(verb, value); strings.Contains(text, "secret") || strings.Contains(text, "115 101") || strings.Contains(text, "0x73") {
				t.Errorf("%s prints %s", verb, text)
			}
		}
	}
}

func FuzzExternalAccount(f *testing.F) {
	f.Add("kid", "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W", "HS256")
	f.Add("", "a===", "HS512")
	f.Add("x", "+/-_ \n", "")
	f.Fuzz(func(t *testing.T, id, key, algorithm string) {
		e, err := acme.NewExternalAccount(id, key, algorithm)
		if (e == nil) == (err == nil) {
			t.Fatalf("%v, %v", e, err)
		}
		if err == nil && len(e.MAC("a")) < 32 {
			t.Errorf("%q makes no MAC", key)
		}
	})
}
