// Package vantage connects from another place: through a proxy that runs there, SOCKS5 (RFC 1928, as
// `ssh -D` offers it) or HTTP's CONNECT. What a firewall lets this host alone see is told from what
// everybody sees. It must never choose where to connect to, never let the proxy look a name up, and
// never take a proxy that fails for a site that does.
package vantage

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"net/url"
	"os"
	"time"

	"orderly/failure"
)

// Place is another place to connect from.
type Place struct {
	// Name is that of the proxy, HOST:PORT.
	Name string

	user   *url.Userinfo
	tunnel func(ctx context.Context, conn net.Conn, p *Place, to netip.AddrPort) error
	dial   func(ctx context.Context, network, address string) (net.Conn, error)
}

// Unfit is that the proxy cannot be used: it cannot be reached, wants a password, or will not connect
// as it is asked to. Nothing follows for where it was to connect to.
type Unfit struct{ Cause error }

// Error is the cause's text.
func (u *Unfit) Error() string { return u.Cause.Error() }

// Unwrap returns the cause.
func (u *Unfit) Unwrap() error { return u.Cause }

func unfit(text string) error { return &Unfit{errors.New(text)} }

// Parse reads socks5://[USER:PASSWORD@]HOST:PORT, or the same with http.
func Parse(text string) (*Place, error) {
	wrong := func(why string) error {
		return failure.New(failure.Usage, "Give one like socks5://127.0.0.1:1080, which "+
			"`ssh -N -D 1080 OTHER-HOST` offers, or http://PROXY:3128.", "%s", why)
	}
	u, err := url.Parse(text)
	if err != nil { // whose text may hold the password
		return nil, wrong("what names another place to look from is no URL")
	}
	p := &Place{Name: u.Host, user: u.User, dial: new(net.Dialer).DialContext}
	switch u.Scheme {
	case "socks5", "socks5h":
		p.tunnel = socks
	case "http":
		p.tunnel = connect
	default:
		return nil, wrong("another place to look from is reached by socks5 or http, and not by " +
			failure.Quote(u.Scheme))
	}
	if u.Hostname() == "" || u.Port() == "" || u.Path != "" && u.Path != "/" || u.RawQuery != "" {
		return nil, wrong("the proxy at another place is named by its host and port alone")
	}
	return p, nil
}

// patience is how long the proxy may take to connect, where ctx allows for more.
const patience = 10 * time.Second

// Dial connects from there to an address, IP:PORT. An error that is no *Unfit is about that address.
func (p *Place) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	to, err := netip.ParseAddrPort(address)
	if err != nil {
		return nil, err // a name would be looked up there
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	conn, err := p.dial(ctx, "tcp", p.Name)
	if err != nil {
		return nil, &Unfit{err}
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	err = p.tunnel(ctx, conn, p, to)
	if !stop() && err == nil {
		err = context.Cause(ctx)
	}
	if err == nil {
		return conn, nil
	}
	_ = conn.Close()
	if _, is := errors.AsType[*Unfit](err); is {
		return nil, err
	}
	if errors.Is(err, os.ErrDeadlineExceeded) || ctx.Err() != nil {
		err = os.ErrDeadlineExceeded // it waits for the site, as far as can be seen
	}
	return nil, &net.OpError{Op: "dial", Net: network, Err: err}
}
