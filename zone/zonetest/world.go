// Package zonetest is an Internet of name servers in memory for tests and benchmarks: zones, servers
// of them behind addresses of any kind that really listen on loopback, and what each does wrong. It
// must never be linked into the product.
package zonetest

import (
	"context"
	"errors"
	"net"
	"strings"
	"sync"
	"syscall"

	"github.com/miekg/dns"
)

// World is name servers by the addresses at which they are thought to be.
type World struct {
	mu      sync.Mutex
	really  map[string]string // IP:53 to where it listens
	dialled []string
	servers []*Server
}

// New makes a world without servers; Close ends them.
func New() *World { return &World{really: map[string]string{}} }

// Close ends all servers.
func (w *World) Close() {
	for _, s := range w.servers {
		s.close()
	}
}

// Dial connects to where a server really listens; to any other address it is refused.
func (w *World) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	w.mu.Lock()
	w.dialled = append(w.dialled, address)
	really, ok := w.really[address]
	w.mu.Unlock()
	if !ok {
		return nil, &net.OpError{Op: "dial", Net: network, Err: syscall.ECONNREFUSED}
	}
	return new(net.Dialer).DialContext(ctx, network, really)
}

// Dialled are the addresses that were connected to, each as often as it was.
func (w *World) Dialled() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]string(nil), w.dialled...)
}

// Twist changes what is answered to a question; nil is silence. It may be called from many
// goroutines.
type Twist func(asked, answer *dns.Msg, tcp bool) *dns.Msg

// Server answers for zones.
type Server struct {
	mu      sync.Mutex
	twist   Twist
	zones   []*Zone
	asked   int
	closers []func()
	address string
}

// Serve lets a server for zones listen, at an address as others see it.
func (w *World) Serve(address string, zones ...*Zone) *Server {
	s := &Server{zones: zones}
	packets, streams := listen()
	s.address = packets.LocalAddr().String()
	for _, server := range []*dns.Server{{PacketConn: packets, Handler: dns.HandlerFunc(s.answer)},
		{Listener: streams, Handler: dns.HandlerFunc(s.answer)}} {
		started, ended := make(chan struct{}), make(chan struct{})
		server.NotifyStartedFunc = func() { close(started) }
		go func() { defer close(ended); _ = server.ActivateAndServe() }()
		<-started
		s.closers = append(s.closers, func() { _ = server.Shutdown(); <-ended })
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.servers = append(w.servers, s)
	w.really[net.JoinHostPort(address, "53")] = s.address
	return s
}

// Remove lets nobody be at addresses any more.
func (w *World) Remove(addresses ...string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, address := range addresses {
		delete(w.really, net.JoinHostPort(address, "53"))
	}
}

// Address is where the server really listens.
func (s *Server) Address() string { return s.address }

// Add lets the server answer for one more zone.
func (s *Server) Add(z *Zone) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.zones = append(s.zones, z)
}

// Twist lets the server answer something else.
func (s *Server) Twist(with Twist) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.twist = with
}

// Asked is how many questions came.
func (s *Server) Asked() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked
}

func (s *Server) close() {
	for _, end := range s.closers {
		end()
	}
}

// listen listens at one port for both transports. The kernel picks it for one of them; the other may
// find it taken.
func listen() (net.PacketConn, net.Listener) {
	for range 100 {
		streams, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			panic(err)
		}
		packets, err := net.ListenPacket("udp", streams.Addr().String())
		if err == nil {
			return packets, streams
		}
		_ = streams.Close()
	}
	panic(errors.New("no port is free for both transports"))
}

func (s *Server) answer(to dns.ResponseWriter, asked *dns.Msg) {
	_, tcp := to.LocalAddr().(*net.TCPAddr)
	reply := new(dns.Msg).SetReply(asked)
	s.mu.Lock()
	s.asked++
	zone, twist := s.best(asked.Question[0]), s.twist
	s.mu.Unlock()
	if zone == nil {
		reply.Rcode = dns.RcodeRefused
	} else {
		zone.answer(reply)
	}
	if opt := asked.IsEdns0(); opt != nil {
		reply.SetEdns0(opt.UDPSize(), opt.Do())
		if !tcp {
			reply.Truncate(int(opt.UDPSize()))
		}
	}
	if twist != nil {
		reply = twist(asked, reply, tcp)
	}
	if reply != nil {
		_ = to.WriteMsg(reply)
	}
}

// best is the lowest zone of the server that a question is about; for a DS record it is the one
// above.
func (s *Server) best(q dns.Question) *Zone {
	var best *Zone
	name := strings.ToLower(q.Name)
	for _, z := range s.zones {
		if !dns.IsSubDomain(z.name, name) || q.Qtype == dns.TypeDS && z.name == name && name != "." {
			continue
		}
		if best == nil || dns.CountLabel(z.name) > dns.CountLabel(best.name) {
			best = z
		}
	}
	return best
}
