package main

import (
	"encoding/json"
	"fmt"
	"io"
)

// show prints tables, or JSON.
func show(w io.Writer, b bench, r results, asJSON bool) error {
	if asJSON {
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		return e.Encode(struct {
			Lineages int       `json:"lineages"`
			Rows     []row     `json:"rows"`
			Due      int       `json:"due"`
			Many     []manyRow `json:"many"`
		}{b.lineages, r.idle, b.due, r.many})
	}
	if len(r.idle) > 0 {
		showIdle(w, b, r.idle)
	}
	if len(r.many) > 0 {
		showMany(w, b, r.many)
	}
	return nil
}

func showIdle(w io.Writer, b bench, rows []row) {
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
}

// showMany prints what a CA costs, each figure beside what it should be.
func showMany(w io.Writer, b bench, rows []manyRow) {
	for _, r := range rows {
		fmt.Fprintf(w, "\n%d certificates due, two names each, at a CA that %s; %d pairs, medians\n",
			b.due, r.CA, r.Pairs)
		line := func(what, figure, target string) {
			fmt.Fprintf(w, "  %-38s %14s   %s\n", what, figure, target)
		}
		line("wall, --jobs 1", fmt.Sprintf("%.1f s", r.One), "")
		line(fmt.Sprintf("wall, --jobs %d", atOnce), fmt.Sprintf("%.1f s", r.Many), "")
		line("  times shorter", fmt.Sprintf("%.1f", r.Ratio), fmt.Sprintf("target ≥ %.0f", r.Target))
		line("CPU a certificate", fmt.Sprintf("%.1f ms", r.CPU),
			fmt.Sprintf("target ≤ %.0f ms; --jobs 1: %.1f ms", targetCPU, r.CPUOne))
		line("commits a certificate", fmt.Sprintf("%.1f", r.Commits),
			fmt.Sprintf("in %.2f transactions, of which %.2f sync", r.Transactions, r.Synced))
		target := fmt.Sprintf("target ≤ %.1f; strace, a run of its own", targetSyncs)
		if r.Syncs == nil {
			line("syncs of the ledger a certificate", "not counted",
				"strace is missing: scripts/deps installs it")
		} else {
			line("syncs of the ledger a certificate", fmt.Sprintf("%.2f", *r.Syncs), target)
		}
		line("peak memory", fmt.Sprintf("%.1f MB", r.Memory),
			fmt.Sprintf("target < %.0f MB", targetMemory))
		line("the CA's own store, after each round",
			fmt.Sprintf("%d / %d / 0", b.due, b.due), "certificates, orders, pending")
	}
}
