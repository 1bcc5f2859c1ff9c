package preflight

import (
	"context"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"orderly/solver/webroot"
)

func TestDNSServersComeFromResolvConf(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for _, test := range []struct {
		server, file string
		want         []string
	}{
		{"127.0.0.1:5353", "", []string{"127.0.0.1:5353"}},
		{"192.0.2.1", "", []string{"192.0.2.1:53"}},
		{"2001:db8::1", "", []string{"[2001:db8::1]:53"}},
		{"[2001:db8::1]", "", []string{"[2001:db8::1]:53"}},
		{"", write("four", "nameserver 192.0.2.1\nnameserver ::1\nnameserver 192.0.2.3\nnameserver 192.0.2.4\n"),
			[]string{"192.0.2.1:53", "[::1]:53", "192.0.2.3:53"}},
		{"", write("none", "search example\n"), []string{"127.0.0.1:53"}},
		{"", filepath.Join(dir, "missing"), []string{"127.0.0.1:53"}},
	} {
		if got := newResolver(test.server, test.file, time.Second, new(Hearing)).servers; !slices.Equal(got, test.want) {
			t.Errorf("%q %q: %q, want %q", test.server, test.file, got, test.want)
		}
	}
}

func TestTheEdgesOfReservedBlocks(t *testing.T) {
	for address, want := range map[string]bool{
		"9.255.255.255": true, "10.0.0.0": false, "10.255.255.255": false, "11.0.0.0": true,
		"100.63.255.255": true, "100.127.255.255": false, "100.128.0.0": true,
		"172.15.255.255": true, "172.31.255.255": false, "172.32.0.0": true,
		"192.0.1.0": true, "192.0.2.255": false, "198.17.255.255": true, "198.19.255.255": false,
		"223.255.255.255": true, "224.0.0.0": false, "239.255.255.255": false, "240.0.0.1": false, "255.255.255.255": false,
		"::": false, "::1": false, "::a00:1": false, "100::1": false, "100:0:0:1::1": false, "100:0:0:2::1": true,
		"2001:1ff:ffff::1": false, "2001:200::1": true, "2001:db8::1": false, "2001:db9::1": true, "2003::1": true,
		"3fff:fff::1": false, "4000::1": true, "fbff::1": true, "fc00::1": false, "fdff::1": false,
		"fe7f::1": true, "febf::1": false, "fec0::1": false, "ff02::1": false, "64:ff9b::1": false, "64:ff9b:1::1": false,
	} {
		if got := isGlobal(netip.MustParseAddr(address)); got != want {
			t.Errorf("%s global: %v", address, got)
		}
	}
}

func FuzzARedirectLeadsOnlyWhereACAGoes(f *testing.F) {
	for _, seed := range []string{
		"http://b.example/x", "https://b.example:443/", "//c.example", "/path?query", "?q", "#f", "http://user:pass@b.example/",
		"http://[::1%25eth0]/", "http://169.254.169.254/", "ftp://x/", "javascript:alert(1)", "http://b.example:99999/", "http://b.example:/",
		"http://\u00fc.example/", "http://b.example%2f.evil/", "http:b.example", "https://b.example.well-known/", "http://a b/", "HTTP://B/", "//:::", "http://[::ffff:10.0.0.1]:80/",
		"http://b.example\\@evil.example/", strings.Repeat("/x", 1500),
	} {
		f.Add(seed)
	}
	p := ports{http: 5002, https: 5001}
	f.Fuzz(func(t *testing.T, location string) {
		from := p.start("a.example", "/.well-known/acme-challenge/x").url
		to, err := p.follow(from, location)
		if err != nil {
			return
		}
		if to.url.Scheme != "http" && to.url.Scheme != "https" || to.url.User != nil || to.url.Fragment != "" || to.url.Opaque != "" {
			t.Errorf("%q leads to %v", location, to.url)
		}
		if to.port != 5002 && to.port != 5001 || len(to.url.Path) > maxPath {
			t.Errorf("%q leads to port %d, %d bytes of path", location, to.port, len(to.url.Path))
		}
		if to.host == "" || to.host != to.url.Hostname() || strings.ContainsAny(to.host, "%/@\\ \t\r\n\x00") {
			t.Errorf("%q leads to host %q", location, to.host)
		}
		again, err := url.Parse(to.url.String())
		if err != nil || again.Host != to.url.Host || again.Scheme != to.url.Scheme {
			t.Errorf("%q leads to %q, which reads as %v, %v", location, to.url, again, err)
		}
	})
}

// interrupted is a context that ends right after it was seen not to have ended.
type interrupted struct {
	context.Context
	end context.CancelFunc
}

// Err implements context.Context.
func (c interrupted) Err() error {
	defer c.end()
	return c.Context.Err()
}

// A signal that comes while probes are being removed keeps none of them in a document root.
func TestASignalAmongRemovalsLeavesNoProbe(t *testing.T) {
	writer := new(webroot.Writer)
	t.Cleanup(writer.Close)
	root := t.TempDir()
	r := (&Checker{Writer: writer}).begin()
	if g := r.ground(t.Context(), root); g.probe == nil {
		t.Fatalf("no probe: %v, %v", g.unfit, g.unwritable)
	}
	ctx, end := context.WithCancel(t.Context())
	defer end()
	left := r.clear(interrupted{ctx, end})
	files, err := os.ReadDir(root)
	if err != nil || len(left) > 0 || len(files) > 0 {
		t.Errorf("left %v, %v, %v", left, files, err)
	}
}
