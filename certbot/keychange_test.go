package certbot_test

import (
	"os"
	"path/filepath"
	"testing"

	"orderly/certbot"
	"orderly/failure"
)

// change makes an account and begins to change its key.
func change(t *testing.T, s *certbot.Store) (certbot.Account, *certbot.KeyChange) {
	t.Helper()
	a := saveNew(t, s, v02)
	c, err := s.Accounts().BeginKeyChange(a, certbot.ES256)
	must(t, err)
	return a, c
}

func TestAChangeOfKeyThatWasBegunIsTheOneThatGoesOn(t *testing.T) {
	s := newStore(t)
	a, c := change(t, s)
	again, err := s.Accounts().BeginKeyChange(a, certbot.ES256)
	must(t, err)
	if again.To != c.To || !again.Resumed || c.Resumed || again.Accepted {
		t.Errorf("%+v, then %+v", c, again)
	}
	must(t, s.Accounts().AcceptKeyChange(c))
	list, err := s.Accounts().KeyChanges()
	must(t, err)
	if len(list) != 1 || !list[0].Accepted || list[0].From != a.ID || list[0].URL != a.URL {
		t.Errorf("KeyChanges = %+v", list)
	}
	info, err := os.Stat(filepath.Join(s.Dirs.Config, "orderly", "key-changes", a.ID+".json"))
	must(t, err)
	if info.Mode().Perm() != 0o600 {
		t.Errorf("the record has mode %o", info.Mode().Perm())
	}
}

// Wherever a change is cut short, the account is one account, certbot reads it, and doing it again ends it.
func TestAKeyPutInPlaceLeavesOneAccountAtEveryStep(t *testing.T) {
	for _, step := range []string{"", "after write private_key.json aside", "after write private_key.json", "after rename account"} {
		t.Run(step, func(t *testing.T) {
			s := newStore(t)
			a, c := change(t, s)
			s.Trace = func(at string) {
				if at == step {
					panic(step)
				}
			}
			func() {
				defer func() { _ = recover() }()
				_, err := s.Accounts().InstallKey(c)
				must(t, err)
			}()
			s.Trace = nil
			accounts, err := s.Accounts().At(v02)
			must(t, err)
			if len(accounts) != 1 || accounts[0].URL != a.URL {
				t.Fatalf("Accounts = %+v", accounts)
			}
			now, err := s.Accounts().InstallKey(c)
			must(t, err)
			if now.ID != c.To || now.URL != a.URL || filepath.Base(now.Dir) != c.To || !now.Created.Equal(accounts[0].Created) {
				t.Errorf("InstallKey = %+v", now)
			}
			if _, err := s.Accounts().Get(v02, a.ID); failure.ClassOf(err) != failure.Account {
				t.Errorf("the former id still leads somewhere: %v", err)
			}
			must(t, s.Accounts().EndKeyChange(c))
			if list, err := s.Accounts().KeyChanges(); err != nil || len(list) != 0 {
				t.Errorf("KeyChanges = %v, %v", list, err)
			}
			python(t, `
import sys
from certbot import configuration
from certbot._internal import account, cli
from certbot._internal.plugins import disco
config = configuration.NamespaceConfig(cli.prepare_and_parse_args(disco.PluginsRegistry.find_all(), ["--config-dir", sys.argv[1], "--server", sys.argv[2]]))
found = [a.id for a in account.AccountFileStorage(config).find_all()]
assert found == [sys.argv[3]], found
`, s.Dirs.Config, v02, c.To)
		})
	}
}

func TestADamagedRecordOfAKeyIsNeverOverwritten(t *testing.T) {
	s := newStore(t)
	a, _ := change(t, s)
	path := filepath.Join(s.Dirs.Config, "orderly", "key-changes", a.ID+".json")
	must(t, os.WriteFile(path, []byte("{"), 0o600))
	if _, err := s.Accounts().BeginKeyChange(a, certbot.ES256); failure.ClassOf(err) != failure.Account || failure.RemedyOf(err) == "" {
		t.Errorf("BeginKeyChange = %v", err)
	}
	text, err := os.ReadFile(path)
	must(t, err)
	if string(text) != "{" {
		t.Error("it was overwritten")
	}
}
