package testca

import (
	"errors"
	"net"
	"net/http"
	"sync"
	"time"
)

// Sites is a web server on loopback with a document root for each name, chosen by the Host header as a web server of a
// hosting provider does. It stands where the CA's validation connects (Config.HTTPPort).
type Sites struct {
	server   *http.Server
	listener net.Listener

	mu    sync.RWMutex
	roots map[string]string
}

// ServeSites starts the web server on a port that the kernel picks. The caller must Close it.
func ServeSites() (*Sites, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s := &Sites{listener: listener, roots: map[string]string{}}
	s.server = &http.Server{Handler: s, ReadHeaderTimeout: 10 * time.Second}
	go func() {
		if err := s.server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			panic(err) // a listener on loopback does not fail by itself
		}
	}()
	return s, nil
}

// Port is the port the server listens on.
func (s *Sites) Port() int { return s.listener.Addr().(*net.TCPAddr).Port }

// Set gives a name its document root; "" takes it away.
func (s *Sites) Set(name, root string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.roots[name] = root
}

// ServeHTTP serves files from the document root of the request's host.
func (s *Sites) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	host, _, err := net.SplitHostPort(r.Host)
	if err != nil {
		host = r.Host
	}
	s.mu.RLock()
	root := s.roots[host]
	s.mu.RUnlock()
	if root == "" {
		http.NotFound(w, r)
		return
	}
	http.FileServer(http.Dir(root)).ServeHTTP(w, r)
}

// Close ends the server.
func (s *Sites) Close() error { return s.server.Close() }
