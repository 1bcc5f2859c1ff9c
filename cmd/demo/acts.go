package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"orderly/testca"
)

// demonstrate plays the acts and judges them by what the CA says.
func demonstrate(ctx context.Context, orderly string, keep bool) (err error) {
	s, err := build(orderly)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close(keep)) }()
	fmt.Printf("A test CA that behaves like Let's Encrypt, and a web server with %d customers' sites.\n\n", siteCount)
	started := time.Now()
	for _, act := range []func(context.Context) error{s.obtain, s.kill, s.spoil, s.renew, s.mend} {
		if err := act(ctx); err != nil {
			return err
		}
	}
	return s.judge(time.Since(started))
}

// victim is the site whose run is killed.
const victim = 4

// obtain gets a certificate for every site but the victim.
func (s *stage) obtain(ctx context.Context) error {
	bar := newBar("1. obtaining certificates", siteCount-1)
	for i, site := range s.sites {
		if i == victim {
			continue
		}
		if out, err := s.certonly(ctx, site).CombinedOutput(); err != nil {
			return fmt.Errorf("certonly for %s: %w\n%s", site.name, err, out)
		}
		bar.step(site.name)
	}
	bar.done("%d certificates", siteCount-1)
	return nil
}

// kill kills a run when the CA has the order and no name has been answered: where every other
// client leaves two authorizations pending. Then it runs the same command again.
func (s *stage) kill(ctx context.Context) error {
	site := s.sites[victim]
	s.ca.Inject(testca.Fault{Kind: "authorization", Nth: 2, Action: testca.Hold})
	c := s.certonly(ctx, site)
	if err := c.Start(); err != nil {
		return err
	}
	select {
	case <-s.ca.Held():
	case <-time.After(30 * time.Second):
		return errors.Join(errors.New("the run never came to its authorizations"), c.Process.Kill(),
			c.Wait())
	}
	if err := c.Process.Kill(); err != nil {
		return err
	}
	_ = c.Wait() // it was killed
	s.ca.ClearFaults()
	fmt.Printf("2. SIGKILL between newOrder and the first challenge of %s: the CA holds 1 order with %d pending\n", site.name, s.ca.Truth().Pending())
	again := time.Now()
	if out, err := s.certonly(ctx, site).CombinedOutput(); err != nil {
		return fmt.Errorf("the same command again: %w\n%s", err, out)
	}
	site.note = "killed once, continued"
	fmt.Printf("   the same command again continued that order in %.1f s: %d order(s) for it, %d pending\n",
		time.Since(again).Seconds(), s.ordersOf(site), s.ca.Truth().Pending())
	return nil
}

// The sites that are broken, each as providers meet it.
const (
	withoutWebroot = 2
	rootDeleted    = 6
	nameMoved      = 9
)

// spoil breaks three sites behind Orderly's back.
func (s *stage) spoil(context.Context) error {
	conf := filepath.Join(s.dir, "etc", "renewal", s.sites[withoutWebroot].name+".conf")
	text, err := os.ReadFile(conf)
	if err != nil {
		return err
	}
	var kept []string
	for line := range strings.Lines(string(text)) {
		if !strings.Contains(line, s.sites[withoutWebroot].root) && !strings.Contains(line, "webroot_map") {
			kept = append(kept, line)
		}
	}
	if err := os.WriteFile(conf, []byte(strings.Join(kept, "")), 0o644); err != nil {
		return err
	}
	s.sites[withoutWebroot].note = "broken: no webroot_map, no webroot_path"
	if err := os.RemoveAll(s.sites[rootDeleted].root); err != nil {
		return err
	}
	s.sites[rootDeleted].note = "broken: document root deleted"
	for _, name := range s.sites[nameMoved].names() {
		s.ca.SetDead(name, true)
	}
	s.sites[nameMoved].note = "broken: gone from DNS"
	fmt.Println("3. three sites break: a renewal file without webroot, a deleted document root, a name gone from DNS")
	return nil
}

// renew renews everything, as a nightly job would, twice: the broken ones must not cost anything
// the second time either.
func (s *stage) renew(ctx context.Context) error {
	before := s.ca.Truth().RequestsByKind["new-order"]
	for night := range 2 {
		out, err := s.command(ctx, "renew", "--force-renewal").CombinedOutput()
		exit, err := code(err)
		if err != nil || exit != 1 {
			return fmt.Errorf("renew exited with %d instead of 1 for three broken sites: %w\n%s",
				exit, err, out)
		}
		if night == 0 {
			fmt.Println("4. renewing all, twice. What the first round says of the broken ones:")
			for line := range strings.Lines(string(out)) {
				if strings.HasPrefix(line, "    ") {
					fmt.Print("   ", strings.TrimPrefix(line, " "))
				}
			}
		}
	}
	orders := s.ca.Truth().RequestsByKind["new-order"] - before
	fmt.Printf("   newOrder requests: %d for %d healthy sites in two rounds, 0 for the broken ones\n", orders, siteCount-3)
	if orders != 2*(siteCount-3) {
		return fmt.Errorf("%d newOrder requests where %d were needed", orders, 2*(siteCount-3))
	}
	return nil
}

// mend repairs one of the broken sites and renews it alone.
func (s *stage) mend(ctx context.Context) error {
	site := s.sites[rootDeleted]
	if err := os.MkdirAll(site.root, 0o755); err != nil {
		return err
	}
	if out, err := s.command(ctx, "renew", "--force-renewal", "--cert-name", site.name).CombinedOutput(); err != nil {
		return fmt.Errorf("renewing the mended %s: %w\n%s", site.name, err, out)
	}
	site.note = "document root deleted, mended, renewed"
	fmt.Printf("5. the document root of %s is back: renewed at once\n\n", site.name)
	return nil
}
