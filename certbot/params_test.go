package certbot_test

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"orderly/certbot"
	"orderly/failure"
)

func TestEveryParameterOfCertbotIsReadAndWritten(t *testing.T) {
	text := head + `
[renewalparams]
installer = nginx
authenticator = dns-foo
config_dir = /etc/letsencrypt
work_dir = /var/lib/letsencrypt
logs_dir = /var/log/letsencrypt
user_agent = "ours, 1.0"
http01_address = 192.0.2.1
http01_port = 8080
rsa_key_size = None
pref_challs = dns, http-01
preferred_profile = shortlived
required_profile = classic
key_type = ecdsa
elliptic_curve = SECP384R1
deploy_hook = reload
dns_foo_credentials = /root/x
dns_foo_propagation_seconds = 60
nginx_server_root = /etc/nginx
manual_auth_hook = not this plugin's
`
	_, r, err := readText(t, text)
	must(t, err)
	want := certbot.Params{
		Installer: "nginx", Authenticator: "dns-foo", ConfigDir: "/etc/letsencrypt", WorkDir: "/var/lib/letsencrypt", LogsDir: "/var/log/letsencrypt",
		UserAgent: "ours, 1.0", HTTP01Address: "192.0.2.1", HTTP01Port: 8080, Challenges: []string{"dns-01", "http-01"},
		PreferredProfile: "shortlived", RequiredProfile: "classic", KeyType: "ecdsa", EllipticCurve: "SECP384R1", DeployHook: "reload",
		Plugin: []certbot.Setting{{Key: "dns_foo_credentials", Value: "/root/x"}, {Key: "dns_foo_propagation_seconds", Value: "60"}, {Key: "nginx_server_root", Value: "/etc/nginx"}},
	}
	if !reflect.DeepEqual(r.Params, want) {
		t.Errorf("got  %+v\nwant %+v", r.Params, want)
	}
	s, empty, err := readText(t, head+"[renewalparams]\n")
	must(t, err)
	must(t, s.WriteRenewal(empty, want))
	again, err := s.ReadRenewal(empty.Path)
	must(t, err)
	if !reflect.DeepEqual(again.Params, want) {
		t.Errorf("written and read: %+v\n%s", again.Params, read(t, empty.Path))
	}
	written := read(t, empty.Path)
	for _, line := range []string{"pref_challs = dns-01, http-01\n", "http01_port = 8080\n", "renew_hook = reload\n", "user_agent = \"ours, 1.0\"\n"} {
		if !strings.Contains(written, line) {
			t.Errorf("%q is missing:\n%s", line, written)
		}
	}
}

func TestAnySettingCanBeSetAndTakenAway(t *testing.T) {
	s, r, err := readText(t, head+"renew_before_expiry = 20 days\n[renewalparams]\nreuse_key = True # pinned\npost_hook = a\n[[webroot_map]]\na.example = /srv/a\nrenew_hook = b\n[acme_renewal_info]\nari_retry_after = 2026-05-01T03:04:05\n")
	must(t, err)
	if r.Params.DeployHook != "b" || len(r.Notes) != 1 {
		t.Errorf("deploy hook %q, notes %v", r.Params.DeployHook, r.Notes)
	}
	must(t, s.WriteRenewal(r, certbot.Params{
		Remove: []string{"deploy_hook", "post_hook", "renew_before_expiry", "ari_retry_after"},
		Set:    []certbot.Setting{{Key: "reuse_key", Value: "False"}, {Key: "dns_x", List: []string{"1", "2"}}, {Key: "deploy_hook", Value: "c"}},
	}))
	want := head + "[renewalparams]\nreuse_key = False # pinned\ndns_x = 1, 2\nrenew_hook = c\n[[webroot_map]]\na.example = /srv/a\n"
	if got := read(t, r.Path); got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
	must(t, s.WriteRenewal(r, certbot.Params{Remove: []string{"webroot_map"}}))
	if len(r.Params.WebrootMap) != 0 || strings.Contains(read(t, r.Path), "webroot_map") {
		t.Errorf("the map is still there: %+v", r.Params)
	}
	for _, bad := range []certbot.Setting{{Key: "webroot_map", Value: "x"}, {Key: ""}, {Key: "a=b", Value: "c"}, {Key: "post_hook", Value: "%(x)s"}} {
		r, err := s.ReadRenewal(r.Path)
		must(t, err)
		class(t, s.WriteRenewal(r, certbot.Params{Set: []certbot.Setting{bad}}), failure.RenewalFile)
	}
}

func TestCertonlyLeavesOnlyWhatItWasTold(t *testing.T) {
	s, r, err := readText(t, untouched)
	must(t, err)
	must(t, s.WriteRenewal(r, certbot.Params{
		Account: "4567", Authenticator: "webroot", Server: testServer, KeyType: "ecdsa", WebrootPath: []string{"/srv/b"},
		Set: []certbot.Setting{{Key: "must_staple", Value: "False"}}, Exactly: true,
	}))
	want := head + `
# a comment
[renewalparams]
account = 4567
authenticator = webroot   # ours
server = ` + testServer + `
webroot_path = /srv/b,
key_type = ecdsa
must_staple = False
[acme_renewal_info]
ari_retry_after = 2026-05-01T03:04:05`
	if got := read(t, r.Path); got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}

func TestRenewalInformationsTimeIsKeptAndMoved(t *testing.T) {
	s, r, err := readText(t, untouched)
	must(t, err)
	at := time.Date(2026, 5, 1, 3, 4, 5, 0, time.Local)
	if !r.Params.RetryAfter.Equal(at) {
		t.Errorf("read %v", r.Params.RetryAfter)
	}
	must(t, s.WriteRenewal(r, certbot.Params{RetryAfter: at.Add(300 * time.Millisecond)}))
	if got := read(t, r.Path); got != untouched {
		t.Errorf("the same second was written anew:\n%s", got)
	}
	must(t, s.WriteRenewal(r, certbot.Params{RetryAfter: at.Add(6 * time.Hour).UTC()}))
	if got, want := read(t, r.Path), strings.Replace(untouched, "T03:04:05", "T09:04:05", 1); got != want {
		t.Errorf("got:\n%s", got)
	}
	s, r, err = readText(t, head+"[renewalparams]\n[[webroot_map]]\na.example = /srv/a\n")
	must(t, err)
	must(t, s.WriteRenewal(r, certbot.Params{RetryAfter: at}))
	if got := read(t, r.Path); !strings.HasSuffix(got, "a.example = /srv/a\n[acme_renewal_info]\nari_retry_after = 2026-05-01T03:04:05\n") {
		t.Errorf("got:\n%s", got)
	}
	_, r, err = readText(t, head+"[renewalparams]\n[acme_renewal_info]\nari_retry_after = soon\n")
	must(t, err)
	if !r.Params.RetryAfter.IsZero() || len(r.Notes) != 1 || !strings.Contains(r.Notes[0].String(), "line 9: ari_retry_after is no time") {
		t.Errorf("%v, %v", r.Params.RetryAfter, r.Notes)
	}
}

func TestWhatWasMisplacedIsPutInItsPlaceAtTheNextSave(t *testing.T) {
	s, r, err := readText(t, head+`[renewalparams]
account = 0123
pre_hook = stop, now
user_agent = x,
[webroot_map]
a.example = /srv/a
b.example = /srv/b
post_hook = start, later # wanted
webroot_path = /srv/x,
`)
	must(t, err)
	must(t, s.WriteRenewal(r, certbot.Params{Account: "4567"}))
	want := head + `[renewalparams]
account = 4567
pre_hook = "stop, now"
user_agent = x
post_hook = "start, later"
webroot_path = /srv/x,
[[webroot_map]]
a.example = /srv/a
b.example = /srv/b
`
	if got := read(t, r.Path); got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
	s, r, err = readText(t, head+"[renewalparams]\naccount = 0123\n[[webroot_map]]\na.example = /srv/a\npost_hook = start, later # wanted\nwebroot_path = /srv/x,\nreuse_key = maybe\n")
	class(t, err, failure.RenewalFile)
	must(t, s.WriteRenewal(r, certbot.Params{Set: []certbot.Setting{{Key: "reuse_key", Value: "True"}}}))
	want = head + "[renewalparams]\naccount = 0123\npost_hook = \"start, later\"\nreuse_key = True\nwebroot_path = /srv/x,\n[[webroot_map]]\na.example = /srv/a\n"
	if got := read(t, r.Path); got != want || r.Unusable != nil {
		t.Errorf("got:\n%s\nwant:\n%s\n%v", got, want, r.Unusable)
	}
}

func TestALeftoverOfCertbotsRewriteGoes(t *testing.T) {
	s, r, err := readText(t, untouched)
	must(t, err)
	write(t, r.Path+".new", "torn", 0o644)
	must(t, s.WriteRenewal(r, certbot.Params{}))
	if read(t, r.Path+".new") != "torn" {
		t.Error("nothing was to be written")
	}
	must(t, s.WriteRenewal(r, certbot.Params{Account: "4567"}))
	if entries := list(t, s.Dirs.Config, "renewal"); len(entries) != 1 {
		t.Errorf("left: %v", entries)
	}
}

func TestSettingsThatCannotBeUsedDoNotHideTheCertificate(t *testing.T) {
	s := newStore(t)
	done := install(t, s, "a.example", issue(t, 10, "a.example"))
	conf := s.Dirs.Renewal("a.example")
	write(t, conf, strings.Replace(read(t, conf), "[renewalparams]", "[renewalparams]\nreuse_key = yes", 1), 0o644)
	_, err := s.Open("a.example")
	class(t, err, failure.RenewalFile)
	l, err := s.Look("a.example")
	must(t, err)
	class(t, l.Usable(), failure.RenewalFile)
	if found := s.FindByNames([]string{"a.example"}); found == nil || found.Name != "a.example" {
		t.Error("a NAME-0001 would be made beside it")
	}
	done = install(t, s, "a.example", issue(t, 90, "a.example"))
	if wrong := pairAt(done.Dir, ""); wrong != "" || done.Version != 2 || !strings.Contains(read(t, conf), "reuse_key = yes\n") {
		t.Errorf("version %d, %s", done.Version, wrong)
	}
}

// Settings that somebody changed since the Params were decided stay as they are; the others are written.
func TestMendedSettingsAreNotWrittenOver(t *testing.T) {
	s := newStore(t)
	first := testParams
	first.PreHook, first.PostHook, first.DeployHook, first.ReuseKey, first.RSAKeySize = "old pre", "old post", "old deploy", true, 3072
	first.RenewBeforeExpiry, first.WebrootFrom, first.Challenges = "20 days", "old command", []string{"http-01"}
	first.Plugin = []certbot.Setting{{Key: "webroot_x", Value: "old"}}
	_, err := s.Install("a.example", issue(t, 9, "a.example"), first)
	must(t, err)
	conf := s.Dirs.Renewal("a.example")
	since := read(t, conf)
	edits := []string{"old pre", "new pre", "renew_hook = old deploy\n", "", "reuse_key = True\n", "", "rsa_key_size = 3072", "rsa_key_size = 4096",
		"20 days", "25 days", "old command", "new command", "/srv/a\n", "/srv/new\n", "webroot_x = old", "webroot_x = new", "http-01,", "dns-01,"}
	text := since
	for i := 0; i < len(edits); i += 2 {
		if !strings.Contains(text, edits[i]) {
			t.Fatalf("no %q in %s", edits[i], text)
		}
		text = strings.Replace(text, edits[i], edits[i+1], 1)
	}
	write(t, conf, text, 0o644)
	next := first
	next.PostHook, next.PreferredChain, next.Since = "brought by a flag", "Root X", since
	next.Remove = []string{"required_profile", "rsa_key_size", "renew_before_expiry"}
	m := issue(t, 90, "a.example")
	for range 2 { // the second time as after a kill
		_, err = s.Install("a.example", m, next)
		must(t, err)
		l, err := s.Open("a.example")
		must(t, err)
		p := l.Renewal.Params
		want := first
		want.PreHook, want.PostHook, want.DeployHook, want.ReuseKey, want.RSAKeySize = "new pre", "brought by a flag", "", false, 4096
		want.RenewBeforeExpiry, want.WebrootFrom, want.Challenges, want.PreferredChain = "25 days", "new command", []string{"dns-01"}, "Root X"
		want.WebrootMap, want.Plugin = []certbot.Webroot{{Name: "a.example", Path: "/srv/new"}}, []certbot.Setting{{Key: "webroot_x", Value: "new"}}
		if p.RenewBeforeExpiry == "" { // nine days are fewer; the file is what counts here
			p.RenewBeforeExpiry = "25 days"
		}
		if !reflect.DeepEqual(p, want) {
			t.Errorf("%+v\nnot %+v", p, want)
		}
	}
	if !strings.Contains(read(t, conf), "renew_before_expiry = 25 days") {
		t.Error(read(t, conf))
	}
}
