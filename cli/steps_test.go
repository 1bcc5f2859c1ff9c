package cli

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"orderly/failure"
)

// Each step that failure knows has its words here, and a sentence reads as it did when the engine
// spelled the command out.
func TestEveryStepIsTyped(t *testing.T) {
	words := map[failure.Step]struct {
		args []string
		want string
	}{
		failure.ShowOrder: {[]string{"7"}, "`orderly order show 7`"},
		failure.Unpause: {[]string{"*.a.example", "b.example"},
			"`orderly unpause '*.a.example' b.example`"},
		failure.ChangeAccountKey: {[]string{"https://ca.example/dir", "0123"},
			"`orderly update_account --change-account-key --server https://ca.example/dir " +
				"--account 0123`"},
		failure.AnotherKey: {[]string{"it's", failure.RSA2048, failure.Unstapled},
			`` + "`orderly renew --cert-name 'it'\\''s' --force-renewal --key-type rsa " +
				"--rsa-key-size 2048 --no-must-staple`"},
		failure.RenewNow: {[]string{"a"}, "`orderly renew --cert-name a --force-renewal`"},
		failure.RenewWith: {[]string{"a", failure.NewKey},
			"`orderly renew --cert-name a --new-key`"},
		failure.RenewAll:  {[]string{"/a b"}, "`orderly renew --config-dir '/a b'`"},
		failure.Obtain:    {[]string{"a"}, "certonly --cert-name a"},
		failure.ObtainFor: {[]string{"a", "/srv/a", "b", "c"}, "`orderly certonly --cert-name a --webroot -w /srv/a -d b -d c`"},
		failure.ObtainAt: {[]string{"", "b", "c"},
			"`orderly certonly --webroot -w DIR -d b -d c`"},
		failure.NameRoot: {nil, "`orderly reconfigure --cert-name CERTIFICATE --webroot -w DIR`"},
		failure.SetDeployHook: {[]string{"a", "b c"},
			"`orderly reconfigure --cert-name a --deploy-hook 'b c'`"},
		failure.Delete: {[]string{"a"}, "`orderly delete --cert-name a`"},
		failure.Register: {[]string{"https://ca.example"},
			"`orderly register --agree-tos -m ADDRESS --server https://ca.example`"},
		failure.OfKey: {[]string{failure.P256},
			"--key-type ecdsa --elliptic-curve secp256r1"},
		failure.OtherAccount: {[]string{"0123"}, "--account 0123"},
		failure.DocumentRoot: {[]string{"DIR"}, "-w DIR"},
		failure.ProveByDNS: {[]string{"COMMAND"},
			"--manual --preferred-challenges dns --manual-auth-hook COMMAND"},
	}
	for _, step := range stepsOf(t) {
		c := &caller{}
		if got := c.remedy(failure.Do(step)); !phrase.MatchString(got) && got != "certonly" &&
			step != failure.OfKey {
			t.Errorf("nobody knows how %s is typed: %s", step, got)
		}
		w, ok := words[step]
		if got := c.remedy("Try " + failure.Do(step, w.args...) + "."); ok && got != "Try "+w.want+"." {
			t.Errorf("%s: %s", step, got)
		}
	}
	if got := (&caller{}).remedy("Have " + failure.Do(failure.OfKey, failure.NewKey) + "."); got !=
		"Have --new-key." {
		t.Error(got)
	}
	if got := (&caller{}).remedy("Try " + failure.Do("later", "a\x1b[2J")); got !=
		"Try later a [2J" {
		t.Errorf("%q", got)
	}
}

// stepsOf are the steps that the source of failure declares.
func stepsOf(t *testing.T) (all []failure.Step) {
	file, err := parser.ParseFile(token.NewFileSet(), "../failure/step.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		if kind, ok := spec.Type.(*ast.Ident); ok && kind.Name == "Step" && spec.Names[0].IsExported() {
			value, _ := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
			all = append(all, failure.Step(value))
		}
		return true
	})
	if len(all) < 10 {
		t.Fatalf("%d steps were found", len(all))
	}
	return all
}

// phrase is what only a command line has: a flag, or the program with a verb.
var phrase = regexp.MustCompile("(^|[^-\\w])--?[a-z]|`?orderly [a-z_]+")

// Whoever knows what is to be done says that, and never how it is typed: a page or another program
// has other words for it. What certbot says is its own: scripts look for it word for word.
func TestNothingButTheCommandLineSpellsOne(t *testing.T) {
	seen := 0
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && speaks(path) {
			return fs.SkipDir
		}
		if filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		set := token.NewFileSet()
		file, err := parser.ParseFile(set, path, nil, 0)
		if err != nil {
			return err
		}
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.CallExpr:
				return !isShell(n)
			case *ast.BasicLit:
				text, err := strconv.Unquote(n.Value)
				if n.Kind != token.STRING || err != nil {
					return true
				}
				if seen++; phrase.MatchString(text) && !slices.Contains(notTyped(), text) {
					t.Errorf("%s: %q is for package cli to say", set.Position(n.Pos()), text)
				}
			}
			return true
		})
		return nil
	})
	if err != nil || seen < 1000 {
		t.Errorf("%d strings were read: %v", seen, err)
	}
}

// speaks reports whether a directory holds a command line, reads those of other programs, or is no
// part of the product.
func speaks(path string) bool {
	return slices.Contains([]string{"cli", "cmd", "testca", "sim", "e2e", "docs", ".git", "packaging",
		"certbot/damage", "ledger/ledgertest", "schedule", "webserver"}, filepath.ToSlash(strings.TrimPrefix(path, "../")))
}

// isShell reports whether a call is that of failure.Shell: a command of the system's.
func isShell(call *ast.CallExpr) bool {
	f, ok := call.Fun.(*ast.SelectorExpr)
	return ok && f.Sel.Name == "Shell"
}

// notTyped are literals that look like a command line and are none.
func notTyped() []string {
	return []string{
		// what certbot says, word for word
		"You should register before running non-interactively, or provide --agree-tos and " +
			"--email <email_address> flags.",
		// kept with an order, whose ledger has sentences in words
		"--webroot-from %s: %w",
		// what is done here with other programs
		"-c", "-u", "trap '' TERM; read -r never; kill -TERM 0; sleep 1; kill -KILL 0",
		"-d /run/systemd/system", "--orderly-webroot-helper=", "--now",
		"%d files can still be made there (df -i)",
		"Set the clock, and look at its source (timedatectl, chronyc tracking, ntpq -p).",
		// what is looked for in others' files
		`(?m)^[^#\n]*--(?:deploy|renew|post)-hook(?:-once)?[ =]+`,
		// what acme.sh says, and what is typed at zstd
		"Please add '--debug'",
		"needs too much memory to unpack: unpack it with `zstd -d --long=31` first",
		// the files beside a database
		"-wal", "-shm", "-journal", "-shm files) and run ", "), then move it aside (with its -wal and ",
		"Restore it from a backup, or move it aside (with its -wal and -shm files) and run ",
	}
}
