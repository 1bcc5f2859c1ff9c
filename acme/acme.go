// Package acme speaks RFC 8555 on the wire and nothing else: one method is one HTTP request, and
// what comes back is told as it came. Only an answer badNonce is followed by the same request
// again, since the CA then did nothing. It keeps no state but the directory and a pool of nonces,
// decides nothing, waits for nothing and repeats nothing; it must never send anything signed to
// another origin than the directory's, and never call a request unsent that may have been sent.
package acme

import (
	"context"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"orderly/failure"
)

// The kinds of HTTP exchange, as they stand in Exchange.Kind and in errors.
const (
	KindDirectory     = "directory"
	KindNewNonce      = "new-nonce"
	KindNewAccount    = "new-account"
	KindAccount       = "account"
	KindOrders        = "orders"
	KindNewOrder      = "new-order"
	KindOrder         = "order"
	KindAuthorization = "authorization"
	KindChallenge     = "challenge"
	KindFinalize      = "finalize"
	KindCertificate   = "certificate"
	KindDeactivate    = "deactivate"

	KindUpdateAccount     = "update-account"
	KindDeactivateAccount = "deactivate-account"
	KindKeyChange         = "key-change"
	KindRevoke            = "revoke"
	KindRenewalInfo       = "renewal-info"
)

// Options says how a Client reaches its CA.
type Options struct {
	// required, see HTTPClient; its cookies, time-out and redirect policy are not used
	HTTP      *http.Client
	UserAgent string           // RFC 8555 §6.1 demands one; default "orderly"
	Timeout   time.Duration    // of each HTTP exchange, reading the body included; default 30 s
	Now       func() time.Time // default time.Now
	// optional; called after every HTTP exchange with its context, by several goroutines at once
	Observe func(context.Context, Exchange)
}

// Exchange tells of one HTTP exchange that was begun, whether or not an answer arrived.
type Exchange struct {
	Kind        string // one of the Kind constants
	Method, URL string
	Status      int           // 0 when no answer arrived
	Took        time.Duration // from the first attempt to connect to the body's end
	// NotSent or Lost: what kept the answer, or its whole body, from arriving
	Err  error
	Date time.Time // the CA's clock; zero when it sent none
}

// Client is one CA, known by its directory URL. It is safe for concurrent use.
type Client struct {
	directoryURL string
	origin       string
	opaque       http.Client // follows no redirect
	// follows redirects inside the origin; for what is not signed: directory and renewal
	// information
	redirecting http.Client
	userAgent   string
	timeout     time.Duration
	now         func() time.Time
	observe     func(context.Context, Exchange)
	nonces      pool

	looking   chan struct{} // holds one token: the right to fetch or read the directory
	directory *Directory
}

// CheckDirectoryURL reports whether New takes a directory URL: what a person typed is refused before
// anything is done with it.
func CheckDirectoryURL(directoryURL string) error {
	_, err := directoryOf(directoryURL)
	return err
}

func directoryOf(directoryURL string) (*url.URL, error) {
	u, err := url.Parse(directoryURL)
	if err != nil || u.Host == "" || u.User != nil || !secure(u) {
		return nil, failure.New(failure.Usage,
			"Give the https URL of the CA's ACME directory with "+failure.Do(failure.OtherCA)+".",
			"%q is not the URL of an ACME directory", failure.Clean(directoryURL))
	}
	return u, nil
}

// New makes a Client and sends nothing. The directory URL must be https (RFC 8555 §6.1); plain http
// is allowed to a loopback address only, for tests.
func New(directoryURL string, o Options) (*Client, error) {
	u, err := directoryOf(directoryURL)
	if err != nil {
		return nil, err
	}
	if o.HTTP == nil {
		return nil, failure.New(failure.Internal, "", "an ACME client was made without an HTTP client")
	}
	c := &Client{
		directoryURL: directoryURL, origin: originOf(u),
		userAgent: o.UserAgent, timeout: o.Timeout, now: o.Now, observe: o.Observe,
		looking: make(chan struct{}, 1),
	}
	c.looking <- struct{}{}
	if c.userAgent == "" {
		c.userAgent = "orderly"
	}
	if c.timeout <= 0 {
		c.timeout = 30 * time.Second
	}
	if c.now == nil {
		c.now = time.Now
	}
	if c.observe == nil {
		c.observe = func(context.Context, Exchange) {}
	}
	c.opaque = http.Client{Transport: o.HTTP.Transport, CheckRedirect: stay}
	c.redirecting = http.Client{Transport: o.HTTP.Transport, CheckRedirect: c.stayInside}
	return c, nil
}

// secure reports whether the scheme protects what is sent, or needs not to.
func secure(u *url.URL) bool {
	if u.Scheme == "https" {
		return true
	}
	ip, err := netip.ParseAddr(u.Hostname())
	return u.Scheme == "http" && (err == nil && ip.IsLoopback() || u.Hostname() == "localhost")
}

// stay keeps a client from following redirects: a POST turned into a GET, or sent once more, would
// be a second request.
func stay(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

func (c *Client) stayInside(next *http.Request, before []*http.Request) error {
	if len(before) > 3 || originOf(next.URL) != c.origin {
		return http.ErrUseLastResponse
	}
	return nil
}

// originOf is scheme, host and port in one spelling, so that equal origins are equal strings.
func originOf(u *url.URL) string {
	scheme, port := strings.ToLower(u.Scheme), u.Port()
	if port == "" && scheme == "https" {
		port = "443"
	}
	if port == "" && scheme == "http" {
		port = "80"
	}
	return scheme + "://" + net.JoinHostPort(strings.ToLower(u.Hostname()), port)
}

// permit refuses every URL outside the directory's origin (invariant I11): a CA, or whoever speaks
// in its name, could otherwise have the account key sign requests that are valid somewhere else.
func (c *Client) permit(kind, raw string) error {
	if raw == "" {
		return failure.New(failure.CARefused, "", "the CA named no URL for the request %s", kind)
	}
	u, err := url.Parse(raw)
	if err == nil && u.User == nil && originOf(u) == c.origin {
		return nil
	}
	return failure.New(failure.CARefused, "Check that "+failure.Do(failure.OtherCA)+
		" names the right CA; a CA must not send its clients elsewhere.",
		"%q, where the CA wants the request %s sent, is not on %s", failure.Clean(raw), kind,
		c.origin)
}

// acquire takes the right to look at the directory, or gives up with the context.
func (c *Client) acquire(ctx context.Context) error {
	select {
	case <-c.looking:
		return nil
	case <-ctx.Done():
		return ended(ctx)
	}
}

func (c *Client) release() { c.looking <- struct{}{} }
