package account_test

// Keys of other clients' accounts: where they are found, in whatever form, and what is no such key.

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"orderly/account"
	"orderly/failure"
	"orderly/testca"
)

func keyForms(t *testing.T) (forms map[string][]byte, keys map[string]crypto.Signer) {
	t.Helper()
	ec, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	must(t, err)
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	must(t, err)
	block := func(kind string, der []byte, err error) []byte {
		must(t, err)
		return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(ec)
	eight := block("PRIVATE KEY", pkcs8, err)
	sec1, err := x509.MarshalECPrivateKey(ec)
	one := block("EC PRIVATE KEY", sec1, err)
	jwk, err := (&jose.JSONWebKey{Key: rsaKey}).MarshalJSON()
	must(t, err)
	forms = map[string][]byte{"PKCS#8": eight, "SEC1": one,
		"SEC1 by openssl": append(block("EC PARAMETERS", []byte{5}, nil), one...),
		"PKCS#1":          block("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(rsaKey), nil), "JWK": jwk}
	return forms, map[string]crypto.Signer{"PKCS#8": ec, "SEC1": ec, "SEC1 by openssl": ec, "PKCS#1": rsaKey,
		"JWK": rsaKey}
}

func TestAKeyIsReadInAnyForm(t *testing.T) {
	forms, keys := keyForms(t)
	for form, text := range forms {
		path := filepath.Join(t.TempDir(), "key")
		must(t, os.WriteFile(path, text, 0o600))
		found, err := account.ReadKeys(path)
		must(t, err)
		if len(found) != 1 || found[0].Server != "" || found[0].Host != "" {
			t.Fatalf("%s: %+v", form, found)
		}
		if !found[0].Key.Public().(interface{ Equal(crypto.PublicKey) bool }).Equal(keys[form].Public()) {
			t.Errorf("%s: another key", form)
		}
	}
}

func TestKeysAreFoundWhereEachClientKeepsThem(t *testing.T) {
	forms, _ := keyForms(t)
	const lego = "accounts/ca.example_14000/a@b.example"
	for _, c := range []struct {
		client, path, server, host string
		form                       string
	}{
		{"certbot", "accounts/ca.example:14000/a/dir/0123/private_key.json", "https://ca.example:14000/a/dir", "", "JWK"},
		{"lego", lego + "/keys/a@b.example.key", "", "ca.example:14000", "SEC1"},
		{"uacme", "private/key.pem", "", "", "PKCS#1"},
		{"acme.sh", "ca/ca.example/directory/account.key", "https://ca.example/directory", "", "PKCS#1"},
		{"dehydrated", "accounts/aHR0cHM/account_key.pem", "", "", "PKCS#8"},
	} {
		root := t.TempDir()
		put := func(path string, text []byte) {
			path = filepath.Join(root, path)
			must(t, os.MkdirAll(filepath.Dir(path), 0o700))
			must(t, os.WriteFile(path, text, 0o600))
		}
		put(c.path, forms[c.form])
		// Those of certificates, and one with which no account was made yet, are none.
		put("private/a.example/key.pem", forms["PKCS#8"])
		put("certificates/a.example.key", forms["PKCS#8"])
		put("a.example/a.example.key", forms["PKCS#8"])
		put("orderly/new-accounts/ca.example/private_key.json", forms["JWK"])
		if c.client == "lego" {
			put(lego+"/account.json", []byte(`{"registration": {"uri": "https://ca.example:14000/acct/1"}}`))
		}
		found, err := account.ReadKeys(root)
		must(t, err)
		root, err = filepath.EvalSymlinks(root)
		must(t, err)
		if len(found) != 1 || found[0].File != filepath.Join(root, c.path) || found[0].Server != c.server ||
			found[0].Host != c.host {
			t.Errorf("%s: %+v", c.client, found)
		}
	}
}

func TestWhatIsNoKeyIsSaid(t *testing.T) {
	forms, _ := keyForms(t)
	dir := t.TempDir()
	pipe := filepath.Join(dir, "pipe")
	must(t, syscall.Mkfifo(pipe, 0o600))
	for path, text := range map[string]string{
		"empty": "", "binary": "\x00\x01{", "certificate": strings.ReplaceAll(string(forms["PKCS#8"]), "PRIVATE KEY", "CERTIFICATE"),
		"torn": string(forms["PKCS#8"][:60]), "torn JWK": `{"kty":"EC"`, "public JWK": `{"kty":"oct","k":"AAAA"}`,
		"encrypted": "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n",
		"large":     strings.Repeat("a", 1<<20),
	} {
		must(t, os.WriteFile(filepath.Join(dir, path), []byte(text), 0o600))
	}
	for _, path := range []string{"empty", "binary", "certificate", "torn", "torn JWK", "public JWK", "encrypted", "large",
		"pipe", "nothing", "."} {
		_, err := account.ReadKeys(filepath.Join(dir, path))
		if failure.ClassOf(err) != failure.Config || !strings.Contains(err.Error(), dir) {
			t.Errorf("%s: %v", path, err)
		}
		if err != nil && strings.Contains(err.Error(), "AAAA") {
			t.Errorf("%s: the text is shown: %v", path, err)
		}
	}
}

func TestNoAccountIsMadeForAKeyThatIsGiven(t *testing.T) {
	w := newWorld(t, testca.Config{})
	k := w.run()
	a := w.registered()
	found, err := k.Existing(t.Context(), w.ca.DirectoryURL(), account.GivenKey{Key: a.Key})
	must(t, err)
	if found.URL != a.URL || found.ID != a.ID {
		t.Errorf("%+v instead of %+v", found, a)
	}
	stranger, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	if _, err := k.Existing(t.Context(), w.ca.DirectoryURL(), account.GivenKey{Key: stranger}); err != account.ErrNotKnown {
		t.Errorf("a stranger's key: %v", err)
	}
	if n := len(w.ca.Truth().Accounts); n != 1 {
		t.Errorf("the CA has %d accounts", n)
	}
}
