package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"orderly/certbot/damage"
	"orderly/zone/zonetest"
)

// What doctor --online costs on a host whose sites are all asked about: a DNS server and a web server
// are this process, since their time is not the doctor's.

// online measures the doctor that looks at the network.
func (b bench) online(ctx context.Context, out io.Writer, dir string) error {
	if err := makeSites(dir, b.sites); err != nil {
		return err
	}
	world := zonetest.New()
	defer world.Close()
	resolver := world.Serve("192.0.2.53", zoneOf(b.sites)).Address()
	web, err := serveSites(dir)
	if err != nil {
		return err
	}
	defer web.Close()
	_, port, _ := net.SplitHostPort(web.Addr)
	args := append([]string{"doctor", "--online", "--json", "--resolver", resolver, "--preflight-port", port},
		places(dir)...)
	b.runs = min(b.runs, 3) // each takes seconds
	return b.row(ctx, out, fmt.Sprintf("doctor --online, %d names, a local resolver", b.sites), args,
		target{60, 0})
}

// makeSites makes a host of which each certificate has one name.
func makeSites(dir string, names int) error {
	if _, err := os.Stat(filepath.Join(dir, "etc")); err == nil {
		return nil // of an earlier run
	}
	return each(names, func(i int) error {
		d := damage.Dir{Config: filepath.Join(dir, "etc"), Name: site(i), Root: filepath.Join(dir, "www", site(i)),
			Server: "https://ca.example/directory", Account: "0123456789abcdef0123456789abcdef",
			Left: time.Duration(31+i%59) * day}
		if err := os.MkdirAll(d.Root, 0o755); err != nil {
			return err
		}
		return d.Healthy()
	})
}

// zoneOf has the names of the sites; each fiftieth is missing, and another lacks a web server.
func zoneOf(names int) *zonetest.Zone {
	z := zonetest.NewZone("example.com")
	var lines []string
	for i := range names {
		switch i % 50 {
		case 7:
		case 8:
			lines = append(lines, site(i)+". A 127.99.99.99")
		default:
			lines = append(lines, site(i)+". A 127.0.0.1")
		}
	}
	z.Add(lines...)
	return z
}

// serveSites serves each site from its document root.
func serveSites(dir string) (*http.Server, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s := &http.Server{Addr: listener.Addr().String(), ReadHeaderTimeout: time.Minute,
		Handler: http.HandlerFunc(func(to http.ResponseWriter, r *http.Request) {
			host, _, _ := strings.Cut(r.Host, ":")
			http.FileServer(http.Dir(filepath.Join(dir, "www", filepath.Base(host)))).ServeHTTP(to, r)
		})}
	go func() { _ = s.Serve(listener) }()
	return s, nil
}
