package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"time"

	"orderly/testca"
)

// Many certificates that are due, one after the other and many at once. The CA, the web server and
// Orderly share the machine, as they would not elsewhere: the ratio of the two is what counts.

// atOnce is how many are worked on at once.
const atOnce = 16

// The targets, per certificate where that is said.
const (
	targetCPU    = 8.0 // ms
	targetSyncs  = 2.5
	targetMemory = 60.0 // MB
)

// manyRow is one CA. What is said of one process is that of many at once.
type manyRow struct {
	CA      string  `json:"ca"`
	Pairs   int     `json:"pairs"`
	One     float64 `json:"wall_s_one_job"`
	Many    float64 `json:"wall_s_many_jobs"`
	Ratio   float64 `json:"wall_ratio"` // the median of the pairs'
	Target  float64 `json:"wall_ratio_target"`
	CPU     float64 `json:"cpu_ms_per_certificate"`
	CPUOne  float64 `json:"cpu_ms_per_certificate_one_job"`
	Memory  float64 `json:"memory_mb"` // the highest of all
	Commits float64 `json:"commits_per_certificate"`
	// Transactions are what the ledger says of itself in the runs that are timed, Synced those of them
	// that cost a sync, Syncs what strace saw in one that is not timed; nil where there is no strace.
	Transactions float64  `json:"transactions_per_certificate"`
	Synced       float64  `json:"synced_transactions_per_certificate"`
	Syncs        *float64 `json:"syncs_per_certificate"`
}

func paces() []pace {
	return []pace{
		{name: "answers at once", wall: 6},
		{name: "answers after 100 ms and validates in one second", answer: 100 * time.Millisecond,
			validation: time.Second, wall: 12},
	}
}

// many measures all CAs.
func (b bench) many(ctx context.Context, paces []pace) (rows []manyRow, err error) {
	if b.orderly, err = filepath.Abs(b.orderly); err != nil {
		return nil, err
	}
	sites, err := testca.ServeSites()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, sites.Close()) }()
	for _, p := range paces {
		pairs := b.pairs
		if p.answer > 0 {
			pairs = 1 // it takes minutes, in which nothing happens but waiting
		}
		r, err := b.compare(ctx, sites, p, pairs)
		if err != nil {
			return rows, fmt.Errorf("a CA that %s: %w", p.name, err)
		}
		rows = append(rows, r)
	}
	return rows, nil
}

// compare runs pairs of processes, and one that is traced.
func (b bench) compare(ctx context.Context, sites *testca.Sites, p pace, pairs int) (manyRow,
	error) {
	r := manyRow{CA: p.name, Pairs: pairs, Target: p.wall}
	var one, many, ratios, cpuOne, cpu, commits, transactions, synced []float64
	each := func(f float64) float64 { return f / float64(b.due) }
	for range pairs {
		fast, err := b.round(ctx, sites, p, atOnce)
		if err != nil {
			return r, err
		}
		slow, err := b.round(ctx, sites, p, 1)
		if err != nil {
			return r, err
		}
		one, many = append(one, slow.wall.Seconds()), append(many, fast.wall.Seconds())
		ratios = append(ratios, slow.wall.Seconds()/fast.wall.Seconds())
		cpuOne = append(cpuOne, each(milliseconds(slow.cpu)))
		cpu = append(cpu, each(milliseconds(fast.cpu)))
		commits = append(commits, each(float64(fast.commits)))
		transactions = append(transactions, each(float64(fast.transactions)))
		synced = append(synced, each(float64(fast.synced)))
		r.Memory = max(r.Memory, fast.memory)
	}
	r.One, r.Many, r.Ratio = middle(one), middle(many), middle(ratios)
	r.CPUOne, r.CPU, r.Commits = middle(cpuOne), middle(cpu), middle(commits)
	r.Transactions, r.Synced = middle(transactions), middle(synced)
	syncs, err := b.syncs(ctx, sites, p)
	if err != nil {
		return r, err
	}
	if syncs != nil {
		*syncs = each(*syncs)
	}
	r.Syncs = syncs
	return r, nil
}

func middle(list []float64) float64 {
	slices.Sort(list)
	return list[len(list)/2]
}

// round makes a yard, renews it and throws it away.
func (b bench) round(ctx context.Context, sites *testca.Sites, p pace, jobs int) (s spent, err error) {
	y, err := newYard(ctx, b, sites, p)
	if err != nil {
		return s, err
	}
	defer func() { err = errors.Join(err, y.close()) }()
	return y.renew(ctx, jobs)
}

// ledgerSync is a line of strace that begins a sync of one of the ledger's files.
var ledgerSync = regexp.MustCompile(`\bf(?:data)?sync\(\d+<[^>]*/orderly/ledger\.db`)

// syncs counts how often the ledger's files are synced in a round of many at once, and is nil where
// there is no strace. It is not timed: whoever is traced is slow.
func (b bench) syncs(ctx context.Context, sites *testca.Sites, p pace) (n *float64, err error) {
	strace, err := exec.LookPath("strace")
	if err != nil {
		return nil, nil
	}
	y, err := newYard(ctx, b, sites, p)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, y.close()) }()
	trace := filepath.Join(y.dir, "trace")
	_, err = y.execute(ctx, []string{strace, "-f", "--seccomp-bpf", "-qq", "-y", "-o", trace,
		"-e", "trace=fsync,fdatasync"}, "renew", "-n", "--no-random-sleep-on-renew", "--jobs",
		fmt.Sprint(atOnce))
	if err != nil {
		return nil, err
	}
	if err := y.judge(); err != nil {
		return nil, err
	}
	text, err := os.ReadFile(trace)
	count := float64(len(ledgerSync.FindAll(text, -1)))
	return &count, err
}
