// Package argparse takes apart what certbot's users write, on command lines and in cli.ini, as
// Python's argparse and ConfigArgParse would, and puts it in order for cobra: the command first,
// each flag by its long name with its value attached. One table says of each flag of certbot's
// whether it means something, is accepted without effect or is refused with a sentence; the command
// line, cli.ini, help and manual pages draw on it.
//
// It must never touch a file, the environment or a terminal: what is read comes in with Input. It
// decides nothing about what a flag's value means; that is the commands' own business.
package argparse

import (
	"iter"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
)

// Certbot is the version that `certbot --version` says. It stands alone on its line, since scripts
// take the second word, the last word or every number of it for the version. It is that of the
// messages: a script that asks for more than 2.1 would look for texts that are not printed, and
// every flag up to 5.6 is understood anyway.
const Certbot = "2.1.0"

// Input is a call of the program.
type Input struct {
	Program string   // what it was called as
	Args    []string // without the program's name
	// Files are the configuration files that count, the most important last. named is the one of
	// -c, "" where there is none.
	Files func(named string) iter.Seq2[File, error]
}

// File is a configuration file.
type File struct{ Name, Text string }

// Line is a command line as cobra takes it.
type Line struct {
	Args    []string
	Command *cobra.Command // whose usage an error is about
	Version bool           // only the version was asked for
	// JSON and Quiet are how an error is to be told that is found before the command begins.
	JSON, Quiet bool
}

// Rewrite is the whole way of a command line. root is the command tree; Orderly's own commands in
// it are left as they are but for the directories that a cli.ini names. The Line says whose usage
// an error is about.
func Rewrite(in Input, root *cobra.Command) (Line, error) {
	r := &rewriter{in: in, root: root, table: flagTable()}
	return r.rewrite()
}

// AsCertbot tells whether the program runs under a name of certbot's (letsencrypt-auto and certbot3
// are some): then it speaks as certbot does where the two differ.
func AsCertbot(program string) bool {
	name := filepath.Base(program)
	return strings.HasPrefix(name, "certbot") || strings.HasPrefix(name, "letsencrypt")
}
