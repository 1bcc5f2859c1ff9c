package vantage

// HTTP's CONNECT (RFC 9110 §9.3.6).

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// longestHead is what is read of an answer's head, in bytes.
const longestHead = 8 << 10

// connect asks for a connection.
func connect(_ context.Context, conn net.Conn, p *Place, to netip.AddrPort) error {
	text := "CONNECT " + to.String() + " HTTP/1.1\r\nHost: " + to.String() + "\r\n"
	if p.user != nil {
		password, _ := p.user.Password()
		text += "Proxy-Authorization: Basic " +
			base64.StdEncoding.EncodeToString([]byte(p.user.Username()+":"+password)) + "\r\n"
	}
	if _, err := conn.Write([]byte(text + "\r\n")); err != nil {
		return &Unfit{err}
	}
	head, err := readHead(conn)
	if err != nil {
		return ended(err)
	}
	version, rest, _ := strings.Cut(head, " ")
	if !strings.HasPrefix(version, "HTTP/1.") || len(rest) < 3 {
		return unfit("it does not speak HTTP")
	}
	status, err := strconv.Atoi(rest[:3])
	switch {
	case err != nil:
		return unfit("it does not speak HTTP")
	case status/100 == 2:
		return nil
	case status == http.StatusGatewayTimeout:
		return os.ErrDeadlineExceeded
	case status == http.StatusBadGateway, status == http.StatusServiceUnavailable:
		return syscall.EHOSTUNREACH
	case status == http.StatusProxyAuthRequired:
		return unfit("it refuses the name or the password, or wants one")
	}
	return unfit(fmt.Sprintf("it answers CONNECT to port %d with status %d", to.Port(), status))
}

// readHead reads an answer up to its empty line and not a byte further: what follows is the site's.
func readHead(conn net.Conn) (string, error) {
	var head []byte
	var one [1]byte
	for !bytes.HasSuffix(head, []byte("\r\n\r\n")) {
		if len(head) == longestHead {
			return "", unfit("its answer has no end")
		}
		n, err := conn.Read(one[:])
		if head = append(head, one[:n]...); err != nil && n == 0 {
			return "", err
		}
	}
	return string(head), nil
}
