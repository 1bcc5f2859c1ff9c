package e2e_test

import (
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
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

// intercept lets hook answer requests first; nil ends that.
func (s *webServer) intercept(hook func(http.ResponseWriter, *http.Request) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hook = hook
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

// onlyProbes answers 404 for every token that is not a probe of preflight: the name looks well and cannot be validated.
func onlyProbes(w http.ResponseWriter, r *http.Request) bool {
	token, challenge := strings.CutPrefix(r.URL.Path, "/.well-known/acme-challenge/")
	if !challenge || strings.HasPrefix(token, "orderly-") {
		return false
	}
	http.NotFound(w, r)
	return true
}
