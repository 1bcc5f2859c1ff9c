// Command simulate plays simulated years of Orderly, one for each seed, and looks at the invariants
// with every step. A seed that breaches one is named, made smaller and shown; the same seed always
// plays the same year. It must never report success for a year that was not played to its end.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"syscall"
	"time"

	"golang.org/x/term"

	"orderly/sim"
)

func main() {
	seeds := flag.Int("seeds", 1000, "how many years are played")
	from := flag.Uint64("from", 1, "the first `seed`")
	lineages := flag.Int("lineages", 50, "lineages in each year")
	days := flag.Int("days", 365, "days of each year; a few quiet ones follow")
	shrink := flag.Bool("shrink", true, "make the first year that fails smaller before it is shown")
	trace := flag.Bool("trace", false, "show the whole trace of the first seed")
	asJSON := flag.Bool("json", false, "the totals as JSON")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	debug.SetGCPercent(400) // a year allocates much and keeps little
	options := sim.Options{Seed: *from, Lineages: *lineages, Days: *days}
	if *trace {
		options.Record = true
		show(os.Stdout, sim.Run(options), "")
		return
	}
	t := play(ctx, options, *seeds)
	t.report(os.Stdout, *asJSON)
	if t.failed != nil && *shrink && ctx.Err() == nil {
		options.Seed = t.failed.Seed
		shrunk(os.Stdout, options)
	}
	if t.failed != nil || t.Years < *seeds {
		os.Exit(1)
	}
}

// totals are what came of all years together.
type totals struct {
	First    uint64         `json:"first_seed"`
	Years    int            `json:"seeds"`
	Steps    int            `json:"steps"`
	Requests int            `json:"requests"`
	Runs     int            `json:"runs"`
	Orders   int            `json:"orders"`
	Issued   int            `json:"issued"`
	Crashes  int            `json:"crashes"`
	AtOnce   int            `json:"at_once"` // pieces of work in runs that did several at once
	Denied   int            `json:"denied"`  // 429s
	Faults   map[string]int `json:"faults"`
	Breaches []breach       `json:"breaches"`
	Seconds  float64        `json:"seconds"`
	failed   *sim.Result
}

type breach struct {
	Seed      uint64 `json:"seed"`
	Invariant string `json:"invariant"`
	Sentence  string `json:"sentence"`
}

// play plays years on every processor until one fails.
func play(ctx context.Context, o sim.Options, years int) *totals {
	began := time.Now()
	t := &totals{First: o.Seed, Faults: map[string]int{}}
	jobs, results := make(chan uint64), make(chan sim.Result)
	for range runtime.NumCPU() {
		go func() {
			for seed := range jobs {
				mine := o
				mine.Seed = seed
				results <- sim.Run(mine)
			}
		}()
	}
	next, running := o.Seed, 0
	for {
		more := ctx.Err() == nil && t.failed == nil && next < o.Seed+uint64(years)
		var send chan uint64
		if more {
			send = jobs
		} else if running == 0 {
			close(jobs)
			break
		}
		select {
		case send <- next:
			next++
			running++
		case r := <-results:
			running--
			t.add(&r)
			progress(os.Stderr, t, years)
		}
	}
	t.Seconds = time.Since(began).Seconds()
	return t
}

func (t *totals) add(r *sim.Result) {
	t.Years++
	t.Steps += r.Steps
	t.Requests += r.Requests
	t.Runs += r.Runs
	t.Orders += r.Orders
	t.Issued += r.Issued
	t.Crashes += r.Crashes
	t.Denied += r.Denied
	t.AtOnce += r.AtOnce
	for kind, n := range r.Faults {
		t.Faults[kind] += n
	}
	if r.Failure == nil {
		return
	}
	t.Breaches = append(t.Breaches, breach{r.Seed, r.Failure.Invariant, r.Failure.Error()})
	if t.failed == nil {
		t.failed = r
	}
}

// progress shows how far it is, to a person who watches.
func progress(w *os.File, t *totals, years int) {
	if !term.IsTerminal(int(w.Fd())) {
		return
	}
	const width = 40
	done := width * t.Years / years
	_, _ = fmt.Fprintf(w, "\r[%-*s] %d of %d years", width, "########################################"[:done], t.Years, years)
	if t.Years == years {
		_, _ = fmt.Fprint(w, "\r\x1b[K")
	}
}

func (t *totals) report(w io.Writer, asJSON bool) {
	if asJSON {
		encoder := json.NewEncoder(w)
		encoder.SetIndent("", "  ")
		_ = encoder.Encode(t)
		return
	}
	faults := 0
	for _, n := range t.Faults {
		faults += n
	}
	_, _ = fmt.Fprintf(w, "seeds %d to %d: %d years, %d steps, %d requests in %d runs, %d orders, %d certificates, %d kills, %d faults of %d kinds, %d answers 429, %d pieces of work at once with others\n",
		t.First, t.First+uint64(max(t.Years, 1))-1, t.Years, t.Steps, t.Requests, t.Runs, t.Orders,
		t.Issued, t.Crashes, faults, len(t.Faults), t.Denied, t.AtOnce)
	for _, b := range t.Breaches {
		_, _ = fmt.Fprintf(w, "seed %d: %s\n", b.Seed, b.Sentence)
	}
	_, _ = fmt.Fprintf(w, "%d breaches, %.1f s\n", len(t.Breaches), t.Seconds)
}

// shrunk makes a year smaller and shows what is left of it.
func shrunk(w io.Writer, o sim.Options) {
	small, r := sim.Shrink(o)
	lineages := len(small.Only)
	if lineages == 0 {
		lineages = small.Lineages
	}
	_, _ = fmt.Fprintf(w, "\nseed %d, made smaller: %d lineages, %d days, %d faults\n", o.Seed, lineages, small.Days, len(r.Fired))
	if r.Failure != nil {
		show(w, r, r.Failure.Lineage)
	}
}

// mostLines is how much of a trace is shown: its end is where the breach is.
const mostLines = 200

// show prints a trace: all of it, or what concerns one lineage.
func show(w io.Writer, r sim.Result, lineage string) {
	var lines []sim.Entry
	for _, e := range r.Trace {
		if lineage == "" || e.Lineage == lineage || e.Where == "world" && e.Lineage == "" {
			lines = append(lines, e)
		}
	}
	if lineage != "" {
		lines = lines[max(0, len(lines)-mostLines):]
	}
	for _, e := range lines {
		_, _ = fmt.Fprintln(w, e)
	}
	if r.Failure != nil {
		_, _ = fmt.Fprintln(w, r.Failure)
	}
}
