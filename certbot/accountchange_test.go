package certbot_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
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

const (
	v01 = "https://acme-v01.api.letsencrypt.org/directory"
	v02 = "https://acme-v02.api.letsencrypt.org/directory"
)

func saveNew(t *testing.T, s *certbot.Store, server string) certbot.Account {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	a, err := s.Accounts().Save(certbot.Account{Server: server, URL: "https://ca.example/acct/1", Key: key, Created: time.Now(), Host: "here"})
	must(t, err)
	return a
}

// certbotDeletes lets certbot's own code delete an account.
func certbotDeletes(t *testing.T, s *certbot.Store, server, id string) {
	t.Helper()
	python(t, `
import sys
from certbot import configuration
from certbot._internal import account, cli
from certbot._internal.plugins import disco
config = configuration.NamespaceConfig(cli.prepare_and_parse_args(disco.PluginsRegistry.find_all(), ["--config-dir", sys.argv[1], "--server", sys.argv[2]]))
storage = account.AccountFileStorage(config)
storage.find_all()
storage.delete(sys.argv[3])
`, s.Dirs.Config, server, id)
}

func TestAnAccountIsDeletedAsCertbotDeletesIt(t *testing.T) {
	for name, layout := range map[string]func(dir1, dir2, id string) error{
		"alone":         func(string, string, string) error { return nil },
		"shared server": func(dir1, dir2, id string) error { return errors.Join(os.Rename(dir2, dir1), os.Symlink(dir1, dir2)) },
		"only ACMEv1":   func(dir1, dir2, id string) error { return os.Rename(dir2, dir1) },
		"shared account": func(dir1, dir2, id string) error {
			return errors.Join(os.MkdirAll(dir1, 0o700), os.Rename(dir2+"/"+id, dir1+"/"+id), os.Symlink(dir1+"/"+id, dir2+"/"+id))
		},
		"another beside": func(_, dir2, _ string) error { return os.Mkdir(dir2+"/other", 0o700) },
	} {
		t.Run(name, func(t *testing.T) {
			ours, theirs := newStore(t), newStore(t)
			var ids []string
			for _, s := range []*certbot.Store{ours, theirs} {
				a := saveNew(t, s, v02)
				dir1, dir2 := filepath.Join(s.Dirs.Config, "accounts", v01[8:]), filepath.Join(s.Dirs.Config, "accounts", v02[8:])
				must(t, os.MkdirAll(filepath.Dir(dir1), 0o700))
				must(t, layout(dir1, dir2, a.ID))
				ids = append(ids, a.ID)
			}
			must(t, ours.Accounts().Delete(v02, ids[0]))
			certbotDeletes(t, theirs, v02, ids[1])
			accounts := func(s *certbot.Store) string {
				left := tree(t, filepath.Join(s.Dirs.Config, "accounts"))
				return left
			}
			if strings.Contains(accounts(ours), ids[0]) {
				t.Errorf("left: %s", accounts(ours))
			}
			if found, err := ours.Accounts().At(v02); err != nil || len(found) != 0 {
				t.Errorf("still found: %v, %v", found, err)
			}
			if accounts(ours) != accounts(theirs) {
				t.Errorf("ours:\n%s\ncertbot:\n%s", accounts(ours), accounts(theirs))
			}
			err := ours.Accounts().Delete(v02, ids[0])
			if class(t, err, failure.Account); !strings.HasPrefix(err.Error(), "Account at ") {
				t.Error(err)
			}
		})
	}
	s := newStore(t)
	for _, id := range []string{"", "..", "a/b", "."} {
		class(t, s.Accounts().Delete(v02, id), failure.Account)
	}
}

func TestADeletionOfAnAccountThatWasCutShortLeavesNoAccount(t *testing.T) {
	for k := 0; ; k++ {
		s := newStore(t)
		a := saveNew(t, s, v02)
		step := dieAt(s, k, func(string) {}, func() { must(t, s.Accounts().Delete(v02, a.ID)) })
		if step == "" {
			if k < 4 {
				t.Errorf("only %d steps", k)
			}
			return
		}
		if k > 0 {
			_ = s.Accounts().Delete(v02, a.ID) // what is left may be nothing
			if found, err := s.Accounts().At(v02); err != nil || len(found) != 0 {
				t.Errorf("after death at %q: %v, %v", step, found, err)
			}
		}
	}
}

func TestAnAccountsRecordIsWrittenAsCertbotDoes(t *testing.T) {
	s := newStore(t)
	a := saveNew(t, s, testServer)
	regr := filepath.Join(a.Dir, "regr.json")
	write(t, regr, `{"body": {"contact": ["mailto:a@b.example"]}, "uri": "https://ca.example/acct/1", "new_authzr_uri": "x"}`, 0o600)
	must(t, s.Accounts().Update(a))
	if got := read(t, regr); got != `{"body": {}, "uri": "https://ca.example/acct/1"}` || mode(t, regr) != 0o600 {
		t.Errorf("%s, mode %v", got, mode(t, regr))
	}
	before, err := os.Stat(regr)
	must(t, err)
	must(t, s.Accounts().Update(a))
	if after, err := os.Stat(regr); err != nil || !os.SameFile(before, after) {
		t.Error("the same was written again")
	}
	a.Dir = filepath.Join(a.Dir, "gone")
	class(t, s.Accounts().Update(a), failure.Account)
}

func TestCommandsThatNeedAnAccountSaySoInCertbotsWords(t *testing.T) {
	s := newStore(t)
	_, err := s.Accounts().Require(testServer, "")
	if class(t, err, failure.Account); !errors.Is(err, certbot.ErrNoAccount) || err.Error() != "Could not find an existing account for server "+testServer+"." || failure.RemedyOf(err) == "" {
		t.Errorf("%v (%s)", err, failure.RemedyOf(err))
	}
	must(t, s.Accounts().NoDuplicate(testServer))
	a := saveNew(t, s, testServer)
	_, err = s.Accounts().Require("https://other.example/dir", "")
	if want := failure.Do(failure.OtherCA, testServer); !strings.Contains(string(failure.RemedyOf(err)), string(want)) {
		t.Errorf("the CA whose account is there is not named: %s", failure.RemedyOf(err))
	}
	if got, err := s.Accounts().Require(testServer, ""); err != nil || got.ID != a.ID {
		t.Error(err)
	}
	err = s.Accounts().NoDuplicate(testServer)
	if class(t, err, failure.Account); !strings.HasPrefix(err.Error(), "There is an existing account; registration of a duplicate account") {
		t.Error(err)
	}
	_, err = s.Accounts().Require(testServer, "ffff")
	class(t, err, failure.Account)
}

// python runs a script of Debian's Python.
func python(t *testing.T, script string, args ...string) {
	t.Helper()
	out, err := exec.Command("/usr/bin/python3", append([]string{"-c", script}, args...)...).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}
