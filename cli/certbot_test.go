package cli_test

// Called as certbot, the program says what scripts look for.

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"orderly/testca"
)

func TestPluginsAreListedAsCertbotListsThem(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testca.Config{})
	h := w.host("one")
	r := h.must("plugins", "-n")
	for _, text := range []string{"* webroot\nDescription: Place files in webroot directory\n" +
		"Interfaces: Authenticator, Plugin\n", "* standalone\nDescription: Spin up a temporary webserver\n", "* manual\n"} {
		r.says(t, 0, text)
	}
	h.must("plugins", "--installers").says(t, 0, "No plugins")
	h.must("plugins", "--prepare").says(t, 0, "Prep: True")
}

func TestAFailedValidationIsToldInCertbotsWords(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testca.Config{})
	h := w.host("one")
	elsewhere := filepath.Join(w.dir, "elsewhere")
	w.write(filepath.Join(elsewhere, "index.html"), "x")
	w.site("a.example.com")
	r := h.linked(append(h.certonly(elsewhere, "a.example.com"), "--skip-preflight", "http")...)
	h.says(r, 1, []string{
		"\nCertbot failed to authenticate some domains (authenticator: webroot). The Certificate Authority reported these problems:\n  Domain: a.example.com\n",
		"  Type:   unauthorized\n  Detail: ", "\nHint: "}, []string{"Some challenges have failed.\n",
		"Ask for help or search for solutions at https://community.letsencrypt.org. See the logfile " + filepath.Join(h.logs, "orderly.log") + " or re-run Certbot with -v for more details.\n"})
}

func TestTheCAsErrorsHaveCertbotsTitles(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testca.Config{})
	h := w.host("one")
	w.ca.Inject(testca.Fault{Kind: "new-order", Action: testca.Respond, Status: 429,
		Problem: "rateLimited", RetryAfter: "3600"})
	r := h.linked(h.certonly(w.site("a.example.com"), "a.example.com")...)
	h.says(r, 1, nil,
		[]string{"An unexpected error occurred:\nThere were too many requests of a given type :: ",
			"Ask for help or search for solutions"})
}

func TestABrokenRenewalFileIsToldInCertbotsWords(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testca.Config{})
	h := w.host("one")
	h.lineages("a.example.com")
	broken := filepath.Join(h.config, "renewal", "broken.conf")
	w.write(broken, "nonsense\n")
	h.says(h.linked("renew"), 1, []string{"Processing " + broken + "\n", "Processing " +
		h.conf("a.example.com") + "\n",
		"Additionally, the following renewal configurations were invalid: \n  " + broken + " (parsefail)\n"}, []string{
		"Renewal configuration file " + broken + " (cert: broken) produced an unexpected error: ", ". Skipping.\n",
		"0 renew failure(s), 1 parse failure(s)\n"})
}

func TestWhatCertbotInstallsIsRefusedWithAnotherWay(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testca.Config{})
	h := w.host("one")
	for _, args := range [][]string{
		{}, {"run"}, {"--nginx", "-d", "a.example.com"}, {"install"}, {"enhance", "--hsts"}, {"rollback"}, {"certonly", "--apache", "-d", "a.example.com"},
		{"certonly", "-a", "dns-route53", "-d", "*.example.com"}, {"certonly", "--webroot", "-w", w.dir, "-d", "a.example.com", "--redirect"},
	} {
		r := h.linked(args...)
		if r.code != 1 || r.stdout != "" || !strings.Contains(r.stderr, "remedy: ") ||
			!strings.Contains(r.stderr, "Ask for help") {
			t.Errorf("%v: %s", args, r)
		}
	}
	if n := w.requests(""); n != 0 {
		t.Errorf("%d requests were made", n)
	}
}

// What a cli.ini says is what the command line would say.
func TestAConfigurationFileIsObeyed(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testca.Config{})
	h := w.host("one")
	root := w.site("a.example.com")
	mine := filepath.Join(w.dir, "mine.ini")
	w.write(mine,
		"# ours\nserver = "+w.ca.DirectoryURL()+"\nauthenticator = webroot\nwebroot-path = "+root+"\ndomains = a.example.com\nagree-tos = True\nregister-unsafely-without-email\n"+
			"non-interactive = yes\nkey-type: rsa\nlongest-validation = 2s\n"+
			"jobs = 2\ndeploy-hook-once = touch "+w.dir+"/once\n") // renew's alone
	h.says(h.linked("certonly", "-c", mine), 0, []string{"Successfully received certificate."}, nil)
	if !strings.Contains(h.read(h.conf("a.example.com")), "key_type = rsa") {
		t.Errorf("the key type: %s", h.read(h.conf("a.example.com")))
	}
	h.says(h.linked("renew", "--config", mine), 0, []string{"No renewals were attempted."}, nil)
	h.says(h.linked("certificates", "--config", mine), 0, []string{"a.example.com"}, nil)
	if _, err := os.Stat(w.dir + "/once"); err == nil {
		t.Error("nothing was renewed, and renew's hook ran")
	}
	h.says(h.linked("renew", "--config", mine, "--force-renewal"), 0, []string{"all renewals succeeded"}, nil)
	if _, err := os.Stat(w.dir + "/once"); err != nil || strings.Contains(h.settings("a.example.com"), "once") {
		t.Errorf("%v: %s", err, h.settings("a.example.com"))
	}
	// HOME of the host is w.dir
	w.write(filepath.Join(w.dir, ".config", "letsencrypt", "cli.ini"), "frobnicate = 1\n")
	h.says(h.linked("renew"), 2, nil,
		[]string{filepath.Join(w.dir, ".config", "letsencrypt", "cli.ini") +
			" line 1: unrecognized arguments: --frobnicate"})
}

// -w and --webroot-map of renew take the place of what the renewal files say, and are kept.
func TestRenewTakesOtherDocumentRoots(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testca.Config{})
	h := w.host("one")
	h.lineages("a.example.com")
	for i, flag := range []func(string) []string{
		func(root string) []string { return []string{"-w", root} },
		func(root string) []string {
			return []string{"--webroot-map", `{"a.example.com": "` + root +
				`"}`}
		},
	} {
		root := w.site("root" + strconv.Itoa(i) + ".example.com")
		w.web.serve("a.example.com", root)
		h.must(append([]string{"renew", "--force-renewal"}, flag(root)...)...)
		h.must("renew", "--force-renewal")
		if !strings.Contains(h.read(h.conf("a.example.com")), root) {
			t.Errorf("%s is not kept: %s", root, h.read(h.conf("a.example.com")))
		}
	}
}
