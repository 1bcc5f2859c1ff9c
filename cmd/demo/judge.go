package main

import (
	"crypto/tls"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/term"

	"orderly/testca"
)

func (s *stage) ordersOf(site *site) int { return len(s.truth(site)) }

// truth are the CA's orders for a site.
func (s *stage) truth(site *site) []testca.TruthOrder {
	return slices.DeleteFunc(s.ca.Truth().Orders,
		func(o testca.TruthOrder) bool { return !slices.Contains(o.Names, site.name) })
}

// want is how many orders, and certificates, a site was worth: the first one, and one per round it
// was healthy in.
func (s *stage) want(i int) int {
	switch i {
	case withoutWebroot, nameMoved:
		return 1
	case rootDeleted:
		return 2
	}
	return 3
}

// judge prints the table and says whether the promise was kept. Everything in it is asked of the CA
// and of the disk.
func (s *stage) judge(took time.Duration) error {
	fmt.Printf("%-24s  %-11s  %-6s  %-10s  %s\n", "SITE", "CERTIFICATE", "ORDERS", "AT THE CA",
		"WHAT HAPPENED")
	broken := 0
	for i, site := range s.sites {
		orders, issued, pending := 0, 0, 0
		for _, o := range s.truth(site) {
			orders++
			if o.Serial != "" {
				issued++
			}
			for _, a := range o.Authorizations {
				if a.Status == "pending" {
					pending++
				}
			}
		}
		pair := "matches key"
		live := filepath.Join(s.dir, "etc", "live", site.name)
		if _, err := tls.LoadX509KeyPair(filepath.Join(live, "fullchain.pem"), filepath.Join(live, "privkey.pem")); err != nil {
			pair = "BROKEN"
		}
		if pending > 0 || orders != s.want(i) || issued != orders || pair == "BROKEN" {
			broken++
		}
		fmt.Printf("%-24s  %-11s  %-6d  %-10s  %s\n", site.name, pair, orders,
			fmt.Sprintf("%d pending", pending), site.note)
	}
	t := s.ca.Truth()
	fmt.Printf("%-24s  %-11d  %-6d  %-10s  %d requests, %d refused by a limit, %.1f s\n", "in all",
		len(t.Issued), len(t.Orders), fmt.Sprintf("%d pending", t.Pending()), len(t.Requests),
		t.RateLimited, took.Seconds())
	if broken > 0 || t.Pending() > 0 || t.RateLimited > 0 || t.ValidatedTwice() > 0 {
		return fmt.Errorf("the promise was broken for %d site(s)", broken)
	}
	fmt.Println("\nNo order was lost, none was made in vain, none is left behind.")
	return nil
}

// bar shows progress on a terminal; elsewhere only its end is printed.
type bar struct {
	what      string
	all, full int
	terminal  bool
}

func newBar(what string, all int) *bar {
	return &bar{what: what, all: all, terminal: term.IsTerminal(int(os.Stdout.Fd()))}
}

func (b *bar) step(name string) {
	b.full++
	if b.terminal {
		const width = 30
		n := width * b.full / b.all
		fmt.Printf("\r%s [%s%s] %s\x1b[K", b.what, strings.Repeat("=", n),
			strings.Repeat(" ", width-n), name)
	}
}

func (b *bar) done(format string, args ...any) {
	if b.terminal {
		fmt.Print("\r\x1b[K")
	}
	fmt.Printf("%s: %s\n", b.what, fmt.Sprintf(format, args...))
}
