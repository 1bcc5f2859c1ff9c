package cli

import (
	"bytes"
	"os"
	"testing"
)

// answered is what Answer says to a command line.
func answered(program string, args ...string) (code int, ok bool, stdout, stderr string) {
	var out, problems bytes.Buffer
	code, ok = Answer(Env{Program: program, Args: args, Getenv: os.Getenv, Stdout: &out,
		Stderr: &problems})
	return code, ok, out.String(), problems.String()
}

// What is answered before there are commands is what the commands would have answered.
func TestTheVersionIsTheSameEitherWay(t *testing.T) {
	for _, program := range []string{"orderly", "certbot", "/snap/bin/certbot3"} {
		code, ok, out, problems := answered(program, "--version")
		wantCode, want, wantProblems := run(t, program, "--version")
		if !ok || code != wantCode || out != want || problems != wantProblems || want == "" {
			t.Errorf("%s: %v, exit %d, %q, %q; by the commands %d, %q, %q", program, ok, code, out,
				problems, wantCode, want, wantProblems)
		}
	}
	for _, args := range [][]string{nil, {"renew"}, {"renew", "--version"}, {"--version", "--json"},
		{"--version", "renew"}, {"--versions"}, {"--version", "--version"}} {
		if code, ok, out, problems := answered("orderly", args...); ok || code != 0 || out+problems != "" {
			t.Errorf("%q was answered: exit %d, %q, %q", args, code, out, problems)
		}
	}
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		return // this system has none
	}
	defer func() { _ = full.Close() }()
	var problems bytes.Buffer
	code, ok := Answer(Env{Args: []string{"--version"}, Getenv: os.Getenv, Stdout: full, Stderr: &problems})
	if !ok || code != 1 || problems.Len() == 0 {
		t.Errorf("onto a full disk: %v, exit %d, %q", ok, code, problems.String())
	}
}

// The tree of commands takes a thousand allocations and more, a quarter of the time of
// `orderly --version`; allocations do not depend on the machine's speed.
func TestTheVersionMakesNoCommands(t *testing.T) {
	tree := testing.AllocsPerRun(3, func() {
		newRoot(Env{Getenv: os.Getenv, ConfigFiles: []string{}}, &printer{getenv: os.Getenv})
	})
	got := testing.AllocsPerRun(3, func() { answered("orderly", "--version") })
	if got > tree/5 {
		t.Errorf("--version takes %.0f allocations, the commands %.0f", got, tree)
	}
}
