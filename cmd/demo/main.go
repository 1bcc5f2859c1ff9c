// Command demo shows Orderly's promise on one machine with nothing else installed: a test CA that
// behaves like Let's Encrypt, a web server with twelve customers' sites, and the real program. It
// obtains, kills a run at the worst moment and lets it be continued, breaks three sites, renews
// all, and asks the CA what is left behind. It exits with 1 when the promise was broken, and must
// never touch anything outside its temporary directory.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	orderly := flag.String("orderly", "bin/orderly", "`path` of the program that is shown")
	keep := flag.Bool("keep", false,
		"leave the directory with certificates, ledger and log in place")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := demonstrate(ctx, *orderly, *keep)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}
