package certbot_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"orderly/certbot"
	"orderly/failure"
)

// storage runs certbot's own account storage: "save KIND" makes an account with it, "list" prints what it finds.
const storage = `
import json, sys, types
import josepy as jose
from acme import messages
from certbot._internal import account
from cryptography.hazmat.primitives.asymmetric import ec, rsa
base, server_path, command = sys.argv[1:4]
config = types.SimpleNamespace(accounts_dir=base + "/accounts/" + server_path, strict_permissions=False, server_path=server_path,
    accounts_dir_for_server_path=lambda p: base + "/accounts/" + p)
store = account.AccountFileStorage(config)
if command == "save":
    key = {
        "rsa": lambda: jose.JWKRSA(key=rsa.generate_private_key(65537, 2048)),
        "p256": lambda: jose.JWKEC(key=ec.generate_private_key(ec.SECP256R1())),
        "p384": lambda: jose.JWKEC(key=ec.generate_private_key(ec.SECP384R1())),
    }[sys.argv[4]]()
    regr = messages.RegistrationResource(body={}, uri="https://ca.example/acct/" + sys.argv[4])
    acc = account.Account(regr, key)
    store.save(acc, types.SimpleNamespace(directory=types.SimpleNamespace()))
    print(json.dumps({"id": acc.id, "slug": acc.slug}))
else:
    print(json.dumps([{"id": a.id, "uri": a.regr.uri, "slug": a.slug, "key": a.key.json_dumps()} for a in store.find_all()]))
`

func certbotAccounts(t *testing.T, s *certbot.Store, out any, args ...string) {
	t.Helper()
	cmd := exec.Command("/usr/bin/python3", append([]string{"-c", storage, s.Dirs.Config, "ca.example:14000/dir"}, args...)...)
	cmd.Stderr = os.Stderr
	answer, err := cmd.Output()
	must(t, err)
	must(t, json.Unmarshal(answer, out))
}

func class(t *testing.T, err error, want failure.Class) {
	t.Helper()
	if failure.ClassOf(err) != want {
		t.Fatalf("class %q of %v, want %q", failure.ClassOf(err), err, want)
	}
}

func TestAccountsThatCertbotMadeAreRead(t *testing.T) {
	s := newStore(t)
	var labels []string
	for _, kind := range []string{"rsa", "p256", "p384"} {
		var made struct{ ID, Slug string }
		certbotAccounts(t, s, &made, "save", kind)
		a, err := s.Accounts().Choose(testServer, made.ID)
		must(t, err)
		if a.ID != made.ID || a.URL != "https://ca.example/acct/"+kind || a.Host == "" || a.Created.IsZero() || a.Key == nil {
			t.Errorf("%s: %+v", kind, a)
		}
		labels = append(labels, made.Slug)
		if kind == "rsa" {
			only, err := s.Accounts().Choose(testServer, "")
			must(t, err)
			if only.ID != made.ID {
				t.Errorf("the only account is %s, want %s", only.ID, made.ID)
			}
		}
	}
	_, err := s.Accounts().Choose(testServer, "")
	class(t, err, failure.Account)
	text := err.Error()
	if !strings.HasPrefix(text, "Missing command line flag or config entry for this setting:\nPlease choose an account\nChoices: ['") {
		t.Errorf("several accounts: %s", text)
	}
	for _, label := range labels {
		if !strings.Contains(text, "'"+label+"'") {
			t.Errorf("%s is not offered in %s", label, text)
		}
	}
}

func TestAnAccountThatIsNotThereIsNamedInCertbotsWords(t *testing.T) {
	s := newStore(t)
	_, err := s.Accounts().Choose(testServer, "00ff")
	class(t, err, failure.Account)
	if want := "Account at " + s.Dirs.Config + "/accounts/ca.example:14000/dir/00ff does not exist"; err.Error() != want {
		t.Errorf("got %s, want %s", err, want)
	}
	for _, id := range []string{"../dir", "..", "a/b", "."} {
		if _, err := s.Accounts().Get(testServer, id); failure.ClassOf(err) != failure.Account {
			t.Errorf("id %q: %v", id, err)
		}
	}
	if _, err := s.Accounts().Choose(testServer, ""); !errors.Is(err, certbot.ErrNoAccount) {
		t.Errorf("none: %v", err)
	}
	_, err = s.Accounts().At("no url")
	class(t, err, failure.Usage)
	_, err = s.Accounts().PendingKey("https://ca.example/../../../../etc")
	class(t, err, failure.Usage)
}

func TestTheRemedyForAMissingAccountNamesWhatIsThere(t *testing.T) {
	s := newStore(t)
	_, err := s.Accounts().Get(testServer, "00ff")
	if want := string(failure.Do(failure.Register, testServer)); !strings.Contains(string(failure.RemedyOf(err)), want) {
		t.Errorf("no account: %q lacks %s", failure.RemedyOf(err), want)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	a, err := s.Accounts().Save(testAccount(t, key))
	must(t, err)
	_, err = s.Accounts().Get(testServer, "00ff")
	if want := string(failure.Do(failure.OtherAccount, a.ID)) + "."; !strings.HasSuffix(string(failure.RemedyOf(err)), want) {
		t.Errorf("another account: %q lacks %s", failure.RemedyOf(err), want)
	}
}

func testAccount(t *testing.T, key crypto.Signer) certbot.Account {
	return certbot.Account{Server: testServer, URL: "https://ca.example/acct/1", Key: key, Host: "www1", Created: time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)}
}

func TestCertbotReadsAccountsThatWeMade(t *testing.T) {
	s := newStore(t)
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	must(t, err)
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	must(t, err)
	pending, err := s.Accounts().PendingKey(testServer)
	must(t, err)
	ids := map[string]crypto.Signer{}
	for _, key := range []crypto.Signer{pending, p384, rsaKey} {
		a, err := s.Accounts().Save(testAccount(t, key))
		must(t, err)
		ids[a.ID] = key
	}
	var found []struct{ ID, URI, Slug, Key string }
	certbotAccounts(t, s, &found, "list")
	if len(found) != 3 {
		t.Fatalf("certbot finds %v", found)
	}
	for _, f := range found {
		if f.URI != "https://ca.example/acct/1" || f.Slug != "www1@2026-01-02T03:04:05Z ("+f.ID[:4]+")" {
			t.Errorf("certbot finds %+v", f)
		}
		ours, err := certbot.FormatJWK(ids[f.ID])
		must(t, err)
		if f.Key != string(ours) {
			t.Errorf("certbot writes the key as %s, we as %s", f.Key, ours)
		}
	}
}

func TestAnAccountsFilesLookAsCertbotsDo(t *testing.T) {
	s := newStore(t)
	key, err := s.Accounts().PendingKey(testServer)
	must(t, err)
	again, err := s.Accounts().PendingKey(testServer)
	must(t, err)
	if !key.(*ecdsa.PrivateKey).Equal(again) || key.(*ecdsa.PrivateKey).Curve != elliptic.P256() {
		t.Fatal("the pending key changes, or is no P-256 key")
	}
	pending := filepath.Join(s.Dirs.Config, "orderly/new-accounts/ca.example:14000/dir/private_key.json")
	if mode(t, pending) != 0o600 {
		t.Errorf("the pending key has mode %v", mode(t, pending))
	}
	a, err := s.Accounts().Save(testAccount(t, key))
	must(t, err)
	if _, err := os.Stat(pending); !os.IsNotExist(err) {
		t.Error("the pending key is still there:", err)
	}
	if a.Dir != filepath.Join(s.Dirs.Config, "accounts/ca.example:14000/dir", a.ID) {
		t.Error(a.Dir)
	}
	for dir := a.Dir; dir != s.Dirs.Config; dir = filepath.Dir(dir) {
		if mode(t, dir) != 0o700 {
			t.Errorf("%s has mode %v", dir, mode(t, dir))
		}
	}
	if mode(t, a.Dir, "private_key.json") != 0o400 || mode(t, a.Dir, "regr.json") != 0o644 || mode(t, a.Dir, "meta.json") != 0o644 {
		t.Error("wrong modes")
	}
	if got := read(t, a.Dir, "regr.json"); got != `{"body": {}, "uri": "https://ca.example/acct/1"}` {
		t.Error(got)
	}
	if got := read(t, a.Dir, "meta.json"); got != `{"creation_dt": "2026-01-02T03:04:05Z", "creation_host": "www1"}` {
		t.Error(got)
	}
}

func TestSavingAnAccountSurvivesAKillAtAnyStep(t *testing.T) {
	for k := 0; ; k++ {
		s := newStore(t)
		key, err := s.Accounts().PendingKey(testServer)
		must(t, err)
		step := dieAt(s, k, func(step string) {
			if found, err := s.Accounts().At(testServer); err != nil || (len(found) == 1 && found[0].URL == "") {
				t.Errorf("at %q: %+v, %v", step, found, err)
			}
		}, func() {
			_, err := s.Accounts().Save(testAccount(t, key))
			must(t, err)
		})
		found, err := s.Accounts().At(testServer)
		must(t, err)
		if len(found) == 0 {
			again, err := s.Accounts().PendingKey(testServer)
			must(t, err)
			if !again.(*ecdsa.PrivateKey).Equal(key) {
				t.Fatalf("after death at %q another key would be registered", step)
			}
		}
		_, err = s.Accounts().Save(testAccount(t, key))
		must(t, err)
		if found, err = s.Accounts().At(testServer); err != nil || len(found) != 1 {
			t.Fatalf("after death at %q and saving again: %v, %v", step, found, err)
		}
		if entries, err := os.ReadDir(found[0].Dir); err != nil || len(entries) != 3 {
			t.Errorf("after death at %q: %v, %v", step, entries, err)
		}
		if step == "" {
			if k < 8 {
				t.Errorf("only %d steps", k)
			}
			return
		}
	}
}

func TestTwoFirstRunsGetOneKey(t *testing.T) {
	s := newStore(t)
	keys := make(chan crypto.Signer, 8)
	for range cap(keys) {
		go func() {
			key, err := s.Accounts().PendingKey(testServer)
			if err != nil {
				t.Error(err)
			}
			keys <- key
		}()
	}
	var first []byte
	for range cap(keys) {
		text, err := certbot.FormatJWK(<-keys)
		must(t, err)
		if first == nil {
			first = text
		}
		if !bytes.Equal(first, text) {
			t.Error("two keys for one account")
		}
	}
}

func TestDamagedAccountsAreNotTakenForNone(t *testing.T) {
	s := newStore(t)
	key, err := s.Accounts().PendingKey(testServer)
	must(t, err)
	good, err := s.Accounts().Save(testAccount(t, key))
	must(t, err)
	bad := filepath.Join(filepath.Dir(good.Dir), "ffff")
	write(t, filepath.Join(bad, "regr.json"), "{", 0o644)
	write(t, filepath.Join(bad, "meta.json"), "{}", 0o644)
	write(t, filepath.Join(bad, "private_key.json"), "{}", 0o400)
	write(t, filepath.Join(filepath.Dir(good.Dir), "unfinished", "private_key.json"), "{}", 0o400)
	write(t, filepath.Join(filepath.Dir(good.Dir), "a file"), "", 0o400)
	found, err := s.Accounts().At(testServer)
	must(t, err)
	if len(found) != 1 || found[0].ID != good.ID {
		t.Errorf("found %v", found)
	}
	must(t, os.Rename(good.Dir, filepath.Join(s.Dirs.Config, "gone")))
	_, err = s.Accounts().Choose(testServer, "")
	class(t, err, failure.Account)
	if errors.Is(err, certbot.ErrNoAccount) || !strings.Contains(err.Error(), bad) {
		t.Errorf("a damaged account is told as %v", err)
	}
	_, err = s.Accounts().Get(testServer, "ffff")
	class(t, err, failure.Account)
	must(t, os.Chmod(filepath.Join(bad, "regr.json"), 0o644))
	for file, text := range map[string]string{
		"regr.json":        `{"body": {}}`,
		"private_key.json": `{"kty":"oct","k":"AAAA"}`,
	} {
		write(t, filepath.Join(bad, "regr.json"), `{"uri": "https://ca.example/1"}`, 0o644)
		write(t, filepath.Join(bad, "meta.json"), `{}`, 0o644)
		write(t, filepath.Join(bad, file), text, 0o600)
		if _, err := s.Accounts().Get(testServer, "ffff"); failure.ClassOf(err) != failure.Account || !strings.Contains(err.Error(), bad) {
			t.Errorf("%s: %v", file, err)
		}
	}
}

func TestAccountsOfTheFirstProtocolVersionAreReused(t *testing.T) {
	const v2 = "https://acme-v02.api.letsencrypt.org/directory"
	s := newStore(t)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	old := testAccount(t, key)
	old.Server, old.URL = "https://acme-v01.api.letsencrypt.org/directory", "https://acme-v01.api.letsencrypt.org/acme/reg/7"
	old, err = s.Accounts().Save(old)
	must(t, err)
	check := func(what string) {
		t.Helper()
		a, err := s.Accounts().Choose(v2, "")
		if err != nil || a.ID != old.ID || a.URL != old.URL {
			t.Errorf("%s: %+v, %v", what, a, err)
		}
		if a, err = s.Accounts().Get(v2, old.ID); err != nil || a.URL != old.URL {
			t.Errorf("%s: %+v, %v", what, a, err)
		}
	}
	check("without a link")
	accounts := filepath.Join(s.Dirs.Config, "accounts")
	dir := filepath.Join(accounts, "acme-v02.api.letsencrypt.org", "directory")
	must(t, os.MkdirAll(dir, 0o700))
	must(t, os.Symlink(old.Dir, filepath.Join(dir, old.ID)))
	check("a linked account")
	must(t, os.RemoveAll(dir))
	must(t, os.Symlink(filepath.Dir(old.Dir), dir))
	check("a linked directory")
	again := testAccount(t, key)
	again.Server, again.URL = v2, old.URL
	if a, err := s.Accounts().Save(again); err != nil || a.ID != old.ID {
		t.Errorf("saving through the link: %+v, %v", a, err)
	}
}

func TestAForeignPendingKeyStays(t *testing.T) {
	s := newStore(t)
	pending, err := s.Accounts().PendingKey(testServer)
	must(t, err)
	other, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	_, err = s.Accounts().Save(testAccount(t, other))
	must(t, err)
	still, err := s.Accounts().PendingKey(testServer)
	must(t, err)
	if !pending.(*ecdsa.PrivateKey).Equal(still) {
		t.Error("another account's save took the pending key away")
	}
	write(t, filepath.Join(s.Dirs.Config, "orderly/new-accounts/ca.example:14000/dir/private_key.json"), "torn", 0o600)
	_, err = s.Accounts().PendingKey(testServer)
	class(t, err, failure.Account)
}
