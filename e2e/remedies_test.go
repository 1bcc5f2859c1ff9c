package e2e_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"orderly/testca"
)

// remedies are the commands that remedies name, by their first words, each with the case below that gives it to a shell as it
// is printed, or with the reason why none does. A command that is not here fails TestEveryCommandInARemedyIsTried.
func remedies() map[string]string {
	const look = "it looks and changes nothing; case look"
	return map[string]string{
		"mkdir":                   "case root that was never there",
		"chown":                   "solver/webroot",
		"chmod":                   "solver/webroot",
		"mount":                   "needs a file system that is mounted read-only",
		"chattr":                  "solver/webroot, where the file system has attributes",
		"rm":                      "case renewal file that stands for nothing",
		"truncate":                "case renewal file without its settings",
		"sed":                     "case renewal file with a line that cannot be read",
		"ps":                      "it looks; it is given the process, which is there",
		"dig":                     "it looks; what it shows is for whoever runs the name servers",
		"orderly doctor":          "cases renewal file with a line that cannot be read, setting in the wrong place",
		"tar":                     "./doctor TestFilesThatBelongToNoLineageAreTold",
		"curl":                    "it looks; what it shows is for whoever knows the CA's address",
		"getent":                  "it looks; what it shows is for whoever runs the resolver",
		"df":                      "it looks; it is given the mount, which is there",
		"umount":                  "needs a file system that does not answer any more",
		"mv":                      "solver/webroot",
		"chgrp":                   "needs a group that the run may not give",
		"ls":                      "it looks; it is given the directory, which is there",
		"lsattr":                  "it looks",
		"kill":                    "ends another run, which a person decides on",
		"quota":                   "it looks, where the package of that name is installed",
		"sh":                      "runs the operator's own hook, as `renew` does",
		"sudo":                    "is how the run itself is begun",
		"systemctl":               "needs systemd",
		"orderly reconfigure":     "case no document root",
		"orderly delete":          "case lineage that is gone",
		"orderly retire":          "TestASiteThatMovedAwayIsPutAside",
		"orderly certonly":        "case empty renewal file",
		"orderly register":        "case no account",
		"orderly unregister":      "case account that the CA has ended",
		"orderly update_account":  "case account key that the CA refuses",
		"orderly renew":           "case key that the CA refuses",
		"orderly resume":          "case stopped run",
		"orderly unpause":         "case paused name",
		"orderly ledger adopt":    "case ledger of another host",
		"orderly ledger rebuild":  "case damaged ledger",
		"orderly pending drain":   "case look",
		"orderly pending release": "case look",
		"orderly pending scan":    "it needs logs; TestWhatCertbotsLogsLeaveOpen",
		"orderly failures":        look,
		"orderly digest":          look,
		"orderly why":             look,
		"orderly pending":         look,
		"orderly limits":          look,
		"orderly runs":            look,
		"orderly order list":      look,
		"orderly order show":      look,
		"orderly certificates":    look,
		"orderly --help":          look,
		"orderly … --help":        look,
	}
}

// kindOf is what a command is known by here: the program and its verb.
func kindOf(words []string) string {
	switch {
	case words[0] != "orderly":
		return words[0]
	case len(words) == 1 || words[1] == "…":
		return "orderly … --help"
	case slices.Contains([]string{"pending", "order", "ledger"}, words[1]) && len(words) > 2:
		return strings.Join(words[:3], " ")
	}
	return strings.Join(words[:2], " ")
}

// verbs are the words by which package cli types a step, by the step's name in package failure.
func verbs(t *testing.T) map[string][]string {
	file, err := parser.ParseFile(token.NewFileSet(), "../cli/steps.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string][]string{}
	ast.Inspect(file, func(n ast.Node) bool {
		pair, ok := n.(*ast.KeyValueExpr)
		if !ok {
			return true
		}
		step, named := pair.Key.(*ast.SelectorExpr)
		words, listed := pair.Value.(*ast.CompositeLit)
		if named && listed {
			all[step.Sel.Name] = append([]string{"orderly"}, leading(words.Elts)...)
		}
		return true
	})
	if len(all) < 20 {
		t.Fatalf("%d verbs were found", len(all))
	}
	return all
}

// quotedCommand is a command in backquotes within a string of the program.
var quotedCommand = regexp.MustCompile("`((?:orderly|mkdir|chown|chmod|mount|chattr|rm|getent|mv|df|umount)(?: [a-z-][a-z_-]*)*)")

// bareCommand is one that is not in backquotes: nothing would give it the directories that it needs.
var bareCommand = regexp.MustCompile(`(?:^|[^` + "`" + `/\w-])orderly (certonly|renew|reconfigure|register|unregister|update_account|resume|pending|unpause|ledger|order|limits) `)

// A remedy that names a command is tried: whoever adds one adds its case.
func TestEveryCommandInARemedyIsTried(t *testing.T) {
	t.Parallel()
	known, seen, typed := remedies(), map[string]bool{}, verbs(t)
	note := func(where token.Position, words []string) {
		kind := kindOf(words)
		seen[kind] = true
		if known[kind] == "" {
			t.Errorf("%s: no case runs %s", where, strings.Join(words, " "))
		}
	}
	for _, dir := range []string{"account", "acme", "certbot", "cli", "deliver", "diagnose", "digest", "doctor",
		"failure", "history", "hook", "host", "ledger", "limit", "lock", "order", "ownfile", "preflight",
		"renewal", "scan", "schedule", "solver", "vantage", "webserver", "zone"} {
		err := filepath.WalkDir(filepath.Join("..", dir), func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go") || path == "../cli/steps.go" || path == "../cli/remedy.go" || path == "../cli/help.go" {
				return err
			}
			return commandsIn(path, typed, note, func(where token.Position, text string) {
				t.Errorf("%s: %q names a command outside of backquotes", where, text)
			})
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for kind := range known {
		if !seen[kind] && kind != "orderly … --help" {
			t.Errorf("no remedy names %s any more", kind)
		}
	}
}

// commandsIn finds the commands that a file's strings, its steps and its calls of failure.Shell name.
func commandsIn(path string, typed map[string][]string, note func(token.Position, []string), bare func(token.Position, string)) error {
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
			for _, found := range quotedCommand.FindAllStringSubmatch(text, -1) {
				note(set.Position(n.Pos()), strings.Fields(found[1]))
			}
			if bareCommand.MatchString(text) && !strings.Contains(text, "bash-completion") {
				bare(set.Position(n.Pos()), text)
			}
		case *ast.SelectorExpr:
			if words := typed[n.Sel.Name]; fmt.Sprint(n.X) == "failure" && words != nil {
				note(set.Position(n.Pos()), words)
			}
		case *ast.CallExpr:
			if f, ok := n.Fun.(*ast.SelectorExpr); ok && f.Sel.Name == "Shell" && fmt.Sprint(f.X) == "failure" {
				if words := leading(n.Args); len(words) > 0 {
					note(set.Position(n.Pos()), words)
				}
			}
		}
		return true
	})
	return err
}

// leading are the words of a call of failure.Shell that stand in the program's text.
func leading(args []ast.Expr) []string {
	var words []string
	for _, arg := range args {
		if call, ok := arg.(*ast.CallExpr); ok && len(call.Args) > 0 { // append([]string{…}, …)
			arg = call.Args[0]
		}
		if list, ok := arg.(*ast.CompositeLit); ok {
			return append(words, leading(list.Elts)...)
		}
		lit, ok := arg.(*ast.BasicLit)
		if !ok {
			return words
		}
		word, err := strconv.Unquote(lit.Value)
		if err != nil {
			return words
		}
		words = append(words, word)
	}
	return words
}

// mended looks for a finding of a check at a certificate, gives to a shell what its remedy names, and looks again.
func (h *host) mended(id, name, want string, fill ...string) {
	h.t.Helper()
	before := h.orderly("doctor", name)
	_, own, found := strings.Cut(before.stdout, id+"  ")
	if !found {
		h.t.Fatalf("no %s: %s", id, before)
	}
	own, _, _ = strings.Cut(own, "\n\n")
	if r := h.pasted(own, want, fill...); r.code != 0 && !strings.Contains(own, "--fix") { // whose code is of all that is found
		h.t.Errorf("%s\nof %s", r, own)
	}
	if after := h.orderly("doctor", name); strings.Contains(after.stdout, id+"  ") {
		h.t.Errorf("after its remedy: %s\nbefore: %s", after, before)
	}
}

var inBackquotes = regexp.MustCompile("`([^`]+)`")

// paste gives the commands in what a run printed as remedy to a shell, literally but for the words that a person fills in.
// Of several in one remedy, which are alternatives, want chooses.
func (h *host) paste(r result, want string, fill ...string) {
	h.t.Helper()
	if got := h.pasted(r.stderr, want, fill...); got.code != 0 {
		h.t.Errorf("pasted: %s\nfrom %s", got, r)
	}
}

// pasted is what the last of the commands in a text's remedy did.
func (h *host) pasted(text, want string, fill ...string) (last result) {
	h.t.Helper()
	_, remedy, ok := strings.Cut(text, "remedy: ")
	if !ok {
		h.t.Fatalf("no remedy: %s", text)
	}
	bin := filepath.Join(h.dir, "bin")
	if err := os.MkdirAll(bin, 0o755); err != nil {
		h.t.Fatal(err)
	}
	if err := os.Symlink(program, filepath.Join(bin, "orderly")); err != nil && !os.IsExist(err) {
		h.t.Fatal(err)
	}
	h.setenv("PATH", bin+":"+os.Getenv("PATH"))
	run := false
	for _, found := range inBackquotes.FindAllStringSubmatch(remedy, -1) {
		if !strings.HasPrefix(found[1], want) {
			continue
		}
		run = true
		command := strings.NewReplacer(fill...).Replace(found[1])
		if last = h.spawn("sh", "-c", command).wait(); last.code != 0 {
			h.t.Logf("pasted: %s\n%s", command, last)
			return last
		}
	}
	if !run {
		h.t.Errorf("no %s in: %s", want, remedy)
	}
	return last
}

// refusedThen runs a command that is to fail, pastes its remedy, and wants it to pass.
func (h *host) refusedThen(command []string, want string, fill ...string) {
	h.t.Helper()
	r := h.orderly(command...)
	if r.code == 0 {
		h.t.Fatalf("%q did not fail: %s", command, r)
	}
	h.paste(r, want, fill...)
	if again := h.orderly(command...); again.code != 0 {
		h.t.Errorf("%q after its remedy: %s\nbefore: %s", command, again, r)
	}
}

func (h *host) edit(path, from, to string) {
	h.t.Helper()
	text := h.read(path)
	changed := regexp.MustCompile(from).ReplaceAllString(text, to)
	if changed == text {
		h.t.Fatalf("%s has nothing like %s: %s", path, from, text)
	}
	h.write(path, changed)
}

// Each remedy is done literally, by a shell, and helps.
func TestRemediesHelpWhenPasted(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testca.Config{})
	server := []string{"--server", w.ca.DirectoryURL()}
	lineage := func(h *host, name string) string {
		root := h.site(name)
		h.must(h.certonly(root, name)...)
		return root
	}
	conf := func(h *host, name string) string { return filepath.Join(h.config, "renewal", name+".conf") }
	for number, test := range []struct {
		name string
		try  func(h *host, name string)
	}{
		{"root that was never there", func(h *host, name string) {
			home := filepath.Join(h.dir, "home of "+name)
			if err := os.Mkdir(home, 0o755); err != nil {
				t.Fatal(err)
			}
			owner := os.Getuid()
			if owner == 0 {
				owner = 1000
			}
			if err := os.Chown(home, owner, -1); err != nil {
				t.Fatal(err)
			}
			root := filepath.Join(home, "www", "docs")
			w.web.serve(name, root)
			h.refusedThen(h.certonly(root, name), "mkdir")
			if info, err := os.Stat(root); err != nil || int(info.Sys().(*syscall.Stat_t).Uid) != owner {
				t.Errorf("%s does not belong to its user (%v)", root, err)
			}
		}},
		{"root that is gone", func(h *host, name string) {
			root := lineage(h, name)
			if err := os.RemoveAll(root); err != nil {
				t.Fatal(err)
			}
			h.refusedThen([]string{"renew", "--force-renewal"}, "mkdir")
		}},
		{"no document root", func(h *host, name string) {
			root := lineage(h, name)
			h.edit(conf(h, name), `(?m)^(webroot_path|`+regexp.QuoteMeta(name)+`) = .*\n`, "")
			h.refusedThen([]string{"renew", "--force-renewal"}, "orderly reconfigure", "DIR", root)
		}},
		{"another program's authenticator", func(h *host, name string) {
			root := lineage(h, name)
			h.edit(conf(h, name), `(?m)^authenticator = .*$`, "authenticator = nginx")
			h.refusedThen([]string{"renew", "--force-renewal"}, "orderly reconfigure", "DIR", root)
		}},
		{"empty renewal file", func(h *host, name string) {
			root := lineage(h, name)
			h.write(conf(h, name), "")
			r := h.orderly(append([]string{"renew"}, server...)...)
			if r.code == 0 || !strings.Contains(r.stderr, "is empty (0 bytes)") {
				t.Errorf("%s", r)
			}
			h.paste(r, "orderly certonly", "DIR", root)
			h.must("renew")
		}},
		{"renewal file that stands for nothing", func(h *host, name string) {
			h.write(conf(h, name), "\x00\x00")
			h.refusedThen([]string{"renew"}, "rm ")
		}},
		{"renewal file without its settings", func(h *host, name string) {
			root := lineage(h, name)
			h.edit(conf(h, name), `(?s)\[renewalparams\].*$`, "")
			r := h.orderly(append([]string{"renew"}, server...)...)
			if r.code == 0 {
				t.Errorf("%s", r)
			}
			h.paste(r, "truncate")
			h.paste(r, "orderly certonly", "DIR", root, "NAME", name)
			h.must("renew")
		}},
		{"lineage that is gone", func(h *host, name string) {
			root := lineage(h, name)
			h.edit(conf(h, name), `(?m)^`+regexp.QuoteMeta("[renewalparams]")+`$`, "[renewalparams")
			h.refusedThen(h.certonly(root, name), "orderly delete")
		}},
		{"renewal file with a line that cannot be read", func(h *host, name string) {
			lineage(h, name)
			h.write(conf(h, name), h.read(conf(h, name))+"[[broken\n")
			r := h.orderly("renew")
			if r.code == 0 {
				t.Errorf("%s", r)
			}
			if line := h.pasted(r.stderr, "sed"); line.stdout != "[[broken\n" {
				t.Errorf("%s", line)
			}
			h.edit(conf(h, name), `\[\[broken\n`, "")
			if again := h.pasted(r.stderr, "orderly doctor"); strings.Contains(again.stdout, "D1 ") {
				t.Errorf("%s", again)
			}
		}},
		{"setting in the wrong place", func(h *host, name string) {
			lineage(h, name)
			h.write(conf(h, name), h.read(conf(h, name))+"post_hook = true\n")
			h.mended("D5", name, "orderly doctor --fix")
		}},
		{"certificate of which nothing is whole", func(h *host, name string) {
			root := lineage(h, name)
			h.edit(conf(h, name), `(?m)^\[renewalparams\]$`, "[renewalparams]\nrenew_hook = true")
			for _, dir := range []string{"archive", "live"} {
				for _, kind := range []string{"privkey", "fullchain"} {
					files, _ := filepath.Glob(filepath.Join(h.config, dir, name, kind+"*.pem"))
					for _, file := range files {
						if err := os.Remove(file); err != nil {
							t.Fatal(err)
						}
					}
				}
			}
			h.mended("D14", name, "orderly", "DIR", root)
			if text := h.read(conf(h, name)); !strings.Contains(text, "renew_hook = true") {
				t.Errorf("without its hook: %s", text)
			}
		}},
		{"hook that cannot be run", func(h *host, name string) {
			root := lineage(h, name)
			hook := filepath.Join(h.dir, "hook of "+name)
			h.write(hook, "#!/bin/sh\n")
			if err := os.Chmod(hook, 0o644); err != nil {
				t.Fatal(err)
			}
			moved := filepath.Join(h.dir, "hook-"+name)
			if err := os.Rename(hook, moved); err != nil {
				t.Fatal(err)
			}
			h.refusedThen(append(h.certonly(root, name), "--deploy-hook", moved, "--force-renewal"), "chmod")
			if err := os.Chmod(moved, 0o644); err != nil {
				t.Fatal(err)
			}
			h.mended("D24", name, "chmod")
			h.edit(conf(h, name), `(?m)^renew_hook = .*$`, "renew_hook = /nowhere/true --quietly")
			h.mended("D24", name, "orderly reconfigure")
			if text := h.read(conf(h, name)); !strings.Contains(text, "bin/true --quietly") {
				t.Errorf("%s", text)
			}
			h.edit(conf(h, name), `(?m)^renew_hook = .*$`, "renew_hook = /nowhere/no-such-program")
			h.mended("D24", name, "orderly reconfigure", "COMMAND", "''")
		}},
		{"no account", func(h *host, name string) {
			h.refusedThen(append([]string{"show_account"}, server...), "orderly register", "ADDRESS", "a@example.com")
		}},
		{"paused name", func(h *host, name string) {
			root := h.site(name)
			w.ca.Inject(testca.Fault{Kind: "new-order", Nth: 1, Action: testca.Respond, Status: 429, Problem: "rateLimited",
				Detail: "Your account is temporarily prevented from requesting certificates for " + name +
					" and possibly others. Please visit: https://portal.example/sfe/v1/unpause?jwt=x"})
			h.refusedThen(h.certonly(root, name), "orderly unpause")
		}},
		{"account key that the CA refuses", func(h *host, name string) {
			root := lineage(h, name)
			w.web.serve("www."+name, root)
			w.ca.Inject(testca.Fault{Kind: "new-order", Nth: 1, Action: testca.Respond, Status: 400, Problem: "badPublicKey", Detail: "weak"})
			h.refusedThen(append(h.certonly(root, name, "www."+name), "--expand"), "orderly update_account")
		}},
		{"key that the CA refuses", func(h *host, name string) {
			lineage(h, name)
			w.ca.Inject(testca.Fault{Kind: "finalize", Nth: 1, Action: testca.Respond, Status: 400, Problem: "badCSR", Detail: "weak key"})
			h.refusedThen([]string{"renew", "--force-renewal"}, "orderly renew")
		}},
		{"stopped run", func(h *host, name string) {
			root := h.site(name)
			r := h.interrupt(point{"finalize", 1, false}, syscall.SIGTERM, h.certonly(root, name)...)
			h.paste(r, "orderly resume")
			if _, err := os.Stat(filepath.Join(h.config, "live", name, "cert.pem")); err != nil {
				t.Error(err)
			}
		}},
		{"ledger of another host", func(h *host, name string) {
			lineage(h, name)
			h.setenv("ORDERLY_HOST", "new")
			h.refusedThen([]string{"renew"}, "orderly ledger adopt")
		}},
		{"damaged ledger", func(h *host, name string) {
			lineage(h, name)
			file := filepath.Join(h.config, "orderly", "ledger.db")
			h.write(file, "rubbish")
			r := h.orderly("renew")
			for _, part := range []string{"", "-wal", "-shm"} { // the remedy says so in prose
				if err := os.Rename(file+part, file+part+".aside"); err != nil && !os.IsNotExist(err) {
					t.Fatal(err)
				}
			}
			h.paste(r, "orderly ledger rebuild")
			h.must("renew")
		}},
		{"look", func(h *host, name string) {
			lineage(h, name)
			h.write(filepath.Join(h.config, "orderly", "ca.toml"), "[[ca]]\n")
			h.refusedThenLooked("orderly limits", "renew")
			h.write(filepath.Join(h.config, "orderly", "ca.toml"), "")
			h.refusedThenLooked("orderly order list", "order", "show", "99")
			h.refusedThenLooked("orderly certificates", "delete", "--cert-name", "nobody", "-n")
			h.refusedThenLooked("orderly pending", "pending", "release", "--order", "99")
			h.refusedThenLooked("orderly limits", "unpause", name)
			h.refusedThenLooked("orderly --help", "frobnicate")
			h.must("pending", "drain") // of a budget that pending orders have used up
			h.must("pending", "release", "--all", "--dry-run")
			h.must("failures")
			h.must("why", name)
		}},
	} {
		h := w.host(fmt.Sprint("h", number))
		name := fmt.Sprintf("n%d.example.com", number)
		t.Log(test.name)
		test.try(h, name)
		w.ca.ClearFaults()
	}
}

// refusedThenLooked runs a command that fails, and its remedy, which only looks.
func (h *host) refusedThenLooked(want string, command ...string) {
	h.t.Helper()
	r := h.orderly(command...)
	if r.code == 0 {
		h.t.Errorf("%q did not fail: %s", command, r)
	}
	h.paste(r, want)
}
