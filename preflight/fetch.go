package preflight

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"time"
	"unicode"

	"orderly/solver/webroot"
)

// What a CA will fetch is fetched as the CA will: at the same port, with the same redirects, from
// the addresses that were looked up.

const (
	// maxBody bounds what is read of an answer, in bytes.
	maxBody = 4 << 10
	// boulderBody is where Boulder (va/http.go: maxResponseSize) and Pebble give up, blanks at the
	// end included.
	boulderBody = 128
	maxHeader   = 64 << 10
)

// fetcher fetches a probe as a CA would fetch a token, from addresses that were checked and no
// others.
type fetcher struct {
	resolver *resolver
	policy   policy
	ports    ports
	agent    string
	dial     func(ctx context.Context, network, address string) (net.Conn, error)
	patience time.Duration // for one name
	what     string        // is fetched
	// says the addresses that redirects lead to, where set
	lookup func(ctx context.Context, host string) []netip.Addr
}

// trail is the way a fetch went.
type trail struct {
	start     target
	at        target
	address   netip.Addr
	first     netip.Addr // at which it began
	redirects int
}

// served is where a fetch ended.
type served struct {
	trail  trail
	status int // of the last answer, 0 if there was none
}

// dialError tells that no connection came about from every other network error: only then is
// another address tried.
type dialError struct{ cause error }

func (e *dialError) Error() string { return e.cause.Error() }
func (e *dialError) Unwrap() error { return e.cause }

// fetch fetches the probe from name, whose addresses were looked up already. An error is a
// *trouble. Like Boulder it prefers IPv6 and begins once more with IPv4 when a connection does not
// come about (va/http.go, fallbackErr).
func (f *fetcher) fetch(ctx context.Context, name string, addresses []netip.Addr,
	probe *webroot.Probe) (served, error) {
	start := f.ports.start(name, "/.well-known/acme-challenge/"+probe.Token)
	got := served{trail: trail{start: start, at: start}}
	chosen := choose(addresses, f.policy.permits)
	if len(chosen) == 0 {
		return got, &trouble{kind: forbidden, trail: got.trail, detail: listed(addresses), addresses: addresses}
	}
	var err error
	unsure := false
	for _, address := range chosen {
		got, err = f.chase(ctx, trail{start: start, at: start, address: address, first: address}, probe.Content)
		if _, undialled := errors.AsType[*dialError](err); !undialled {
			break
		}
		t, _ := errors.AsType[*trouble](err)
		if unsure && t.kind == shut {
			t.kind = unreached // the CA may come through by the other address
		}
		unsure = unsure || t.kind != shut
	}
	return got, err
}

// chase follows redirects to the end and compares what is there with the probe.
func (f *fetcher) chase(ctx context.Context, way trail, content string) (served, error) {
	seen := map[string]bool{}
	for {
		seen[way.at.url.String()] = true
		response, err := f.get(ctx, way.at, way.address)
		if err != nil {
			return served{trail: way}, f.troubleOf(ctx, way, err)
		}
		if location := response.Header.Get("Location"); location == "" || !isRedirect(response.StatusCode) {
			defer response.Body.Close()
			return served{trail: way, status: response.StatusCode},
				f.compare(ctx, way, response, content)
		}
		_ = response.Body.Close()
		next, err := f.next(ctx, way, response.Header.Get("Location"), seen)
		if err != nil {
			return served{trail: way, status: response.StatusCode}, err
		}
		way = next
	}
}

// next is the step after way. The host is looked up again even if it is the same, as Boulder does,
// and the address is checked again: a name may point elsewhere the second time.
func (f *fetcher) next(ctx context.Context, way trail, location string,
	seen map[string]bool) (trail, error) {
	to, err := f.ports.follow(way.at.url, location)
	if err != nil {
		return way, &trouble{kind: misled, trail: way, detail: "redirects to " + err.Error()}
	}
	next := trail{start: way.start, at: to, first: way.first, redirects: way.redirects + 1}
	switch {
	case next.redirects > maxRedirects:
		return way, &trouble{kind: misled, trail: way, detail: "redirects once more than the " + strconv.Itoa(maxRedirects) + " times a CA follows"}
	case seen[to.url.String()]:
		return way, &trouble{kind: misled, trail: way, detail: "redirects in a circle"}
	}
	addresses, err := f.addressesOf(ctx, next)
	if err != nil {
		return next, err
	}
	chosen := choose(addresses, f.policy.permitsAt(way.first, to.host))
	if len(chosen) == 0 {
		return next, &trouble{kind: forbidden, trail: next, detail: listed(addresses), addresses: addresses}
	}
	next.address = chosen[0]
	return next, nil
}

func (f *fetcher) addressesOf(ctx context.Context, way trail) ([]netip.Addr, error) {
	if literal, err := netip.ParseAddr(way.at.host); err == nil {
		return []netip.Addr{literal}, nil
	}
	if f.lookup != nil {
		if addresses := f.lookup(ctx, way.at.host); len(addresses) > 0 {
			return addresses, nil
		}
	}
	answer := f.resolver.lookup(ctx, way.at.host)
	if addresses := answer.addresses(); len(addresses) > 0 {
		return addresses, nil
	}
	return nil, &trouble{kind: unresolved, trail: way, dns: answer.judge(way.at.host, f.resolver)}
}

// get makes one request to the address alone. The transport is new each time: it keeps no
// connection, knows no proxy and no cookies, and can connect nowhere else. Certificates are not
// looked at, since a CA does not either.
func (f *fetcher) get(ctx context.Context, to target, address netip.Addr) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, to.url.String(), nil)
	if err != nil {
		return nil, err
	}
	request.Header.Set("User-Agent", f.agent)
	// mod_security refuses requests without, and Boulder sends it
	request.Header.Set("Accept", "*/*")
	transport := &http.Transport{
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			// Half of the time at most, so that enough is left for IPv4.
			ctx, cancel := context.WithTimeout(ctx, f.patience/2)
			defer cancel()
			conn, err := f.dial(ctx, network, netip.AddrPortFrom(address, uint16(to.port)).String())
			if err != nil {
				return nil, &dialError{err}
			}
			return conn, nil
		},
		TLSClientConfig:        &tls.Config{InsecureSkipVerify: true},
		DisableKeepAlives:      true,
		MaxResponseHeaderBytes: maxHeader,
	}
	return transport.RoundTrip(request)
}

// compare looks whether the answer is the probe, blanks at the end left aside (RFC 8555 section
// 8.3).
func (f *fetcher) compare(ctx context.Context, way trail, response *http.Response,
	content string) error {
	if response.StatusCode != http.StatusOK {
		return &trouble{kind: different, trail: way,
			detail: "answers with status " + strconv.Itoa(response.StatusCode) + " instead of " +
				f.what}
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, maxBody))
	if err != nil && isNetwork(err) {
		return f.troubleOf(ctx, way, err)
	}
	if err == nil && len(body) == 0 {
		return &trouble{kind: different, trail: way,
			detail: "is empty (0 bytes) instead of " + f.what}
	}
	if err != nil || strings.TrimRightFunc(string(body), unicode.IsSpace) != content {
		return &trouble{kind: different, trail: way,
			detail: "answers with something else than " + f.what}
	}
	if len(body) >= boulderBody {
		return &trouble{kind: padded, trail: way,
			detail: "serves " + f.what + " with more blanks behind it than Let's Encrypt reads"}
	}
	return nil
}
