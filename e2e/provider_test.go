package e2e_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"orderly/testca"
)

// customer is a provider's server, on which scripts call a program named certbot.
type customer struct {
	*host
	path string // of the program
	root string // document root of all names
}

// customers are two equal servers: on one Debian's certbot does the work, on the other Orderly under its name.
func customers(w *world) (debian, ours customer) {
	w.t.Helper()
	link := filepath.Join(w.dir, "bin", "certbot")
	if err := os.MkdirAll(filepath.Dir(link), 0o755); err != nil {
		w.t.Fatal(err)
	}
	if err := os.Symlink(program, link); err != nil {
		w.t.Fatal(err)
	}
	root := w.site("example.com", "www.example.com", "shop.example.com", "other.example.com")
	debian, ours = customer{w.host("debian"), debianCertbot, root}, customer{w.host("ours"), link, root}
	short, err := os.MkdirTemp("", "") // certbot breaks lines that are longer than they are with /etc/letsencrypt
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = os.RemoveAll(short) })
	debian.config, ours.config = filepath.Join(short, "d"), filepath.Join(short, "o")
	for _, c := range []customer{debian, ours} {
		c.setenv("XDG_CONFIG_HOME", c.home())
		c.write(filepath.Join(c.home(), "letsencrypt", "cli.ini"), fmt.Sprintf(
			"# made by the panel\nconfig-dir = %s\nwork-dir: %s\nlogs-dir = \"%s\"\nserver = %s  # the provider's own\npreconfigured-renewal = True\nmax-log-backups = 0\nno-random-sleep-on-renew = yes\n",
			c.config, c.working, c.logs, c.ca.DirectoryURL()))
	}
	return debian, ours
}

func (c customer) home() string { return filepath.Join(filepath.Dir(c.working), "xdg") }

// call runs a line of a script, with the host's own directory, account and configuration directory in it.
func (c customer) call(line string) result {
	c.t.Helper()
	own := []string{"ROOT", c.root, "ETC", c.config, "X", c.touched()}
	if strings.Contains(line, "ACCOUNT") {
		own = append(own, "ACCOUNT", c.account())
	}
	var args []string
	for i, part := range strings.Split(strings.NewReplacer(own...).Replace(line), "'") {
		if i%2 == 1 {
			args = append(args, part)
		} else {
			args = append(args, strings.Fields(part)...)
		}
	}
	return c.spawn(c.path, args...).wait()
}

// touched is what the scripts' post-hook makes.
func (c customer) touched() string { return filepath.Join(c.working, "reloaded") }

// visit is one call of a script, on both servers.
type visit struct {
	line   string
	before func(c customer) // nil for nothing
	after  func(c customer)
	silent bool   // the exit codes alone are the same: preflight refuses what certbot lets the CA find out
	but    string // what is not compared
}

func visits(t *testing.T) []visit {
	lost := func(c customer) {
		text, _, _ := strings.Cut(c.settings("example.com"), "[[webroot_map]]")
		c.write(c.conf("example.com"), regexp.MustCompile(`(?m)^webroot_path = .*\n`).ReplaceAllString(text, ""))
	}
	reloaded := func(c customer) {
		if err := os.Remove(c.touched()); err != nil {
			t.Errorf("the post-hook of %s: %v", c.path, err)
		}
	}
	return []visit{
		{line: "register --agree-tos --register-unsafely-without-email -n"},
		{line: "register --agree-tos -m admin@example.com -n"},
		{line: "show_account"},
		{line: "certonly --webroot --webroot-path ROOT --account ACCOUNT -d example.com -d www.example.com -n"},
		{line: "certonly --webroot --webroot-path ROOT --account ACCOUNT -d example.com -d www.example.com -n"},
		{line: "certonly --webroot -w ROOT -d example.com,www.example.com,shop.example.com -n"},
		{line: "auth -a webroot -w ROOT --domains example.com,www.example.com,shop.example.com --noninter --exp"},
		{line: "renew --account ACCOUNT --post-hook 'touch X'"},
		{line: "renew --account ACCOUNT --post-hook 'touch X' --force-renewal", after: reloaded},
		{line: "--dry renew", after: func(c customer) { reloaded(c); c.first(c.live("example.com", "cert.pem")) }},
		{line: "certificates"},
		{line: "certonly --webroot --webroot-pa=ROOT --acc=ACCOUNT --domains other.example.com -nq --keep"},
		{line: "certonly --webroot --webroot-path /nowhere -d example.com -n"},
		{line: "certonly --webroot -d fresh.example.com -n"},
		{line: "certonly --webroot -w ROOT -d unserved.example.com -n", silent: true},
		{line: "certonly --webroot -w ROOT --account 0123 -d fresh.example.com -n"},
		{line: "renew --cert-name none"},
		{line: "renew", before: func(c customer) { c.write(c.conf("broken"), "version = 2.1.0\n") }},
		{line: "certificates"},
		{line: "renew --force-renewal --cert-name example.com", before: func(c customer) { c.remove(c.conf("broken")); lost(c) },
			but: "^Renewing an existing certificate"}, // certbot makes an order, and leaves it pending
		{line: "delete --cert-name example.com -n"},
		{line: "revoke --cert-path ETC/live/other.example.com/cert.pem --reason superseded -n"},
		{line: "unregister -n"},
	}
}

// outGreps and errGreps are what scripts look for in certbot's output and in its messages.
func outGreps() []string {
	return []string{
		`^Account registered\.$`, `^Account deactivated\.$`, `^Account details for server https://.*:$`, `^  Account URL: https://`, `^  Email contact: none$`,
		`^Requesting a certificate for example\.com and www\.example\.com$`, `^Renewing an existing certificate for example\.com and 2 more domains$`,
		`^Successfully received certificate\.$`, `^Certificate is saved at: .*/live/example\.com/fullchain\.pem$`,
		`^Key is saved at:         .*/live/example\.com/privkey\.pem$`, `^This certificate expires on \d{4}-\d\d-\d\d\.$`,
		`^These files will be updated when the certificate renews\.$`,
		`^Certificate not yet due for renewal$`, `^Certificate not yet due for renewal; no action taken\.$`,
		`^Processing .*/renewal/example\.com\.conf$`, `^The following certificates are not due for renewal yet:$`,
		`^  .*/live/example\.com/fullchain\.pem expires on \d{4}-\d\d-\d\d \(skipped\)$`, `^No renewals were attempted\.$`, `^No hooks were run\.$`,
		`^Congratulations, all renewals succeeded: $`, `^Simulating renewal of an existing certificate for example\.com and 2 more domains$`,
		`^Congratulations, all simulated renewals succeeded: $`, `^  .*/live/example\.com/fullchain\.pem \(success\)$`,
		`^Additionally, the following renewal configurations were invalid: $`, `^  .*/renewal/broken\.conf \(parsefail\)$`,
		`^Found the following certs:$`, `^  Certificate Name: example\.com$`, `^  Certificate Name: other\.example\.com$`, `^    Serial Number: [0-9a-f]+$`,
		`^    Key Type: ECDSA$`, `^    Domains: .*example\.com`, `^    Expiry Date: \d{4}-\d\d-\d\d \d\d:\d\d:\d\d\+00:00 \(VALID: 89 days\)$`,
		`^    Certificate Path: .*/live/example\.com/fullchain\.pem$`, `^    Private Key Path: .*/live/example\.com/privkey\.pem$`,
		`^No certificates found\.$`, `^The following renewal configurations were invalid:$`, `^  .*/renewal/broken\.conf$`,
		`^Deleted all files relating to certificate example\.com\.$`,
		`^Congratulations! You have successfully revoked the certificate that was located at .*/live/other\.example\.com/cert\.pem\.$`,
	}
}

func errGreps() []string {
	return []string{
		`^There is an existing account; registration of a duplicate account with this command is currently unsupported\.$`,
		`^Missing command line flag or config entry for this setting:$`, `^\(You can set this with the --expand flag\)$`,
		`^You have an existing certificate that contains a portion of the domains you requested \(ref: .*/renewal/example\.com\.conf\)$`,
		`^/nowhere does not exist or is not a directory$`, `^Input the webroot for fresh\.example\.com:$`,
		`^Account at .*/accounts/.*/0123 does not exist$`, `^No certificate found with name none \(expected .*/renewal/none\.conf\)\.$`,
		`^\d renew failure\(s\), \d parse failure\(s\)$`, `^All renewals failed\. The following certificates could not be renewed:$`,
		`^  .*/live/example\.com/fullchain\.pem \(failure\)$`, `^Failed to renew certificate example\.com with error: `,
		`Renewal configuration file .*/broken\.conf `, `^usage: `,
	}
}

// found lists the patterns that have a line in text.
func found(patterns []string, text string) []string {
	return slices.DeleteFunc(slices.Clone(patterns), func(p string) bool { return !regexp.MustCompile("(?m)" + p).MatchString(text) })
}

// A hosting provider's calls, verbatim, with what is left to cli.ini: what scripts look for is there or not there as with
// Debian's certbot, with the same exit codes and the same files.
func TestAProvidersScriptsSeeNoDifference(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testca.Config{})
	debian, ours := customers(w)
	url := "" // of our account
	for _, v := range visits(t) {
		results := map[bool]result{}
		for _, c := range []customer{debian, ours} {
			if v.before != nil {
				v.before(c)
			}
			results[c == ours] = c.call(v.line)
			if v.after != nil {
				v.after(c)
			}
		}
		v.compare(t, results[false], results[true])
		if less, more := differ(debian.shape(), ours.shape()); len(less)+len(more) > 0 {
			t.Errorf("%s\nleft %q\nnot  %q", v.line, more, less)
		}
		if url == "" {
			url = decodeAs[struct{ URI string }](t, ours.read(filepath.Join(ours.accountDir(), "regr.json"))).URI
		}
	}
	truth := w.ca.Truth()
	if len(truth.Revoked) != 2 {
		t.Errorf("revoked is %v, not one of each", truth.Revoked)
	}
	truth.Orders = slices.DeleteFunc(truth.Orders, func(o testca.TruthOrder) bool { return o.Account != url })
	if truth.Pending() != 0 || len(unfinished(truth)) != 0 { // certbot leaves some
		t.Errorf("%d are pending, %v unfinished", truth.Pending(), unfinished(truth))
	}
}

// compare compares what two programs made of one call.
func (v visit) compare(t *testing.T, debian, ours result) {
	t.Helper()
	if ours.code != debian.code {
		t.Errorf("%s\nexit %d, certbot %d:\n%s\ncertbot: %s", v.line, ours.code, debian.code, ours, debian)
	}
	if v.silent {
		return
	}
	for _, stream := range []struct {
		greps        []string
		debian, ours string
	}{{outGreps(), debian.stdout, ours.stdout}, {errGreps(), debian.stderr, ours.stderr}} {
		greps := slices.DeleteFunc(stream.greps, func(p string) bool { return v.but != "" && strings.HasPrefix(p, v.but) })
		less, more := differ(found(greps, stream.debian), found(greps, stream.ours))
		if len(less)+len(more) > 0 {
			t.Errorf("%s\nlacks %q, has besides %q:\n%s\ncertbot: %s", v.line, less, more, ours, debian)
		}
	}
}

// differ lists what is in one list alone.
func differ(a, b []string) (onlyA, onlyB []string) {
	without := func(list, other []string) []string {
		return slices.DeleteFunc(slices.Clone(list), func(s string) bool { return slices.Contains(other, s) })
	}
	return without(a, b), without(b, a)
}

// shape lists the files of all lineages, and what the renewal files say. Orderly does not write where the directories are,
// nor certbot 2's comment about the interval. It notes, as certbot 5, when the CA may be asked again.
func (c customer) shape() []string {
	c.t.Helper()
	own := strings.NewReplacer(c.config, "ETC", c.touched(), "X", filepath.Base(c.accountDir()), "ACCOUNT")
	aside := regexp.MustCompile(`^(config_dir|work_dir|logs_dir) = |^# renew_before_expiry = 30 days|^\n$`)
	var all []string
	for _, dir := range []string{"live", "archive", "renewal"} {
		for _, path := range below(filepath.Join(c.config, dir)) {
			line := own.Replace(path)
			if to, err := os.Readlink(path); err == nil {
				line += " -> " + to
			}
			all = append(all, line)
			if dir != "renewal" {
				continue
			}
			for setting := range strings.Lines(unnoted(c.read(path))) {
				if !aside.MatchString(setting) {
					all = append(all, line+": "+own.Replace(setting))
				}
			}
		}
	}
	return all
}

// accountDir is the account's, or a word that is nowhere, where there is none any more.
func (c customer) accountDir() string {
	paths, _ := filepath.Glob(filepath.Join(c.config, "accounts", "*", "*", "*"))
	if len(paths) != 1 {
		return "no account"
	}
	return paths[0]
}

// decodeAs reads JSON that has no version.
func decodeAs[T any](t *testing.T, text string) T {
	t.Helper()
	var value T
	if err := json.Unmarshal([]byte(text), &value); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	return value
}
