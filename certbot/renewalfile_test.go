package certbot_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"orderly/certbot"
	"orderly/failure"
)

const head = `version = 2.1.0
archive_dir = /etc/letsencrypt/archive/a.example
cert = /etc/letsencrypt/live/a.example/cert.pem
privkey = /etc/letsencrypt/live/a.example/privkey.pem
chain = /etc/letsencrypt/live/a.example/chain.pem
fullchain = /etc/letsencrypt/live/a.example/fullchain.pem
`

// readText reads a renewal file of that content.
func readText(t *testing.T, text string) (*certbot.Store, *certbot.Renewal, error) {
	t.Helper()
	s := newStore(t)
	path := s.Dirs.Renewal("a.example")
	write(t, path, text, 0o640)
	r, err := s.ReadRenewal(path)
	return s, r, err
}

func TestARenewalFileOfCertbotIsRead(t *testing.T) {
	_, r, err := readText(t, "renew_before_expiry = 20 days\n"+head+`
[renewalparams]
account = 0123
authenticator = webroot
server = https://acme-v01.api.letsencrypt.org/directory
webroot_path = /srv/a, /srv/b,
rsa_key_size = 4096
reuse_key = true
autorenew = False
must_staple = None
pre_hook = None
post_hook = "systemctl reload nginx, postfix"
renew_hook = /usr/local/bin/deploy "$RENEWED_LINEAGE"
preferred_chain = ISRG Root X1
unknown = %(x)s
[[webroot_map]]
a.example = /srv/a
*.b.example = /srv/b
post_hook = reload this, reload that
[acme_renewal_info]
ari_retry_after = 2026-05-01T03:04:05
`)
	must(t, err)
	want := certbot.Params{
		Account: "0123", Authenticator: "webroot", Server: "https://acme-v02.api.letsencrypt.org/directory",
		WebrootPath: []string{"/srv/a", "/srv/b"}, RSAKeySize: 4096, KeyType: "rsa", ReuseKey: true, AutorenewOff: true,
		PostHook: "systemctl reload nginx, postfix", DeployHook: `/usr/local/bin/deploy "$RENEWED_LINEAGE"`,
		PreferredChain: "ISRG Root X1", RenewBeforeExpiry: "20 days",
		WebrootMap: []certbot.Webroot{{Name: "a.example", Path: "/srv/a"}, {Name: "*.b.example", Path: "/srv/b"}},
		RetryAfter: time.Date(2026, 5, 1, 3, 4, 5, 0, time.Local),
	}
	if !reflect.DeepEqual(r.Params, want) {
		t.Errorf("got  %+v\nwant %+v", r.Params, want)
	}
	if r.Name != "a.example" || r.ArchiveDir != "/etc/letsencrypt/archive/a.example" || r.FullChain != "/etc/letsencrypt/live/a.example/fullchain.pem" {
		t.Errorf("%+v", r)
	}
}

func TestUnreadableRenewalFilesNameLineAndRemedy(t *testing.T) {
	params := head + "[renewalparams]\n"
	for name, c := range map[string]struct{ text, want, remedy string }{
		"empty":            {"", "a.example.conf is empty", "Remove the file"},
		"bare word":        {head + "oops\n", "does not parse: line 7: neither", "Correct"},
		"duplicate key":    {head + "cert = x\n", `line 7: duplicate key "cert"`, "Remove one of the two"},
		"no link":          {strings.Replace(head, "chain =", "# chain =", 1), "missing a required file reference: chain", "Write the line chain = "},
		"no params":        {head, "lacks the section [renewalparams]", string(failure.Do(failure.ObtainAt, "a.example", "NAME"))},
		"comma in a word":  {params + "server = a, b\n", "line 8: the comma makes a list of the value of server", "double quotes"},
		"relative link":    {strings.Replace(params, "/etc/letsencrypt/live/a.example/cert", "live/a.example/cert", 1), "line 3: cert is no absolute path", "Write the line cert = /"},
		"no challenge":     {params + "pref_challs = http, tls-sni-01\n", "line 8: Unrecognized challenges: tls-sni-01", "http-01,"},
		"small key":        {params + "rsa_key_size = 1024\n", "line 8: no CA accepts an RSA key of 1024 bits", "2048"},
		"curve":            {params + "key_type = ecdsa\nelliptic_curve = secp256k1\n", "line 9: Unsupported elliptic curve: secp256k1", "secp256r1"},
		"key type":         {params + "key_type = dsa\n", "line 8: Invalid key_type specified: dsa", "rsa or ecdsa"},
		"negative port":    {params + "http01_port = -1\n", "line 8: expected a number for http01_port", "Correct"},
		"NUL bytes":        {strings.Repeat("\x00", 600), "a.example.conf is empty but for blanks or NUL bytes", "Remove the file"},
		"interpolation":    {params + "\npre_hook = date +%(x)s\n", "line 9: the value of pre_hook holds an interpolation", "without %(…)s"},
		"bool":             {params + "reuse_key = yes\n", `line 8: expected True or False for reuse_key but found "yes"`, "Correct"},
		"number":           {params + "rsa_key_size = big\n", "line 8: expected a number for rsa_key_size", "Correct"},
		"link with comma":  {strings.Replace(params, "/live/a.example/cert", "/live/a, b/cert", 1), "line 3: the comma", "double quotes"},
		"unbalanced quote": {params + "pre_hook = \"x\n", "line 8: badly quoted", "Correct"},
	} {
		t.Run(name, func(t *testing.T) {
			s, _, err := readText(t, c.text)
			class(t, err, failure.RenewalFile)
			if !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), s.Dirs.Renewal("a.example")) {
				t.Errorf("error %q, want %q", err, c.want)
			}
			if !strings.Contains(string(failure.RemedyOf(err)), c.remedy) {
				t.Errorf("remedy %q, want %q", failure.RemedyOf(err), c.remedy)
			}
		})
	}
	s := newStore(t)
	_, err := s.ReadRenewal(s.Dirs.Renewal("none"))
	if !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("missing: %v", err)
	}
}

func TestTheWebrootIsTheMapsOtherwiseTheLastPath(t *testing.T) {
	params := head + "[renewalparams]\n"
	for name, c := range map[string]struct{ text, root, err string }{
		"map wins":        {"webroot_path = /srv/x,\n[[webroot_map]]\na.example = /srv/a\n", "/srv/a", ""},
		"last path":       {"webroot_path = /srv/x, /srv/y\n[[webroot_map]]\nb.example = /srv/b\n", "/srv/y", ""},
		"path as string":  {"webroot_path = /srv/x\n", "/srv/x", ""},
		"empty map":       {"webroot_path = /srv/x,\n[[webroot_map]]\n", "/srv/x", ""},
		"neither":         {"[[webroot_map]]\n", "", "no document root is configured for a.example"},
		"empty list":      {"webroot_path = ,\n", "", "no document root is configured for a.example"},
		"empty entry":     {"webroot_path = /srv/x,\n[[webroot_map]]\na.example = \"\"\n", "", "line 10: the document root of a.example is empty"},
		"relative":        {"webroot_path = srv,\n", "", `the document root of a.example is no absolute path: "srv"`},
		"comma behind":    {"[[webroot_map]]\na.example = /srv/a,\n", "/srv/a", ""},
		"capitals":        {"webroot_path = /srv/x,\n[[webroot_map]]\nA.Example = /srv/a\n", "/srv/a", ""},
		"single brackets": {"[webroot_map]\na.example = /srv/a\n", "/srv/a", ""},
		"list for a path": {"[[webroot_map]]\na.example = /srv/a, b\n", "", "line 9: the document root of a.example is empty or no path"},
	} {
		_, r, err := readText(t, params+c.text)
		must(t, err)
		root, err := r.Webroot("a.example")
		if root != c.root || (c.err == "") != (err == nil) {
			t.Errorf("%s: %q, %v", name, root, err)
		}
		if c.err == "" {
			continue
		}
		if class(t, err, failure.WebrootUnset); !strings.Contains(err.Error(), c.err) || !strings.Contains(string(failure.RemedyOf(err)), string(failure.Do(failure.NameRoot, "a.example"))) {
			t.Errorf("%s: %v (%s)", name, err, failure.RemedyOf(err))
		}
	}
}

const untouched = head + `
# a comment
[renewalparams]
account = 0123
authenticator = webroot   # ours
server = https://acme-v01.api.letsencrypt.org/directory
autorenew = TRUE
pre_hook = None
rsa_key_size = 04096
webroot_path = "/srv/a",
dns_foo_credentials = /root/x
[[webroot_map]]
a.example = '/srv/a'
junk = x, y
[acme_renewal_info]
ari_retry_after = 2026-05-01T03:04:05`

func TestWhatReadsTheSameIsNotRewritten(t *testing.T) {
	s, r, err := readText(t, untouched)
	must(t, err)
	p := r.Params
	p.KeyType = ""
	must(t, s.WriteRenewal(r, p))
	if got := read(t, r.Path); got != untouched {
		t.Errorf("got:\n%s", got)
	}
	must(t, s.WriteRenewal(r, certbot.Params{}))
	if got := read(t, r.Path); got != untouched {
		t.Errorf("got:\n%s", got)
	}
}

func TestSettingsAreChangedInTheirPlace(t *testing.T) {
	s, r, err := readText(t, untouched)
	must(t, err)
	must(t, s.WriteRenewal(r, certbot.Params{
		Account: "4567", Server: testServer, KeyType: "ecdsa", EllipticCurve: "secp384r1", PostHook: "a, b", DeployHook: `it's "x"`,
		ReuseKey: true, AutorenewOff: true, RSAKeySize: 3072, RenewBeforeExpiry: "10 days",
		WebrootPath: []string{"/srv/b"}, WebrootMap: []certbot.Webroot{{Name: "b.example", Path: "/srv/b"}},
		Remove: []string{"pre_hook"},
	}))
	want := strings.NewReplacer(
		"account = 0123", "account = 4567",
		"https://acme-v01.api.letsencrypt.org/directory", testServer,
		"autorenew = TRUE", "autorenew = False",
		"pre_hook = None\n", "",
		"rsa_key_size = 04096", "rsa_key_size = 3072",
		`webroot_path = "/srv/a",`, "webroot_path = /srv/b,",
		"/root/x\n", "/root/x\npost_hook = \"a, b\"\nrenew_hook = '''it's \"x\"'''\nkey_type = ecdsa\nelliptic_curve = secp384r1\nreuse_key = True\n",
		"a.example = '/srv/a'\njunk = x, y\n", "b.example = /srv/b\n",
		"fullchain.pem\n", "fullchain.pem\nrenew_before_expiry = 10 days\n",
	).Replace(untouched)
	if got := read(t, r.Path); got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
	if mode(t, r.Path) != 0o640 {
		t.Errorf("mode %v", mode(t, r.Path))
	}
	if r.Params.PostHook != "a, b" || r.Params.PreHook != "" || !r.Params.AutorenewOff {
		t.Errorf("the Renewal shows %+v", r.Params)
	}
	again, err := s.ReadRenewal(r.Path)
	must(t, err)
	if !reflect.DeepEqual(again.Params, r.Params) {
		t.Errorf("read again: %+v", again.Params)
	}
}

func TestTheDocumentRootsAreReplacedTogether(t *testing.T) {
	s, r, err := readText(t, head+"[renewalparams]\nwebroot_map = {}\nwebroot_path = /srv/x,\n")
	must(t, err)
	must(t, s.WriteRenewal(r, certbot.Params{WebrootMap: []certbot.Webroot{{Name: "a.example", Path: "/srv/a"}}}))
	if got, want := read(t, r.Path), head+"[renewalparams]\n[[webroot_map]]\na.example = /srv/a\n"; got != want {
		t.Errorf("got:\n%s", got)
	}
	must(t, s.WriteRenewal(r, certbot.Params{WebrootPath: []string{"/srv/y"}}))
	if got, want := read(t, r.Path), head+"[renewalparams]\nwebroot_path = /srv/y,\n"; got != want {
		t.Errorf("got:\n%s", got)
	}
}

func TestASettingThatTheFormatCannotHoldIsRefused(t *testing.T) {
	s, r, err := readText(t, untouched)
	must(t, err)
	err = s.WriteRenewal(r, certbot.Params{PostHook: "date +%(x)s"})
	class(t, err, failure.RenewalFile)
	if got := read(t, r.Path); got != untouched {
		t.Errorf("the file was changed:\n%s", got)
	}
}

func TestARenewalFileIsReplacedInOneInstant(t *testing.T) {
	for k := 0; ; k++ {
		s, r, err := readText(t, untouched)
		must(t, err)
		temp := filepath.Join(filepath.Dir(r.Path), ".a.example.conf.orderly-new")
		write(t, temp, "torn", 0o600)
		step := dieAt(s, k, func(string) {
			if _, err := s.ReadRenewal(r.Path); err != nil {
				t.Error(err)
			}
		}, func() { must(t, s.WriteRenewal(r, certbot.Params{Account: "4567"})) })
		if step != "" {
			continue
		}
		if _, err := os.Stat(temp); !os.IsNotExist(err) || k != 4 || !strings.Contains(read(t, r.Path), "account = 4567") {
			t.Errorf("%d steps, %v", k, err)
		}
		return
	}
}
