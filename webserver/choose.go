package webserver

import (
	"cmp"
	"net/netip"
	"slices"
)

// Which host answers for a name: nginx takes the one whose name fits best, Apache the first that
// fits, each among the hosts of the address that was asked, and a default where none fits.

// chosen is a host that would answer.
type chosen struct {
	host      *Host
	byDefault bool
}

// choose are the hosts that would answer for a name on a port, each once. Where an address has a
// host of that name, addresses that have none are left out: whether the name points there is not
// asked here.
func (s *Survey) choose(name string, port int, tls bool) []chosen {
	var all []chosen
	for _, server := range s.Servers {
		for _, c := range server.choose(name, port, tls) {
			if !slices.Contains(all, c) {
				all = append(all, c)
			}
		}
	}
	if slices.ContainsFunc(all, func(c chosen) bool { return !c.byDefault }) {
		all = slices.DeleteFunc(all, func(c chosen) bool { return c.byDefault })
	}
	return all
}

func (s *Server) choose(name string, port int, tls bool) []chosen {
	var all []chosen
	named := s.Named(name)
	for _, address := range s.addresses(port, tls) {
		there := func(h *Host) bool { return !h.answersAt(address, port, tls) }
		if here := slices.DeleteFunc(slices.Clone(named), there); len(here) > 0 {
			all = append(all, chosen{host: s.best(here, name)})
		} else if h := s.byDefault(address, port, tls); h != nil {
			all = append(all, chosen{host: h, byDefault: true})
		}
	}
	return all
}

// addresses are those on which a server listens on a port; the loopback alone counts only where
// there is nothing else.
func (s *Server) addresses(port int, tls bool) []netip.Addr {
	ports := s.ports()[listening{port, tls}]
	outer := slices.DeleteFunc(slices.Clone(ports), netip.Addr.IsLoopback)
	if len(outer) > 0 {
		return outer
	}
	return ports
}

type listening struct {
	port int
	tls  bool
}

// ports are the addresses by port. They are few, however many hosts there are.
func (s *Server) ports() map[listening][]netip.Addr {
	if s.byPort != nil {
		return s.byPort
	}
	s.byPort = map[listening][]netip.Addr{}
	for _, h := range s.Hosts {
		for _, l := range h.Listens {
			key := listening{l.Port, l.TLS}
			if !slices.Contains(s.byPort[key], l.Address) {
				s.byPort[key] = append(s.byPort[key], l.Address)
			}
		}
	}
	return s.byPort
}

func (h *Host) answersAt(address netip.Addr, port int, tls bool) bool {
	return slices.ContainsFunc(h.Listens, func(l Listen) bool {
		return l.Port == port && l.TLS == tls && l.Address == address
	})
}

// best is the host that a server takes of those that fit.
func (s *Server) best(hosts []*Host, name string) *Host {
	if s.Kind == Apache {
		return hosts[0]
	}
	return slices.MaxFunc(hosts, func(a, b *Host) int { // the first of those that are alike
		return cmp.Or(cmp.Compare(a.match(name), b.match(name)), cmp.Compare(a.longest(name), b.longest(name)))
	})
}

// longest is the length of the longest name of a host that fits.
func (h *Host) longest(name string) int {
	longest := 0
	for _, n := range h.Names {
		if n.match(name) != byNothing {
			longest = max(longest, len(n.Text))
		}
	}
	return longest
}

func (s *Server) byDefault(address netip.Addr, port int, tls bool) *Host {
	var first *Host
	for _, h := range s.Hosts {
		for _, l := range h.Listens {
			if l.Port != port || l.TLS != tls || l.Address != address {
				continue
			}
			if l.Default {
				return h
			}
			if first == nil {
				first = h
			}
		}
	}
	return first
}
