package webserver

import (
	"context"
	"net/netip"
	"path"
	"slices"
	"strconv"
	"strings"
)

// nginx's hosts: the server blocks of its http block.

// nginxServer is the server that a main file with its includes describes. prefix is what relative
// paths of document roots begin with.
func nginxServer(files *nginxFiles, main, prefix string) *Server {
	s := &Server{Kind: Nginx}
	for _, top := range files.load(main, 0) {
		if top.name() != "http" || top.block == nil {
			continue
		}
		for _, inner := range top.block {
			if inner.name() == "server" && inner.block != nil {
				s.Hosts = append(s.Hosts, nginxHost(top.block, inner, files.prefix, prefix))
			}
		}
	}
	s.index()
	return s
}

func nginxHost(http []statement, server statement, confPrefix, prefix string) *Host {
	h := &Host{Place: server.Place, Open: server.open, Kind: Nginx}
	tls := false
	for _, s := range server.block {
		switch s.name() {
		case "server_name":
			h.Names = append(h.Names, nginxNames(s)...)
		case "listen":
			if l, ok := nginxListen(s); ok {
				h.Listens = append(h.Listens, l)
			}
		case "ssl":
			tls = s.arg(1) == "on"
		}
	}
	if !slices.ContainsFunc(server.block, func(s statement) bool { return s.name() == "listen" }) {
		h.Listens = []Listen{{Address: netip.IPv4Unspecified(), Port: 80}}
	}
	if tls {
		for i := range h.Listens {
			h.Listens[i].TLS = true
		}
	}
	scopes := [][]statement{http, server.block}
	h.Certificates = nginxCertificates(scopes, confPrefix)
	r := &nginxRules{scopes: scopes, prefix: prefix}
	if len(h.Names) > 0 {
		r.serverName = h.Names[0].Text
	}
	h.rules = r
	return h
}

func nginxNames(s statement) []Name {
	var names []Name
	for _, word := range s.args() {
		switch {
		case strings.HasPrefix(word, "~"):
			names = append(names, newName(strings.TrimPrefix(word, "~"), s.Place, true))
		case word == "" || word == "_" || word == "$hostname":
		case strings.HasPrefix(word, "."):
			word = strings.ToLower(word)
			names = append(names, newName(word[1:], s.Place, false), newName("*"+word, s.Place, false))
		default:
			names = append(names, newName(strings.ToLower(strings.TrimSuffix(word, ".")), s.Place, false))
		}
	}
	return names
}

func nginxListen(s statement) (Listen, bool) {
	l := Listen{Port: 80, Address: netip.IPv4Unspecified()}
	where := s.arg(1)
	if where == "" || strings.HasPrefix(where, "unix:") {
		return l, false
	}
	host, port := where, ""
	if i := strings.LastIndexByte(where, ':'); i > strings.LastIndexByte(where, ']') {
		host, port = where[:i], where[i+1:]
	} else if _, err := strconv.Atoi(where); err == nil {
		host, port = "", where
	}
	if port != "" {
		number, err := strconv.Atoi(port)
		if err != nil {
			return l, false
		}
		l.Port = number
	}
	host = strings.Trim(host, "[]")
	if address, err := netip.ParseAddr(host); err == nil {
		l.Address = address
	} else if host == "localhost" {
		l.Address = netip.AddrFrom4([4]byte{127, 0, 0, 1})
	} else if host != "" && host != "*" {
		l.Address = netip.Addr{} // a name, whose address is not asked for here
	}
	for _, word := range s.args()[1:] {
		l.TLS = l.TLS || word == "ssl" || word == "quic"
		l.Default = l.Default || word == "default_server" || word == "default"
	}
	return l, !slices.Contains(s.args(), "quic") // which no CA speaks
}

// nginxCertificates pairs certificates and keys in their order, as nginx does.
func nginxCertificates(scopes [][]statement, prefix string) []Certificate {
	var all []Certificate
	keys := inherited(scopes, "ssl_certificate_key")
	for i, s := range inherited(scopes, "ssl_certificate") {
		c := Certificate{File: from(prefix, s.arg(1)), Place: s.Place}
		if i < len(keys) {
			c.Key = from(prefix, keys[i].arg(1))
		}
		if !strings.Contains(c.File, "$") && !strings.HasPrefix(s.arg(1), "data:") {
			all = append(all, c)
		}
	}
	return all
}

func from(prefix, name string) string {
	if name == "" || path.IsAbs(name) {
		return name
	}
	return path.Join(prefix, name)
}

// inherited are the statements of a name in the innermost scope that has any.
func inherited(scopes [][]statement, names ...string) []statement {
	for _, block := range slices.Backward(scopes) {
		var found []statement
		for _, s := range block {
			if s.block == nil && slices.Contains(names, s.name()) {
				found = append(found, s)
			}
		}
		if len(found) > 0 {
			return found
		}
	}
	return nil
}

// nginxRules are a server block and what it inherits.
type nginxRules struct {
	scopes     [][]statement // http, server
	prefix     string
	serverName string
}

// ask implements rules.
func (n *nginxRules) ask(_ context.Context, q *query) verdict {
	w := &nginxWalk{rules: n, q: q, uri: q.uri, values: map[string]string{}}
	v := w.server()
	v.doubts = append(v.doubts, w.doubts...)
	return v
}
