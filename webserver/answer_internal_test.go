package webserver

import (
	"context"
	"fmt"
	"path"
	"strings"
	"testing"
	"time"
)

// nginxOf is the server that this http block describes.
func nginxOf(http string) *Survey {
	const main = "/etc/nginx/nginx.conf"
	_, files, _ := dump(marker + main + ":\nevents {}\nhttp {\n" + http + "\n}\n")
	return &Survey{Servers: []*Server{nginxServer(dumped(main, files), main, "/usr/share/nginx")}}
}

// apacheOf is the server that this file describes; customers are .htaccess files by directory.
func apacheOf(text string, customers map[string]string) *Survey {
	const main = "/etc/apache2/apache2.conf"
	f := newApacheFiles("/etc/apache2", map[string]string{"ROOT": "/srv"}, map[string]bool{"ssl_module": true})
	f.read = func(string) (string, bool) { return text, true }
	return &Survey{Servers: []*Server{apacheServer(f, main)},
		Read: func(_ context.Context, dir, name string) (string, bool) {
			text, ok := customers[path.Join(dir, name)]
			return text, ok
		}}
}

// told is what becomes of a token, in a word: DIR by FILE:LINE, a fault, or a doubt.
func told(t *testing.T, s *Survey, name string) string {
	t.Helper()
	answers := s.Ask(t.Context(), name, 80)
	var all []string
	for _, a := range answers {
		switch {
		case len(a.Doubts) > 0:
			all = append(all, "?")
		case a.ByDefault && a.Host.Has(name):
			all = append(all, "by default?")
		case a.Fault != nil:
			all = append(all, fmt.Sprintf("%s:%d", a.Fault.Kind, a.Fault.Place.Line))
		default:
			all = append(all, fmt.Sprintf("%s %s:%d", strings.TrimSuffix(a.Dir, "/.well-known/acme-challenge"), a.How, a.By.Line))
		}
	}
	return strings.Join(all, ", ")
}

func TestWhatBecomesOfATokenBehindNginx(t *testing.T) {
	const plain = "server { server_name a.example;\n root /srv/a;\n"
	for _, c := range []struct{ conf, want string }{
		{plain + "}", "/srv/a root:2"},
		{plain + "location ^~ /.well-known/acme-challenge/ { root /var/acme; } }", "/var/acme root:3"},
		{plain + "location /.well-known/acme-challenge/ {\n alias /var/acme/; } }", "/var/acme alias:4"},
		{plain + "location / { return 301 https://$host$request_uri; } }\nserver { listen 443 ssl; server_name a.example; root /srv/s; }", "/srv/s root:4"},
		{plain + "return 301 https://$host$request_uri; }", "?"},
		{plain + "return 301 https://a.example/; }", "redirected:3"},
		{plain + "return 301 https://elsewhere.example$request_uri; }", "?"},
		{plain + `location ~ /\. { deny all; } }`, "denied:3"},
		{plain + `location ~ /\.(?!well-known) { deny all; } }`, "/srv/a root:2"},
		{plain + `location ~ /\.(?!well-known\/).* { deny all; } }`, "/srv/a root:2"},
		{plain + `location ^~ /.well-known/ { } location ~ /\. { deny all; } }`, "/srv/a root:2"},
		{plain + "auth_basic \"Members only\";\n auth_basic_user_file x; }", "authenticated:3"},
		{plain + "auth_basic x; location /.well-known { auth_basic off; } }", "/srv/a root:2"},
		{plain + "location /.well-known { return 404; } }", "denied:3"},
		{plain + "if ($host = a.example) {\n return 301 https://b.example$request_uri; } }\nserver { listen 443 ssl; server_name b.example; return 403; }", "denied:5"},
		{plain + "if ($host = b.example) { return 403; } }", "/srv/a root:2"},
		{plain + "if ($http_user_agent ~ bot) { return 403; } }", "?"},
		{plain + "set $go 1; if ($request_uri ~ ^/.well-known) { set $go 0; } if ($go) { return 403; } }", "/srv/a root:2"},
		{plain + "rewrite ^/(.*)$ /index.php?q=$1 last; location ~ \\.php$ { fastcgi_pass x; } }", "rewritten:3"},
		{plain + "location / { try_files $uri $uri/ /index.php?$args; } }", "/srv/a root:2"},
		{plain + "location / {\n try_files /index.html =404; } }", "rewritten:4"},
		{plain + "location / { proxy_pass http://127.0.0.1:8080; } }", "?"},
		{plain + "location / { proxy_set_header Host $host; proxy_pass http://back; } }\nupstream back { server 127.0.0.1:8080; }\n" +
			"server { listen 127.0.0.1:8080; server_name a.example;\n root /srv/back; }", "/srv/back root:6"},
		{plain + "allow 10.0.0.0/8; deny all; }", "denied:3"},
		{plain + "satisfy any; allow all; auth_basic x; }", "/srv/a root:2"},
		{"root /srv/$host; server { server_name a.example; }", "/srv/a.example root:1"},
		{"root /srv/$upstream_x; server { server_name a.example; }", "?"},
		{"server { server_name *.example; root /w; } server { server_name ~^a\\.; root /r; } server { server_name a.example; root /n; }", "/n root:1"},
		{"server { server_name *.example; root /w; } server { server_name ~^a\\.; root /r; }", "/w root:1"},
		{"server { listen 80 default_server; root /d; } server { server_name b.example; root /b; }", "/d root:1"},
		{"server { listen 80 default_server; return 301 https://$host$request_uri; }\nserver { listen 443 ssl; server_name a.example; root /t; }", "/t root:2"},
		{"server { listen 8080; server_name a.example; root /d; }", ""},
		{"server { listen 192.0.2.1:80; server_name a.example; root /x; } server { listen 80; server_name a.example; root /y; }", "/x root:1, /y root:1"},
		{"server { server_name a.example; root rel; # ' \" { comment\n }", "/usr/share/nginx/rel root:1"},
		{`server { server_name "a.example"; root '/srv/with blank'; }`, "/srv/with blank root:1"},
		{"server { server_name a.example; content_by_lua_block { local x = '{' .. '}' } root /l; location / { content_by_lua_block { ngx.say('}{') } } }", "?"},
	} {
		if got := told(t, nginxOf(c.conf), "a.example"); got != minusTwo(c.want) {
			t.Errorf("%s\nis told %q, not %q", c.conf, got, minusTwo(c.want))
		}
	}
}

// minusTwo adds the two lines that stand above an http block to each line number.
func minusTwo(want string) string {
	var out []string
	for _, one := range strings.Split(want, ", ") {
		if at := strings.LastIndexByte(one, ':'); at > 0 {
			var n int
			fmt.Sscan(one[at+1:], &n)
			one = fmt.Sprintf("%s:%d", one[:at], n+2)
		}
		out = append(out, one)
	}
	return strings.Join(out, ", ")
}

func TestWhatBecomesOfATokenBehindApache(t *testing.T) {
	const plain = "<VirtualHost *:80>\nServerName a.example\nDocumentRoot /srv/a\n"
	const end = "\n</VirtualHost>\n"
	all := map[string]string{}
	for _, c := range []struct{ conf, customer, want string }{
		{plain + end, "", "/srv/a DocumentRoot:3"},
		{plain + "<IfModule mod_ssl.c>\n" + end + "</IfModule>", "", "/srv/a DocumentRoot:3"},
		{"<VirtualHost *:80>\nServerName a.example\nDocumentRoot \"${ROOT}/v\"" + end, "", "/srv/v DocumentRoot:3"},
		{"<VirtualHost *:80>\nServerName a.example\nDocumentRoot ${NONE}/v" + end, "", "?"},
		{plain + "Alias /.well-known/acme-challenge/ /var/acme/" + end, "", "/var/acme Alias:4"},
		{"Alias /.well-known/acme-challenge /var/acme\n" + plain + end, "", "/var/acme Alias:1"},
		{plain + "Redirect 301 / https://a.example/" + end + "<VirtualHost *:443>\nSSLEngine on\nServerName a.example\nDocumentRoot /srv/s" + end, "", "/srv/s DocumentRoot:9"},
		{plain + "RedirectMatch 404 /\\." + end, "", "denied:4"},
		{plain + "RewriteEngine on\nRewriteCond %{HTTPS} off\nRewriteRule ^ https://a.example/ [R,L]" + end, "", "redirected:6"},
		{plain + "RewriteEngine on\nRewriteCond %{REQUEST_URI} !^/\\.well-known/\nRewriteRule ^ https://a.example/ [R,L]" + end, "", "/srv/a DocumentRoot:3"},
		{plain + "RewriteEngine on\nRewriteCond %{HTTP_USER_AGENT} bot\nRewriteRule ^ - [F]" + end, "", "?"},
		{plain + "ProxyPass / http://app.internal/" + end, "", "?"},
		{plain + "ProxyPass /.well-known !\nProxyPass / http://app.internal/" + end, "", "/srv/a DocumentRoot:3"},
		{plain + "<Location /.well-known>\nRequire all denied\n</Location>" + end, "", "denied:5"},
		{plain + "<Directory /srv>\nAuthType Basic\nRequire valid-user\n</Directory>" + end, "", "authenticated:6"},
		{plain + "<DirectoryMatch \"/\\.\">\nRequire all denied\n</DirectoryMatch>" + end, "", "denied:5"},
		{plain + "<DirectoryMatch \"/\\.(?!well-known)\">\nRequire all denied\n</DirectoryMatch>" + end, "", "/srv/a DocumentRoot:3"},
		{plain + "<Directory /srv/a>\nOrder deny,allow\nDeny from all\n</Directory>" + end, "", "denied:6"},
		{plain + "<Directory /srv/a>\nOrder allow,deny\nAllow from all\n</Directory>" + end, "", "/srv/a DocumentRoot:3"},
		{plain + "<Directory /srv/a>\n<RequireAny>\nRequire ip 10\nRequire all granted\n</RequireAny>\n</Directory>" + end, "", "/srv/a DocumentRoot:3"},
		{plain + "<Directory /srv/a>\n<If \"%{HTTP_HOST} == 'x'\">\nRequire all denied\n</If>\n</Directory>" + end, "", "?"},
		{plain + "<Directory /srv/a>\nAllowOverride All\n</Directory>" + end, "Require all denied", "denied:1"},
		{plain + "<Directory /srv/a>\nAllowOverride None\n</Directory>" + end, "Require all denied", "/srv/a DocumentRoot:3"},
		{plain + "<Directory /srv>\nAllowOverride All\n</Directory>" + end, "# c\nRewriteEngine On\nRewriteRule ^ - \\\n [F]", "denied:3"},
		{plain + "<Directory /srv>\nAllowOverride All\n</Directory>" + end, "RewriteEngine On\nRewriteBase /\nRewriteRule ^index\\.php$ - [L]\n" +
			"RewriteCond %{REQUEST_FILENAME} !-f\nRewriteCond %{REQUEST_FILENAME} !-d\nRewriteRule . /index.php [L]", "/srv/a DocumentRoot:3"},
		{plain + "<Directory /srv>\nAllowOverride All\n</Directory>" + end, "RewriteEngine On\nRewriteRule (.*) index.php?q=$1 [L]", "rewritten:2"},
		{plain + "<Directory /srv>\nAllowOverride All\n</Directory>" + end,
			"RewriteEngine On\nRewriteCond %{REQUEST_URI} !^/public/\nRewriteRule ^(.*)$ public/$1 [L]", "/srv/a/public DocumentRoot:3"},
		{plain + "<Directory /srv>\nAllowOverride All\n</Directory>" + end, "Redirect 410 /.well-known", "denied:1"},
		{plain + "<Directory /srv>\nAllowOverride All\n</Directory>" + end, "AuthType Basic\nRequire user x", "authenticated:2"},
		{plain + "<Directory /srv>\nAllowOverride All\n</Directory>" + end, "<FilesMatch \"\\.php$\">\nRequire all denied\n</FilesMatch>", "/srv/a DocumentRoot:3"},
	} {
		clear(all)
		if c.customer != "" {
			all["/srv/a/.htaccess"] = c.customer
		}
		if got := told(t, apacheOf("ServerName main\nListen 80\n"+c.conf, all), "a.example"); got != plus(c.want, c.customer) {
			t.Errorf("%s\n%s\nis told %q, not %q", c.conf, c.customer, got, plus(c.want, c.customer))
		}
	}
}

// plus adds the two lines that stand above, but for what the customer's own file says.
func plus(want, customer string) string {
	if customer != "" && !strings.HasSuffix(want, "DocumentRoot:3") {
		return want
	}
	return minusTwo(want)
}

// What a program printed when it would not start is told with file and line.
func TestWhyAServerDoesNotStart(t *testing.T) {
	for _, c := range []struct {
		stderr, want string
		of           func(string, error, string) *Note
	}{
		{"nginx: [emerg] unknown directive \"foo\" in /etc/nginx/sites/a.conf:3\nnginx: configuration file x test failed\n",
			`/etc/nginx/sites/a.conf:3 unknown directive "foo"`, brokenNginx},
		{"2026/11/28 20:54:33 [emerg] 14240#14240: cannot load certificate \"/x.pem\": BIO_new_file() failed\n",
			`/main.conf cannot load certificate "/x.pem": BIO_new_file() failed`, brokenNginx},
		{"AH00526: Syntax error on line 1 of /e/b.conf:\nInvalid command 'Foo', perhaps\n", "/e/b.conf:1 Invalid command 'Foo', perhaps", brokenApache},
		{"apache2: Syntax error on line 80 of /e/a.conf: DefaultRuntimeDir must be\n", "/e/a.conf:80 DefaultRuntimeDir must be", brokenApache},
		{"\n", "/main.conf it said nothing", brokenApache},
	} {
		n := c.of(c.stderr, nil, "/main.conf")
		if got := n.Place.String() + " " + n.Words; got != c.want {
			t.Errorf("%q is told %q, not %q", c.stderr, got, c.want)
		}
	}
}

// many is a configuration of so many sites.
func manyNginx(n int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s/etc/nginx/nginx.conf:\nhttp { include sites/*.conf; }\n", marker)
	for i := range n {
		fmt.Fprintf(&b, "%s/etc/nginx/sites/%d.conf:\nserver { listen 80; listen [::]:80; server_name %d.example www.%d.example;\n root /srv/%d;\n"+
			" include /etc/nginx/vhosts/%d/*.conf;\n location ~ /\\.(?!well-known) { deny all; }\n location / { try_files $uri /index.php; } }\n", marker, i, i, i, i, i)
	}
	return b.String()
}

// Sites are asked one after the other: what is done for each must not grow with their number.
func TestManyHostsAreReadAndAsked(t *testing.T) {
	const sites = 1500
	begun := time.Now()
	main, files, _ := dump(manyNginx(sites))
	s := &Survey{Servers: []*Server{nginxServer(dumped(main, files), main, "/")}}
	for i := range sites {
		if got, want := told(t, s, fmt.Sprintf("www.%d.example", i)), fmt.Sprintf("/srv/%d root:2", i); got != want {
			t.Fatalf("%s, not %s", got, want)
		}
	}
	t.Logf("%d sites in %v", sites, time.Since(begun))
}

func FuzzNginx(f *testing.F) {
	f.Add("server { listen 80; server_name a.example ~^(?!b).; location ~* \\.(?=w) { rewrite ^(.*)$ /$1 last; } }")
	f.Add("include /etc/nginx/nginx.conf; server { if ($host = 'a.example') { set $x ${uri}; } try_files $uri @x; }")
	f.Add("server { location / { location /.well-known { alias /x; } } content_by_lua_block { { } ")
	f.Fuzz(func(t *testing.T, text string) {
		s := nginxOf(text)
		for _, a := range s.Ask(t.Context(), "a.example", 80) {
			judge(t, a)
		}
	})
}

func FuzzApache(f *testing.F) {
	f.Add("<VirtualHost *:80>\nServerName a.example\nDocumentRoot /x\n<Directory /x>\nAllowOverride All\n", "RewriteEngine on\nRewriteRule ^(.*)$ x/$1 [L]\n")
	f.Add("Define A ${A}${A}\nListen [::1]:80\nRedirectMatch (.) /$1\nAliasMatch ^(?!/x)(.*) /$1", "<RequireAll>\nRequire not ip 1\n<Files \"*\">")
	f.Add("Redirect\nRewriteRule\nRequire\n<Location>\nProxyPass\nAlias / \nUse X\n<If", "Redirect gone\nRewriteCond a [OR\nOrder\nSetHandler")
	f.Fuzz(func(t *testing.T, text, customer string) {
		s := apacheOf(text, map[string]string{"/x/.htaccess": customer, "/.htaccess": customer})
		for _, a := range s.Ask(t.Context(), "a.example", 80) {
			judge(t, a)
		}
		readDump(text)
		brokenApache(text, nil, "")
	})
}

// judge wants an answer to be one of what it can be.
func judge(t *testing.T, a Answer) {
	t.Helper()
	if a.Fault == nil && a.Dir == "" && len(a.Doubts) == 0 {
		t.Errorf("nothing is said: %+v", a)
	}
}
