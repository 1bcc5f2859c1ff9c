// Command bench-renew measures what the commands cost that run every day and have nothing to do:
// renew, certificates and certonly beside many certificates of which none is due, side by side with
// Debian's certbot where it is installed. Every figure is that of a whole process, as the operating
// system accounts for it, and all are of one run on one directory.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	var b bench
	flag.StringVar(&b.orderly, "orderly", "bin/orderly", "`path` of the program to measure")
	flag.StringVar(&b.certbot, "certbot", "certbot",
		"`path` of the program to compare with; where there is none, nothing is compared")
	flag.IntVar(&b.lineages, "lineages", 1500, "how many certificates there are")
	flag.IntVar(&b.runs, "runs", 9, "processes of each command; a third of that for certbot")
	asJSON := flag.Bool("json", false, "print JSON")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	rows, err := b.measure(ctx)
	stop()
	if err == nil {
		err = show(os.Stdout, b, rows, *asJSON)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench-renew:", err)
		os.Exit(1)
	}
}

// show prints a table, or JSON.
func show(w io.Writer, b bench, rows []row, asJSON bool) error {
	if asJSON {
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		return e.Encode(struct {
			Lineages int   `json:"lineages"`
			Rows     []row `json:"rows"`
		}{b.lineages, rows})
	}
	fmt.Fprintf(w, "%d certificates, none due; one process each, medians\n", b.lineages)
	fmt.Fprintf(w, "%-26s %-8s %3s %9s %9s %10s %8s %8s\n", "command", "program", "n", "wall ms",
		"CPU ms", "memory MB", "wall ×", "CPU ×")
	for _, r := range rows {
		fmt.Fprintf(w, "%-26s %-8s %3d %9.0f %9.0f %10.1f", r.Command, "orderly", r.Orderly.Runs,
			r.Orderly.Wall, r.Orderly.CPU, r.Orderly.Memory)
		if r.Certbot == nil {
			fmt.Fprintf(w, " %8s %8s\n", "-", "-")
			continue
		}
		fmt.Fprintf(w, " %8.0f %8.0f\n", r.WallRatio, r.CPURatio)
		fmt.Fprintf(w, "%-26s %-8s %3d %9.0f %9.0f %10.1f\n", "", "certbot", r.Certbot.Runs,
			r.Certbot.Wall, r.Certbot.CPU, r.Certbot.Memory)
	}
	return nil
}
