package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// bench is what is measured.
type bench struct {
	orderly, certbot, testca string
	lineages, runs           int
	due, pairs               int // lineages that are renewed, and how often
}

// figure is the median of some processes of one program.
type figure struct {
	Runs   int     `json:"runs"`
	Wall   float64 `json:"wall_ms"`
	CPU    float64 `json:"cpu_ms"`
	Memory float64 `json:"memory_mb"` // peak resident set, the highest of all
}

// row is one command with both programs.
type row struct {
	Command   string  `json:"command"`
	Orderly   figure  `json:"orderly"`
	Certbot   *figure `json:"certbot,omitempty"`
	WallRatio float64 `json:"wall_ratio,omitempty"` // how many times longer certbot takes
	CPURatio  float64 `json:"cpu_ratio,omitempty"`
}

// command is one that is measured, and what it must print to have done its work.
type command struct {
	name  string
	args  []string
	wants string
	// asks: nothing is known of when the CA wants certificates renewed, so that it is asked about
	// each once; the certbot of this comparison does not ask
	asks bool
}

func (b bench) measure(ctx context.Context) (rows []row, err error) {
	f, err := newFleet(b.lineages)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.close()) }()
	orderly, err := filepath.Abs(b.orderly)
	if err != nil {
		return nil, err
	}
	certbot, err := exec.LookPath(b.certbot)
	if err != nil {
		certbot = ""
	}
	for _, c := range f.commands() {
		r := row{Command: c.name}
		if r.Orderly, err = f.median(ctx, orderly, c, b.runs); err != nil {
			return rows, err
		}
		if certbot != "" && !c.asks {
			slow, err := f.median(ctx, certbot, c, (b.runs+2)/3)
			if err != nil {
				return rows, err
			}
			r.Certbot, r.WallRatio, r.CPURatio = &slow, slow.Wall/r.Orderly.Wall, slow.CPU/r.Orderly.CPU
		}
		rows = append(rows, r)
	}
	return rows, nil
}

func (f *fleet) commands() []command {
	first := name(0)
	return []command{
		{"renew", []string{"renew", "-n"}, "No renewals were attempted.", false},
		{"certificates", []string{"certificates"}, "Certificate Name: " + name(f.lineages-1), false},
		{"certonly", []string{"certonly", "--webroot", "-w", f.root(0), "-d", first, "-d", "www." + first, "-n", "--server", f.ca.DirectoryURL()},
			"Certificate not yet due for renewal", false},
		{"renew, the CA is asked", []string{"renew", "-n"}, "No renewals were attempted.", true},
	}
}

// median runs a command n times, after once for what is not measured: the page cache, and the first
// run's set-up.
func (f *fleet) median(ctx context.Context, program string, c command, n int) (figure, error) {
	var walls, cpus []float64
	result := figure{Runs: n}
	for i := range n + 1 {
		wall, cpu, memory, err := f.asked(ctx, program, c)
		if err != nil {
			return result, err
		}
		if i == 0 {
			continue
		}
		walls, cpus = append(walls, milliseconds(wall)), append(cpus, milliseconds(cpu))
		result.Memory = max(result.Memory, memory)
	}
	slices.Sort(walls)
	slices.Sort(cpus)
	result.Wall, result.CPU = walls[n/2], cpus[n/2]
	return result, nil
}

// asked is run, from an empty ledger where the CA is to be asked: once about each certificate.
func (f *fleet) asked(ctx context.Context, program string,
	c command) (wall, cpu time.Duration, memory float64, err error) {
	if !c.asks {
		return f.run(ctx, program, c)
	}
	if err := errors.Join(os.RemoveAll(filepath.Join(f.config, "orderly")), f.unnoted()); err != nil {
		return 0, 0, 0, err
	}
	before := f.ca.Truth().RequestsByKind["renewal-info"]
	wall, cpu, memory, err = f.run(ctx, program, c)
	if n := f.ca.Truth().RequestsByKind["renewal-info"] - before; err == nil && n != f.lineages {
		err = fmt.Errorf("%s asked %d times about %d certificates", program, n, f.lineages)
	}
	return wall, cpu, memory, err
}

// unnoted takes away what an earlier run noted in the renewal files of when the CA may be asked again.
func (f *fleet) unnoted() error {
	for i := range f.lineages {
		path := filepath.Join(f.config, "renewal", name(i)+".conf")
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		settings, _, noted := strings.Cut(string(text), "[acme_renewal_info]")
		if !noted {
			continue
		}
		if err := os.WriteFile(path, []byte(settings), 0o644); err != nil {
			return err
		}
	}
	return nil
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

func (f *fleet) run(ctx context.Context, program string,
	c command) (wall, cpu time.Duration, memory float64, err error) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	p := exec.CommandContext(ctx, program,
		append(slices.Clone(c.args), "--config-dir", f.config, "--work-dir", f.dir+"/lib",
			"--logs-dir", f.dir+"/log")...)
	p.Env = append(os.Environ(), "SSL_CERT_FILE="+f.trust(), "REQUESTS_CA_BUNDLE="+f.trust())
	started := time.Now()
	out, err := p.CombinedOutput()
	wall = time.Since(started)
	switch {
	case err != nil:
		return 0, 0, 0, fmt.Errorf("%s %s: %w\n%s", program, c.name, err, tail(out))
	case !strings.Contains(string(out), c.wants):
		return 0, 0, 0, fmt.Errorf("%s %s did not say %q:\n%s", program, c.name, c.wants, tail(out))
	}
	if usage, ok := p.ProcessState.SysUsage().(*syscall.Rusage); ok {
		memory = float64(usage.Maxrss) / 1024 // Linux counts in KiB, FreeBSD as well
	}
	return wall, p.ProcessState.UserTime() + p.ProcessState.SystemTime(), memory, nil
}

// tail is the end of an output, for an error.
func tail(out []byte) []byte { return out[max(0, len(out)-2000):] }
