package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"orderly/testca"
)

// sample is one process.
type sample struct {
	wall, cpu, preflight time.Duration
	memory               int64 // KiB
	requests             int
	commits              int
}

// ground is what the processes run against: one CA and one web server for all.
type ground struct {
	dir     string
	orderly string
	ca      *testca.CA
	web     *testca.Sites
	serial  int
}

func measure(ctx context.Context, orderly string, runs int) (err error) {
	g, err := open(orderly)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, g.ca.Close(), g.web.Close(), os.RemoveAll(g.dir)) }()
	if _, err := g.run(ctx, orderly, g.certonly("orderly", 1)); err != nil {
		return err // the account is registered with this one
	}
	fmt.Printf("%-34s %4s %11s %9s %11s %9s %8s %12s\n", "one process each, median (max)", "n",
		"wall ms", "CPU ms", "memory MB", "requests", "commits", "preflight ms")
	if err := g.row(ctx, "orderly certonly, 2 names", runs, orderly, func() []string { return g.certonly("orderly", 2) }); err != nil {
		return err
	}
	if err := g.row(ctx, "orderly certonly, 10 names", (runs+3)/4, orderly, func() []string { return g.certonly("orderly", 10) }); err != nil {
		return err
	}
	if err := g.row(ctx, "orderly --version", runs, orderly, func() []string { return []string{"--version"} }); err != nil {
		return err
	}
	if err := g.certbot(ctx, (runs+3)/4); err != nil {
		return err
	}
	return g.plain(ctx, runs)
}

func (g *ground) certbot(ctx context.Context, runs int) error {
	certbot, err := exec.LookPath("certbot")
	if err != nil {
		fmt.Println("certbot is not installed: no comparison")
		return nil
	}
	if _, err := g.run(ctx, certbot, g.certonly("certbot", 1)); err != nil {
		return err
	}
	return g.row(ctx, "certbot certonly, 2 names", runs, certbot,
		func() []string { return g.certonly("certbot", 2) })
}

func open(orderly string) (*ground, error) {
	path, err := filepath.Abs(orderly)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "orderly-bench-")
	if err != nil {
		return nil, err
	}
	g := &ground{dir: dir, orderly: path}
	if g.web, err = testca.ServeSites(); err != nil {
		return nil, err
	}
	if g.ca, err = testca.Start(testca.Config{HTTPPort: g.web.Port()}); err != nil {
		return nil, err
	}
	return g, os.WriteFile(filepath.Join(dir, "root.pem"), g.ca.RootPEM(), 0o644)
}

// site makes a site of so many names.
func (g *ground) site(names int) (root string, list []string) {
	g.serial++
	root = filepath.Join(g.dir, "www", strconv.Itoa(g.serial))
	if err := os.MkdirAll(root, 0o755); err != nil {
		panic(err) // a temporary directory that was just made
	}
	for i := range names {
		name := fmt.Sprintf("n%d.site%d.example.com", i, g.serial)
		g.web.Set(name, root)
		list = append(list, name)
	}
	return root, list
}

// certonly makes a site of so many names and the arguments that get its certificate, for either
// program.
func (g *ground) certonly(who string, names int) []string {
	root, list := g.site(names)
	base := filepath.Join(g.dir, who)
	args := []string{"certonly", "--webroot", "-w", root, "-n", "--agree-tos",
		"--register-unsafely-without-email", "--server", g.ca.DirectoryURL(), "--config-dir", base +
			"/etc", "--work-dir", base + "/lib", "--logs-dir", base + "/log"}
	for _, name := range list {
		args = append(args, "-d", name)
	}
	return args
}

// run runs one process and accounts for it.
func (g *ground) run(ctx context.Context, program string, args []string) (sample, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	before := len(g.ca.Truth().Requests)
	c := exec.CommandContext(ctx, program, args...)
	root := filepath.Join(g.dir, "root.pem")
	c.Env = append(os.Environ(), "SSL_CERT_FILE="+root, "REQUESTS_CA_BUNDLE="+root,
		"ORDERLY_RESOLVER="+g.ca.Resolver(), "ORDERLY_PREFLIGHT_PORT="+strconv.Itoa(g.web.Port()))
	started := time.Now()
	out, err := c.CombinedOutput()
	s := sample{wall: time.Since(started)}
	if err != nil {
		return s, fmt.Errorf("%s %s: %w\n%s", program, strings.Join(args, " "), err, out)
	}
	s.requests = len(g.ca.Truth().Requests) - before
	s.cpu = c.ProcessState.UserTime() + c.ProcessState.SystemTime()
	if usage, ok := c.ProcessState.SysUsage().(*syscall.Rusage); ok {
		s.memory = int64(usage.Maxrss)
	}
	s.commits, s.preflight = g.lastRun()
	return s, nil
}

// lastRun reads what orderly's log says of its last run.
func (g *ground) lastRun() (commits int, preflight time.Duration) {
	text, err := os.ReadFile(filepath.Join(g.dir, "orderly", "log", "orderly.log"))
	if err != nil {
		return 0, 0
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	for field := range strings.FieldsSeq(lines[len(lines)-1]) {
		if value, ok := strings.CutPrefix(field, "commits="); ok {
			commits, _ = strconv.Atoi(value)
		}
		if value, ok := strings.CutPrefix(field, "preflight="); ok {
			preflight, _ = time.ParseDuration(value)
		}
	}
	return commits, preflight
}

// row runs n processes and prints a line.
func (g *ground) row(ctx context.Context, what string, n int, program string,
	args func() []string) error {
	var all []sample
	for range n {
		s, err := g.run(ctx, program, args())
		if err != nil {
			return err
		}
		all = append(all, s)
	}
	ms := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
	column := func(get func(sample) float64) string {
		var list []float64
		for _, s := range all {
			list = append(list, get(s))
		}
		slices.Sort(list)
		return fmt.Sprintf("%.0f (%.0f)", list[len(list)/2], list[len(list)-1])
	}
	cells := []string{
		column(func(s sample) float64 { return ms(s.wall) }),
		column(func(s sample) float64 { return ms(s.cpu) }),
		column(func(s sample) float64 { return float64(s.memory) / 1024 }),
		column(func(s sample) float64 { return float64(s.requests) }), "-", "-",
	}
	if program == g.orderly || strings.HasSuffix(program, "orderly") {
		if all[0].requests > 0 {
			cells[4] = column(func(s sample) float64 { return float64(s.commits) })
			cells[5] = column(func(s sample) float64 { return ms(s.preflight) })
		}
	}
	fmt.Printf("%-34s %4d %11s %9s %11s %9s %8s %12s\n", what, n, cells[0], cells[1], cells[2],
		cells[3], cells[4], cells[5])
	return nil
}
