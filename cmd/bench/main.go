// Command bench measures what one certificate costs: requests, durable commits, wall and CPU time,
// peak memory, beside Debian's certbot where it is installed and a client without a ledger; and
// what the program costs before it does anything. Every figure is that of a whole process, as the
// operating system accounts for it. It must never compare figures of different runs.
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
	orderly := flag.String("orderly", "bin/orderly", "`path` of the program to measure")
	runs := flag.Int("runs", 20, "certificates of two names; a quarter of that for ten names and for certbot")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := measure(ctx, *orderly, *runs)
	if err == nil {
		err = start(ctx, *orderly, 10**runs)
	}
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}
