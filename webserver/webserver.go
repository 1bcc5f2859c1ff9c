// Package webserver reads what the web servers of this host say of themselves: which names they
// serve, on which ports, with which certificates, and what becomes of a request for a challenge's
// token (RFC 8555 section 8.3). It runs nginx and Apache with a bound, to have them show their
// configuration, and reads the files that they name. It must never change anything, ask no address
// but this host's own, never execute a program that another user than root could have written, and
// never call wrong what it does not understand: that is said as a doubt.
package webserver

import (
	"context"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// A doctor that guesses is worse than none: a customer's odd rule must not be called a failure.
// Whatever is read here is therefore one of three: understood, in the way, or doubtful.

// Kind is which web server it is.
type Kind string

// The web servers that are understood.
const (
	Nginx  Kind = "nginx"
	Apache Kind = "Apache"
)

// Place is where a statement stands.
type Place struct {
	File string
	Line int
}

// String is FILE:LINE, or the file alone.
func (p Place) String() string {
	if p.Line == 0 {
		return p.File
	}
	return p.File + ":" + strconv.Itoa(p.Line)
}

// Note is something that was found at a place: a fault, or what is not understood.
type Note struct {
	Place
	Words string
}

// Server is one web server as its configuration has it.
type Server struct {
	Kind    Kind
	Program string // what is executed
	PID     int    // of its first process; 0 where it does not run
	// Reload are the commands that let it read its configuration again, each if the one before has
	// succeeded; none where it does not run.
	Reload [][]string
	// Test is the command that says whether its configuration is right.
	Test []string
	// Broken says why it would not start with the configuration that is on disk; nil where it would.
	Broken *Note
	// Hosts are its virtual hosts, in the order in which they stand.
	Hosts []*Host
	// Puzzles are statements that are not understood, whose hosts may be missing.
	Puzzles []Note

	byName map[string][]*Host
	wild   []*Host
	byPort map[listening][]netip.Addr
}

// Host is one virtual host.
type Host struct {
	Place
	Kind         Kind
	Names        []Name
	Listens      []Listen
	Certificates []Certificate
	// Open is the line in which what is in it begins; End, of Apache's, the line that ends it.
	Open, End int
	// Doubt says what of its names or addresses is not understood; empty where all is.
	Doubt string

	rules rules
}

// Name is a name that a host answers to.
type Name struct {
	Text string // in lower case; with a leading or trailing *, or as it stands in a pattern
	Place
	Pattern bool // a regular expression, or a glob that is none of a name's
	fits    *pattern
}

// newName is a name of which a pattern is compiled once; one that is not understood fits nothing.
func newName(text string, place Place, isPattern bool) Name {
	n := Name{Text: text, Place: place, Pattern: isPattern}
	if isPattern {
		n.fits, _ = compile(text, true)
	}
	return n
}

// Listen is an address on which a host answers.
type Listen struct {
	Address netip.Addr // invalid for every address
	Port    int        // 0 for every port
	TLS     bool
	Default bool // it answers for names that nobody has
}

// Certificate is one that a host uses.
type Certificate struct {
	File, Key string
	Place
}

// rules say what a host does with a request.
type rules interface {
	ask(ctx context.Context, q *query) verdict
}

// Exact reports whether a host names a name literally, in lower case.
func (h *Host) Exact(name string) bool {
	return slices.ContainsFunc(h.Names, func(n Name) bool { return !n.Pattern && n.Text == name })
}

// Has reports whether a host answers to a name by one of its names.
func (h *Host) Has(name string) bool { return h.match(name) != byNothing }

// How a name was matched, the best last.
const (
	byNothing = iota
	byPattern
	byTrailing
	byLeading
	byName
)

// match says how well a host fits a name; among wildcards the longer text counts.
func (h *Host) match(name string) int {
	best := byNothing
	for _, n := range h.Names {
		best = max(best, n.match(name))
	}
	return best
}

func (n Name) match(name string) int {
	switch {
	case n.Pattern:
		if n.fits != nil && n.fits.matches(name) == yes {
			return byPattern
		}
	case n.Text == name:
		return byName
	case strings.HasPrefix(n.Text, "*.") && strings.HasSuffix(name, n.Text[1:]):
		return byLeading
	case strings.HasSuffix(n.Text, ".*") && strings.HasPrefix(name, n.Text[:len(n.Text)-1]):
		return byTrailing
	}
	return byNothing
}

// index prepares the search by name: 1,500 hosts are asked for 1,500 names.
func (s *Server) index() {
	s.byName = map[string][]*Host{}
	for _, h := range s.Hosts {
		wild := len(h.Names) == 0 || h.Doubt != ""
		for _, n := range h.Names {
			if n.Pattern || strings.Contains(n.Text, "*") {
				wild = true
			} else if all := s.byName[n.Text]; len(all) == 0 || all[len(all)-1] != h {
				s.byName[n.Text] = append(all, h)
			}
		}
		if wild || slices.ContainsFunc(h.Listens, func(l Listen) bool { return l.Default }) {
			s.wild = append(s.wild, h)
		}
	}
}

// Named are the hosts that answer to a name, in their order.
func (s *Server) Named(name string) []*Host {
	all := slices.Clone(s.byName[name])
	for _, h := range s.wild {
		if !slices.Contains(all, h) && h.Has(name) {
			all = append(all, h)
		}
	}
	return all
}
