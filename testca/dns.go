package testca

import (
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/miekg/dns"
)

// dnsServer answers for every name in the world, on UDP and TCP of one port.
type dnsServer struct {
	address string
	dead    sync.Map // lower-case name without final dot → bool
	txt     txtRecords
	servers []*dns.Server
	running sync.WaitGroup
}

func startDNS(dead []string) (*dnsServer, error) {
	tcp, udp, err := listenBoth()
	if err != nil {
		return nil, err
	}
	s := &dnsServer{address: tcp.Addr().String()}
	for _, name := range dead {
		s.setDead(name, true)
	}
	// Names below silent.test leave a TCP connection waiting, so reads are short: close waits for them.
	s.servers = []*dns.Server{
		{Listener: tcp, Handler: s, ReadTimeout: time.Second},
		{PacketConn: udp, Handler: s, ReadTimeout: time.Second},
	}
	var started sync.WaitGroup
	for _, server := range s.servers {
		started.Add(1)
		server.NotifyStartedFunc = started.Done
		// Its error is that of a closed listener; a server that ended early shows in every test as time-outs.
		s.running.Go(func() { _ = server.ActivateAndServe() })
	}
	started.Wait()
	return s, nil
}

// listenBoth lets the kernel pick a TCP port and takes the UDP port of the same number; somebody else may have that one.
func listenBoth() (net.Listener, net.PacketConn, error) {
	var last error
	for range 20 {
		tcp, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, nil, err
		}
		udp, err := net.ListenPacket("udp", tcp.Addr().String())
		if err == nil {
			return tcp, udp, nil
		}
		last = errors.Join(err, tcp.Close())
	}
	return nil, nil, fmt.Errorf("no port is free for both TCP and UDP: %w", last)
}

func (s *dnsServer) close() error {
	var errs []error
	for _, server := range s.servers {
		errs = append(errs, server.Shutdown())
	}
	s.running.Wait()
	return errors.Join(errs...)
}

func (s *dnsServer) setDead(name string, dead bool) { s.dead.Store(normal(name), dead) }

func normal(name string) string { return strings.ToLower(strings.TrimSuffix(name, ".")) }

// ServeDNS answers one question.
func (s *dnsServer) ServeDNS(w dns.ResponseWriter, question *dns.Msg) {
	if len(question.Question) != 1 {
		return
	}
	q := question.Question[0]
	name := normal(q.Name)
	if within(name, "silent.test") {
		return
	}
	answer := new(dns.Msg).SetReply(question)
	answer.RecursionAvailable = true
	dead, _ := s.dead.Load(name)
	switch {
	case within(name, "servfail.test"):
		answer.Rcode = dns.RcodeServerFailure
	case dead == true:
		answer.Rcode = dns.RcodeNameError
		answer.Ns = []dns.RR{startOfAuthority(q.Name)}
	case q.Qtype == dns.TypeA:
		answer.Answer = []dns.RR{&dns.A{
			Hdr: dns.RR_Header{Name: q.Name, Rrtype: dns.TypeA, Class: dns.ClassINET},
			A:   net.IPv4(127, 0, 0, 1),
		}}
	default:
		if q.Qtype == dns.TypeTXT {
			answer.Answer = s.textRecords(q.Name)
		}
		if len(answer.Answer) == 0 {
			answer.Ns = []dns.RR{startOfAuthority(q.Name)}
		}
	}
	_ = w.WriteMsg(answer) // who asked may be gone
}

func within(name, zone string) bool { return name == zone || strings.HasSuffix(name, "."+zone) }

// startOfAuthority is what makes an empty answer a proper one (RFC 2308): some resolvers take one without it as lame.
func startOfAuthority(name string) dns.RR {
	return &dns.SOA{
		Hdr: dns.RR_Header{Name: name, Rrtype: dns.TypeSOA, Class: dns.ClassINET},
		Ns:  "ns.testca.invalid.", Mbox: "nobody.testca.invalid.", Serial: 1,
	}
}
