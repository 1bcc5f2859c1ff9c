package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"orderly/testca"
)

// site is one customer.
type site struct {
	name string // of the certificate
	root string // document root
	note string // what happened to it
}

func (s site) names() []string { return []string{s.name, "www." + s.name} }

// stage is the demo's little world.
type stage struct {
	orderly string
	dir     string
	ca      *testca.CA
	web     *testca.Sites
	sites   []*site
}

const siteCount = 12

// build starts the CA and the web server and makes the sites.
func build(orderly string) (*stage, error) {
	path, err := filepath.Abs(orderly)
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(path); err != nil {
		return nil, fmt.Errorf("the program to be shown is missing, `make build` makes it: %w", err)
	}
	dir, err := os.MkdirTemp("", "orderly-demo-")
	if err != nil {
		return nil, err
	}
	s := &stage{orderly: path, dir: dir}
	if s.web, err = testca.ServeSites(); err != nil {
		return nil, err
	}
	for i := range siteCount {
		name := fmt.Sprintf("customer%02d.example.com", i+1)
		s.sites = append(s.sites, &site{name: name, root: filepath.Join(dir, "www", name, "htdocs")})
		if err := os.MkdirAll(s.sites[i].root, 0o755); err != nil {
			return nil, err
		}
		for _, host := range s.sites[i].names() {
			s.web.Set(host, s.sites[i].root)
		}
	}
	s.ca, err = testca.Start(testca.Config{
		HTTPPort: s.web.Port(), Reuse: true, AuthzReuse: false, HideProcessing: true, Boulder: true,
		Limits: testca.Limits{
			NewOrdersPerAccount: testca.Limit{Count: 300,
				Period: 3 * time.Hour},
			FailedAuthorizationsPerDomainPerAccount: testca.Limit{Count: 5, Period: time.Hour},
		},
	})
	if err != nil {
		return nil, err
	}
	return s, os.WriteFile(filepath.Join(dir, "root.pem"), s.ca.RootPEM(), 0o644)
}

func (s *stage) close(keep bool) error {
	err := errors.Join(s.ca.Close(), s.web.Close())
	if keep {
		fmt.Println("\nEverything is left in", s.dir)
		return err
	}
	return errors.Join(err, os.RemoveAll(s.dir))
}

// command is orderly with the stage's directories.
func (s *stage) command(ctx context.Context, args ...string) *exec.Cmd {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	args = append(args, "--config-dir", filepath.Join(s.dir, "etc"), "--work-dir",
		filepath.Join(s.dir, "lib"), "--logs-dir", filepath.Join(s.dir, "log"))
	c := exec.CommandContext(ctx, s.orderly, args...)
	c.Cancel = func() error { defer cancel(); return c.Process.Kill() }
	c.Env = append(os.Environ(), "SSL_CERT_FILE="+filepath.Join(s.dir, "root.pem"),
		"ORDERLY_RESOLVER="+s.ca.Resolver(), "ORDERLY_PREFLIGHT_PORT="+strconv.Itoa(s.web.Port()))
	return c
}

func (s *stage) certonly(ctx context.Context, site *site) *exec.Cmd {
	args := []string{"certonly", "--webroot", "-w", site.root, "-n", "--agree-tos",
		"--register-unsafely-without-email", "--server", s.ca.DirectoryURL()}
	for _, name := range site.names() {
		args = append(args, "-d", name)
	}
	return s.command(ctx, args...)
}

// code is the exit code of a finished command, -1 for one that a signal ended.
func code(err error) (int, error) {
	exit, ok := errors.AsType[*exec.ExitError](err)
	switch {
	case err == nil:
		return 0, nil
	case !ok:
		return 0, err
	}
	if status, ok := exit.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return -1, nil
	}
	return exit.ExitCode(), nil
}
