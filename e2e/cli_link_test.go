package e2e_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"orderly/testca"
)

// linked runs the program by the name of certbot, with the host's directories.
func (h *host) linked(args ...string) result {
	h.t.Helper()
	link := filepath.Join(h.dir, "bin", "certbot")
	if _, err := os.Lstat(link); err != nil {
		if err := os.MkdirAll(filepath.Dir(link), 0o755); err != nil {
			h.t.Fatal(err)
		}
		if err := os.Symlink(program, link); err != nil {
			h.t.Fatal(err)
		}
	}
	return h.spawn(link, slices.Concat(args, h.dirs())...).wait()
}

// says wants a run's exit code, and lines on stdout and stderr.
func (h *host) says(r result, code int, stdout, stderr []string) {
	h.t.Helper()
	if r.code != code {
		h.t.Errorf("exit %d, not %d: %s", r.code, code, r)
	}
	for _, want := range stdout {
		if !strings.Contains(r.stdout, want) {
			h.t.Errorf("stdout lacks %q: %s", want, r)
		}
	}
	for _, want := range stderr {
		if !strings.Contains(r.stderr, want) {
			h.t.Errorf("stderr lacks %q: %s", want, r)
		}
	}
}

const frame = "- - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - -"

// A hosting provider's calls, as they stand in its scripts, find the strings that they look for.
func TestAScriptsCallsWorkThroughALinkNamedCertbot(t *testing.T) {
	t.Parallel()
	w := newWorld(t, withPebbleDates())
	h := w.host("one")
	names := []string{"a.example.com", "www.a.example.com"}
	root := w.site(names...)
	saving := []string{"Saving debug log to " + filepath.Join(h.logs, "orderly.log")}
	call := []string{"certonly", "--webroot", "--webroot-path", root, "-d", names[0], "-d", names[1], "-n", "--server", w.ca.DirectoryURL()}

	live := filepath.Join(h.config, "live", names[0])
	h.says(h.linked(append(call, "--agree-tos", "--register-unsafely", "--preconf")...), 0, []string{
		"Account registered.\n", "Requesting a certificate for a.example.com and www.a.example.com\n",
		"\nSuccessfully received certificate.\nCertificate is saved at: " + live + "/fullchain.pem\nKey is saved at:         " + live + "/privkey.pem\nThis certificate expires on ",
		"These files will be updated when the certificate renews.\n\nNEXT STEPS:\n", // no schedule runs this program, whatever Debian's cli.ini says
	}, saving)
	accounts, err := filepath.Glob(filepath.Join(h.config, "accounts", "*", "dir", "*"))
	if err != nil || len(accounts) != 1 {
		t.Fatalf("accounts: %v, %v", accounts, err)
	}
	account := filepath.Base(accounts[0])

	h.says(h.linked(append(call, "--account", account)...), 0, []string{
		"\nCertificate not yet due for renewal\n", frame + "\nCertificate not yet due for renewal; no action taken.\n"}, saving)
	h.says(h.linked("renew", "--account", account, "--post-hook", "touch "+filepath.Join(w.dir, "X")), 0, []string{
		"\n" + frame + "\nProcessing " + h.conf(names[0]) + "\n" + frame + "\n", "\nCertificate not yet due for renewal\n",
		"\n" + frame + "\nThe following certificates are not due for renewal yet:\n  " + live + "/fullchain.pem expires on ",
		" (skipped)\nNo renewals were attempted.\nNo hooks were run.\n" + frame + "\n"}, saving)
	h.says(h.linked("renew", "--force-renewal", "--post-hook", "touch "+filepath.Join(w.dir, "X"), "--no-random-sleep-on-renew"), 0, []string{
		"Renewing an existing certificate for a.example.com and www.a.example.com\n", "Congratulations, all renewals succeeded: \n  " + live + "/fullchain.pem (success)\n"}, saving)
	if _, err := os.Stat(filepath.Join(w.dir, "X")); err != nil {
		t.Errorf("the post-hook: %v", err)
	}
	h.says(h.linked("certificates"), 0, []string{"Certificate Name: a.example.com\n", "Domains: a.example.com www.a.example.com\n", "(VALID: 89 days)"}, nil)
	if r := h.linked("renew", "-q"); r.code != 0 || r.stdout+r.stderr != "" {
		t.Errorf("renew -q: %s", r)
	}
	h.says(h.linked("delete", "--cert-name", names[0], "-n"), 0, []string{"Deleted all files relating to certificate a.example.com."}, nil)
}

func TestTheVersionIsOneThatScriptsUnderstand(t *testing.T) {
	t.Parallel()
	h := newWorld(t, testca.Config{}).host("one")
	for _, args := range [][]string{{"--version"}, {"renew", "--version"}} {
		r := h.linked(args...)
		if !regexp.MustCompile(`^certbot \d+\.\d+\.\d+\n$`).MatchString(r.stdout) || r.stderr != "" || r.code != 0 {
			t.Errorf("%v: %s", args, r)
		}
	}
	if r := h.spawn(program, "--version").wait(); !regexp.MustCompile(`^orderly \d+\.\d+\.\d+( \(commit [0-9a-f]{12}( with changes)?, \d{4}-\d\d-\d\d\))?\n$`).MatchString(r.stdout) {
		t.Errorf("by its own name: %s", r)
	}
}

// Wrong command lines end with certbot's exit code and its last line.
func TestWrongCommandLinesEndAsCertbotEndsThem(t *testing.T) {
	t.Parallel()
	h := newWorld(t, testca.Config{}).host("one")
	for _, args := range [][]string{
		{"certonly", "--frobnicate"}, {"renew", "word"}, {"certonly", "--cert-name"}, {"renew", "--max-log-backups=0", "--dry-run=yes"},
		{"certonly", "--domains", "-n"}, {"renew", "--no-such=1", "-x"},
	} {
		theirs, ours := h.certbot(args...), h.linked(args...)
		last := func(r result) string {
			for line := range strings.Lines(r.stderr) {
				if strings.HasPrefix(line, "certbot: error: ") {
					return line
				}
			}
			return ""
		}
		if theirs.code != ours.code || last(theirs) == "" || likeness(last(theirs)) != likeness(last(ours)) {
			t.Errorf("%v: certbot: %s\norderly: %s", args, theirs, ours)
		}
	}
}

// likeness leaves out in what order argparse lists a flag's spellings, and how it quotes.
func likeness(line string) string {
	line = strings.ReplaceAll(line, `"`, "'")
	fields := strings.Fields(line)
	for i, field := range fields {
		parts := strings.Split(strings.TrimSuffix(field, ":"), "/")
		slices.Sort(parts)
		fields[i] = strings.Join(parts, "/")
	}
	return strings.Join(fields, " ")
}
