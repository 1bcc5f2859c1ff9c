// Package standalone is a web server of the run's own for http-01 challenges (RFC 8555 section
// 8.3), as certbot's plugin of that name: it listens while tokens are to be served and dies with
// its process. It must never serve anything but tokens it was given, never let a slow or a
// thousandfold visitor keep the CA out, never listen longer than it is needed (the port belongs to
// somebody's web server), and never stop while one of several orders needs it.
package standalone

import (
	"io"
	"net/http"
	"strings"
	"sync"
)

// Orders share a run's server: each has a name for itself, opens a port and serves tokens under it,
// and takes away what is its own alone. This file keeps the tokens; doors.go has the ports.

// prefix is where the CA looks (RFC 8555 §8.3).
const prefix = "/.well-known/acme-challenge/"

// Server serves tokens. Its zero value listens nowhere. It may be used from many goroutines.
type Server struct {
	mu     sync.Mutex
	tokens map[string]*token
	doors  map[Place]*door
}

// token is what is served under a name that the CA chose. Orders that share an authorization share
// it.
type token struct {
	content string
	whose   names
}

// names are those of the orders that need something.
type names map[string]bool

// Open makes the server listen on a port for whom, on one address or, where that is empty, on every
// one of IPv4 and IPv6. Where it listens there already it goes on; where it listens for whom
// elsewhere, that ends unless others need it. Its errors are *failure.Error: PortTaken where
// another program has the port or this process may not take it, Config for an address that is none
// of this host.
func (s *Server) Open(whom string, at Place) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.leave(whom, at); err != nil {
		return explain(err, at)
	}
	if err := s.open(at); err != nil {
		return explain(err, at)
	}
	s.covering(at).whose[whom] = true
	return nil
}

// Listens reports whether the server listens for whom.
func (s *Server) Listens(whom string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, d := range s.doors {
		if d.whose[whom] {
			return true
		}
	}
	return false
}

// Serve serves a token for whom from now on. It is served once Open has succeeded.
func (s *Server) Serve(whom, name, content string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.tokens == nil {
		s.tokens = map[string]*token{}
	}
	if s.tokens[name] == nil {
		s.tokens[name] = &token{whose: names{}}
	}
	s.tokens[name].content, s.tokens[name].whose[whom] = content, true
}

// Withdraw takes a token of whom away. One that is not there is no error, and one that others serve
// as well stays.
func (s *Server) Withdraw(whom, name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.tokens[name]
	if t == nil {
		return
	}
	if delete(t.whose, whom); len(t.whose) == 0 {
		delete(s.tokens, name)
	}
}

// Rest stops listening for whom if no token of whom is to be served.
func (s *Server) Rest(whom string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, t := range s.tokens {
		if t.whose[whom] {
			return nil
		}
	}
	return s.leave(whom, Place{})
}

// Close stops listening at once, for everybody, and forgets every token.
func (s *Server) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tokens = nil
	return s.closeAll()
}

// ServeHTTP serves a token that is known, and nothing else.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	name, below := strings.CutPrefix(r.URL.Path, prefix)
	content, known := s.find(name)
	w.Header().Set("Content-Type", "text/plain")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	if !below || !known || (r.Method != http.MethodGet && r.Method != http.MethodHead) {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	_, _ = io.WriteString(w, content) // the visitor may be gone
}

func (s *Server) find(name string) (content string, known bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, known := s.tokens[name]
	if !known {
		return "", false
	}
	return t.content, true
}
