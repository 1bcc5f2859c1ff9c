package webserver

import (
	"cmp"
	"context"
	"net/url"
	"path"
	"strconv"
	"strings"
)

// What becomes of a request for a token is asked of the configuration as the CA asks the server:
// the host that answers is chosen by name and port, redirects are followed, and so is what one
// server here hands on to another.

// challengePath is where tokens are asked for (RFC 8555 section 8.3).
const challengePath = "/.well-known/acme-challenge/"

// exampleToken is a token as CAs make them, for rules that go by their form (the one of RFC 8555).
const exampleToken = "LoqXcYV8q5ONbJQxbmR7SCTNo3tiAXDfowyjxAjEuX0"

// FaultKind is what is in a token's way.
type FaultKind string

// What can be in the way.
const (
	Denied        FaultKind = "denied"        // the server refuses the request, or has another answer
	Authenticated FaultKind = "authenticated" // it wants a name and a password
	Redirected    FaultKind = "redirected"    // it leads where no token is
	Rewritten     FaultKind = "rewritten"     // it serves something else than the token's file
)

// Fault is a rule in the way of a token.
type Fault struct {
	Kind  FaultKind
	Place Place
	Words string // the rule, as it stands
	// OfHost says that it is the host's own, obeyed before any location or directory is looked at.
	OfHost bool
	// Own says that it stands in what is said of the challenges alone.
	Own bool
}

// Answer is what becomes of a request for a token of one name.
type Answer struct {
	First *Host // the host that the CA speaks to
	Host  *Host // the one that answers in the end
	// ByDefault says that no host has the name, and Host answers for all that nobody has.
	ByDefault bool
	// Dir is the directory in which the token's file is looked for; empty where there is a fault, or
	// where that is not known.
	Dir string
	By  Place  // the statement that says so
	How string // and its name
	// Fault is in the way; nil where nothing is.
	Fault *Fault
	// Doubts are what is not understood on the way: neither Dir nor Fault is certain then.
	Doubts []Note
}

// Root is the document root in which a token would have to be written for Dir, and whether there is
// one: an alias may lead to a directory that no document root has.
func (a Answer) Root() (string, bool) {
	return strings.CutSuffix(path.Clean(a.Dir), strings.TrimSuffix(challengePath, "/"))
}

// query is one request, as it comes to a host.
type query struct {
	name    string
	uri     string
	port    int
	tls     bool
	proxied bool
	tried   int // patterns
	read    func(ctx context.Context, dir, name string) (string, bool)
}

// verdict is what a host does with a request: one of dir, fault and to, or doubts alone.
type verdict struct {
	dir    string
	by     Place
	how    string
	fault  *Fault
	to     *target
	doubts []Note
	ofHost bool // the host's own rules say so
}

// target is where a request is led.
type target struct {
	scheme  string
	host    string // as it is dialled
	name    string // as it is called there
	port    int
	uri     string
	proxied bool
	statement
}

func fault(kind FaultKind, s statement) verdict {
	return verdict{fault: &Fault{Kind: kind, Place: s.Place, Words: s.said()}}
}

func doubt(s statement, words string) Note {
	return Note{Place: s.Place, Words: s.said() + ": " + words}
}

// parseTarget takes apart the URL of a redirect or a proxy, whose variables are filled in.
func parseTarget(text string, q *query, s statement) (*target, bool) {
	u, err := url.Parse(text)
	if err != nil || strings.ContainsAny(text, "${}%") {
		return nil, false
	}
	t := &target{scheme: strings.ToLower(u.Scheme), host: strings.ToLower(u.Hostname()), uri: u.Path,
		statement: s}
	if u.Scheme == "" && u.Host == "" {
		t.scheme, t.host, t.port, t.name = schemeOf(q.tls), q.name, q.port, q.name
		return t, strings.HasPrefix(text, "/")
	}
	t.name = t.host
	switch t.scheme {
	case "http":
		t.port = 80
	case "https":
		t.port = 443
	default:
		return nil, false
	}
	if u.Port() != "" {
		t.port, err = strconv.Atoi(u.Port())
	}
	return t, err == nil && t.host != ""
}

func schemeOf(tls bool) string {
	if tls {
		return "https"
	}
	return "http"
}

// Survey is what the web servers of this host are, and what listens on its ports.
type Survey struct {
	Servers []*Server
	// Idle are servers that are installed and do not run, while another kind does.
	Idle []*Server
	// Elsewhere are web servers that run in a container, or as another user: what they serve is not
	// known.
	Elsewhere []Process
	// Read reads a file of a customer's with rights that he has himself: the directory, the name,
	// at most MostRules bytes. nil reads none, and .htaccess files are unknown.
	Read func(ctx context.Context, dir, name string) (text string, found bool)
}

// MostRules is how much of a customer's .htaccess is read, in bytes.
const MostRules = 256 << 10

// mostDoubts bounds what is kept of each step: each of a customer's ten thousand rules can be one.
const mostDoubts = 20

// mostLed is how often a CA lets itself be led on.
const mostLed = 10

// Ask says what becomes of a token of name on a port: an answer for each host that would be asked,
// which depends on the address. No answer says that nothing understood listens there.
func (s *Survey) Ask(ctx context.Context, name string, port int) []Answer {
	var all []Answer
	for _, c := range s.choose(name, port, false) {
		a := Answer{First: c.host, Host: c.host, ByDefault: c.byDefault}
		s.follow(ctx, &a, query{name: name, uri: challengePath + exampleToken, port: port,
			read: s.Read})
		all = append(all, a)
	}
	return all
}

func (s *Survey) follow(ctx context.Context, a *Answer, q query) {
	for range mostLed {
		if ctx.Err() != nil {
			a.Doubts = append(a.Doubts, Note{Words: "there was no time left"})
			return
		}
		v := a.Host.rules.ask(ctx, &q)
		a.Doubts = append(a.Doubts, v.doubts[:min(len(v.doubts), mostDoubts)]...)
		ended := v.to == nil || v.fault != nil || !s.step(a, &q, v.to)
		if a.Fault = cmp.Or(v.fault, a.Fault); a.Fault != nil {
			a.Fault.OfHost = v.ofHost
		}
		if !ended {
			continue
		}
		if a.Dir, a.By, a.How = v.dir, v.by, v.how; v.dir == "" && a.Fault == nil && len(a.Doubts) == 0 {
			a.Doubts = append(a.Doubts, Note{Place: a.Host.Place, Words: "nothing says from where it is served"})
		}
		return
	}
	a.Doubts = append(a.Doubts, Note{Place: a.Host.Place, Words: "it is led on again and again"})
}

// step goes where a request is led; false where the way ends.
func (s *Survey) step(a *Answer, q *query, to *target) bool {
	if !strings.HasSuffix(to.uri, "/"+exampleToken) {
		kind := Redirected
		if to.proxied {
			kind = Rewritten
		}
		a.Fault = fault(kind, to.statement).fault
		return false
	}
	tls := to.scheme == "https"
	next := s.choose(to.name, to.port, tls)
	if to.proxied && !ownAddress(to.host) {
		next = nil
	}
	// who is asked by default for a name that is not ours may not be who is asked at all
	if len(next) != 1 || !to.proxied && next[0].byDefault && to.name != q.name {
		a.Doubts = append(a.Doubts, doubt(to.statement, "what answers there is not known"))
		return false
	}
	q.name, q.uri, q.port, q.tls, q.proxied = to.name, to.uri, to.port, tls, q.proxied || to.proxied
	a.Host, a.ByDefault = next[0].host, next[0].byDefault
	return true
}

func ownAddress(host string) bool {
	return host == "localhost" || strings.HasPrefix(host, "127.") || host == "::1"
}
