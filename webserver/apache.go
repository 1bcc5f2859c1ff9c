package webserver

import (
	"context"
	"net/netip"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// Apache's hosts: what it says of modules, definitions and hosts, and what its files say beside.

// envvars is where Debian says what its configuration refers to.
const envvars = "/etc/apache2/envvars"

// debianEnvironment are the variables of a file of that kind, without what only a shell knows.
func debianEnvironment(file string) []string {
	text, _ := readFile(file)
	var all []string
	for line := range strings.Lines(text) {
		word, ok := strings.CutPrefix(strings.TrimSpace(line), "export ")
		name, value, assigned := strings.Cut(word, "=")
		if ok && assigned && strings.HasPrefix(name, "APACHE_") {
			value = strings.ReplaceAll(strings.Trim(value, `"'`), "$SUFFIX", "")
			if !strings.Contains(value, "$") {
				all = append(all, name+"="+value)
			}
		}
	}
	return all
}

func readApache(ctx context.Context, p Process) *Server {
	environ := p.Environ
	if len(environ) == 0 {
		environ = debianEnvironment(envvars)
	}
	flags := picked(p.Args, "-f", "-d", "-D", "-C", "-c")
	dumps := append(flags, "-t", "-D", "DUMP_VHOSTS", "-D", "DUMP_RUN_CFG", "-D", "DUMP_INCLUDES", "-D", "DUMP_MODULES")
	stdout, stderr, err := run(ctx, environ, p.Program, dumps...)
	said := readDump(stdout)
	for _, entry := range environ {
		name, value, _ := strings.Cut(entry, "=")
		said.variables[name] = value
	}
	if said.main == "" || said.root == "" {
		said.built(ctx, environ, p.Program, flags)
	}
	files := newApacheFiles(said.root, said.variables, said.modules)
	s := apacheServer(files, said.main)
	s.unread(said.hosts)
	switch why := brokenApache(stderr, err, said.main); {
	case err == nil:
	case p.PID == 0: // Debian makes its directory for what runs when it starts it
		s.Puzzles = append(s.Puzzles, *why)
	default:
		s.fails(err, why)
	}
	return s
}

// said is what Apache says of itself.
type said struct {
	main, root string
	variables  map[string]string
	modules    map[string]bool
	hosts      []Note // where each stands, and its name
}

var (
	dumpedHost = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`^\s*(?:\S+\s+|port \d+ namevhost |default server )(\S+) \((/.*):(\d+)\)$`)
	})
	builtWith = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`(?m)-D (HTTPD_ROOT|SERVER_CONFIG_FILE)="(.*)"$`)
	})
	syntaxError = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`(?m)yntax error on line (\d+) of (/.*?):(.*)$`)
	})
)

// readDump reads what the dumps print.
func readDump(text string) said {
	d := said{variables: map[string]string{}, modules: map[string]bool{}}
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\r\n")
		trimmed := strings.TrimSpace(line)
		module, _, isModule := strings.Cut(trimmed, " (")
		switch {
		case strings.HasPrefix(trimmed, "(*) "):
			d.main = strings.TrimPrefix(trimmed, "(*) ")
		case strings.HasPrefix(line, "ServerRoot: "):
			d.root = strings.Trim(strings.TrimPrefix(line, "ServerRoot: "), `"`)
		case strings.HasPrefix(line, "Define: "):
			name, value, _ := strings.Cut(strings.TrimPrefix(line, "Define: "), "=")
			if !strings.HasPrefix(name, "DUMP_") {
				d.variables[name] = value
			}
		case isModule && strings.HasSuffix(module, "_module"):
			d.modules[module] = true
		default:
			if m := dumpedHost().FindStringSubmatch(line); m != nil {
				number, _ := strconv.Atoi(m[3]) // digits
				d.hosts = append(d.hosts, Note{Place{m[2], number}, m[1]})
			}
		}
	}
	return d
}

// built asks for what was compiled in: Apache up to 2.4.6 does not say which files it reads, and a
// broken one not where its root is.
func (d *said) built(ctx context.Context, environ []string, program string, flags []string) {
	text, _, _ := run(ctx, environ, program, "-V") // a broken configuration ends it behind that
	values := map[string]string{}
	for _, m := range builtWith().FindAllStringSubmatch(text, -1) {
		values[m[1]] = m[2]
	}
	if d.root == "" {
		if d.root = valueOf(flags, "-d"); d.root == "" {
			d.root = values["HTTPD_ROOT"]
		}
	}
	if d.main == "" {
		if d.main = valueOf(flags, "-f"); d.main == "" {
			d.main = values["SERVER_CONFIG_FILE"]
		}
		d.main = from(d.root, d.main)
	}
}

func brokenApache(stderr string, err error, main string) *Note {
	m := syntaxError().FindStringSubmatchIndex(stderr)
	if m == nil {
		return &Note{Place: Place{File: main}, Words: firstWords(stderr, err)}
	}
	words := strings.TrimSpace(stderr[m[6]:m[7]])
	if words == "" { // it stands on the next line
		words = firstWords(stderr[m[1]:], err)
	}
	line, _ := strconv.Atoi(stderr[m[2]:m[3]]) // digits
	return &Note{Place: Place{stderr[m[4]:m[5]], line}, Words: words}
}

// apacheServer is the server that a main file with its includes describes.
func apacheServer(files *apacheFiles, main string) *Server {
	s := &Server{Kind: Apache}
	all := files.load(main)
	if root, ok := last(all, "serverroot"); ok && root.arg(1) != files.root {
		files.root = root.arg(1)
		all = files.load(main)
	}
	common := &apacheMain{statements: all, root: files.root, customer: files.confine().parse,
		parsed: map[string][]statement{}}
	var blocks []statement
	for _, b := range all {
		if b.name() == "<virtualhost" {
			blocks = append(blocks, b)
		} else {
			common.own = append(common.own, b)
		}
	}
	listens := apachePorts(common.own)
	for _, b := range blocks {
		s.Hosts = append(s.Hosts, apacheHost(common, b, listens))
	}
	// what no host listens for is the main server's
	s.Hosts = append(s.Hosts, apacheHost(common, statement{Place: Place{File: main}}, listens))
	s.Puzzles = files.puzzles
	s.index()
	return s
}

// apachePorts are those of Listen.
func apachePorts(main []statement) []Listen {
	var all []Listen
	for _, s := range main {
		if s.name() == "listen" {
			if l, ok := apacheAddress(s.arg(1)); ok {
				l.TLS = s.arg(2) == "https"
				all = append(all, l)
			}
		}
	}
	return all
}

// apacheAddress is what a host is for: *:80, _default_:443, [::1]:80, 192.0.2.1, 80.
func apacheAddress(word string) (Listen, bool) {
	host, port := word, ""
	if i := strings.LastIndexByte(word, ':'); i > strings.LastIndexByte(word, ']') {
		host, port = word[:i], word[i+1:]
	} else if _, err := strconv.Atoi(word); err == nil {
		host, port = "", word
	}
	l := Listen{}
	if port != "" && port != "*" {
		number, err := strconv.Atoi(port)
		if err != nil {
			return l, false
		}
		l.Port = number
	}
	address, err := netip.ParseAddr(strings.Trim(host, "[]"))
	if err == nil && !address.IsUnspecified() {
		l.Address = address
	}
	return l, err == nil || host == "" || host == "*" || host == "_default_"
}

func apacheHost(main *apacheMain, block statement, listens []Listen) *Host {
	h := &Host{Place: block.Place, Open: block.Line, End: block.end, Kind: Apache}
	r := &apacheRules{main: main, host: block.block}
	h.rules = r
	engine, _ := r.setting("sslengine")
	tls := strings.EqualFold(engine.arg(1), "on")
	if block.words == nil { // the main server
		h.Listens = slices.Clone(listens)
	}
	for _, word := range block.args() {
		l, ok := apacheAddress(word)
		if !ok {
			h.Doubt = "the address " + word + " is not understood"
			continue
		}
		if l.Port != 0 {
			h.Listens = append(h.Listens, l)
			continue
		}
		for _, listened := range listens { // every port that is listened to
			h.Listens = append(h.Listens, Listen{Address: l.Address, Port: listened.Port})
		}
	}
	for i := range h.Listens {
		h.Listens[i].TLS = tls
	}
	for _, s := range block.block {
		switch s.name() {
		case "servername", "serveralias":
			h.Names = append(h.Names, apacheNames(s)...)
			if s.foggy {
				h.Doubt = "its names hold a variable that is not known"
			}
		}
	}
	h.Certificates = apacheCertificates(r, main.root)
	return h
}

func apacheNames(s statement) []Name {
	var names []Name
	for _, word := range s.args() {
		word = strings.ToLower(word)
		if _, after, ok := strings.Cut(word, "://"); ok {
			word = after
		}
		word, _, _ = strings.Cut(strings.TrimSuffix(word, "."), ":")
		inner := strings.TrimPrefix(word, "*.")
		if !strings.ContainsAny(inner, "*?") {
			names = append(names, newName(word, s.Place, false))
			continue
		}
		glob := strings.NewReplacer(`\*`, ".*", `\?`, ".").Replace(regexp.QuoteMeta(word))
		names = append(names, newName("^"+glob+"$", s.Place, true))
	}
	return names
}

func apacheCertificates(r *apacheRules, root string) []Certificate {
	var all []Certificate
	for _, block := range [][]statement{r.host, r.main.own} {
		var keys []statement
		for _, s := range block {
			switch s.name() {
			case "sslcertificatefile":
				all = append(all, Certificate{File: from(root, s.arg(1)), Place: s.Place})
			case "sslcertificatekeyfile":
				keys = append(keys, s)
			}
		}
		for i := range min(len(keys), len(all)) {
			all[i].Key = from(root, keys[i].arg(1))
		}
		if len(all) > 0 {
			break
		}
	}
	return slices.DeleteFunc(all, func(c Certificate) bool { return strings.Contains(c.File, "${") })
}

// unread adds the hosts that Apache names and that were not found in its files, such as a macro's.
func (s *Server) unread(hosts []Note) {
	known := map[Place]bool{}
	for _, h := range s.Hosts {
		known[Place{filepath.Clean(h.File), h.Line}] = true
	}
	for _, n := range hosts {
		place := Place{filepath.Clean(n.File), n.Line}
		if known[place] {
			continue
		}
		known[place] = true
		h := &Host{Place: n.Place, Kind: Apache, Doubt: "its section is not understood",
			Names: []Name{newName(strings.ToLower(n.Words), n.Place, false)}, rules: foggyRules{}}
		s.Hosts = append(s.Hosts, h)
	}
	s.wild, s.byPort = nil, nil
	s.index()
}

// foggyRules are those of a host that is not understood.
type foggyRules struct{}

func (foggyRules) ask(context.Context, *query) verdict {
	return verdict{doubts: []Note{{Words: "the section of this host is not understood"}}}
}
