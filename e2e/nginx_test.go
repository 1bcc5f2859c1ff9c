package e2e_test

import (
	"crypto/tls"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"orderly/testca"
)

// freePort is a port that nothing listens on, as the kernel chose it.
func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// nginx is Debian's, with a configuration of its own in a temporary directory.
type nginx struct {
	dir         string
	port, https int
}

// config serves every site from its document root, and those with a certificate over TLS, too.
func (n nginx) config(h *host, names ...string) string {
	text := fmt.Sprintf("user root;\ndaemon off;\nworker_processes 1;\npid %s/nginx.pid;\nerror_log %s/error.log;\nevents { worker_connections 64; }\nhttp {\n access_log off;\n", n.dir, n.dir)
	for _, kind := range []string{"client_body", "proxy", "fastcgi", "uwsgi", "scgi"} {
		text += fmt.Sprintf(" %s_temp_path %s/%s;\n", kind, n.dir, kind)
	}
	for _, name := range names {
		text += fmt.Sprintf(" server { listen 127.0.0.1:%d; server_name %s; root %s; }\n", n.port, name, filepath.Join(h.dir, "sites", name))
		live := filepath.Join(h.config, "live", name)
		if _, err := os.Stat(live); err == nil {
			text += fmt.Sprintf(" server { listen 127.0.0.1:%d ssl; server_name %s; ssl_certificate %s/fullchain.pem; ssl_certificate_key %s/privkey.pem; }\n",
				n.https, name, live, live)
		}
	}
	return text + "}\n"
}

// start runs nginx until the test ends.
func (n nginx) start(t *testing.T) {
	t.Helper()
	log := &output{}
	cmd := exec.Command("/usr/sbin/nginx", "-p", n.dir, "-c", n.dir+"/nginx.conf", "-e", n.dir+"/error.log")
	cmd.Stderr = log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM) // fast shutdown: the workers go with it
		timer := time.AfterFunc(5*time.Second, func() { _ = cmd.Process.Kill() })
		defer timer.Stop()
		_ = cmd.Wait()
		if t.Failed() {
			t.Log(log)
		}
	})
	until(t, "nginx listens", func() bool {
		conn, err := net.Dial("tcp", "127.0.0.1:"+strconv.Itoa(n.port))
		if err == nil {
			_ = conn.Close()
		}
		return err == nil
	})
}

// serial is that of the certificate nginx shows for a name.
func (n nginx) serial(name string) string {
	conn, err := tls.Dial("tcp", "127.0.0.1:"+strconv.Itoa(n.https), &tls.Config{ServerName: name, InsecureSkipVerify: true})
	if err != nil {
		return err.Error()
	}
	defer conn.Close()
	return conn.ConnectionState().PeerCertificates[0].SerialNumber.String()
}

// The provider's own setting: nginx with a server block per site, reloaded by the deploy hook.
func TestBehindNginx(t *testing.T) {
	t.Parallel()
	n := nginx{port: freePort(t), https: freePort(t)}
	w := newWorld(t, testca.Config{HTTPPort: n.port})
	w.web.port = n.port
	n.dir = filepath.Join(w.dir, "nginx")
	h := w.host("one")
	names := []string{"a.example.com", "b.example.com", "c.example.com"}
	for _, name := range names {
		w.site(name)
	}
	w.write(n.dir+"/nginx.conf", n.config(h, names...))
	n.start(t)
	reload := fmt.Sprintf("kill -HUP $(cat %s/nginx.pid)", n.dir)
	for _, name := range names {
		h.must(append(h.certonly(filepath.Join(w.dir, "sites", name), name), "--deploy-hook", reload)...)
	}
	w.write(n.dir+"/nginx.conf", n.config(h, names...))
	h.must("renew", "--force-renewal", "--cert-name", "a.example.com") // its hook lets nginx read the configuration anew
	for _, name := range names {
		want := h.goodPair(name, name).SerialNumber.String()
		until(t, "nginx shows "+name, func() bool { return n.serial(name) == want })
	}
	h.must("renew", "--force-renewal")
	for _, name := range names {
		want := h.goodPair(name, name).SerialNumber.String()
		until(t, "nginx shows the new certificate of "+name, func() bool { return n.serial(name) == want })
	}
	truth := w.ca.Truth()
	if len(truth.Issued) != 7 || truth.Pending() != 0 {
		t.Errorf("%d certificates, %d pending", len(truth.Issued), truth.Pending())
	}
	// A site whose document root nginx does not serve is refused before it costs anything.
	stray := filepath.Join(w.dir, "sites", "stray")
	w.write(filepath.Join(stray, "index.html"), "stray")
	if r := h.orderly(h.certonly(stray, "d.example.com")...); r.code != 1 || !strings.Contains(r.stderr, "d.example.com") {
		t.Errorf("%s", r)
	}
	if again := w.ca.Truth(); len(again.Orders) != len(truth.Orders) {
		t.Error("an order was made for a name that nginx does not serve")
	}
	h.tidy()
}
