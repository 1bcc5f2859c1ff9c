package e2e_test

import (
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"orderly/testca"
)

// ward is a server with thirty sites behind nginx, of which Apache serves some.
type ward struct {
	*host
	front, back realServer
	https       int
	online      string // what the doctor is asked to look at beside files
	all         []*sick
	dns         *wardDNS
}

// sick is one site.
type sick struct {
	*ward
	illness
	domain, root, other string // document roots: its own, and one that is none of its
	file                string // of its host, in which what is wrong is written
}

// illness is what befalls a site.
type illness struct {
	id     string // of the check that is to find it; "" for a site that is well
	apache bool
	befall func(p *sick)
	late   bool // once the servers were reloaded
	// mend is what the remedy says in prose; nil where it has a command.
	mend func(p *sick)
}

// inServer writes something into a site's server block or virtual host.
func inServer(id string, apache bool, text string) illness {
	return illness{id: id, apache: apache, befall: func(p *sick) {
		begin := "server {\n"
		if apache {
			begin = fmt.Sprintf("<VirtualHost 127.0.0.1:%d>\n", p.back.port)
		}
		p.replace(begin, begin+strings.NewReplacer("ROOT", p.root, "OTHER", p.other, "NAME", p.domain).Replace(text)+"\n")
	}}
}

// inCustomers is what a customer writes into his .htaccess.
func inCustomers(text string) illness {
	return illness{id: "D36", apache: true, befall: func(p *sick) { p.write(filepath.Join(p.root, ".htaccess"), text) }}
}

func illnesses() []illness {
	return append(append(illnessesOfNet(), illnessesOfFiles()...), illnessesOfWeb()...)
}

func illnessesOfWeb() []illness {
	const challenge = "/.well-known/acme-challenge"
	return []illness{
		{}, {apache: true},
		{id: "D4", apache: false, befall: func(p *sick) {
			p.edit(p.settings(), `(?m)^(webroot_path|`+regexp.QuoteMeta(p.domain)+`) = .*\n`, "")
		}},
		{id: "D14", apache: false, befall: func(p *sick) { _ = os.Remove(filepath.Join(p.config, "live", p.domain, "chain.pem")) }},
		{id: "D5", befall: func(p *sick) { p.write(p.settings(), p.read(p.settings())+"post_hook = true\n") }},
		{id: "D21", apache: true, befall: func(p *sick) { _ = os.Rename(p.root, p.root+".old") }},
		{id: "D22", apache: true, befall: func(p *sick) { p.write(filepath.Join(p.root, ".well-known"), "in the way") }},
		{id: "D24", befall: func(p *sick) {
			p.edit(p.settings(), `(?m)^authenticator = .*$`, "authenticator = webroot\nrenew_hook = "+p.root+".reload")
		}},
		{id: "D34", apache: false, befall: func(p *sick) { p.moveSite(); p.replace("root "+p.root, "root "+p.other) }},
		inServer("D36", false, `location ~ /\. { deny all; }`),
		inServer("D36", false, "auth_basic \"Members\"; auth_basic_user_file /dev/null;"),
		{id: "D36", apache: false, befall: func(p *sick) { p.replace("try_files $uri =404;", "return 301 https://"+p.domain+"/;") }},
		inServer("D36", false, "allow 192.0.2.0/24; deny all;"),
		{id: "D33", apache: false, befall: func(p *sick) {
			p.replace(filepath.Join(p.config, "live"), filepath.Join(p.config, "archive"))
			p.replace("fullchain.pem", "fullchain1.pem")
			p.replace("privkey.pem", "privkey1.pem")
		}},
		{id: "D33", apache: false, befall: func(p *sick) { p.must("renew", "--force-renewal", "--cert-name", p.domain) }, late: true},
		inServer("D36", true, "<Directory ROOT>\nRequire all denied\n</Directory>"),
		inServer("D36", true, "<Location /.well-known>\nRequire ip 192.0.2.1\n</Location>"),
		inServer("D36", true, "<DirectoryMatch \"/\\.\">\nRequire all denied\n</DirectoryMatch>"),
		{id: "D34", apache: true, befall: func(p *sick) { p.moveSite(); p.replace("DocumentRoot "+p.root, "DocumentRoot "+p.other) }},
		inServer("D34", true, "Alias "+challenge+"/ OTHER/"),
		inCustomers("Require all denied\n"),
		inCustomers("AuthType Basic\nAuthName Members\nAuthUserFile /dev/null\nRequire valid-user\n"),
		inCustomers("RewriteEngine On\nRewriteRule ^(.*)$ index.html [L]\n"),
		{id: "D51", apache: false, befall: func(p *sick) { p.must("delete", "--cert-name", p.domain, "-n"); p.write(p.file, p.inFront(false)) }},
		{id: "D51", apache: false, befall: func(p *sick) { _ = os.Remove(p.file) }},
	}
}

func (p *sick) replace(from, to string) {
	p.t.Helper()
	text := p.read(p.file)
	if !strings.Contains(text, from) {
		p.t.Fatalf("%s has no %q:\n%s", p.file, from, text)
	}
	p.write(p.file, strings.ReplaceAll(text, from, to))
}

func (p *sick) settings() string { return filepath.Join(p.config, "renewal", p.domain+".conf") }

// moveSite is a customer's move into another directory, of which the renewals know nothing.
func (p *sick) moveSite() { p.write(filepath.Join(p.other, "index.html"), "moved") }

func newWard(t *testing.T) *ward {
	const port = 80 // in a network of the test's own, so that 443 is that of TLS
	w := newWorld(t, testca.Config{HTTPPort: port})
	w.web.port = port
	d := &ward{host: w.host("one"), https: 443, online: "--online"}
	for _, dir := range []string{w.dir, filepath.Dir(w.dir)} { // the servers' users look in
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	d.write(filepath.Join(d.dir, ".config/letsencrypt/cli.ini"), "server = "+w.ca.DirectoryURL()+
		"\nagree-tos = true\nregister-unsafely-without-email = true\nnon-interactive = true\n")
	front, back := filepath.Join(d.dir, "nginx"), filepath.Join(d.dir, "apache")
	d.front = nginxServer(front, port, fmt.Sprintf(" server { listen 127.0.0.1:%d ssl default_server; ssl_reject_handshake on; }\n"+
		" include %s/sites/*.conf;\n", d.https, front))
	modules := ""
	for _, m := range []string{"alias", "rewrite", "authn_core", "authn_file", "auth_basic", "authz_user", "authz_host"} {
		modules += fmt.Sprintf("LoadModule %s_module /usr/lib/apache2/modules/mod_%s.so\n", m, m)
	}
	d.back = apacheServer(back, freePort(t), modules+"<Directory "+d.dir+"/sites>\nAllowOverride All\n</Directory>\nIncludeOptional "+
		back+"/sites/*.conf\n")
	d.dns = newWardDNS(t)
	d.setenv("ORDERLY_RESOLVER", d.dns.server.Address())
	d.neighbours()
	for i, ill := range illnesses() {
		p := &sick{ward: d, illness: ill, domain: fmt.Sprintf("s%02d.example.com", i)}
		p.root, p.other = filepath.Join(d.dir, "sites", p.domain), filepath.Join(d.dir, "sites", "other-"+p.domain)
		p.write(filepath.Join(p.root, "index.html"), p.domain)
		p.write(filepath.Join(p.other, "index.html"), "other")
		p.file = filepath.Join(front, "sites", p.domain+".conf")
		p.write(p.file, p.inFront(false))
		if p.apache {
			p.file = filepath.Join(back, "sites", p.domain+".conf")
			p.write(p.file, fmt.Sprintf("<VirtualHost 127.0.0.1:%d>\nServerName %s\nDocumentRoot %s\n</VirtualHost>\n",
				d.back.port, p.domain, p.root))
		}
		d.dns.zone.Add(p.domain + ". A 127.0.0.1")
		d.all = append(d.all, p)
	}
	return d
}

// inFront is a site's part of nginx's configuration.
func (p *sick) inFront(tls bool) string {
	content := "try_files $uri =404;"
	if p.apache {
		content = fmt.Sprintf("proxy_pass http://127.0.0.1:%d; proxy_set_header Host $host;", p.back.port)
	}
	text := fmt.Sprintf("server {\n listen 127.0.0.1:%d;\n server_name %s;\n root %s;\n location / { %s }\n}\n",
		p.front.port, p.domain, p.root, content)
	if tls && !p.apache {
		live := filepath.Join(p.config, "live", p.domain)
		text = fmt.Sprintf("server { listen 127.0.0.1:%d ssl; server_name %s; ssl_certificate %s/fullchain.pem; "+
			"ssl_certificate_key %s/privkey.pem; }\n", p.https, p.domain, live, live) + text
	}
	return text
}

// atOnce does something for each sick, all together.
func (d *ward) atOnce(do func(p *sick)) {
	var group sync.WaitGroup
	for _, p := range d.all {
		group.Go(func() { do(p) })
	}
	group.Wait()
}

// reload lets both servers read their configuration.
func (d *ward) reload() {
	d.t.Helper()
	if r := d.spawn(d.front.command[0], append(slices.Clone(d.front.command[1:]), "-s", "reload")...).wait(); r.code != 0 {
		d.t.Fatal(r)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(d.read(filepath.Join(d.back.dir, "apache.pid"))))
	if err == nil {
		err = syscall.Kill(pid, syscall.SIGUSR1)
	}
	if err != nil {
		d.t.Fatal(err)
	}
}

// answers is what a site serves for a path.
func (p *sick) answers(path string) string {
	request, err := http.NewRequest(http.MethodGet, fmt.Sprintf("http://127.0.0.1:%d%s", p.front.port, path), nil)
	if err != nil {
		p.t.Fatal(err)
	}
	request.Host = p.domain
	answer, err := http.DefaultTransport.RoundTrip(request)
	if err != nil {
		return err.Error()
	}
	defer answer.Body.Close()
	text, _ := io.ReadAll(answer.Body) // what is missing differs
	return string(text)
}

// serves reports whether a token would be served from the document root that is configured.
func (p *sick) serves(root string) bool {
	const path = "/.well-known/acme-challenge/LoqXcYV8q5ONbJQxbmR7SCTNo3tiAXDfowyjxAjEuX1"
	p.write(filepath.Join(root, path), p.domain)
	defer func() { _ = os.RemoveAll(filepath.Join(root, ".well-known")) }()
	return p.answers(path) == p.domain
}

// serial is that of the certificate that nginx serves for a name.
func (p *sick) serial() string {
	conn, err := tls.Dial("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(p.https)), &tls.Config{ServerName: p.domain, InsecureSkipVerify: true})
	if err != nil {
		return err.Error()
	}
	defer conn.Close()
	return conn.ConnectionState().PeerCertificates[0].SerialNumber.String()
}

type doctorsFinding struct {
	ID, Severity, Lineage, File, Sentence, Remedy string
	Line                                          int
	Names                                         []string
}

// doctor is what the doctor finds, and its exit code.
func (d *ward) doctor() ([]doctorsFinding, int) {
	d.t.Helper()
	r := d.orderly("doctor", "--web", d.online, "--json")
	var report struct{ Findings []doctorsFinding }
	if err := json.Unmarshal([]byte(r.stdout), &report); err != nil {
		d.t.Fatalf("%v: %s", err, r)
	}
	return report.Findings, r.code
}

// Thirty sites of which twenty and more are ill, each in its own way: found before anything is ordered, made well by what the
// remedies say, literally, and renewed.
func TestThirtySitesAreMadeWellAsTheDoctorSays(t *testing.T) {
	t.Parallel()
	if !apartWith(t, syscall.CLONE_NEWPID|syscall.CLONE_NEWNET) {
		return
	}
	d := newWard(t)
	d.front.start(t)
	d.back.start(t)
	d.atOnce(func(p *sick) { p.must(p.certonly(p.root, p.domain)...) })
	for _, p := range d.all {
		p.write(filepath.Join(d.front.dir, "sites", p.domain+".conf"), p.inFront(true))
	}
	d.reload()
	for _, p := range d.all {
		if !p.apache {
			want := p.goodPair(p.domain, p.domain).SerialNumber.String()
			until(t, "nginx serves "+p.domain+" with its certificate", func() bool { return p.serial() == want })
		}
	}
	if found, code := d.doctor(); code != 0 {
		t.Errorf("all are well, and the doctor ends with %d: %v", code, found)
	}

	for _, p := range d.all {
		if p.befall != nil && !p.late {
			p.befall(p)
		}
	}
	d.reload()
	for _, p := range d.all {
		if text, err := os.ReadFile(filepath.Join(p.other, "index.html")); err == nil && string(text) == "moved" {
			until(t, p.domain+" has moved", func() bool { return p.answers("/index.html") == "moved" })
		}
	}
	for _, p := range d.all {
		if p.late {
			p.befall(p)
		}
	}
	before := d.ca.Truth()
	found, code := d.doctor()
	if code != 1 {
		t.Errorf("the doctor ends with %d", code)
	}
	after := d.ca.Truth()
	if len(after.Requests) != len(before.Requests) || len(after.Orders) != len(before.Orders) || after.Pending() != 0 {
		t.Errorf("the CA was asked: %d requests, %d orders, %d pending", len(after.Requests)-len(before.Requests),
			len(after.Orders)-len(before.Orders), after.Pending())
	}
	d.accountTold(found)
	d.diagnosed(found)
	d.treat(found)
	d.recovered()
}

// wouldNotReload lets a directive that nobody knows come into the configuration of a server that runs: it is found before the
// next reload, alone and with its line, and what the remedy says mends it.
func (d *ward) wouldNotReload() {
	d.t.Helper()
	p, whole := d.all[0], d.read(d.all[0].file)
	p.write(p.file, whole+"no_such_directive on;\n")
	found, code := d.doctor()
	if code != 1 || len(found) == 0 || found[0].ID != "D35" || found[0].File != p.file || found[0].Line != strings.Count(whole, "\n")+1 {
		d.t.Fatalf("%d: %+v", code, found)
	}
	pasted := inBackquotes.FindStringSubmatch(found[0].Remedy)
	if r := d.spawn("sh", "-c", pasted[1]).wait(); r.code == 0 {
		d.t.Errorf("nginx says nothing of it: %s", r)
	}
	p.write(p.file, whole)
	if r := d.spawn("sh", "-c", pasted[1]).wait(); r.code != 0 {
		d.t.Errorf("%s", r)
	}
	if found, code := d.doctor(); code != 0 {
		d.t.Errorf("the doctor ends with %d: %+v", code, found)
	}
}

// diagnosed wants each ill site found by its check, with where it is written, and none else. That the probe is not served
// either, or another certificate, is the network's word on the same thing.
func (d *ward) diagnosed(found []doctorsFinding) {
	d.t.Helper()
	for _, p := range d.all {
		var ids []string
		for _, f := range found {
			about := f.Lineage == p.domain || slices.Contains(f.Names, p.domain)
			same := f.ID == "D37" && f.Severity == "doubtful" || f.ID == "D49" && p.id == "D33"
			if !about || same {
				continue
			}
			ids = append(ids, f.ID)
			written := f.Line > 0 && strings.HasPrefix(f.File, d.dir)
			if f.Remedy == "" || !written && slices.Contains([]string{"D33", "D34", "D36"}, f.ID) {
				d.t.Errorf("%+v", f)
			}
			d.t.Logf("%s %s %s %s:%d\n  %s", f.ID, f.Severity, f.Sentence, f.File, f.Line, f.Remedy)
		}
		if fmt.Sprint(ids) != "["+p.id+"]" {
			d.t.Errorf("%s: found was %v, not %s\n%s", p.domain, ids, p.id, p.read(p.file))
		}
	}
}

// treat does what the remedies say, first those that a person has to read, then those that are pasted, with the document root where a person has to fill one in.
func (d *ward) treat(found []doctorsFinding) {
	d.t.Helper()
	bin := filepath.Join(d.dir, "bin")
	if err := os.MkdirAll(bin, 0o755); err != nil {
		d.t.Fatal(err)
	}
	if err := os.Symlink(program, filepath.Join(bin, "orderly")); err != nil {
		d.t.Fatal(err)
	}
	d.setenv("PATH", bin+":"+os.Getenv("PATH"))
	for _, p := range d.all {
		if p.mend != nil {
			p.mend(p)
		}
	}
	for _, f := range found {
		if f.Severity == "doubtful" {
			continue
		}
		for _, command := range inBackquotes.FindAllStringSubmatch(f.Remedy, -1) {
			typed := strings.NewReplacer(" DIR ", " "+filepath.Join(d.dir, "sites", f.Lineage)+" ", " COMMAND ", " true ").Replace(command[1])
			r := d.spawn("sh", "-c", typed).wait()
			if r.code != 0 && !strings.HasPrefix(typed, "orderly doctor ") { // whose code is of what is ill still
				d.t.Errorf("%s of %s: pasted: %s\n%s", f.ID, f.Lineage, typed, r)
			}
		}
	}
}

// recovered wants the doctor to find nothing, and each site to be renewed at one order.
func (d *ward) recovered() {
	d.t.Helper()
	d.reload()
	for _, p := range d.all[:len(d.all)-1] {
		root := p.root
		if text := strings.ToLower(p.read(p.file)); strings.Contains(text, "root "+strings.ToLower(p.other)) {
			root = p.other
		}
		until(d.t, p.domain+" serves its tokens", func() bool { return p.serves(root) })
	}
	if found, code := d.doctor(); code != 0 {
		d.t.Errorf("the doctor ends with %d: %+v", code, found)
	}
	d.wouldNotReload()
	before := d.ca.Truth()
	d.must("renew", "--force-renewal")
	after := d.ca.Truth()
	if made := len(after.Orders) - len(before.Orders); made != len(d.all)-1 || after.Pending() != 0 {
		d.t.Errorf("%d orders, %d pending", made, after.Pending())
	}
	d.tidyHome()
}
