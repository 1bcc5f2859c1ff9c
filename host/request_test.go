package host

import (
	"fmt"
	"strings"
	"testing"

	"orderly/certbot"
	"orderly/failure"
)

// lineage is one as certbot's store returns it.
func lineage(change func(*certbot.Params), names ...string) *certbot.Lineage {
	l := &certbot.Lineage{Name: "a.example", Renewal: &certbot.Renewal{Name: "a.example", Path: "/etc/renewal/a.example.conf"},
		Certificate: &certbot.Certificate{Names: names}}
	l.Renewal.Params = certbot.Params{Authenticator: "webroot", Server: "https://ca.example/dir", KeyType: "rsa", RSAKeySize: 3072, PreHook: "pre",
		PostHook: "post", DeployHook: "deploy", WebrootPath: []string{"/srv"}}
	for _, name := range names {
		l.Renewal.Params.WebrootMap = append(l.Renewal.Params.WebrootMap, certbot.Webroot{Name: strings.ToLower(name), Path: "/srv"})
	}
	if change != nil {
		change(&l.Renewal.Params)
	}
	return l
}

func TestTheRequestOfARenewalFile(t *testing.T) {
	r, err := FromFile(lineage(nil, "A.Example", "b.example"), Said{Hooks: Hooked{Deploy: Say("other")}})
	if err != nil {
		t.Fatal(err)
	}
	if want := (Commands{Pre: "pre", Post: "post", Deploy: "other"}); r.Hooks != want {
		t.Errorf("hooks %+v", r.Hooks)
	}
	if r.KeyType != "rsa" || r.RSABits != 3072 || r.Server != "https://ca.example/dir" || fmt.Sprint(r.Names) != "[a.example b.example]" ||
		r.Webroots["a.example"] != "/srv" || r.New || r.Lineage != "a.example" {
		t.Errorf("%+v", r)
	}
	for _, c := range []struct {
		change func(*certbot.Params)
		class  failure.Class
		says   string
	}{
		{func(p *certbot.Params) { p.Authenticator = "nginx" }, failure.RenewalFile, `"nginx"`},
		{func(p *certbot.Params) { p.Authenticator = "" }, failure.RenewalFile, "does not specify an authenticator"},
		{func(p *certbot.Params) { p.WebrootMap, p.WebrootPath = nil, nil }, failure.WebrootUnset, "a.example"},
	} {
		_, err := FromFile(lineage(c.change, "a.example", "b.example"), Said{})
		if failure.ClassOf(err) != c.class || !strings.Contains(err.Error(), c.says) || failure.RemedyOf(err) == "" {
			t.Errorf("%s: class %q, remedy %q: %v", c.says, failure.ClassOf(err), failure.RemedyOf(err), err)
		}
		if keeps := string(failure.Do(failure.NameRoot, "a.example")); !strings.Contains(string(failure.RemedyOf(err)), keeps) {
			t.Errorf("%s: remedy %q, want %s, which keeps the CA and the account", c.says, failure.RemedyOf(err), keeps)
		}
	}
}

func TestWhoseAccountRenews(t *testing.T) {
	p := certbot.Params{Server: "https://file/dir", Account: "file"}
	for _, c := range []struct {
		said            Said
		server, account string
	}{
		{Said{}, "https://file/dir", "file"},
		{Said{Account: "line"}, "https://file/dir", "line"},
		{Said{Server: "https://line/dir"}, "https://line/dir", ""},
		{Said{Server: "https://line/dir", Account: "line"}, "https://line/dir", "line"},
	} {
		if server, account := c.said.At(p); server != c.server || account != c.account {
			t.Errorf("%+v: %s at %s", c.said, account, server)
		}
	}
}
