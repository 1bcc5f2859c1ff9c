package cli

import (
	"bytes"
	"context"
	"errors"
	"iter"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"orderly/cli/argparse"
	"orderly/failure"
)

// commands are all commands that take flags, the root's first.
func commands(c *cobra.Command) []*cobra.Command {
	all := []*cobra.Command{c}
	for _, sub := range c.Commands() {
		if !sub.DisableFlagParsing {
			all = append(all, commands(sub)...)
		}
	}
	return all
}

// run is one call of the program.
func run(t *testing.T, program string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, problems bytes.Buffer
	code = Main(context.Background(), Env{Program: program, Args: args, ConfigFiles: []string{}, Getenv: func(string) string { return "" },
		Stdin: strings.NewReader(""), Stdout: &out, Stderr: &problems, PID: os.Getpid()})
	return code, out.String(), problems.String()
}

// Trial W6: a script that gives the directories to every call is not refused by some.
func TestEveryCommandKnowsTheDirectories(t *testing.T) {
	env := Env{Program: "orderly", Getenv: func(string) string { return "" }, ConfigFiles: []string{}}
	for _, c := range commands(newRoot(env, &printer{getenv: env.Getenv})) {
		t.Run(c.CommandPath(), func(t *testing.T) {
			words := strings.Fields(c.CommandPath())[1:]
			code, help, problems := run(t, "orderly", append(words, "--help")...)
			if code != 0 || problems != "" {
				t.Fatalf("--help: exit %d, %s", code, problems)
			}
			for _, flag := range []string{"config-dir", "work-dir", "logs-dir", "json", "quiet", "verbose", "non-interactive"} {
				if !strings.Contains(help, "--"+flag) {
					t.Errorf("--help does not show --%s", flag)
				}
			}
			dir := t.TempDir()
			dirs := []string{"--config-dir", filepath.Join(dir, "etc"), "--work-dir=" + filepath.Join(dir, "lib"), "--logs-dir", filepath.Join(dir, "log")}
			for _, args := range [][]string{append(append([]string{}, dirs...), words...), append(append([]string{}, words...), dirs...)} {
				_, _, problems := run(t, "orderly", args...)
				if strings.Contains(problems, "unknown flag") || strings.Contains(problems, "there is no command") {
					t.Errorf("orderly %s: %s", strings.Join(args, " "), problems)
				}
			}
		})
	}
}

// What is no command, shell or flag is refused in a sentence, and ends with 2.
func TestWhatIsUnknownEndsWithTwo(t *testing.T) {
	for _, c := range []struct {
		args string
		said string
	}{
		{"help obtain", "there is no command orderly obtain"},
		{"help order obtain", "there is no command orderly order obtain"},
		{"help certonly renew", "there is no command orderly certonly renew"},
		{"completion csh", "there is no completion for the shell csh"},
		{"completion", "orderly completion takes the name of a shell"},
		{"completion bash zsh", "orderly completion takes the name of a shell"},
		{"--verson", "orderly: unknown flag: --verson"},
		{"--config-dir x --verson", "orderly: unknown flag: --verson"},
		{"obtain", "there is no command orderly obtain"},
	} {
		code, out, problems := run(t, "orderly", strings.Fields(c.args)...)
		if code != 2 || out != "" || !strings.Contains(problems, c.said) || !strings.Contains(problems, "usage: orderly") || strings.Contains(problems, "orderly run") {
			t.Errorf("%s: exit %d, %q, %s", c.args, code, out, problems)
		}
	}
	for _, args := range []string{"help", "help certonly", "help order list", "completion bash", "completion zsh --no-descriptions", "completion fish --config-dir x", "completion powershell"} {
		if code, out, problems := run(t, "orderly", strings.Fields(args)...); code != 0 || len(out) < 100 || problems != "" {
			t.Errorf("%s: exit %d, %d bytes, %s", args, code, len(out), problems)
		}
	}
}

// Trial L11.
func TestTheNamesOfCertbot(t *testing.T) {
	for program, want := range map[string]string{
		"certbot": "certbot 2.1.0\n", "/usr/bin/letsencrypt": "certbot 2.1.0\n", "./letsencrypt-auto": "certbot 2.1.0\n", "certbot-auto": "certbot 2.1.0\n",
		"/snap/bin/certbot3": "certbot 2.1.0\n", "orderly": "orderly " + built().String() + "\n", "/opt/certbot/orderly": "orderly " + built().String() + "\n",
	} {
		if code, out, problems := run(t, program, "--version"); code != 0 || out != want || problems != "" {
			t.Errorf("%s --version: exit %d, %q, %s", program, code, out, problems)
		}
	}
}

// configured are the configuration files that count, to the first error.
func configured(env Env, named string) ([]argparse.File, error) {
	var all []argparse.File
	for file, err := range configTexts(env, named) {
		if err != nil {
			return all, err
		}
		all = append(all, file)
	}
	return all, nil
}

// Trial L11: a configuration file that its reader may not see is none; one that it sees must be readable.
func TestAFileThatCannotBeSeenIsNone(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	env := Env{Getenv: func(string) string { return "" }, ConfigFiles: []string{filepath.Join(file, ".config", "cli.ini"), filepath.Join(dir, "none.ini")}}
	if files, err := configured(env, ""); err != nil || len(files) != 0 {
		t.Errorf("%v, %v", files, err)
	}
	_, err := configured(env, filepath.Join(file, "named.ini"))
	if failure.ClassOf(err) != failure.Usage || !strings.Contains(err.Error(), "Unable to open config file") {
		t.Errorf("the one that was named: %v", err)
	}
	loop := filepath.Join(dir, "loop.ini")
	if err := os.Symlink(loop, loop); err != nil {
		t.Fatal(err)
	}
	env.ConfigFiles = []string{loop}
	if _, err := configured(env, ""); err == nil {
		t.Error("one that shows itself and cannot be read was passed over")
	}
}

// An error before the log is open does not name a log that was not written.
func TestAnErrorBeforeTheLogNamesNone(t *testing.T) {
	_, _, problems := run(t, "certbot", "certonly", "-n", "--webroot", "-d", "a.example.com")
	if !strings.Contains(problems, "community.letsencrypt.org") || strings.Contains(problems, "logfile") {
		t.Error(problems)
	}
	dir := t.TempDir()
	blocked := filepath.Join(dir, "log")
	if err := os.MkdirAll(filepath.Join(blocked, logName), 0o755); err != nil {
		t.Fatal(err)
	}
	code, _, problems := run(t, "certbot", "renew", "-n", "--config-dir", filepath.Join(dir, "etc"), "--work-dir", filepath.Join(dir, "lib"), "--logs-dir", blocked)
	if code != 0 || strings.Contains(problems, "logfile") || strings.Contains(problems, "Saving debug log") ||
		!strings.Contains(problems, "without a whole log: "+filepath.Join(blocked, logName)) {
		t.Errorf("exit %d: %s", code, problems)
	}
}

// A flag that the table takes for a switch and a command for one with a value would swallow the next argument, or not.
func TestTheTableAndTheCommandsAgreeOnValues(t *testing.T) {
	env := Env{Program: "orderly", Getenv: func(string) string { return "" }}
	root := newRoot(env, &printer{getenv: env.Getenv})
	none := func(string) iter.Seq2[argparse.File, error] { return func(func(argparse.File, error) bool) {} }
	asked := 0
	for _, c := range root.Commands() {
		if !argparse.IsVerb(c) {
			continue
		}
		c.LocalFlags().VisitAll(func(f *pflag.Flag) {
			asked++
			args := []string{c.Name(), "--" + f.Name}
			_, err := argparse.Rewrite(argparse.Input{Program: "orderly", Args: args, Files: none}, root)
			lacks := err != nil && strings.Contains(err.Error(), "expected one argument")
			if lacks != (f.NoOptDefVal == "") {
				t.Errorf("%s: the command takes a value: %v; the table says %v", args, f.NoOptDefVal == "", lacks)
			}
		})
	}
	if asked < 200 {
		t.Errorf("only %d flags were asked for", asked)
	}
}

// The manual has what is accepted without effect and what is refused.
func TestTheManualSaysWhatBecameOfCertbotsFlags(t *testing.T) {
	env := Env{Program: "orderly", Getenv: func(string) string { return "" }}
	for _, c := range newRoot(env, &printer{getenv: env.Getenv}).Commands() {
		text := strings.ReplaceAll(page(c, "2026-11-29"), `\-`, "-")
		for _, o := range argparse.Others(c) {
			if !strings.Contains(text, o.Name) {
				t.Errorf("the manual of %s is silent about %s", c.Name(), o.Name)
			}
			if strings.Contains(o.Name, "PLUGIN") && strings.Contains(o.Text, "cloudflare") {
				t.Errorf("%s: what is said of %s is said of one of them: %s", c.Name(), o.Name, o.Text)
			}
		}
	}
}

// Settings of a file stand in the manual line by line, as they are typed.
func TestTheManualDoesNotFillSettings(t *testing.T) {
	env := Env{Program: "orderly", Getenv: func(string) string { return "" }}
	c, _, err := newRoot(env, &printer{getenv: env.Getenv}).Find([]string{"digest"})
	if err != nil {
		t.Fatal(err)
	}
	filled, settings := true, 0
	for line := range strings.Lines(page(c, "2026-11-29")) {
		switch line = strings.TrimSpace(line); {
		case line == ".nf", line == ".fi":
			filled = line == ".fi"
		case strings.HasPrefix(line, "[[channel]]"), strings.HasPrefix(line, `kind = "`):
			if settings++; filled {
				t.Errorf("filled: %s", line)
			}
		}
	}
	if settings != 8 {
		t.Errorf("%d lines of settings, not 8", settings)
	}
}

// A directory that is mistyped is one in which nothing is due; where it is no directory, rights help
// nobody.
func TestADirectoryThatIsNotTheOneMeantIsTold(t *testing.T) {
	dir := t.TempDir()
	file, typo := filepath.Join(dir, "file"), filepath.Join(dir, "typo")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	link, disk := filepath.Join(dir, "link"), filepath.Join(dir, "disk") // which is not mounted
	if err := os.Symlink(disk, link); err != nil {
		t.Fatal(err)
	}
	for _, one := range []struct {
		verb, config string
		code         int
		says         string
	}{
		{"renew", typo, 0, "there is no directory " + typo + " yet"},
		{"renew", file, 1, "remedy: Name a directory with --config-dir"},
		{"pending", file, 1, "remedy: Name a directory with --config-dir"},
		{"certificates", file, 1, "remedy: Name a directory with --config-dir"},
		{"doctor", file, 1, "the directory " + file + " cannot be looked at"}, // and none is made
		{"renew", link, 1, link + " is a link to " + disk + ", which is not there"},
		{"pending", link, 1, link + " is a link to " + disk + ", which is not there"},
		{"certificates", filepath.Join(link, "letsencrypt"), 1, link + " is a link to " + disk + ", which is not there"},
		{"doctor", link, 1, "Mount or restore what the link leads to"},
	} {
		code, _, problems := run(t, "orderly", one.verb, "--config-dir", one.config,
			"--work-dir", filepath.Join(dir, "lib"), "--logs-dir", filepath.Join(dir, "log"))
		if code != one.code || !strings.Contains(problems, one.says) {
			t.Errorf("%s in %s: exit %d, %s", one.verb, one.config, code, problems)
		}
	}
}

// What is wrong comes with what is to be done, and with nothing that would be of no use.
func TestWhatAListAndUnregisterSayHasItsRemedy(t *testing.T) {
	dir := t.TempDir()
	broken := filepath.Join(dir, "renewal", "a.conf")
	if err := os.Mkdir(filepath.Dir(broken), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(broken, []byte("garbage\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for verb, says := range map[string]string{
		"certificates": "Skipping.\n    remedy: Correct the line. `sed -n ",
		"unregister":   "remedy: Nothing is to be done: no CA has an account on this host.",
		"show_account": "remedy: Register one: ",
	} {
		_, _, problems := run(t, "orderly", verb, "-n", "--config-dir", dir,
			"--work-dir", filepath.Join(dir, "lib"), "--logs-dir", filepath.Join(dir, "log"))
		if !strings.Contains(problems, says) {
			t.Errorf("%s says no %q: %s", verb, says, problems)
		}
	}
}

// A shell offers the certificates of this host.
func TestAShellOffersTheLineages(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"a.example.com", "b.example.com"} {
		path := filepath.Join(dir, "renewal", name+".conf")
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, nil, 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	for _, verb := range []string{"certonly", "renew", "certificates", "delete", "revoke", "reconfigure"} {
		if code, out, _ := run(t, "orderly", "__complete", verb, "--config-dir", dir, "--cert-name", ""); code != 0 ||
			!strings.HasPrefix(out, "a.example.com\nb.example.com\n") {
			t.Errorf("%s: %d %q", verb, code, out)
		}
	}
}

// Nobody knows the classes by heart: a shell offers them.
func TestAShellOffersTheClasses(t *testing.T) {
	code, out, _ := run(t, "orderly", "__complete", "failures", "--class", "")
	for _, class := range failure.Classes() {
		if code != 0 || !strings.Contains(out, string(class)+"\n") {
			t.Errorf("%s is not offered: %d %q", class, code, out)
		}
	}
}
