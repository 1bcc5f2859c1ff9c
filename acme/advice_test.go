package acme_test

import (
	"context"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"orderly/acme"
)

// A CA that cannot be talked to is this host's matter more often than the CA's: each way has its own remedy.
func TestWhatKeepsThisHostFromTheCAHasARemedy(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed := "https://" + silent.Addr().String() + "/dir"
	silent.Close()
	unknown := httptest.NewTLSServer(http.NotFoundHandler())
	unknown.Config.ErrorLog = log.New(io.Discard, "", 0) // of handshakes that are to fail
	defer unknown.Close()
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "<html>") }))
	defer other.Close()
	bare := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "{}") }))
	defer bare.Close()
	plain := httptest.NewServer(http.NotFoundHandler())
	defer plain.Close()
	lookup := &http.Client{Transport: &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) {
		return nil, &net.DNSError{Err: "no such host", Name: "acme.example", IsNotFound: true}
	}}}
	trusting, err := acme.HTTPClient(func(string) string { return "" })
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		server string
		http   *http.Client
		want   string
	}{
		{"https://acme.example/dir", lookup, "`getent hosts acme.example` must print an address"},
		{closed, http.DefaultClient, "Nothing listens at the CA's address"},
		{unknown.URL, trusting, "put the CA's root into SSL_CERT_FILE"},
		{strings.Replace(plain.URL, "http:", "https:", 1), http.DefaultClient, "speaks TLS"},
		{other.URL, http.DefaultClient, "`curl -sS " + other.URL + "` must print JSON"},
		{bare.URL, http.DefaultClient, "`curl -sS " + bare.URL + "` must print JSON"},
	} {
		client, err := acme.New(test.server, acme.Options{HTTP: test.http})
		if err != nil {
			t.Fatal(err)
		}
		_, err = client.Directory(t.Context())
		if got := string(acme.Advice(test.server, err)); !strings.Contains(got, test.want) {
			t.Errorf("%v: %q lacks %q", err, got, test.want)
		}
	}
	if got := acme.Advice("https://acme.example/dir", &acme.Problem{Type: "malformed"}); got != "" {
		t.Errorf("an answer of the CA's own: %s", got)
	}
	if got := acme.Advice("https://acme.example/dir", errors.New("x")); got != "" {
		t.Errorf("%s", got)
	}
}
