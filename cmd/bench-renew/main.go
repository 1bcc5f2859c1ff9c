// Command bench-renew measures what the commands cost that run every day and have nothing to do:
// renew, certificates and certonly beside many certificates of which none is due, side by side with
// Debian's certbot where it is installed; and what it costs to renew many that are due, many at
// once beside one after the other. Every figure is that of a whole process, as the operating system
// accounts for it, and all of a table are of one run.
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
	var b bench
	flag.StringVar(&b.orderly, "orderly", "bin/orderly", "`path` of the program to measure")
	flag.StringVar(&b.certbot, "certbot", "certbot",
		"`path` of the program to compare with; where there is none, nothing is compared")
	flag.IntVar(&b.lineages, "lineages", 1500, "how many certificates there are that are not due; 0 for none")
	flag.IntVar(&b.runs, "runs", 9, "processes of each command; a third of that for certbot")
	flag.StringVar(&b.testca, "testca", "bin/testca", "`path` of the CA to renew at")
	flag.IntVar(&b.due, "due", 200, "how many certificates are renewed; 0 for none")
	flag.IntVar(&b.pairs, "pairs", 3, "rounds with many jobs and with one, at a CA that answers at once")
	slow := flag.Bool("slow", true, "renew at a slow CA too, which takes minutes")
	asJSON := flag.Bool("json", false, "print JSON")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	var r results
	cas := paces()
	if !*slow {
		cas = cas[:1]
	}
	err := r.measure(ctx, b, cas)
	stop()
	if err == nil {
		err = show(os.Stdout, b, r, *asJSON)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench-renew:", err)
		os.Exit(1)
	}
}

// results are all that is measured.
type results struct {
	idle []row
	many []manyRow
}

func (r *results) measure(ctx context.Context, b bench, cas []pace) (err error) {
	if b.lineages > 0 {
		if r.idle, err = b.measure(ctx); err != nil {
			return err
		}
	}
	if b.due > 0 {
		r.many, err = b.many(ctx, cas)
	}
	return err
}
