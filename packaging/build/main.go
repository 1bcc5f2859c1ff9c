// Command build makes Orderly's packages: it builds the program, gathers what belongs beside it in
// a tree, and has nfpm pack that. It needs Go, and what `go mod download` brings: no dpkg, no rpm,
// no gzip. It must never write outside of the directory it is told, and nothing of the machine it
// runs on may get into what it makes: the same commit gives the same bytes everywhere.
package main

// The Makefile calls it: `make deb`, `make dist`, `make install`.

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
)

const usage = `usage: go run ./packaging/build [-go COMMAND] [-o DIR] [-arch ARCH] deb|dist|tree
  deb   DIR/orderly_VERSION_ARCH.deb and DIR/orderly-certbot_VERSION_all.deb
  dist  archives, packages, bills of materials and SHA256SUMS of every system, in DIR
  tree  DIR/tree: what ` + "`make install`" + ` copies
`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	err := run(ctx, os.Args[1:])
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "packaging/build:", err)
		os.Exit(1)
	}
}

// run does what the command line says, in the working directory, the top of the source.
func run(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("build", flag.ContinueOnError)
	flags.Usage = func() { fmt.Fprint(os.Stderr, usage) }
	out := flags.String("o", "bin/dist", "")
	arch := flags.String("arch", "", "")
	program := flags.String("go", "go", "")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() != 1 {
		return errors.New("say what to build: deb, dist or tree")
	}
	b := &builder{ctx: ctx, goProgram: *program, nameless: flags.Arg(0) == "tree"}
	defer b.close()
	if err := b.begin("."); err != nil {
		return err
	}
	switch flags.Arg(0) {
	case "deb":
		if *arch == "" {
			*arch = b.hostArch
		}
		return b.debs(*out, *arch)
	case "dist":
		return b.dist(*out)
	case "tree":
		return b.tree(filepath.Join(*out, "tree"))
	}
	return fmt.Errorf("%q is nothing that can be built", flags.Arg(0))
}

// debs makes the two packages for Debian, and says where they are.
func (b *builder) debs(out, arch string) error {
	for _, one := range []func() (string, error){
		func() (string, error) { return b.deb(out, arch) },
		func() (string, error) { return b.certbotPackage(out) },
	} {
		target, err := one()
		if err != nil {
			return err
		}
		fmt.Println(target)
	}
	return nil
}
