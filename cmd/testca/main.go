// Command testca runs the test CA of package testca until it is told to stop. It is for tests alone: nothing must ever
// trust what it issues.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"orderly/testca"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := testca.Main(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}
