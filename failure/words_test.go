package failure_test

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"

	"orderly/failure"
	"orderly/outside"
)

// says is a value that says of itself what others wrote.
type says string

func (s says) String() string { return string(s) }

// Whatever is put into a sentence or a remedy, of whatever type and with whatever verb, nothing in
// it does something, and nothing but the format breaks its line.
func TestNothingOfASentenceDoesSomething(t *testing.T) {
	const hostile = "a\x1b[2Jb\nc\rd\u202ee\u009bf\x02resume\x03\x00"
	for _, arg := range []any{hostile, says(hostile), []string{hostile}, map[string]string{hostile: hostile},
		[]byte(hostile), errors.New(hostile), []error{errors.New(hostile)}, outside.Of(hostile),
		struct{ Name string }{hostile}, &struct{ Name says }{hostile}, any(hostile)} {
		for _, verb := range []string{"%s", "%v", "%+v", "%q", "%#v", "%-30s", "%.7s"} {
			err := failure.Wrap(errors.New(hostile), failure.Config, failure.Remedy("Mend "+hostile),
				"it is "+verb+" of %d", arg, 7)
			said := err.Error() + string(failure.RemedyOf(fmt.Errorf("x: %w", err)))
			said = strings.ReplaceAll(said, string(failure.Do(failure.Resume)), "")
			if strings.ContainsFunc(said, outside.Unprintable) || !strings.Contains(said, "of 7") {
				t.Errorf("%T as %s: %q", arg, verb, said)
			}
		}
	}
	// what stands around an error of Orderly's own was somebody's, too
	inner := fmt.Errorf("\x1b[2J: %w", failure.New(failure.Config, "", "inner"))
	if got := failure.Wrap(inner, failure.Config, "", "outer").Error(); got != "outer:  [2J: inner" {
		t.Errorf("%q", got)
	}
	printed := outside.PrintedBy("one\x1b[31m\ntwo\n")
	if got := failure.Words("%s printed\n%s", "it\n", printed); got != "it  printed\n one [31m\n two" {
		t.Errorf("%q", got)
	}
	if got := failure.Words("%*d of %v", 3, 7, 5.5); got != "  7 of 5.5" {
		t.Errorf("%q", got)
	}
}

// An Error is made by New and Wrap, which see to it that its sentence does nothing.
func TestNobodyElseMakesAnError(t *testing.T) {
	seen := 0
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(path) != ".go" || strings.HasPrefix(path, "../failure/") {
			return err
		}
		set := token.NewFileSet()
		file, err := parser.ParseFile(set, path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		seen++
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.CompositeLit:
				if isError(n.Type) {
					t.Errorf("%s: failure.New makes an Error", set.Position(n.Pos()))
				}
			case *ast.AssignStmt:
				if strings.HasPrefix(path, "../doctor/") || strings.HasPrefix(path, "../digest/") {
					return true // a finding's cause is another thing, and an Error's made nowhere there
				}
				for _, to := range n.Lhs {
					if field, ok := to.(*ast.SelectorExpr); ok && field.Sel.Name == "Cause" {
						t.Errorf("%s: failure.Wrap has the cause", set.Position(n.Pos()))
					}
				}
			}
			return true
		})
		return nil
	})
	if err != nil || seen < 100 {
		t.Errorf("%d files were read: %v", seen, err)
	}
}

func isError(of ast.Expr) bool {
	kind, ok := of.(*ast.SelectorExpr)
	if !ok {
		return false
	}
	from, ok := kind.X.(*ast.Ident)
	return ok && from.Name == "failure" && kind.Sel.Name == "Error"
}
