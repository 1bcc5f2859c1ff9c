package argparse_test

import (
	"slices"
	"strings"
	"testing"

	"orderly/cli/argparse"
	"orderly/failure"
)

// FuzzCommandLine rewrites command lines, arguments separated by line breaks. What comes out is a
// command line that cobra understands and that stays as it is when it is rewritten again, or an
// error with a sentence.
func FuzzCommandLine(f *testing.F) {
	for _, seed := range []string{
		"certonly --webroot --webroot-path /tmp --account 0123 -d example.com -d www.example.com -n",
		"renew --account 0123 --post-hook true", "renew --dry-run", "certificates", "delete --cert-name N -n", "-w /tmp -da -db auth --agree",
		"--web", "--no-e", "-nqd a certonly", "certonly -- -d a", "-a webroot certonly", "--nginx", "renew -c x", "help renew", "-h", "renew --version",
		"pending --json", "-q order show 7", "certonly --pre-hook -x", "certonly --csr= --email==", "plugins --init", "revoke --reason keyCompromise --cert-name a",
		"certonly --webroot-map {\"a,b\":\"/tmp\"}", "renew --issuance-timeout -5", "show_account --staging", "__complete renew --", "run", "\xff --\xff=\xff", "-\u00e4b",
	} {
		f.Add(strings.ReplaceAll(seed, " ", "\n"), strings.HasPrefix(seed, "r"))
	}
	f.Fuzz(func(t *testing.T, text string, asCertbot bool) {
		program := "orderly"
		if asCertbot {
			program = "certbot"
		}
		var args []string
		if text != "" {
			args = strings.Split(text, "\n")
		}
		got, err := rewrite(program, args, nil, map[string]string{"x": "email = a\nagree-tos"})
		if err != nil {
			if class := failure.ClassOf(err); (class != failure.Usage && class != failure.Config) || err.Error() == "" {
				t.Fatalf("%q: %s: %v", args, class, err)
			}
			return
		}
		if got.Version {
			return
		}
		if err := parseFlags(got); err != nil && (strings.Contains(err.Error(), "unknown") || strings.Contains(err.Error(), "needs an argument")) && isVerb(got.Args) {
			t.Fatalf("%q became %q, which cobra does not understand: %v", args, got.Args, err)
		}
		again, err := rewrite(program, got.Args, nil, nil)
		if err != nil || !slices.Equal(again.Args, got.Args) {
			t.Fatalf("%q became %q and then %q, %v", args, got.Args, again.Args, err)
		}
	})
}

// parseFlags is cobra's opinion about a line: nil, or what it finds wrong with a flag or a value.
func parseFlags(l argparse.Line) error {
	if l.Command == nil || !l.Command.HasParent() || len(l.Args) == 0 || l.Command.DisableFlagParsing {
		return nil
	}
	words := len(strings.Fields(l.Command.CommandPath())) - 1
	return l.Command.ParseFlags(l.Args[min(words, len(l.Args)):])
}

func isVerb(args []string) bool {
	return len(args) > 0 && slices.Contains([]string{"certonly", "renew", "certificates", "delete", "revoke", "register", "plugins"}, args[0]) && !slices.Contains(args, "--help")
}

// FuzzConfigurationFile reads files and uses them for a command.
func FuzzConfigurationFile(f *testing.F) {
	for _, seed := range []string{"max-log-backups = 0\npreconfigured-renewal = True\n", "a = [x, y]", "email: 'a b' # c", "domains = [\"a\", 1]", "[", "\ufeffkey", "verbose = 9999999999999999999"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		_, err := rewrite("certbot", []string{"certonly"}, []string{"x"}, map[string]string{"x": text})
		if err != nil && !strings.Contains(err.Error(), "x line ") && !strings.Contains(err.Error(), "plugin") {
			t.Fatalf("%q: an error that names no line: %v", text, err)
		}
	})
}
