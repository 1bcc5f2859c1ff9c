package certbot_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"orderly/certbot"
)

// A hook that somebody wrote behind [[webroot_map]], where [renewalparams] has its own, is not lost with the next save.
func TestAnOverriddenHookStaysAsAComment(t *testing.T) {
	const lines = "renew_hook = \"\"\"systemctl reload nginx\nsystemctl reload postfix\"\"\" # both\n"
	store := &certbot.Store{Dirs: certbot.Dirs{Config: t.TempDir()}}
	path := store.Dirs.Renewal("a.example.com")
	live := filepath.Join(store.Dirs.Config, "live", "a.example.com")
	text := "version = 2.1.0\n"
	for _, kind := range []string{"cert", "privkey", "chain", "fullchain"} {
		text += kind + " = " + filepath.Join(live, kind+".pem") + "\n"
	}
	text += "[renewalparams]\nauthenticator = webroot\nrenew_hook = true\nkey_type = ecdsa\n[[webroot_map]]\na.example.com = /srv\npost_hook = systemctl start nginx\n" + lines
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		r, err := store.ReadRenewal(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := store.WriteRenewal(r, certbot.Params{KeyType: "rsa"}); err != nil {
			t.Fatal(err)
		}
	}
	after, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	r, err := store.ReadRenewal(path)
	if err != nil {
		t.Fatal(err)
	}
	kept := "# renew_hook = \"\"\"systemctl reload nginx\n# systemctl reload postfix\"\"\" # both\n"
	if strings.Count(string(after), kept) != 1 || r.Params.DeployHook != "true" || r.Params.PostHook != "systemctl start nginx" || len(r.Params.WebrootMap) != 1 {
		t.Errorf("%+v\n%s", r.Params, after)
	}
}
