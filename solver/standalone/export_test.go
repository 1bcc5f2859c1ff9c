package standalone

import (
	"net"
)

// Addresses are where the server listens, nothing when it does not.
func (s *Server) Addresses() []net.Addr {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []net.Addr
	for _, d := range s.doors {
		for _, listener := range d.listeners {
			all = append(all, listener.Addr())
		}
	}
	return all
}
