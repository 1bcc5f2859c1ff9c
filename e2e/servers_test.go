package e2e_test

import (
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
)

// realServer is a web server of the distribution's with a configuration of its own.
type realServer struct {
	dir, file, config string
	port              int
	command           []string
}

// start runs it until the test ends, or the function that is returned is called.
func (s realServer) start(t *testing.T) (stop func()) {
	t.Helper()
	if err := os.MkdirAll(s.dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(s.dir, s.file), []byte(s.config), 0o644); err != nil {
		t.Fatal(err)
	}
	log := &output{}
	cmd := exec.Command(s.command[0], s.command[1:]...)
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { defer close(ended); _ = cmd.Wait() }()
	stop = func() {
		_ = cmd.Process.Signal(syscall.SIGTERM) // the workers go with it
		select {
		case <-ended:
		case <-time.After(patience):
			_ = cmd.Process.Kill()
			<-ended
		}
	}
	t.Cleanup(func() {
		stop()
		if t.Failed() {
			t.Log(log)
		}
	})
	until(t, s.command[0]+" listens", func() bool {
		select {
		case <-ended:
			t.Fatalf("%s ended: %s", s.command[0], log)
		default:
		}
		return s.listens()
	})
	return stop
}

// listens reports whether anything has its port.
func (s realServer) listens() bool {
	conn, err := net.Dial("tcp", "127.0.0.1:"+strconv.Itoa(s.port))
	if err == nil {
		_ = conn.Close()
	}
	return err == nil
}

// nginxServer is nginx, its workers the web server's own user, with these server blocks.
func nginxServer(dir string, port int, blocks string) realServer {
	text := fmt.Sprintf("user www-data;\ndaemon off;\nworker_processes 1;\npid %s/nginx.pid;\nevents { worker_connections 256; }\nhttp {\n access_log off;\n", dir)
	for _, kind := range []string{"client_body", "proxy", "fastcgi", "uwsgi", "scgi"} {
		text += fmt.Sprintf(" %s_temp_path %s/%s;\n", kind, dir, kind)
	}
	return realServer{dir: dir, file: "nginx.conf", config: text + blocks + "}\n", port: port,
		command: []string{"/usr/sbin/nginx", "-p", dir, "-c", dir + "/nginx.conf", "-e", dir + "/error.log"}}
}

// apacheServer is Apache, with these virtual hosts.
func apacheServer(dir string, port int, hosts string) realServer {
	text := fmt.Sprintf("ServerRoot %s\nPidFile %s/apache.pid\nDefaultRuntimeDir %s\nErrorLog %s/error.log\nListen 127.0.0.1:%d\nServerName localhost\n"+
		"User www-data\nGroup www-data\nStartServers 1\nServerLimit 1\nThreadsPerChild 16\nMaxRequestWorkers 16\nMinSpareThreads 1\nMaxSpareThreads 16\n", dir, dir, dir, dir, port)
	for _, module := range []string{"mpm_event", "authz_core"} {
		text = fmt.Sprintf("LoadModule %s_module /usr/lib/apache2/modules/mod_%s.so\n", module, module) + text
	}
	text += "<Directory />\n Options FollowSymLinks\n AllowOverride None\n Require all granted\n</Directory>\n"
	return realServer{dir: dir, file: "apache.conf", config: text + hosts, port: port,
		command: []string{"/usr/sbin/apache2", "-f", dir + "/apache.conf", "-DFOREGROUND"}}
}

// blocks are one for each site, as format has it with port, name and document root.
func blocks(format string, port int, sites map[string]string) string {
	var text strings.Builder
	for name, root := range sites {
		fmt.Fprintf(&text, format, port, name, root)
	}
	return text.String()
}
