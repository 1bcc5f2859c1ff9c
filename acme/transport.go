package acme

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"net/url"
	"time"

	"orderly/failure"
)

// The HTTP client for a CA. It must work where a host's roots are few or its proxy odd, and must
// never be talked into not verifying.

const (
	dialTimeout      = 10 * time.Second
	handshakeTimeout = 10 * time.Second
)

// HTTPClient makes the client that Options.HTTP wants. TLS roots are the system's and those in the
// PEM files named by SSL_CERT_FILE and REQUESTS_CA_BUNDLE (which certbot obeys); one that cannot be
// read or holds no certificate is a failure.Error of class Config. Proxies are those of HTTPS_PROXY
// and NO_PROXY as net/http reads them. Connections are kept alive, HTTP/2 is used where the CA
// speaks it, and nothing about verifying the CA's certificate can be turned off.
func HTTPClient(getenv func(string) string) (*http.Client, error) {
	trust, err := newTrust(getenv)
	if err != nil {
		return nil, err
	}
	dialer := &net.Dialer{Timeout: dialTimeout, KeepAlive: 30 * time.Second}
	t := &http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		DialContext:         dialer.DialContext,
		DialTLSContext:      (&tlsDialer{dialer, trust}).dial,
		TLSHandshakeTimeout: handshakeTimeout,
		ForceAttemptHTTP2:   true,
		MaxIdleConns:        32,
		MaxIdleConnsPerHost: 16, // what many orders at once have opened is not opened anew
		// where HTTP/2 is not spoken, a request that hangs has a connection: many that hang must
		// leave some for others
		MaxConnsPerHost: 256,
		// below what servers allow, so that a dead connection is rarely tried
		IdleConnTimeout:        30 * time.Second,
		MaxResponseHeaderBytes: 64 << 10,
	}
	proxied, err := behindProxy()
	if err != nil {
		return nil, err
	}
	if proxied {
		// Through a proxy net/http does not call DialTLSContext, and its own configuration has one
		// pool only.
		t.TLSClientConfig = &tls.Config{RootCAs: trust.all(), MinVersion: tls.VersionTLS12}
	}
	return &http.Client{Transport: t}, nil
}

// behindProxy reports whether HTTPS requests may go through a proxy. The error keeps the value to
// itself: it may hold a password.
func behindProxy() (bool, error) {
	request := &http.Request{URL: &url.URL{Scheme: "https", Host: "ca.invalid"}}
	proxy, err := http.ProxyFromEnvironment(request)
	if err != nil {
		return false, failure.New(failure.Config, "Correct or unset HTTPS_PROXY.", "the environment variable HTTPS_PROXY holds no URL of a proxy")
	}
	return proxy != nil, nil
}

// tlsDialer makes TLS connections, trusting the quick roots first. What they accept all roots
// accept, since they are among them; what they refuse is tried again with all, whose verdict
// stands. So the crypto/tls verification is never replaced, and the 8 to 18 ms of CPU time that
// loading a system's roots takes are spent only where needed.
type tlsDialer struct {
	dialer *net.Dialer
	trust  *trust
}

func (d *tlsDialer) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	config := &tls.Config{ServerName: host, MinVersion: tls.VersionTLS12,
		NextProtos: []string{"h2", "http/1.1"}}
	if config.RootCAs = d.trust.quick(); config.RootCAs != nil {
		conn, err := d.handshake(ctx, network, addr, config)
		if _, refused := errors.AsType[*tls.CertificateVerificationError](err); !refused {
			return conn, err
		}
	}
	config = config.Clone()
	config.RootCAs = d.trust.all()
	conn, err := d.handshake(ctx, network, addr, config)
	if err == nil {
		d.trust.quickFails.Store(true)
	}
	return conn, err
}

func (d *tlsDialer) handshake(ctx context.Context, network, addr string,
	config *tls.Config) (net.Conn, error) {
	raw, err := d.dialer.DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, handshakeTimeout)
	defer cancel()
	conn := tls.Client(raw, config)
	if err := conn.HandshakeContext(ctx); err != nil {
		raw.Close()
		return nil, err
	}
	return conn, nil
}
