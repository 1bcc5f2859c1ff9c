package cli

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"regexp"
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
		failure.Resume:       {nil, "`orderly resume`"},
		failure.ShowOrder:    {[]string{"7"}, "`orderly order show 7`"},
		failure.ShowLimits:   {nil, "`orderly limits`"},
		failure.DrainPending: {nil, "`orderly pending drain`"},
		failure.PriceRelease: {nil, "`orderly pending release --all --dry-run`"},
		failure.Unpause: {[]string{"*.a.example", "b.example"},
			"`orderly unpause '*.a.example' b.example`"},
		failure.ChangeAccountKey: {[]string{"https://ca.example/dir", "0123"},
			"`orderly update_account --change-account-key --server https://ca.example/dir " +
				"--account 0123`"},
		failure.AnotherKey: {[]string{"it's", failure.RSA2048, failure.Unstapled},
			`` + "`orderly renew --cert-name 'it'\\''s' --force-renewal --key-type rsa " +
				"--rsa-key-size 2048 --no-must-staple`"},
		failure.OfKey: {[]string{failure.P256},
			"--key-type ecdsa --elliptic-curve secp256r1"},
		failure.Insist:       {nil, "--force"},
		failure.OtherCA:      {nil, "--server"},
		failure.OtherAccount: {nil, "--account"},
		failure.GiveNames:    {nil, "-d"},
		failure.DocumentRoot: {nil, "-w DIR"},
		failure.OwnPort:      {nil, "--http-01-port"},
		failure.ProveByDNS: {nil,
			"--manual --preferred-challenges dns with --manual-auth-hook"},
	}
	for _, step := range stepsOf(t) {
		w, ok := words[step]
		if !ok {
			t.Errorf("nobody knows how %s is typed", step)
		}
		c := &caller{}
		if got := c.remedy("Try " + failure.Do(step, w.args...) + "."); got != "Try "+w.want+"." {
			t.Errorf("%s: %s", step, got)
		}
		c.remedy(failure.Do(step)) // a ledger may hold anything: no panic
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
	file, err := parser.ParseFile(token.NewFileSet(), "../failure/remedy.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		if kind, ok := spec.Type.(*ast.Ident); ok && kind.Name == "Step" {
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

// The engine says what is to be done, and never how it is typed.
func TestTheEngineKnowsNoCommandLine(t *testing.T) {
	seen := 0
	err := filepath.WalkDir("../order", func(path string, d fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go") {
			return err
		}
		set := token.NewFileSet()
		file, err := parser.ParseFile(set, path, nil, 0)
		if err != nil {
			return err
		}
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.BasicLit:
				text, err := strconv.Unquote(n.Value)
				if n.Kind != token.STRING || err != nil {
					return true
				}
				if seen++; phrase.MatchString(text) {
					t.Errorf("%s: %q is for package cli to say", set.Position(n.Pos()), text)
				}
			case *ast.SelectorExpr:
				if id, ok := n.X.(*ast.Ident); ok && id.Name == "failure" &&
					n.Sel.Name == "Command" {
					t.Errorf("%s: a command is for package cli to say", set.Position(n.Pos()))
				}
			}
			return true
		})
		return nil
	})
	if err != nil || seen < 100 {
		t.Errorf("%d strings were read: %v", seen, err)
	}
}
