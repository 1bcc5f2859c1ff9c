package cli_test

// A digest of a bad night, delivered by Debian's Exim, and read where it put it. Exim runs with a
// configuration, a spool and a mailbox of the test's own, one process for each connection, as inetd
// would run it: the port is the kernel's, and nothing of the system's is touched.

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"maps"
	"math/big"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net"
	"net/mail"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"orderly/testca"
)

const eximConfig = `primary_hostname = mail.test.example
spool_directory = DIR/spool
log_file_path = DIR/log/%slog
keep_environment =
tls_advertise_hosts = *
tls_certificate = DIR/cert.pem
tls_privatekey = DIR/key.pem
auth_advertise_hosts = ${if eq{$tls_in_cipher}{}{}{*}}
acl_smtp_rcpt = rcpt
begin acl
rcpt:
  deny message = no such user here
       local_parts = nobody
  accept authenticated = *
  deny message = log in first
begin routers
all:
  driver = accept
  transport = box
begin transports
box:
  driver = appendfile
  directory = DIR/mail
  maildir_format
  user = USER
begin authenticators
plain:
  driver = plaintext
  public_name = PLAIN
  server_prompts = :
  server_condition = ${if and{{eq{$auth2}{orderly}}{eq{$auth3}{secret}}}}
  server_set_id = $auth2
`

// exim is a mail server.
type exim struct {
	t    *testing.T
	dir  string
	port int
}

func newExim(t *testing.T) *exim {
	t.Helper()
	e := &exim{t: t, dir: filepath.Join(t.TempDir(), "exim")}
	runs, err := user.Current()
	if os.Geteuid() == 0 && err == nil {
		runs, err = user.Lookup("Debian-exim")
	}
	if err != nil {
		t.Fatal(err)
	}
	uid, _ := strconv.Atoi(runs.Uid)
	gid, _ := strconv.Atoi(runs.Gid)
	for _, dir := range []string{"", "spool", "log", "mail"} {
		path := filepath.Join(e.dir, dir)
		if err := os.MkdirAll(path, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Chown(path, uid, gid); err != nil {
			t.Fatal(err)
		}
	}
	for dir := filepath.Dir(e.dir); dir != os.TempDir() && dir != "/"; dir = filepath.Dir(dir) {
		if err := os.Chmod(dir, 0o755); err != nil { // Exim's user must reach its mailbox
			t.Fatal(err)
		}
	}
	e.certificate()
	config := strings.NewReplacer("DIR", e.dir, "USER", runs.Username).Replace(eximConfig)
	if err := os.WriteFile(filepath.Join(e.dir, "conf"), []byte(config), 0o644); err != nil {
		t.Fatal(err)
	}
	e.listen()
	return e
}

// certificate makes one for the server.
func (e *exim) certificate() {
	e.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		e.t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "127.0.0.1"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour), IsCA: true, BasicConstraintsValid: true,
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		e.t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		e.t.Fatal(err)
	}
	for name, block := range map[string]*pem.Block{"cert.pem": {Type: "CERTIFICATE", Bytes: der}, "key.pem": {Type: "PRIVATE KEY", Bytes: private}} {
		if err := os.WriteFile(filepath.Join(e.dir, name), pem.EncodeToMemory(block), 0o644); err != nil {
			e.t.Fatal(err)
		}
	}
}

// listen runs an Exim for each connection. It delivers before it answers.
func (e *exim) listen() {
	e.t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		e.t.Fatal(err)
	}
	e.port = l.Addr().(*net.TCPAddr).Port
	var running sync.WaitGroup
	e.t.Cleanup(func() { _ = l.Close(); running.Wait() })
	running.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			socket, err := conn.(*net.TCPConn).File()
			_ = conn.Close()
			if err != nil {
				e.t.Error(err)
				return
			}
			running.Go(func() {
				defer func() { _ = socket.Close() }()
				cmd := exec.Command("/usr/sbin/exim4", "-C", filepath.Join(e.dir, "conf"), "-odf", "-bs")
				cmd.Stdin, cmd.Stdout = socket, socket
				if err := cmd.Run(); err != nil {
					e.t.Logf("exim: %v", err) // also where its client went away
				}
			})
		}
	})
}

// mailbox takes what was delivered out of the mailbox.
func (e *exim) mailbox() (all []letter) {
	e.t.Helper()
	files, err := filepath.Glob(filepath.Join(e.dir, "mail", "new", "*"))
	if err != nil {
		e.t.Fatal(err)
	}
	for _, path := range files {
		file, err := os.Open(path)
		if err != nil {
			e.t.Fatal(err)
		}
		all = append(all, e.parse(file))
		_ = file.Close()
		if err := os.Remove(path); err != nil {
			e.t.Fatal(err)
		}
	}
	return all
}

// letter is a mail as its reader has it.
type letter struct {
	header     mail.Header
	subject    string
	text, html string
}

func (e *exim) parse(r io.Reader) (l letter) {
	e.t.Helper()
	m, err := mail.ReadMessage(r)
	if err != nil {
		e.t.Fatal(err)
	}
	l.header = m.Header
	if l.subject, err = new(mime.WordDecoder).DecodeHeader(m.Header.Get("Subject")); err != nil {
		e.t.Fatal(err)
	}
	kind, parameters, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/alternative" {
		e.t.Fatalf("%s, %v", kind, err)
	}
	parts := multipart.NewReader(m.Body, parameters["boundary"])
	for {
		part, err := parts.NextRawPart()
		if err == io.EOF {
			return l
		}
		if err != nil {
			e.t.Fatal(err)
		}
		content, err := io.ReadAll(quotedprintable.NewReader(part))
		if err != nil || part.Header.Get("Content-Transfer-Encoding") != "quoted-printable" {
			e.t.Fatalf("%v, %v", part.Header, err)
		}
		text := strings.ReplaceAll(string(content), "\r\n", "\n")
		switch kind, _, _ := mime.ParseMediaType(part.Header.Get("Content-Type")); kind {
		case "text/plain":
			l.text = text
		case "text/html":
			l.html = text
		default:
			e.t.Errorf("a part of type %s", kind)
		}
	}
}

// badNight breaks a lineage in each of eight ways and renews; the classes are by lineage. whole is a
// renewal file as it was before that.
func (h *host) badNight() (bad map[string]string, whole string) {
	h.t.Helper()
	bad = map[string]string{"gone.example.com": "webroot-missing", "unset.example.com": "webroot-unset",
		"word.example.com": "renewal-file", "torn.example.com": "lineage-broken", "dead.example.com": "dns-missing",
		"wrong.example.com": "http-wrong-answer", "account.example.com": "account", "hook.example.com": "hook"}
	h.lineages(slices.Sorted(maps.Keys(bad))...)
	h.lineages("good.example.com")
	alter := func(lineage, from, to string) {
		text := h.settings(lineage)
		if !strings.Contains(text, from) {
			h.t.Fatalf("%s has no %s: %s", lineage, from, text)
		}
		h.write(h.conf(lineage), strings.ReplaceAll(text, from, to))
	}
	root := func(name string) string { return filepath.Join(h.dir, "sites", name) }
	h.remove(root("gone.example.com"))
	alter("unset.example.com", root("unset.example.com"), "")
	whole = h.settings("word.example.com")
	h.write(h.conf("word.example.com"), "a bare word\n")
	h.remove(filepath.Join(h.config, "archive", "torn.example.com"))
	h.ca.SetDead("dead.example.com", true)
	h.web.serve("wrong.example.com", h.site("elsewhere.example.com"))
	h.write(h.conf("account.example.com"), regexp.MustCompile(`account = \w+`).ReplaceAllString(
		h.settings("account.example.com"), "account = 00000000000000000000000000000000"))
	alter("hook.example.com", "[renewalparams]", "[renewalparams]\npre_hook = /no/such/hook")
	h.orderly("renew", "--force-renewal").says(h.t, 1, "")
	return bad, whole
}

// classes are those of which a digest has findings, and which failed since the last one.
func classes(t *testing.T, r result) map[string]bool {
	t.Helper()
	var said struct {
		Digest struct {
			New []struct {
				Findings []struct{ Class string }
			}
			Failures []struct{ Class string }
		}
	}
	if err := json.Unmarshal([]byte(r.stdout), &said); err != nil {
		t.Fatalf("%v: %s", err, r)
	}
	all := map[string]bool{}
	for _, g := range said.Digest.New {
		for _, f := range g.Findings {
			all[f.Class] = true
		}
	}
	for _, f := range said.Digest.Failures {
		all[f.Class] = true
	}
	return all
}

func TestADigestOfABadNightArrivesByMail(t *testing.T) {
	t.Parallel()
	e := newExim(t)
	w := newWorld(t, testca.Config{})
	h := w.host("one")
	bad, whole := h.badNight()
	h.write(filepath.Join(h.config, "orderly", "login"), "orderly\nsecret\n")
	if err := os.Chmod(filepath.Join(h.config, "orderly", "login"), 0o600); err != nil {
		t.Fatal(err)
	}
	sendmail := filepath.Join(h.dir, "sendmail")
	h.write(sendmail, "#!/bin/sh\nexec /usr/sbin/exim4 -C "+e.dir+"/conf -odf \"$@\"\n")
	if err := os.Chmod(sendmail, 0o755); err != nil {
		t.Fatal(err)
	}
	h.write(filepath.Join(h.config, "orderly", "digest.toml"), fmt.Sprintf(`[[channel]]
name = "admins"
kind = "smtp"
server = "127.0.0.1:%d"
tls = "starttls"
roots = "%s/cert.pem"
login = "login"
from = "Orderly <orderly@example.com>"
to = ["admins@example.com", "nobody@example.com"]

[[channel]]
name = "here"
kind = "sendmail"
program = "%s"
from = "orderly@example.com"
to = ["root@example.com"]
`, e.port, e.dir, sendmail))

	h.orderly("digest", "--test").says(t, 1, "admins: the test message is delivered in part: ",
		"it refuses nobody@example.com: 550 no such user here", "here: the test message is delivered.")
	for _, l := range e.mailbox() {
		if l.subject != "[test] [one] digests arrive here" || !strings.Contains(l.html, "Nobody has to do anything.") {
			t.Errorf("%+v", l)
		}
	}

	r := h.orderly("digest", "--json")
	said := classes(t, r)
	for lineage, class := range bad {
		if !said[class] {
			t.Errorf("nothing is said of %s: %s", class, lineage)
		}
	}
	letters := e.mailbox()
	if len(letters) != 2 {
		t.Fatalf("%d mails arrived: %s", len(letters), r)
	}
	for _, l := range letters {
		if !strings.HasPrefix(l.subject, "[one] act: ") || l.header.Get("Auto-Submitted") != "auto-generated" ||
			!strings.HasPrefix(l.text, "Somebody must act: ") {
			t.Errorf("%s, %v: %s", l.subject, l.header, l.text)
		}
		for lineage := range bad {
			if !strings.Contains(l.text, "\n  "+lineage+": ") || !strings.Contains(l.html, "<strong>"+lineage+"</strong>") {
				t.Errorf("%s is not told: %s", lineage, l.text)
			}
		}
		if strings.Contains(l.text, "good.example.com") {
			t.Errorf("what is good is told: %s", l.text)
		}
	}

	// a second one says only what changed
	h.write(h.conf("word.example.com"), whole)
	h.write(h.conf("good.example.com"), "another bare word\n")
	h.orderly("digest").says(t, 1, "Somebody must act: 1 certificate cannot be renewed; ", "here: delivered.")
	for _, l := range e.mailbox() {
		for lineage := range bad {
			if lineage != "word.example.com" && strings.Contains(l.text, lineage) {
				t.Errorf("%s is told again: %s", lineage, l.text)
			}
		}
		if !strings.Contains(l.text, "\n  good.example.com: ") || !strings.Contains(l.text, "\n  word.example.com: D1, ") {
			t.Error(l.text)
		}
	}
	h.orderly("digest").says(t, 0, "nothing is sent")
	if again := e.mailbox(); len(again) != 0 {
		t.Errorf("%+v", again)
	}
}
