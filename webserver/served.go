package webserver

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/netip"
	"strconv"
	"time"
)

// What a web server has in its memory shows only when it is asked: a certificate that was renewed is
// served from the next reload on. Asked are this host's own addresses alone.

// servedPatience bounds one handshake with a server on this host.
const servedPatience = 3 * time.Second

// errNotOurs says that a host listens on an address of another machine, as behind a failover.
var errNotOurs = errors.New("the address is not this host's")

// Served is the certificate that a host serves for a name now, on one of its addresses.
func Served(ctx context.Context, h *Host, name string) (*x509.Certificate, error) {
	for _, l := range h.Listens {
		if !l.TLS {
			continue
		}
		address, ok := dialled(l.Address)
		if !ok {
			continue
		}
		ctx, cancel := context.WithTimeout(ctx, servedPatience)
		defer cancel()
		// whether it may be trusted is not the question
		dialer := &tls.Dialer{Config: &tls.Config{ServerName: name, InsecureSkipVerify: true}}
		conn, err := dialer.DialContext(ctx, "tcp", net.JoinHostPort(address, strconv.Itoa(l.Port)))
		if err != nil {
			return nil, err
		}
		defer func() { _ = conn.Close() }() // nothing was sent
		return conn.(*tls.Conn).ConnectionState().PeerCertificates[0], nil
	}
	return nil, errNotOurs
}

// dialled is the address by which a socket is reached from this host; false for another machine's.
func dialled(address netip.Addr) (string, bool) {
	switch {
	case !address.IsValid() || address == netip.IPv4Unspecified():
		return "127.0.0.1", true
	case address == netip.IPv6Unspecified():
		return "::1", true
	case address.IsLoopback():
		return address.String(), true
	}
	own, err := net.InterfaceAddrs()
	for _, a := range own {
		if prefix, errOf := netip.ParsePrefix(a.String()); err == nil && errOf == nil && prefix.Addr() == address {
			return address.String(), true
		}
	}
	return "", false
}
