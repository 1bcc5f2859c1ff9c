// Package vantagetest is a proxy for tests: SOCKS5 and HTTP's CONNECT at one port, as they are served
// by others. It connects where it is told to, and must never be linked into the product.
package vantagetest

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"sync"
	"syscall"
)

// Proxy is one proxy.
type Proxy struct {
	// Reach connects to IP:PORT; default net.Dial.
	Reach func(address string) (net.Conn, error)
	// User and Password, where set, are wanted.
	User, Password string
	// Refuses: its rules let nobody connect.
	Refuses bool

	listener net.Listener
	mu       sync.Mutex
	asked    []string
	open     map[net.Conn]bool
	group    sync.WaitGroup
}

// Start lets it listen at a port of loopback.
func (p *Proxy) Start() error {
	var err error
	if p.listener, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		return err
	}
	p.open = map[net.Conn]bool{}
	p.group.Go(func() {
		for {
			conn, err := p.listener.Accept()
			if err != nil {
				return
			}
			p.keep(conn)
			p.group.Go(func() { p.serve(conn) })
		}
	})
	return nil
}

// Address is its HOST:PORT.
func (p *Proxy) Address() string { return p.listener.Addr().String() }

// Asked are the addresses to which it was to connect.
func (p *Proxy) Asked() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]string(nil), p.asked...)
}

// Close ends it and all that goes through it.
func (p *Proxy) Close() {
	_ = p.listener.Close()
	p.mu.Lock()
	for conn := range p.open {
		_ = conn.Close()
	}
	p.mu.Unlock()
	p.group.Wait()
}

func (p *Proxy) keep(conn net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.open[conn] = true
}

func (p *Proxy) serve(conn net.Conn) {
	defer conn.Close()
	in := bufio.NewReader(conn)
	first, err := in.Peek(1)
	if err != nil {
		return
	}
	var to net.Conn
	if first[0] == 5 {
		to = p.socks(conn, in)
	} else {
		to = p.connect(conn, in)
	}
	if to == nil {
		return
	}
	defer to.Close()
	p.keep(to)
	p.group.Go(func() {
		_, _ = io.Copy(to, in)
		_ = to.(*net.TCPConn).CloseWrite()
	})
	_, _ = io.Copy(conn, to)
}

// reach connects to an address.
func (p *Proxy) reach(address string) (net.Conn, error) {
	p.mu.Lock()
	p.asked = append(p.asked, address)
	p.mu.Unlock()
	if p.Reach != nil {
		return p.Reach(address)
	}
	return net.Dial("tcp", address)
}

// socks is RFC 1928 from the other side; nil where nothing comes about.
func (p *Proxy) socks(conn net.Conn, in *bufio.Reader) net.Conn {
	var head [2]byte
	if _, err := io.ReadFull(in, head[:]); err != nil {
		return nil
	}
	methods := make([]byte, head[1])
	if _, err := io.ReadFull(in, methods); err != nil {
		return nil
	}
	switch {
	case p.User == "":
		_, _ = conn.Write([]byte{5, 0})
	case !strings.Contains(string(methods), "\x02"):
		_, _ = conn.Write([]byte{5, 0xff})
		return nil
	default:
		_, _ = conn.Write([]byte{5, 2})
		if good := p.password(in); !good {
			_, _ = conn.Write([]byte{1, 1})
			return nil
		}
		_, _ = conn.Write([]byte{1, 0})
	}
	address, err := socksAddress(in)
	if err != nil {
		return nil
	}
	if p.Refuses {
		_, _ = conn.Write([]byte{5, 2, 0, 1, 0, 0, 0, 0, 0, 0})
		return nil
	}
	to, err := p.reach(address)
	_, _ = conn.Write([]byte{5, codeOf(err), 0, 1, 0, 0, 0, 0, 0, 0})
	return to
}

func codeOf(err error) byte {
	switch {
	case err == nil:
		return 0
	case errors.Is(err, syscall.ENETUNREACH):
		return 3
	case errors.Is(err, syscall.ECONNREFUSED):
		return 5
	case errors.Is(err, os.ErrDeadlineExceeded):
		return 6
	}
	return 4
}

func (p *Proxy) password(in *bufio.Reader) bool {
	var version [1]byte
	_, err := io.ReadFull(in, version[:])
	var words [2]string
	for i := range words {
		n, _ := in.ReadByte()
		text := make([]byte, n)
		if _, e := io.ReadFull(in, text); e != nil {
			err = e
		}
		words[i] = string(text)
	}
	return err == nil && words == [2]string{p.User, p.Password}
}

// socksAddress reads where to connect to; a name is none.
func socksAddress(in *bufio.Reader) (string, error) {
	var head [4]byte
	if _, err := io.ReadFull(in, head[:]); err != nil {
		return "", err
	}
	length := map[byte]int{1: 4, 4: 16}[head[3]]
	text := make([]byte, length+2)
	if _, err := io.ReadFull(in, text); err != nil {
		return "", err
	}
	ip, ok := netip.AddrFromSlice(text[:length])
	if !ok {
		return "", errors.New("no address")
	}
	return netip.AddrPortFrom(ip, binary.BigEndian.Uint16(text[length:])).String(), nil
}

// connect is CONNECT from the other side.
func (p *Proxy) connect(conn net.Conn, in *bufio.Reader) net.Conn {
	r, err := http.ReadRequest(in)
	if err != nil {
		return nil
	}
	say := func(status int) {
		fmt.Fprintf(conn, "HTTP/1.1 %d %s\r\nVia: 1.1 test\r\n\r\n", status, http.StatusText(status))
	}
	r.Header.Set("Authorization", r.Header.Get("Proxy-Authorization"))
	user, password, _ := r.BasicAuth()
	switch {
	case p.User != "" && (user != p.User || password != p.Password):
		say(http.StatusProxyAuthRequired)
		return nil
	case p.Refuses || r.Method != http.MethodConnect:
		say(http.StatusForbidden)
		return nil
	}
	to, err := p.reach(r.Host)
	switch {
	case err == nil:
		say(http.StatusOK)
	case errors.Is(err, os.ErrDeadlineExceeded):
		say(http.StatusGatewayTimeout)
	default:
		say(http.StatusBadGateway)
	}
	return to
}
