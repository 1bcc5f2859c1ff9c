package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"orderly/certbot"
	"orderly/testca"
)

// yard is one configuration directory with many lineages that are due, at a CA of its own, and is
// renewed once.
type yard struct {
	*fleet
	orderly string
	at      *authority
	sites   *testca.Sites
}

// spent is what one process cost.
type spent struct {
	wall, cpu    time.Duration
	memory       float64 // MB
	commits      int
	transactions int
	synced       int // of the transactions
}

// left is how long the certificates of a yard are valid still: they are due by their age.
const left = 25 * 24 * time.Hour

// newYard makes a yard. The account is made by a certificate of its own, before anything is slow. The
// CA did not issue the others, and refuses an order that replaces what it does not know: nothing is
// said of that.
func newYard(ctx context.Context, b bench, sites *testca.Sites, p pace) (y *yard, err error) {
	dir, err := os.MkdirTemp("", "orderly-bench-")
	if err != nil {
		return nil, err
	}
	y = &yard{fleet: &fleet{dir: dir, config: filepath.Join(dir, "etc"), lineages: b.due, unnamed: true},
		orderly: b.orderly, sites: sites}
	y.root = func(i int) string { return filepath.Join(dir, "www", name(i)) }
	y.begin = func(int) time.Time { return time.Now().Add(left - lifetime) }
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("making what is due: %w", err), y.close())
		}
	}()
	if y.at, err = startAuthority(ctx, b.testca, sites.Port(), p); err != nil {
		return y, err
	}
	y.server = y.at.said["directory"]
	if err := y.enrol(ctx); err != nil {
		return y, err
	}
	if err := y.fill(); err != nil {
		return y, err
	}
	for i := range y.lineages {
		y.sites.Set(name(i), y.root(i))
		y.sites.Set("www."+name(i), y.root(i))
	}
	return y, y.at.slow(p)
}

func (y *yard) close() error {
	var err error
	if y.at != nil {
		err = y.at.close()
	}
	return errors.Join(err, y.fleet.close())
}

// enrol gets the account's first certificate, which is not due when the others are.
func (y *yard) enrol(ctx context.Context) error {
	const first = "first.example.com"
	root := filepath.Join(y.dir, "www", first)
	if err := os.MkdirAll(root, 0o755); err != nil {
		return err
	}
	y.sites.Set(first, root)
	_, err := y.run(ctx, "certonly", "-n", "--webroot", "-w", root, "-d", first, "--agree-tos",
		"--register-unsafely-without-email", "--server", y.server)
	if err != nil {
		return err
	}
	disk := &certbot.Store{Dirs: certbot.Dirs{Config: y.config}}
	all, err := disk.Accounts().At(y.server)
	if err != nil || len(all) != 1 {
		return fmt.Errorf("%d accounts: %w", len(all), err)
	}
	y.account = all[0].ID
	return nil
}

// renew renews all that is due, and wants the CA to have seen one order for each.
func (y *yard) renew(ctx context.Context, jobs int) (spent, error) {
	s, err := y.run(ctx, "renew", "-n", "--no-random-sleep-on-renew", "--jobs", strconv.Itoa(jobs))
	if err != nil {
		return s, err
	}
	return s, y.judge()
}

// judge asks the CA's own store.
func (y *yard) judge() error {
	t, err := y.at.truth()
	if err != nil {
		return err
	}
	const own = 1 // the account's first
	issued, orders := len(t.Issued)-own, len(t.Orders)-own
	if issued != y.lineages || orders != y.lineages || t.Pending() != 0 {
		return fmt.Errorf("the CA holds %d certificates, %d orders and %d pending authorizations, not %d, "+
			"%[4]d and none", issued, orders, t.Pending(), y.lineages)
	}
	return nil
}

// run runs one process and accounts for it.
func (y *yard) run(ctx context.Context, args ...string) (spent, error) {
	return y.execute(ctx, nil, args...)
}

func (y *yard) execute(ctx context.Context, before []string, args ...string) (s spent, err error) {
	ctx, cancel := context.WithTimeout(ctx, time.Hour)
	defer cancel()
	line := append(append([]string{}, before...), y.orderly)
	line = append(append(line, args...), "--config-dir", y.config, "--work-dir", y.dir+"/lib",
		"--logs-dir", y.dir+"/log")
	p := exec.CommandContext(ctx, line[0], line[1:]...)
	p.Env = append(os.Environ(), "SSL_CERT_FILE="+y.at.said["root"],
		"ORDERLY_RESOLVER="+y.at.said["resolver"],
		"ORDERLY_PREFLIGHT_PORT="+strconv.Itoa(y.sites.Port()))
	started := time.Now()
	out, err := p.CombinedOutput()
	s.wall = time.Since(started)
	if err != nil {
		return s, fmt.Errorf("%s: %w\n%s", strings.Join(line, " "), err, tail(out))
	}
	s.cpu = p.ProcessState.UserTime() + p.ProcessState.SystemTime()
	if usage, ok := p.ProcessState.SysUsage().(*syscall.Rusage); ok {
		s.memory = float64(usage.Maxrss) / 1024
	}
	y.logged(&s)
	return s, nil
}

// logged reads what orderly's log says of its last run.
func (y *yard) logged(s *spent) {
	text, err := os.ReadFile(filepath.Join(y.dir, "log", "orderly.log"))
	if err != nil {
		return
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	for field := range strings.FieldsSeq(lines[len(lines)-1]) {
		name, value, _ := strings.Cut(field, "=")
		n, _ := strconv.Atoi(value) // 0 is seen by whoever reads the table
		switch name {
		case "commits":
			s.commits = n
		case "transactions":
			s.transactions = n
		case "syncs":
			s.synced = n
		}
	}
}
