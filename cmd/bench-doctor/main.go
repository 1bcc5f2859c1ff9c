// Command bench-doctor prints what `orderly doctor` costs: of a host with many certificates, and of
// the reports of many servers. Every figure is that of a whole process, as the operating system
// accounts for it.
package main

import (
	"context"
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
	flag.IntVar(&b.lineages, "lineages", 1500, "how many certificates a host has; 0 for none")
	flag.IntVar(&b.many, "many", 20_000, "how many a large host has; 0 for none")
	flag.IntVar(&b.sites, "sites", 1500, "how many names a host has that is asked about with --online; 0 for none")
	flag.IntVar(&b.servers, "servers", 1500, "of how many servers the reports are; 0 for none")
	flag.IntVar(&b.names, "names", 300_000, "how many names they have")
	flag.IntVar(&b.runs, "runs", 5, "processes of each kind; the median is told, and the highest peak of memory")
	flag.StringVar(&b.dir, "dir", "", "where hosts and reports are made and left (default: a temporary directory)")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := b.measure(ctx, os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench-doctor:", err)
		os.Exit(1)
	}
}

// bench is what is measured.
type bench struct {
	orderly, dir   string
	lineages, many int
	sites          int // that the network is asked about
	servers, names int
	runs           int
}

// target is what is promised of a figure.
type target struct {
	wall   float64 // seconds; 0 for nothing promised
	memory float64 // MB
}

// measure measures all, and prints each figure as it comes.
func (b bench) measure(ctx context.Context, out io.Writer) error {
	fmt.Fprintf(out, "%-58s %8s %8s %8s   %s\n", "", "wall", "CPU", "peak", "target")
	for _, h := range []struct {
		lineages int
		promised target
	}{{b.lineages, target{1, 60}}, {b.many, target{}}} {
		if h.lineages == 0 {
			continue
		}
		err := b.inDir(fmt.Sprint("host-", h.lineages), func(dir string) error {
			return b.host(ctx, out, dir, h.lineages, h.promised)
		})
		if err != nil {
			return err
		}
	}
	if b.sites > 0 {
		err := b.inDir("online", func(dir string) error { return b.online(ctx, out, dir) })
		if err != nil {
			return err
		}
	}
	if b.servers == 0 {
		return nil
	}
	return b.inDir("fleet", func(dir string) error { return b.fleet(ctx, out, dir) })
}

// host measures the doctor of one host, for people, for programs and for node_exporter.
func (b bench) host(ctx context.Context, out io.Writer, dir string, lineages int, promised target) error {
	if err := makeHost(dir, lineages); err != nil {
		return err
	}
	for _, args := range [][]string{{"doctor"}, {"doctor", "--json"}, {"metrics"}} {
		err := b.row(ctx, out, fmt.Sprintf("%s, %d certificates", join(args), lineages),
			append(args, places(dir)...), promised)
		if err != nil {
			return err
		}
	}
	return nil
}

// fleet measures what becomes of the reports of many servers.
func (b bench) fleet(ctx context.Context, out io.Writer, dir string) error {
	if err := makeReports(dir, b.servers, b.names); err != nil {
		return err
	}
	config, err := makeChannel(dir + "-digest")
	if err != nil {
		return err
	}
	for _, args := range [][]string{{"doctor", "--merge", dir}, {"doctor", "--merge", dir, "--json"},
		{"digest", "--merge", dir, "--json", "--config-dir", config}} {
		err := b.row(ctx, out, fmt.Sprintf("%s, %d servers, %d names", join(append(args[:2:2], args[3:min(4, len(args))]...)),
			b.servers, b.names), args, target{10, 500})
		if err != nil {
			return err
		}
	}
	return nil
}
