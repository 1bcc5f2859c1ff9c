// Package standalone is a web server of the run's own for http-01 challenges (RFC 8555 section 8.3), as certbot's plugin of
// that name: it listens while tokens are to be served and dies with its process. It must never serve anything but tokens it
// was given, never let a slow or a thousandfold visitor keep the CA out, and never listen longer than it is needed: the
// port belongs to somebody's web server.
package standalone

import (
	"io"
	"log"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"golang.org/x/net/netutil"
)

// prefix is where the CA looks (RFC 8555 §8.3).
const prefix = "/.well-known/acme-challenge/"

// What one visitor may take, and how many there may be at once.
const (
	patience     = 5 * time.Second // for a whole request, and for its answer
	mostHeader   = 8 << 10         // bytes
	mostVisitors = 512
)

// Server serves tokens. Its zero value listens nowhere. It may be used from many goroutines.
type Server struct {
	mu        sync.Mutex
	tokens    map[string]string // token → content
	servers   []*http.Server
	listeners []net.Listener
	place     place
}

// place is where a server listens.
type place struct {
	address string
	port    int
}

// Open makes the server listen on a port, on one address or, where address is empty, on every one of IPv4 and IPv6. Where it
// listens there already it does nothing; where it listens elsewhere it moves. Its errors are *failure.Error: PortTaken
// where another program has the port or this process may not take it, Config for an address that is none of this host.
func (s *Server) Open(address string, port int) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	want := place{address, port}
	if len(s.servers) > 0 && s.place == want {
		return nil
	}
	if err := s.stop(); err != nil {
		return explain(err, want)
	}
	listeners, err := listen(want)
	if err != nil {
		return explain(err, want)
	}
	s.place = want
	for _, listener := range listeners {
		s.start(listener)
	}
	return nil
}

// start serves on a listener. Whoever calls holds the lock.
func (s *Server) start(listener net.Listener) {
	server := &http.Server{
		Handler: s, ReadHeaderTimeout: patience, ReadTimeout: patience, WriteTimeout: patience, MaxHeaderBytes: mostHeader,
		ErrorLog: log.New(io.Discard, "", 0), // what visitors do wrong is nobody's concern here
	}
	server.SetKeepAlivesEnabled(false) // a visitor that stays keeps others out
	s.servers = append(s.servers, server)
	s.listeners = append(s.listeners, listener)
	go func() { _ = server.Serve(netutil.LimitListener(listener, mostVisitors)) }() // ends with Close
}

// Addresses are where the server listens, nothing when it does not.
func (s *Server) Addresses() []net.Addr {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []net.Addr
	for _, listener := range s.listeners {
		all = append(all, listener.Addr())
	}
	return all
}

// Serve serves a token from now on. It is served once Open has succeeded.
func (s *Server) Serve(token, content string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.tokens == nil {
		s.tokens = map[string]string{}
	}
	s.tokens[token] = content
}

// Withdraw takes a token away. One that is not there is no error.
func (s *Server) Withdraw(token string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.tokens, token)
}

// Rest stops listening if no token is to be served.
func (s *Server) Rest() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.tokens) > 0 {
		return nil
	}
	return s.stop()
}

// Close stops listening at once and forgets every token.
func (s *Server) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tokens = nil
	return s.stop()
}

// stop gives the port up and cuts the visitors off. The listeners are closed here, since a server that was only just
// started may not know of its own yet, and whoever comes next finds the port taken. Whoever calls holds the lock.
func (s *Server) stop() error {
	err := closeAll(s.listeners)
	for _, server := range s.servers {
		_ = server.Close() // says again that the listener is closed
	}
	s.servers, s.listeners = nil, nil
	return err
}

// ServeHTTP serves a token that is known, and nothing else.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	token, below := strings.CutPrefix(r.URL.Path, prefix)
	s.mu.Lock()
	content, known := s.tokens[token]
	s.mu.Unlock()
	w.Header().Set("Content-Type", "text/plain")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	if !below || !known || (r.Method != http.MethodGet && r.Method != http.MethodHead) {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	_, _ = io.WriteString(w, content) // the visitor may be gone
}
