package vantage

// SOCKS5, as much of it as connecting to an address takes (RFC 1928, and RFC 1929 for passwords).

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"syscall"
)

const (
	socksVersion  = 5
	noPassword    = 0
	byPassword    = 2
	noneOfThese   = 0xff
	toConnect     = 1
	passwordRules = 1 // the version of RFC 1929
	addressIPv4   = 1
	addressDomain = 3
	addressIPv6   = 4
	// noSuchAddresses is the reply that it does not support that type of address.
	noSuchAddresses = 8
)

// socks asks for a connection.
func socks(_ context.Context, conn net.Conn, p *Place, to netip.AddrPort) error {
	if err := p.introduce(conn); err != nil {
		return err
	}
	address := to.Addr().Unmap()
	kind := byte(addressIPv6)
	if address.Is4() {
		kind = addressIPv4
	}
	asked := append([]byte{socksVersion, toConnect, 0, kind}, address.AsSlice()...)
	if _, err := conn.Write(append(asked, byte(to.Port()>>8), byte(to.Port()))); err != nil {
		return err
	}
	var head [4]byte
	if _, err := io.ReadFull(conn, head[:]); err != nil {
		return ended(err)
	}
	if head[1] == noSuchAddresses && kind == addressIPv6 {
		return syscall.ENETUNREACH // it has no IPv6, and may be a good one for all others
	}
	if err := socksError(head[1]); err != nil || head[0] != socksVersion {
		if err == nil {
			err = unfit("it does not speak SOCKS5")
		}
		return err
	}
	return skipBound(conn, head[3])
}

// ended is a connection that the proxy ended without a word: it cannot say more plainly that it has
// no way there. A time-out stays one.
func ended(err error) error {
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		return syscall.EHOSTUNREACH
	}
	return err
}

// introduce agrees on how this host shows that it may use the proxy.
func (p *Place) introduce(conn net.Conn) error {
	methods := []byte{noPassword}
	if p.user != nil {
		methods = append(methods, byPassword)
	}
	if _, err := conn.Write(append([]byte{socksVersion, byte(len(methods))}, methods...)); err != nil {
		return &Unfit{err}
	}
	var chosen [2]byte
	if _, err := io.ReadFull(conn, chosen[:]); err != nil {
		return &Unfit{fmt.Errorf("it does not speak SOCKS5: %w", err)}
	}
	switch {
	case chosen[0] != socksVersion:
		return unfit("it does not speak SOCKS5")
	case chosen[1] == noPassword:
		return nil
	case chosen[1] == byPassword && p.user != nil:
		return p.showPassword(conn)
	}
	return unfit("it wants a name and a password, or what is not known here")
}

func (p *Place) showPassword(conn net.Conn) error {
	const longest = 255
	name := p.user.Username()
	password, _ := p.user.Password()
	if len(name) > longest || len(password) > longest {
		return unfit("the name or the password for it is longer than 255 bytes")
	}
	text := append([]byte{passwordRules, byte(len(name))}, name...)
	text = append(append(text, byte(len(password))), password...)
	if _, err := conn.Write(text); err != nil {
		return &Unfit{err}
	}
	var answer [2]byte
	if _, err := io.ReadFull(conn, answer[:]); err != nil {
		return &Unfit{err}
	}
	if answer[1] != 0 {
		return unfit("it refuses the name or the password")
	}
	return nil
}

// socksError is what a reply's code says; nil for success.
func socksError(code byte) error {
	switch code {
	case 0:
		return nil
	case 3:
		return syscall.ENETUNREACH
	case 1, 4:
		return syscall.EHOSTUNREACH
	case 5:
		return syscall.ECONNREFUSED
	case 6:
		return os.ErrDeadlineExceeded
	case 2:
		return unfit("its rules do not let it connect to web servers")
	}
	return unfit(fmt.Sprintf("it answers with the code %d", code))
}

// skipBound reads the address from which the proxy connects, which says nothing.
func skipBound(conn net.Conn, kind byte) error {
	length := 0
	switch kind {
	case addressIPv4:
		length = 4
	case addressIPv6:
		length = 16
	case addressDomain:
		var n [1]byte
		if _, err := io.ReadFull(conn, n[:]); err != nil {
			return ended(err)
		}
		length = int(n[0])
	default:
		return unfit("it does not speak SOCKS5")
	}
	_, err := io.CopyN(io.Discard, conn, int64(length)+2) // and the port
	return ended(err)
}
