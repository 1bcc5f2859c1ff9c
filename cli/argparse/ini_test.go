package argparse_test

import (
	"strings"
	"testing"

	"orderly/failure"
)

// configured is a command line with the system's and the user's cli.ini.
type configured struct {
	name         string
	system, user string
	given        string
	want         string
	err          string
	exit         int
}

func TestConfigurationFilesStandBeforeTheCommandLine(t *testing.T) {
	const debian = "# Because we are using logrotate\nmax-log-backups = 0\n# Adjust\npreconfigured-renewal = True\n"
	for _, c := range []configured{
		{name: "Debian's", system: debian, given: "renew", want: "renew --max-log-backups=0"},
		{name: "values", system: "email = a@b.example\nkey-type: rsa\nrsa-key-size 4096", given: "certonly --webroot",
			want: "certonly --email=a@b.example --key-type=rsa --rsa-key-size=4096 --webroot"},
		{name: "the command line counts more", system: "email = a@b.example", given: "certonly -m c@d.example", want: "certonly --email=c@d.example"},
		{name: "also abbreviated", system: "email = a@b.example", given: "certonly --ema c@d.example", want: "certonly --email=c@d.example"},
		{name: "also by another spelling", system: "domains = a.example", given: "certonly -d b.example", want: "certonly --domain=b.example"},
		{name: "the user's counts more", system: "email = a@b.example\nagree-tos = true", user: "email = c@d.example", given: "certonly",
			want: "certonly --agree-tos --email=c@d.example"},
		{name: "a no takes nothing back", system: "agree-tos = true", user: "agree-tos = false", given: "certonly", want: "certonly --agree-tos"},
		{name: "switches", system: "agree-tos\nnon-interactive = yes\nexpand = no\nquiet = 1\ndry-run = 0", given: "certonly", want: "certonly --agree-tos --non-interactive --quiet"},
		{name: "verbose counts", system: "verbose = 3", given: "renew", want: "renew --verbose"},
		{name: "lists", system: "domains = [a.example, b.example]", given: "certonly", want: "certonly --domain=a.example --domain=b.example"},
		{name: "order is kept", system: "webroot-path = /tmp\ndomains = a.example", given: "certonly --webroot", want: "certonly --webroot-path=/tmp --domain=a.example --webroot"},
		{name: "authenticator", system: "authenticator = webroot", given: "certonly", want: "certonly --webroot"},
		{name: "authenticator elsewhere", system: "authenticator = nginx", given: "certificates", want: "certificates"},
		{name: "renew forgets domains", system: "domains = a.example", given: "renew", want: "renew"},
		{name: "for other verbs", system: "redirect = true\nhsts = true", given: "certonly --webroot", want: "certonly --webroot"},
		{name: "an abbreviated key", system: "rsa-key = 4096", given: "certonly", want: "certonly --rsa-key-size=4096"},
		{name: "directories of Orderly's own commands", system: "config-dir = /srv/le\nemail = a@b.example\nnonsense = 1", given: "pending --json", want: "pending --config-dir=/srv/le --json"},
		{name: "given directories", system: "config-dir = /srv/le", given: "order list --config-dir=x", want: "order list --config-dir=x"},
		{name: "the opposite on the command line", system: "reuse-key = true", given: "renew --no-reuse-key", want: "renew --no-reuse-key"},
		{name: "help reads none", system: "nonsense = 1", given: "renew --help", want: "renew --help"},

		{name: "an unknown key", system: "\n# x\nnonsense = 1", given: "renew", err: "cli.ini line 3: unrecognized arguments: --nonsense", exit: 2},
		{name: "underscores", system: "rsa_key_size = 4096", given: "renew", err: "cli.ini line 1: unrecognized arguments: --rsa_key_size", exit: 2},
		{name: "no key", system: "= b", given: "renew", err: "cli.ini line 1: Unexpected line = b", exit: 2},
		{name: "a switch with a value", system: "agree-tos = perhaps", given: "renew", err: "cli.ini line 1: Unexpected value for agree-tos: 'perhaps'. Expecting 'true', 'false', 'yes', 'no', '1' or '0'", exit: 2},
		{name: "an ambiguous key", system: "webroot-p = x\nno = x", given: "renew", err: "cli.ini line 2: ambiguous option: --no could match", exit: 2},
		{name: "a list for one value", system: "email = [a, b]", given: "renew", err: "cli.ini line 1: email can't be set to a list", exit: 2},
		{name: "a plugin", system: "authenticator = nginx", given: "certonly", err: "cli.ini line 1: --nginx: The requested nginx plugin does not appear to be installed", exit: 1},
		{name: "two ways", system: "authenticator = standalone", given: "certonly --webroot", err: "Too many flags setting configurators/installers/authenticators", exit: 1},
		{name: "what is refused", system: "no-verify-ssl = true", given: "renew", err: "cli.ini line 1: --no-verify-ssl: Orderly never talks to a CA", exit: 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			files := map[string]string{"/etc/cli.ini": c.system, "/home/cli.ini": c.user}
			got, err := rewrite("certbot", strings.Fields(c.given), []string{"/etc/cli.ini", "/home/cli.ini", "/missing/cli.ini"}, files)
			if c.err == "" && (err != nil || strings.Join(got.Args, " ") != c.want) {
				t.Errorf("%q, %v; not %q", strings.Join(got.Args, " "), err, c.want)
			}
			if c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err) || failure.ClassOf(err).ExitCode() != c.exit) {
				t.Errorf("%v (exit %d); not %q", err, failure.ClassOf(err).ExitCode(), c.err)
			}
		})
	}
}

func TestTheNamedFileCountsMostAmongFiles(t *testing.T) {
	files := map[string]string{"/etc/cli.ini": "email = a@b.example\nserver = https://a.example/dir", "mine.ini": "email = c@d.example"}
	got, err := rewrite("certbot", []string{"renew", "-nc", "mine.ini"}, []string{"/etc/cli.ini"}, files)
	if want := "renew --server=https://a.example/dir --email=c@d.example --non-interactive"; err != nil || strings.Join(got.Args, " ") != want {
		t.Errorf("%q, %v; not %q", got.Args, err, want)
	}
}
