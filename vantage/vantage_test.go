package vantage_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"syscall"
	"testing"

	"orderly/failure"
	"orderly/vantage"
	"orderly/vantage/vantagetest"
)

func start(t *testing.T, p *vantagetest.Proxy) *vantagetest.Proxy {
	t.Helper()
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p
}

// A site is reached through either kind of proxy, with and without a password.
func TestASiteIsReachedFromAnotherPlace(t *testing.T) {
	site := httptest.NewServer(http.HandlerFunc(func(to http.ResponseWriter, _ *http.Request) { fmt.Fprint(to, "hello") }))
	t.Cleanup(site.Close)
	really := func(string) (net.Conn, error) { return net.Dial("tcp", site.Listener.Addr().String()) }
	for _, scheme := range []string{"socks5", "http"} {
		for _, user := range []string{"", "me"} {
			for _, address := range []string{"192.0.2.1:80", "[2001:db8::1]:80"} {
				proxy := start(t, &vantagetest.Proxy{Reach: really, User: user, Password: "p@ss"})
				login := ""
				if user != "" {
					login = "me:p%40ss@"
				}
				there, err := vantage.Parse(scheme + "://" + login + proxy.Address())
				if err != nil {
					t.Fatal(err)
				}
				client := http.Client{Transport: &http.Transport{DisableKeepAlives: true,
					DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
						return there.Dial(ctx, network, address)
					}}}
				response, err := client.Get("http://name.example/")
				if err != nil {
					t.Errorf("%s %q %s: %v", scheme, user, address, err)
					continue
				}
				body, _ := io.ReadAll(response.Body)
				_ = response.Body.Close()
				if asked := proxy.Asked(); string(body) != "hello" || len(asked) != 1 || asked[0] != address {
					t.Errorf("%s: %q by way of %q", scheme, body, asked)
				}
			}
		}
	}
}

// What the proxy cannot do is told from what the site does not.
func TestAProxyThatFailsIsNoSiteThatDoes(t *testing.T) {
	fails := func(err error) func(string) (net.Conn, error) {
		return func(string) (net.Conn, error) { return nil, err }
	}
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	gone := silent.Addr().String()
	_ = silent.Close()
	web := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(web.Close)
	for _, c := range []struct {
		url   string
		proxy *vantagetest.Proxy
		want  error // of the site; nil where the proxy itself is at fault
	}{
		{"socks5://", &vantagetest.Proxy{Reach: fails(syscall.ECONNREFUSED)}, syscall.ECONNREFUSED},
		{"socks5://", &vantagetest.Proxy{Reach: fails(syscall.ENETUNREACH)}, syscall.ENETUNREACH},
		{"socks5://", &vantagetest.Proxy{Reach: fails(os.ErrDeadlineExceeded)}, os.ErrDeadlineExceeded},
		{"http://", &vantagetest.Proxy{Reach: fails(syscall.ECONNREFUSED)}, syscall.EHOSTUNREACH},
		{"http://", &vantagetest.Proxy{Reach: fails(os.ErrDeadlineExceeded)}, os.ErrDeadlineExceeded},
		{"socks5://", &vantagetest.Proxy{Refuses: true}, nil},
		{"http://", &vantagetest.Proxy{Refuses: true}, nil},
		{"socks5://", &vantagetest.Proxy{User: "a", Password: "b"}, nil},
		{"http://", &vantagetest.Proxy{User: "a", Password: "b"}, nil},
		{"socks5://a:c@", &vantagetest.Proxy{User: "a", Password: "b"}, nil},
		{"http://a:c@", &vantagetest.Proxy{User: "a", Password: "b"}, nil},
		{"socks5://" + gone, nil, nil},
		{"http://" + gone, nil, nil},
		{"http://" + web.Listener.Addr().String(), nil, nil},
	} {
		if c.proxy != nil {
			c.url += start(t, c.proxy).Address()
		}
		there, err := vantage.Parse(c.url)
		if err != nil {
			t.Fatal(err)
		}
		conn, err := there.Dial(t.Context(), "tcp", "192.0.2.1:80")
		_, unfit := errors.AsType[*vantage.Unfit](err)
		if conn != nil || err == nil || unfit != (c.want == nil) || c.want != nil && !errors.Is(err, c.want) {
			t.Errorf("%s: %v, %v", c.url, conn, err)
		}
		if timeout, is := errors.AsType[net.Error](err); c.want == os.ErrDeadlineExceeded && (!is || !timeout.Timeout()) {
			t.Errorf("%s: no time-out: %v", c.url, err)
		}
	}
}

// A proxy that hangs is left when the caller's time is over.
func TestAProxyThatHangsIsLeft(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	for _, scheme := range []string{"socks5://", "http://"} {
		there, err := vantage.Parse(scheme + listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		left := make(chan error)
		go func() {
			_, err := there.Dial(ctx, "tcp", "192.0.2.1:80")
			left <- err
		}()
		conn, err := listener.Accept() // it waits from now on
		if err != nil {
			t.Fatal(err)
		}
		stop()
		if err := <-left; err == nil {
			t.Error("connected")
		}
		_ = conn.Close()
	}
}

// A URL that is none of a proxy's is refused, and a password in it is not repeated.
func TestWhatIsNoProxyIsRefused(t *testing.T) {
	for _, url := range []string{"", "127.0.0.1:1080", "ftp://a:secret@b:1", "socks5://", "socks5://host", "http://h:1/path", "socks5://u:secret@h:x", "http://h:1?q"} {
		_, err := vantage.Parse(url)
		if failure.ClassOf(err) != failure.Usage || strings.Contains(fmt.Sprint(err), "secret") {
			t.Errorf("%q: %v", url, err)
		}
	}
	there, err := vantage.Parse("socks5://127.0.0.1:9")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := there.Dial(t.Context(), "tcp", "name.example:80"); err == nil {
		t.Error("a name was to be looked up there")
	}
}

// A proxy that says it knows no IPv6 is one that cannot be used only where IPv4 was wanted.
func TestAProxyWithoutIPv6IsAGoodOneForIPv4(t *testing.T) {
	for address, fit := range map[string]bool{"[2001:db8::1]:80": true, "192.0.2.1:80": false} {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = listener.Close() })
		go func() {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			_, _ = conn.Write([]byte{5, 0, 5, 8, 0, 1, 0, 0, 0, 0, 0, 0})
			_, _ = io.Copy(io.Discard, conn)
			_ = conn.Close()
		}()
		there, err := vantage.Parse("socks5://" + listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		_, err = there.Dial(t.Context(), "tcp", address)
		if _, unfit := errors.AsType[*vantage.Unfit](err); err == nil || unfit == fit || errors.Is(err, syscall.ENETUNREACH) != fit {
			t.Errorf("%s: %v", address, err)
		}
	}
}
