package standalone_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"orderly/failure"
	"orderly/solver/standalone"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// freePort is a port that nobody listens on just now, for IPv4 or IPv6.
func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", ":0")
	must(t, err)
	must(t, l.Close())
	return l.Addr().(*net.TCPAddr).Port
}

// elsewhere takes a port for IPv6 alone.
func elsewhere(port int) (net.Listener, error) {
	return net.Listen("tcp6", fmt.Sprintf("[::1]:%d", port))
}

// opened is a server that listens where it is told.
func opened(t *testing.T, address string) (*standalone.Server, int) {
	t.Helper()
	s := new(standalone.Server)
	port := freePort(t)
	must(t, s.Open("a", standalone.Place{Address: address, Port: port}))
	t.Cleanup(func() { must(t, s.Close()) })
	return s, port
}

// ask makes a request and returns status and body.
func ask(t *testing.T, method, host string, port int, path string) (int, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, fmt.Sprintf("http://%s%s", net.JoinHostPort(host, fmt.Sprint(port)), path), nil)
	must(t, err)
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Do(request)
	must(t, err)
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	must(t, err)
	return response.StatusCode, string(body)
}

func TestTokensAreServedAndNothingElse(t *testing.T) {
	s, port := opened(t, "127.0.0.1")
	s.Serve("a", "token", "token.thumbprint")
	for _, one := range []struct {
		method, path string
		status       int
		body         string
	}{
		{"GET", "/.well-known/acme-challenge/token", 200, "token.thumbprint"},
		{"HEAD", "/.well-known/acme-challenge/token", 200, ""},
		{"POST", "/.well-known/acme-challenge/token", 404, ""},
		{"GET", "/.well-known/acme-challenge/other", 404, ""},
		{"GET", "/.well-known/acme-challenge/", 404, ""},
		{"GET", "/.well-known/acme-challenge/token/", 404, ""},
		{"GET", "/.well-known/acme-challenge/../acme-challenge/token", 404, ""},
		{"GET", "/token", 404, ""},
		{"GET", "/", 404, ""},
		{"GET", "/etc/passwd", 404, ""},
	} {
		status, body := ask(t, one.method, "127.0.0.1", port, one.path)
		if status != one.status || body != one.body {
			t.Errorf("%s %s: %d %q", one.method, one.path, status, body)
		}
	}
	s.Withdraw("a", "token")
	if status, _ := ask(t, "GET", "127.0.0.1", port, "/.well-known/acme-challenge/token"); status != 404 {
		t.Errorf("a token that was withdrawn: %d", status)
	}
}

func TestBothKindsOfAddressesAreListenedOn(t *testing.T) {
	s, port := opened(t, "")
	s.Serve("a", "t", "c")
	hosts := []string{"127.0.0.1"}
	if l, err := net.Listen("tcp6", "[::1]:0"); err == nil {
		must(t, l.Close())
		hosts = append(hosts, "::1")
	}
	if got := len(s.Addresses()); got != len(hosts) {
		t.Errorf("it listens on %v", s.Addresses())
	}
	for _, host := range hosts {
		if status, body := ask(t, "GET", host, port, "/.well-known/acme-challenge/t"); status != 200 || body != "c" {
			t.Errorf("%s: %d %q", host, status, body)
		}
	}
}

// A web server that has one of the two kinds of addresses would answer there in our stead.
func TestAPortThatIsTakenIsToldInCertbotsWords(t *testing.T) {
	for _, network := range []string{"tcp4", "tcp6"} {
		l, err := net.Listen(network, ":0")
		if err != nil {
			continue // a host without IPv6
		}
		port := l.Addr().(*net.TCPAddr).Port
		err = new(standalone.Server).Open("a", standalone.Place{Port: port})
		want := fmt.Sprintf("Could not bind TCP port %d because it is already in use by another process on this system (such as a web server). Please stop the program in question and then try again.", port)
		if failure.ClassOf(err) != failure.PortTaken || err.Error() != want || failure.RemedyOf(err) == "" {
			t.Errorf("%s: %v", network, err)
		}
		must(t, l.Close())
		s := new(standalone.Server)
		if err := s.Open("a", standalone.Place{Port: port}); err != nil { // nothing of the try is left
			t.Errorf("%s, when it is free: %v", network, err)
		}
		must(t, s.Close())
	}
}

func TestAnAddressOfAnotherHostIsRefused(t *testing.T) {
	err := new(standalone.Server).Open("a", standalone.Place{Address: "192.0.2.1", Port: freePort(t)})
	if failure.ClassOf(err) != failure.Config || !strings.Contains(err.Error(), "192.0.2.1") {
		t.Errorf("%v", err)
	}
}

func TestThePortIsFreeAgainAtOnce(t *testing.T) {
	s := new(standalone.Server)
	port := freePort(t)
	for range 200 {
		must(t, s.Open("a", standalone.Place{Address: "127.0.0.1", Port: port}))
		must(t, s.Open("a", standalone.Place{Address: "127.0.0.1", Port: port})) // it does listen there
		s.Serve("a", "t", "c")
		must(t, s.Rest("a"))
		if len(s.Addresses()) != 1 {
			t.Fatal("it rests while a token is to be served")
		}
		s.Withdraw("a", "t")
		must(t, s.Rest("a"))
		l, err := net.Listen("tcp4", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			t.Fatal(err)
		}
		must(t, l.Close())
	}
	must(t, s.Open("a", standalone.Place{Address: "127.0.0.1", Port: port}))
	s.Serve("a", "t", "c")
	must(t, s.Close())
	if len(s.Addresses()) != 0 {
		t.Error("it listens after Close")
	}
}

// Visitors that say nothing, or one letter at a time, are sent away, and meanwhile the CA is served.
func TestSlowVisitorsKeepNobodyOut(t *testing.T) {
	s, port := opened(t, "127.0.0.1")
	s.Serve("a", "t", "c")
	var slow []net.Conn
	for range 100 {
		c, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		must(t, err)
		t.Cleanup(func() { _ = c.Close() })
		_, err = io.WriteString(c, "GET /.well-known/acme-challenge/t HTTP/1.1\r\nX-")
		must(t, err)
		slow = append(slow, c)
	}
	if status, _ := ask(t, "GET", "127.0.0.1", port, "/.well-known/acme-challenge/t"); status != 200 {
		t.Errorf("status %d", status)
	}
	for _, c := range slow {
		must(t, c.SetReadDeadline(time.Now().Add(30*time.Second)))
		if _, err := io.Copy(io.Discard, c); err != nil && !strings.Contains(err.Error(), syscall.ECONNRESET.Error()) {
			t.Fatalf("it is kept: %v", err)
		}
	}
}
