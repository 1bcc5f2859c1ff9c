package diagnose

// What a part of a text has beside its words: the problem's type, the address that the CA used, a
// status, an errno, where a path leads. Each becomes a mark among the words, which the table's rules
// name like a phrase. No text can forge one: braces part words.

import (
	"bytes"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// facts are what a part says beside its class.
type facts struct {
	name    string
	typ     string     // of the problem, in lower case
	address netip.Addr // that the CA used
	status  string     // of the site's answer
	path    string     // the first that counts
	host    string     // that was fetched from
	way     string     // what is in the way of a file
	setting string     // of a renewal file, where a site's name belongs
	ours    bool       // the address is one of ours
}

// reader reads one part.
type reader struct {
	t     *tokens
	p     part
	here  Here
	f     facts
	buf   []byte
	words string // as the table's phrases have them, and the marks
	marks []string
}

// read is a part's words, marks and facts.
func read(t *tokens, p part, here Here) *reader {
	r := &reader{t: t, p: p, here: here, buf: append(make([]byte, 0, 768), ' ')}
	for i := p.from; i < p.to; i++ {
		k := t.all[i].kind
		switch k {
		case word:
			r.buf = append(r.buf, t.low[t.all[i].begin:t.all[i].end]...)
			r.look(i)
		case page:
			r.buf = append(r.buf, pageWords(t.text[t.all[i].begin+1])...)
		default:
			r.buf = append(r.buf, k.shown()...)
			r.lookAt(i, k)
		}
		r.buf = append(r.buf, ' ')
	}
	if p.level == challenge {
		r.mark("{challenge}")
	}
	r.typed()
	r.site()
	for _, m := range r.marks {
		r.buf = append(append(r.buf, m...), ' ')
	}
	r.words = string(r.buf)
	return r
}

// pageWords are the marks of a page.
func pageWords(kind byte) string {
	switch kind {
	case pageDenied:
		return "{page} {page:denied}"
	case pageLost:
		return "{page} {page:lost}"
	case pageOther:
		return "{page}"
	}
	return ""
}

// mark adds a mark.
func (r *reader) mark(m string) { r.marks = append(r.marks, m) }

// look reads a word.
func (r *reader) look(i int) {
	w := r.t.word(i)
	switch c := w[0]; {
	case c == 'u' && r.f.typ == "" && isType(w):
		r.f.typ = w[strings.LastIndexByte(w, ':')+1:]
		if r.f.typ == "compound" {
			r.f.typ = ""
		}
	case c == 't' && w == "type" && r.f.typ == "" && r.p.level == challenge && i < r.p.from+5 &&
		r.t.word(i-1) != "identifier":
		if next := r.t.word(i + 1); isKnownType(next) {
			r.f.typ = next
		}
	case c >= '0' && c <= '9':
		r.number(i, w)
	case c == 'f' && w == "for" && r.t.word(i-1) == "root" && r.t.is(i+1, word):
		r.setting(r.t.word(i + 1))
	case c == 'c' && w == "couldn" && r.t.says(i, "couldn t create root for"):
		r.setting(r.t.word(i + 10)) // 0.21: the format, then what belongs into it
	case (c == 'a' && w == "addressused" || c == 'u' && w == "used") && r.t.is(i+1, address):
		r.used(i + 1)
	}
}

// isSetting reports whether a word is a setting of renewal files: they stand in [[webroot_map]] where
// somebody wrote below it.
func isSetting(w string) bool {
	switch w {
	case "pre_hook", "post_hook", "renew_hook", "deploy_hook", "authenticator", "installer",
		"server", "account", "key_type", "rsa_key_size", "elliptic_curve", "webroot_path",
		"preferred_challenges", "pref_challs", "must_staple", "reuse_key", "preferred_chain",
		"renew_before_expiry", "http01_port", "manual_auth_hook", "manual_cleanup_hook",
		"config_dir", "work_dir", "logs_dir", "version", "allow_subset_of_names":
		return true
	}
	return false
}

func (r *reader) setting(w string) {
	if w = strings.ReplaceAll(w, "-", "_"); isSetting(w) {
		r.f.setting = w
		r.mark("{setting}")
	}
}

// lookAt reads a token that is no word.
func (r *reader) lookAt(i int, k kind) {
	t := r.t
	switch k {
	case address:
		r.prefix(i)
	case link:
		r.link(i)
	case path:
		r.path(i)
	case name:
		if isRetired(t.low[t.all[i].begin:t.all[i].end]) {
			r.mark("{retired}")
		}
	}
}

// isRetired reports whether a host is one of a CA that is gone.
func isRetired(host string) bool {
	switch host {
	case "acme-v01.api.letsencrypt.org", "acme-staging.api.letsencrypt.org", "api.buypass.com",
		"api.test4.buypass.no", "acme.startssl.com", "acme-v01.staging.letsencrypt.org":
		return true
	}
	return false
}

// prefix takes up the address that the CA used: "A: detail", or "URL [A]: detail" until 2021. One
// behind "from", "on" or "to" is another's.
func (r *reader) prefix(i int) {
	t := r.t
	if t.follows(i) == ':' && i != r.p.from || t.follows(i) == ':' && r.p.level == whole {
		switch t.word(i - 1) {
		case "from", "on", "to", "tcp", "udp", "lookup", "server", "resolver", "host":
			return
		}
		if port := t.word(i + 1); port != "" && port[0] >= '0' && port[0] <= '9' {
			return
		}
		r.used(i)
	}
	if t.is(i-1, link) && t.precedes(i) == '[' && t.follows(i) == ']' {
		r.used(i)
	}
}

// used takes up an address. The first prefix counts, and of validation records the last.
func (r *reader) used(i int) {
	a, err := netip.ParseAddr(r.t.at(i))
	if before := r.t.word(i - 1); err == nil &&
		(!r.f.address.IsValid() || before == "addressused" || before == "used") {
		r.f.address = a.Unmap()
	}
}

// link takes up a URL: the host that was fetched from, and the anchors of Let's Encrypt's pages.
func (r *reader) link(i int) {
	u := r.t.low[r.t.all[i].begin:r.t.all[i].end]
	_, rest, _ := strings.Cut(u, "://")
	end := strings.IndexAny(rest, "/?#")
	if end < 0 {
		end = len(rest)
	}
	host, tail := rest[:end], rest[end:]
	if port := strings.LastIndexByte(host, ':'); port >= 0 && strings.IndexByte(host, ']') < port {
		host = host[:port]
	}
	switch {
	case host == "letsencrypt.org":
		r.mark("{doc:" + tail[max(strings.LastIndexByte(strings.TrimRight(tail, "/#"), '/'),
			strings.LastIndexByte(tail, '#'))+1:] + "}")
	case isRetired(host):
		r.mark("{retired}")
	case strings.HasSuffix(host, ".well-known"):
		r.f.host = strings.TrimSuffix(host, ".well-known")
		r.mark("{slash}")
	case strings.Contains(tail, "/.well-known/acme-challenge"), strings.Contains(tail, "/.well-known/pki-validation"):
		r.f.host = host
		r.mark("{fetch}")
	}
}

// number reads what a number counts: an errno, a status, a program's exit code.
func (r *reader) number(i int, w string) {
	n, err := strconv.Atoi(w)
	if err != nil || n > 999 {
		return
	}
	before, t := r.t.word(i-1), r.t
	switch {
	case before == "errno" || before == "error" && t.word(i-2) == "os",
		isOfSystem(before): // OSError(30, …
		r.mark("{errno:" + w + "}")
	case before == "curl", before == "failed" && t.word(i-2) == "curl", before == "with" && t.word(i-2) == "failed" && t.word(i-4) == "curl", // getssl
		t.says(i-4, "curl returned with"), before == "with" && t.word(i-2) == "returned" && t.word(i-3) == "curl",
		before == "code" && t.word(i-2) == "error" && r.linkTo(i-4, "libcurl"):
		r.mark("{curl:" + w + "}")
	case before == "code" && t.word(i-2) == "error" && r.linkTo(i-4, "wget"):
		r.mark("{wget:" + w + "}")
	case n >= 100 && r.answered(i):
		r.status(w)
	case n >= 400 && r.api(i, before):
		r.mark("{api:" + w[:1] + "xx}")
		r.mark("{api:" + w + "}")
	}
}

// isOfSystem reports whether a word is one of Python's exceptions that carry an errno.
func isOfSystem(w string) bool {
	switch w {
	case "oserror", "ioerror", "permissionerror", "fileexistserror", "filenotfounderror",
		"notadirectoryerror", "isadirectoryerror", "connectionreseterror",
		"connectionrefusederror", "connectionabortederror", "brokenpipeerror",
		"blockingioerror", "timeouterror":
		return true
	}
	return false
}

// linkTo reports whether the token i is a URL with this in it.
func (r *reader) linkTo(i int, what string) bool {
	return r.t.is(i, link) && strings.Contains(r.t.at(i), what)
}

// answered reports whether the number i is the status with which a site answered.
func (r *reader) answered(i int) bool {
	t := r.t
	back := i - 1
	if t.is(back, address) {
		back--
	}
	if t.is(back, link) {
		return t.says(back-3, "invalid response from")
	}
	switch {
	case t.word(i-1) == "returned" && t.is(i-2, link): // Pebble
		return true
	case t.says(i-3, "with status code") && t.is(i-4, link): // step-ca
		return true
	case t.says(i-3, "wrong status code"): // cert-manager
		return true
	case t.says(i-4, "with the following error"): // cPanel
		return true
	}
	return false
}

// status takes up a site's status.
func (r *reader) status(w string) {
	r.f.status = w
	switch {
	case w == "404" || w == "410", w[0] == '2':
		r.mark("{status:gone}")
	default:
		r.mark("{status:other}")
	}
}

// api reports whether the number i is the status of a CA's own answer.
func (r *reader) api(i int, before string) bool {
	switch before {
	case "response", "http", "status", "code", "http/1.1", "http/2", "error", "returned", "http/1.0":
		return true
	}
	switch r.t.word(i + 1) {
	case "bad", "service", "gateway", "internal", "too", "server":
		return true
	}
	return false
}

// knownTypes are the problems' types as certbot's block has them.
var knownTypes = [...]string{
	"accountdoesnotexist", "alreadyreplaced", "alreadyrevoked", "badcsr", "badnonce",
	"badpublickey", "badrevocationreason", "badsignaturealgorithm", "caa", "conflict",
	"connection", "dns", "dnssec", "externalaccountrequired", "incorrectresponse",
	"invalidcontact", "invalidemail", "malformed", "ordernotready", "ratelimited",
	"rejectedidentifier", "serverinternal", "tls", "unauthorized", "unknownhost",
	"unsupportedcontact", "unsupportedidentifier", "useractionrequired",
}

// isKnownType reports whether a word is one of them.
func isKnownType(w string) bool { return slices.Contains(knownTypes[:], w) }

// titles are certbot's words for the types, where the type itself was cut off.
var titles = [][2]string{
	{"client lacks sufficient authorization", "unauthorized"},
	{"could not connect to the client to verify the domain", "connection"},
	{"problem with a dns query during identifier validation", "dns"},
	{"too many requests of a given type", "ratelimited"},
	{"server experienced an internal error", "serverinternal"},
	{"request message was malformed", "malformed"},
	{"tls error during domain verification", "tls"},
	{"could not resolve a domain name", "unknownhost"},
	{"could not resolve an domain name", "unknownhost"},
	{"will not issue certificates for the identifier", "rejectedidentifier"},
	{"csr is unacceptable", "badcsr"},
	{"records forbid the ca from issuing a certificate", "caa"},
	{"unacceptable anti-replay nonce", "badnonce"},
	{"specified an account that does not exist", "accountdoesnotexist"},
	{"requires external account binding", "externalaccountrequired"},
}

// typed marks the problem's type.
func (r *reader) typed() {
	if r.f.typ == "" {
		for _, title := range titles {
			if bytes.Contains(r.buf, []byte(title[0])) {
				r.f.typ = title[1]
				break
			}
		}
	}
	if r.f.typ == "" {
		return
	}
	r.mark("{type}")
	if !isKnownType(r.f.typ) { // cut off
		for _, known := range knownTypes {
			if len(r.f.typ) > 2 && strings.HasPrefix(known, r.f.typ) {
				r.mark("{type:" + known + "}")
			}
		}
	}
	r.mark("{type:" + r.f.typ + "}")
}

// site marks whose address the CA used. IPv6 decides by itself, whoever has the address: the same
// site may well work over IPv4.
func (r *reader) site() {
	a := r.f.address
	switch {
	case !a.IsValid():
	case a.Is6():
		r.mark("{ip6}")
	case r.here.owns(a):
		r.f.ours = true
	case r.here.knows():
		r.mark("{elsewhere}")
	}
}
