package main

// What the program does before main: every run pays for it, `orderly --version` and each of a
// thousand cron jobs. A table or an expression of one command belongs to its first use.

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// cheap are the calls that may stand in a package variable: they make something of a few words, or
// put the work off. (strings.NewReplacer builds its tables with the first Replace.)
var cheap = []string{"errors.New", "sync.OnceFunc", "sync.OnceValue", "sync.OnceValues",
	"strings.NewReplacer", "time.Date"}

// TestNothingIsMadeBeforeItIsUsed reads the sources of all that the program is built of: no package
// variable is computed but by what is cheap, none is a map (which Go fills before main), and there
// is no init.
func TestNothingIsMadeBeforeItIsUsed(t *testing.T) {
	packages, computed := productPackages(t), 0
	for _, dir := range packages {
		for _, f := range parsed(t, dir) {
			for _, made := range madeAtStart(f.file) {
				computed++
				if !slices.Contains(cheap, made.what) {
					t.Errorf("%s: %s is made before main (%s): use sync.OnceValue, a switch or an array",
						f.files.Position(made.at), made.name, made.what)
				}
			}
		}
	}
	if len(packages) < 30 || computed < 20 {
		t.Errorf("only %d packages and %d computed variables were seen", len(packages), computed)
	}
}

// What the test above must see, and what it must let pass.
func TestWhatIsMadeBeforeItIsUsedIsSeen(t *testing.T) {
	for source, want := range map[string]string{
		`var a = regexp.MustCompile("a")`:                        "regexp.MustCompile",
		`var a = []*regexp.Regexp{regexp.MustCompile("a")}`:      "regexp.MustCompile",
		`var a = template.Must(template.New("a").Parse("b"))`:    "template.Must template.New.Parse template.New",
		`var a = map[string]bool{"a": true}`:                     "a map",
		`var a = words{"a": true}; type words map[string]bool`:   "a map",
		`var a = make(map[string]bool)`:                          "make",
		`var a = table()`:                                        "table",
		`var a = func() int { return 1 }()`:                      "a function",
		`func init() { work() }`:                                 "init",
		`var a = errors.New("a")`:                                "errors.New",
		`var a = sync.OnceValue(func() *T { return compile() })`: "sync.OnceValue",
		`var a = [...]string{"a", "b"}`:                          "",
		`var a I = (*T)(nil)`:                                    "",
		`var a = []byte("abc")`:                                  "",
		`const a = len("abc")`:                                   "",
		`func b() { c := regexp.MustCompile("a"); _ = c }`:       "",
		`type T struct{}; func (T) init() { work() }`:            "",
	} {
		file, err := parser.ParseFile(token.NewFileSet(), "a.go", "package a\n"+source, 0)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, made := range madeAtStart(file) {
			got = append(got, made.what)
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s: %q, want %q", source, got, want)
		}
	}
}

// made is something that Go computes before main.
type made struct {
	name, what string
	at         token.Pos
}

// madeAtStart lists what the initialisation of a file's package computes.
func madeAtStart(file *ast.File) (all []made) {
	maps := mapTypes(file)
	for _, d := range file.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			if d.Recv == nil && d.Name.Name == "init" {
				all = append(all, made{"init", "init", d.Pos()})
			}
		case *ast.GenDecl:
			for _, s := range d.Specs {
				if v, ok := s.(*ast.ValueSpec); ok && d.Tok == token.VAR {
					for _, value := range v.Values {
						all = append(all, computed(v.Names[0].Name, value, maps)...)
					}
				}
			}
		}
	}
	return all
}

// computed lists the calls and maps of a variable's value; what stands in a function is put off.
func computed(name string, value ast.Expr, maps map[string]bool) (all []made) {
	ast.Inspect(value, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.FuncLit:
			return false
		case *ast.CompositeLit:
			_, plain := n.Type.(*ast.MapType)
			if named, ok := n.Type.(*ast.Ident); plain || ok && maps[named.Name] {
				all = append(all, made{name, "a map", n.Pos()})
			}
		case *ast.CallExpr:
			if what := called(n.Fun); what != "" {
				all = append(all, made{name, what, n.Pos()})
			}
		}
		return true
	})
	return all
}

// called is what a call calls, "" where it converts.
func called(f ast.Expr) string {
	switch f := f.(type) {
	case *ast.Ident:
		return f.Name
	case *ast.SelectorExpr:
		return called(f.X) + "." + f.Sel.Name
	case *ast.CallExpr:
		return called(f.Fun)
	case *ast.IndexExpr:
		return called(f.X)
	case *ast.FuncLit:
		return "a function"
	}
	return ""
}

// mapTypes are the types of a file that are maps.
func mapTypes(file *ast.File) map[string]bool {
	all := map[string]bool{}
	ast.Inspect(file, func(n ast.Node) bool {
		if spec, ok := n.(*ast.TypeSpec); ok {
			_, all[spec.Name.Name] = spec.Type.(*ast.MapType)
		}
		return true
	})
	return all
}

// source is a file of the product.
type source struct {
	files *token.FileSet
	file  *ast.File
}

// parsed are the sources in a directory, for whatever system, without tests.
func parsed(t *testing.T, dir string) (all []source) {
	names, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil || len(names) == 0 {
		t.Fatalf("%s: no sources: %v", dir, err)
	}
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		files := token.NewFileSet()
		file, err := parser.ParseFile(files, name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, source{files, file})
	}
	return all
}

// productPackages are the directories of the packages of this module that the program is built of.
func productPackages(t *testing.T) []string {
	all := []string{"."}
	for i := 0; i < len(all); i++ { // all grows
		for _, f := range parsed(t, all[i]) {
			for _, imported := range f.file.Imports {
				name, _ := strconv.Unquote(imported.Path.Value)
				dir, ours := strings.CutPrefix(name, "orderly/")
				if dir = path.Join("../..", dir); ours && !slices.Contains(all, dir) {
					all = append(all, dir)
				}
			}
		}
	}
	return all
}
