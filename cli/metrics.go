package cli

// metrics writes what node_exporter's textfile collector reads. It runs every few minutes beside
// whatever else is at work, so that it waits for nobody and changes nothing but its file.

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"orderly/cli/argparse"
	"orderly/failure"
	"orderly/host"
	"orderly/ledger"
	"orderly/metrics"
	"orderly/ownfile"
)

type measuring struct {
	places
	textfile string
	rules    bool
}

func newMetrics(env Env, p *printer) *cobra.Command {
	f := &measuring{}
	c := &cobra.Command{
		Use:   "metrics [--textfile FILE | --rules]",
		Short: "Print metrics for Prometheus, or write them for node_exporter",
		Long: "Print metrics of this host in Prometheus' text format: certificates by when they end, what fails\n" +
			"and why, what the doctor finds, what is open at the CA, what is left of its limits, the last runs, and\n" +
			"what people were not told yet (docs/metrics.md has them all). Nothing is asked and nothing is changed;\n" +
			"no name of a certificate is among them. With --textfile they are written to a file of node_exporter's\n" +
			"textfile collector, whole or not at all: from a timer, every quarter of an hour or so.\n\n" +
			"--rules prints alerting rules for them.",
		Args: argparse.NoArguments,
		RunE: func(c *cobra.Command, _ []string) error { return f.execute(c.Context(), env, p) },
	}
	c.Flags().StringVar(&f.textfile, "textfile", "",
		"write them to this `file`, such as /var/lib/prometheus/node-exporter/orderly.prom")
	// It fails where there is no such flag, and then no command line with it is understood.
	_ = c.MarkFlagFilename("textfile", "prom")
	c.Flags().BoolVar(&f.rules, "rules", false, "print alerting rules for Prometheus instead")
	f.places.add(c.Flags())
	return c
}

func (f *measuring) execute(ctx context.Context, env Env, p *printer) error {
	switch {
	case f.rules && f.textfile != "":
		return failure.New(failure.Usage, "Give one of them.", "--rules prints rules, --textfile writes metrics")
	case f.textfile != "" && !strings.HasSuffix(f.textfile, ".prom"):
		return failure.New(failure.Usage, "Call it orderly.prom.",
			"--textfile %s: node_exporter reads only files called *.prom", failure.Clean(f.textfile))
	case f.rules:
		p.quiet, p.json = f.quiet, f.json
		p.printRules()
		return nil
	}
	all, err := f.gather(ctx, env, p)
	if err != nil {
		return err
	}
	if f.textfile != "" {
		if err := writeTextfile(f.textfile, metrics.Text(all)); err != nil {
			return err
		}
	}
	switch {
	case p.json:
		p.print(struct {
			Version  int              `json:"version"`
			Metrics  []metrics.Family `json:"metrics"`
			Textfile string           `json:"textfile,omitempty"`
		}{1, all, f.textfile})
	case f.textfile == "" && !p.quiet:
		// not by Say: what Prometheus reads is no sentence in which commands are put as they are typed
		_, _ = io.WriteString(p.out, metrics.Text(all)) // the witness tells what cannot be written
	}
	return nil
}

func (p *printer) printRules() {
	if p.json {
		p.print(struct {
			Version int    `json:"version"`
			Rules   string `json:"rules"`
		}{1, metrics.Rules()})
	} else if !p.quiet {
		_, _ = io.WriteString(p.out, metrics.Rules())
	}
}

// gather counts, as the doctor looks.
func (f *measuring) gather(ctx context.Context, env Env, p *printer) ([]metrics.Family, error) {
	d := doctoring{places: f.places}
	s, there, err := d.open(ctx, env, p)
	if err != nil {
		return nil, err
	}
	defer func() { _ = s.close() }() // nothing was written
	if d.noLedger != nil {           // without its metrics nobody is alarmed of what it knows
		return nil, d.noLedger
	}
	facts := metrics.Facts{At: time.Now(), Version: Version()}
	if facts.Report, err = d.examine(ctx, s, there, nil); err != nil {
		return nil, err
	}
	if there {
		if facts.Profiles, err = s.profiles(); err != nil {
			return nil, err
		}
		facts.Ledger = s.ledger
		facts.Alive = func(r ledger.Run) (bool, error) { return s.locks.Held(host.RunLock(r.ID)) }
	}
	return metrics.Gather(ctx, facts)
}

// writeTextfile puts a whole file in place of the last one. Nothing but a file is replaced: whoever
// names a device by mistake keeps it, and a link is followed nowhere.
func writeTextfile(path, text string) error {
	info, err := os.Lstat(path)
	switch {
	case err == nil && !info.Mode().IsRegular():
		return failure.New(failure.Config, "Name a file in a directory that node_exporter reads.",
			"%s is no file, and is left as it is", path)
	case err == nil || errors.Is(err, fs.ErrNotExist):
		err = ownfile.Replace(path, []byte(text), 0o644)
	}
	if err != nil {
		return failure.Wrap(err, failure.Config, failure.Remedy(fmt.Sprintf(
			"See that %s is there, that it can be written and that there is room.", filepath.Dir(path))),
			"the metrics cannot be written to %s", path)
	}
	return nil
}
