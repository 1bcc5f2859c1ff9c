// Command orderly obtains and renews TLS certificates so that no order is lost, none is made in
// vain and none is left behind. Everything is in package cli; this must stay too small to be wrong.
package main

import (
	"context"
	"io"
	"log"
	"os"
	"os/signal"
	"syscall"

	"orderly/cli"
	"orderly/schedule"
	"orderly/solver/webroot"
)

func main() {
	enoughFiles()
	if code, ours := webroot.Helper(os.Args); ours {
		os.Exit(code)
	}
	collectLater()
	log.SetOutput(io.Discard) // net/http quotes there what servers of customers send
	// A reader that goes away (`orderly … | head`) must not kill a run in the middle of an order.
	// It is caught, not ignored: hooks would inherit that, and their own pipelines would never end.
	// The same holds for SIGXFSZ: a write beyond `ulimit -f` is to fail with a sentence, not with
	// Go's stack trace.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE, syscall.SIGXFSZ)
	env := cli.Env{Program: os.Args[0], Args: os.Args[1:], Getenv: os.Getenv, Stdin: os.Stdin,
		Stdout: os.Stdout, Stderr: os.Stderr, PID: os.Getpid()}
	if code, answered := cli.Answer(env); answered {
		os.Exit(code)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP,
		syscall.SIGXCPU, syscall.SIGQUIT) // which would end in a stack trace
	self, _ := os.Executable() // "": no schedule runs this program
	env.Renewals = schedule.Host{Self: self}
	code := cli.Main(ctx, env)
	stop()
	os.Exit(code)
}
