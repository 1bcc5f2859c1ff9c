package cli_test

import (
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"testing"
)

// webServer serves document roots by the Host header, as the hosting provider's would.
type webServer struct {
	port int

	mu    sync.Mutex
	roots map[string]string
	hook  func(http.ResponseWriter, *http.Request) bool // true: it answered
}

func newWebServer(t *testing.T) *webServer {
	s := &webServer{roots: map[string]string{}}
	server := httptest.NewServer(s)
	s.port = server.Listener.Addr().(*net.TCPAddr).Port
	t.Cleanup(server.Close)
	return s
}

func (s *webServer) serve(name, root string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.roots[name] = root
}

// ServeHTTP implements http.Handler.
func (s *webServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	name, _, err := net.SplitHostPort(r.Host)
	if err != nil {
		name = r.Host
	}
	s.mu.Lock()
	root, hook := s.roots[name], s.hook
	s.mu.Unlock()
	if hook != nil && hook(w, r) {
		return
	}
	content, err := os.ReadFile(filepath.Join(root, filepath.Clean("/"+r.URL.Path)))
	if root == "" || err != nil {
		http.NotFound(w, r)
		return
	}
	_, _ = w.Write(content)
}
