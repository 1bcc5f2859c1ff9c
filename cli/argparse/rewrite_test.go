package argparse_test

import (
	"slices"
	"strings"
	"testing"

	"orderly/cli/argparse"
	"orderly/failure"
)

// rewriting is a command line and what cobra is to see of it, or the error.
type rewriting struct {
	given string
	want  string // joined by blanks
	err   string // a part of the error
	exit  int
}

func check(t *testing.T, program string, cases []rewriting) {
	t.Helper()
	for _, c := range cases {
		t.Run(c.given, func(t *testing.T) {
			got, err := rewrite(program, strings.Fields(c.given), nil, nil)
			if c.err == "" {
				if err != nil || strings.Join(got.Args, " ") != c.want {
					t.Errorf("%q, %v; not %q", strings.Join(got.Args, " "), err, c.want)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), c.err) || failure.ClassOf(err).ExitCode() != c.exit {
				t.Errorf("%v (exit %d); not %q (exit %d)", err, failure.ClassOf(err).ExitCode(), c.err, c.exit)
			}
		})
	}
}

func TestFlagsAreAbbreviatedAsArgparseAllows(t *testing.T) {
	check(t, "certbot", []rewriting{
		{given: "certonly --agree --webroot -d a.example", want: "certonly --agree-tos --webroot --domain=a.example"},
		{given: "renew --dry", want: "renew --dry-run"},
		{given: "renew --force-r", want: "renew --force-renewal"},
		{given: "certonly --domains a.example --domain b.example", want: "certonly --domain=a.example --domain=b.example"},
		{given: "certonly --dom a.example", want: "certonly --domain=a.example"},
		{given: "certonly --conf=x --config-d y", err: "ambiguous option: --conf could match", exit: 2},
		{given: "certonly --config-d y", want: "certonly --config-dir=y"},
		{given: "certonly --web", err: "ambiguous option: --web could match --webroot, --webroot-map, --webroot-path", exit: 2},
		{given: "renew --lo x", want: "renew --logs-dir=x"}, // as certbot, although Orderly has --longest-validation
		{given: "renew --lon 2s", want: "renew --longest-validation=2s"},
		{given: "renew --eab-h x", want: "renew --eab-hmac-key=x"}, // --eab-hmac-alg is younger
		{given: "renew --frobnicate", err: "unrecognized arguments: --frobnicate", exit: 2},
		{given: "renew --dry-runs", err: "unrecognized arguments: --dry-runs", exit: 2},
	})
}

func TestValuesAreAttachedOrFollow(t *testing.T) {
	check(t, "orderly", []rewriting{
		{given: "certonly --cert-name=a -d b", want: "certonly --cert-name=a --domain=b"},
		{given: "certonly -da.example", want: "certonly --domain=a.example"},
		{given: "certonly -d=a.example", want: "certonly --domain=a.example"},
		{given: "certonly --email=", want: "certonly --email="},
		{given: "certonly --cert-name", err: "argument --cert-name: expected one argument", exit: 2},
		{given: "certonly --cert-name --webroot", err: "argument --cert-name: expected one argument", exit: 2},
		{given: "certonly --cert-name -- a", err: "expected one argument", exit: 2},
		{given: "certonly --cert-name -1", want: "certonly --cert-name=-1"},
		{given: "certonly --cert-name --", err: "expected one argument", exit: 2},
		{given: "certonly --webroot=yes", err: `argument --webroot: ignored explicit argument "yes"`, exit: 2},
		{given: "renew --frobnicate", err: "orderly renew: unknown flag: --frobnicate", exit: 2},
		{given: "renew -- --dry-run", err: `takes no arguments`, exit: 2},
	})
}

func TestShortFlagsAreBundled(t *testing.T) {
	check(t, "certbot", []rewriting{
		{given: "renew -nq", want: "renew --non-interactive --quiet"},
		{given: "renew -vvv", want: "renew --verbose --verbose --verbose"},
		{given: "certonly -nd a.example", want: "certonly --non-interactive --domain=a.example"},
		{given: "certonly -nda.example", want: "certonly --non-interactive --domain=a.example"},
		{given: "renew -tn", want: "renew --non-interactive"},
		{given: "renew -nx", err: `ignored explicit argument "x"`, exit: 2},
		{given: "renew -x", err: "unrecognized arguments: -x", exit: 2},
	})
}

func TestTheVerbMayStandAnywhere(t *testing.T) {
	check(t, "certbot", []rewriting{
		{given: "-n --webroot -w /tmp certonly -d a.example", want: "certonly --non-interactive --webroot --webroot-path=/tmp --domain=a.example"},
		{given: "--cert-name renew certonly -d a.example", want: "certonly --cert-name=renew --domain=a.example"}, // certbot would renew
		{given: "-d a.example auth", want: "certonly --domain=a.example"},
		{given: "--max-log-backups 0 renew", want: "renew --max-log-backups=0"},
		{given: "renew certificates", err: "unrecognized arguments: certificates", exit: 2},
		{given: "-- renew", err: "unrecognized arguments: renew", exit: 2},
		{given: "example.com", err: "unrecognized arguments: example.com", exit: 2},
		{given: "--nginx -d a.example", want: "run"},
		{given: "everything", want: "run"},
		{given: "", want: "run"},
	})
}

func TestEveryNameKeepsTheWebrootBeforeIt(t *testing.T) {
	check(t, "certbot", []rewriting{
		{given: "-w /a -d a.example -d b.example certonly -w /c -d c.example --webroot",
			want: "certonly --webroot-path=/a --domain=a.example --domain=b.example --webroot-path=/c --domain=c.example --webroot"},
	})
}

func TestOrderlysOwnCommandsAreLeftAsTheyAre(t *testing.T) {
	check(t, "orderly", []rewriting{
		{given: "pending --json", want: "pending --json"},
		{given: "order show 7", want: "order show 7"},
		{given: "-q order list", want: "order list -q"},
		{given: "--config-dir x pending", want: "pending --config-dir x"},
		{given: "ledger check --config-dir=x", want: "ledger check --config-dir=x"},
		{given: "help renew", want: "help renew"},
		{given: "__complete renew --web", want: "__complete renew --web"},
		{given: "completion bash", want: "completion bash"},
		{given: "", want: ""},
		{given: "obtain --webroot", err: "there is no command orderly obtain", exit: 2},
	})
}

func TestHelpIsAskedForBeforeOrBehindTheVerb(t *testing.T) {
	check(t, "certbot", []rewriting{
		{given: "renew --help", want: "renew --help"},
		{given: "--help renew", want: "renew --help"},
		{given: "-h certonly", want: "certonly --help"},
		{given: "--help all", want: "--help"},
		{given: "-h", want: "--help"},
		{given: "run --help", want: "--help"},
		{given: "renew --cert-name --help", err: "expected one argument", exit: 2},
	})
	if got, err := rewrite("certbot", []string{"renew", "--version"}, nil, nil); err != nil || !got.Version {
		t.Errorf("--version behind a verb: %v, %v", got, err)
	}
}

func TestWhatIsHarmlessIsDroppedAndTheRestRefused(t *testing.T) {
	check(t, "certbot", []rewriting{
		{given: "renew --os-packages-only --no-self-upgrade --no-bootstrap --no-permissions-check --manual-public-ip-logging-ok --text -t " +
			"--preconfigured-renewal --debug --user-agent-comment x --no-redirect", want: "renew"},
		{given: "certificates --agree-tos --rsa-key-size 4096 --webroot -a nginx", want: "certificates"}, // certbot heeds none of them there
		{given: "certonly -a webroot -w /a -d b", want: "certonly --webroot --webroot-path=/a --domain=b"},
		{given: "certonly --authenticator webroot --webroot", want: "certonly --webroot --webroot"},
		{given: "certonly --installer None --webroot", want: "certonly --webroot"},
		{given: "certonly --preferred-challenges dns", want: "certonly --preferred-challenges=dns"},
		{given: "certonly --nginx -d a", err: "The requested nginx plugin does not appear to be installed", exit: 1},
		{given: "certonly -a apache -d a", err: "The requested apache plugin does not appear to be installed", exit: 1},
		{given: "certonly -a dns-foo -d a", err: "The requested dns-foo plugin does not appear to be installed", exit: 1},
		{given: "certonly --dns-route53 -d a", err: "plugin does not appear to be installed", exit: 1},
		{given: "certonly --webroot --nginx", err: "Too many flags setting configurators/installers/authenticators 'webroot' -> 'nginx'", exit: 1},
		{given: "certonly --webroot -i nginx", want: "certonly --webroot --installer=nginx"},
		{given: "certonly --redirect", err: "does not change web servers", exit: 1},
		{given: "renew --hsts", err: "does not change web servers", exit: 1},
		{given: "renew --auto-hsts", err: "does not change web servers", exit: 1},
		{given: "renew --staple-ocsp", err: "does not change web servers", exit: 1},
		{given: "renew -d a.example", err: "Currently, the renew verb is capable of either renewing all installed certificates", exit: 1},
		{given: "renew --no-verify-ssl", err: "never talks to a CA", exit: 1},
		{given: "certonly --reuse-key --no-reuse-key --webroot", want: "certonly --no-reuse-key --webroot"},
		{given: "certonly --no-reuse-key --reuse-key", want: "certonly --reuse-key"},
	})
}

func TestEveryRefusalSaysWhatToDo(t *testing.T) {
	for _, f := range argparse.Flags() {
		if f.Refused && (f.Why == "" || f.Use == "" || len(f.Verbs) == 0) {
			t.Errorf("--%s: %q, %q, at %v", f.Names, f.Why, f.Use, f.Verbs)
		}
	}
}

// Help and manual pages say of every flag of certbot's what became of it, where the command has
// none of its own.
func TestNoFlagOfCertbotsIsPassedOverInSilence(t *testing.T) {
	for _, c := range tree().Commands() {
		told := map[string]bool{}
		for _, o := range argparse.Others(c) {
			for name := range strings.SplitSeq(o.Name, ", ") {
				told[name] = o.Text != ""
			}
		}
		for _, f := range argparse.Flags() {
			name := strings.Fields(f.Names)[0]
			if !slices.Contains(f.Verbs, c.Name()) || c.DisableFlagParsing || told["--"+name] || told["--"+f.Group] {
				continue
			}
			if !slices.ContainsFunc(strings.Fields(f.Names), func(n string) bool { return c.Flags().Lookup(n) != nil }) {
				t.Errorf("help of %s is silent about --%s", c.Name(), name)
			}
		}
	}
}
