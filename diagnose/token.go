package diagnose

// A text as words. What others choose (names, addresses, URLs, paths, pages) is told apart from what
// programs say: a domain called servfail.example says nothing about name servers, and a redirect to
// /connection-refused nothing about a port.

import (
	"net/netip"
	"strings"
	"time"
	"unicode/utf8"
)

// kind is what a token is.
type kind uint8

// The kinds of tokens.
const (
	word    kind = iota
	name         // of a host
	address      // IPv4 or IPv6
	link         // a URL
	path         // of a file
	page         // what a site served
)

// shown is what stands for a token among the words. No text can have it: braces part words.
func (k kind) shown() string {
	return [...]string{"", "{name}", "{ip}", "{url}", "{path}", "{page}"}[k]
}

// token is one word of a text.
type token struct {
	kind       kind
	begin, end int // in the text
}

// tokens is a text taken apart.
type tokens struct {
	text, low string
	all       []token

	authorizations bool       // several, in JSON
	header         *time.Time // what Retry-After in headers means, once somebody wanted to know
}

// at is the token i as it stands in the text, "" beyond its ends.
func (t *tokens) at(i int) string {
	if i < 0 || i >= len(t.all) {
		return ""
	}
	return t.text[t.all[i].begin:t.all[i].end]
}

// word is the token i in lower case if it is a word, else "".
func (t *tokens) word(i int) string {
	if i < 0 || i >= len(t.all) || t.all[i].kind != word {
		return ""
	}
	return t.low[t.all[i].begin:t.all[i].end]
}

// is reports whether the token i is of a kind.
func (t *tokens) is(i int, k kind) bool { return i >= 0 && i < len(t.all) && t.all[i].kind == k }

// follows is the character behind the token i, 0 at the end.
func (t *tokens) follows(i int) byte {
	if i < 0 || i >= len(t.all) || t.all[i].end >= len(t.text) {
		return 0
	}
	return t.text[t.all[i].end]
}

// precedes is the character before the token i, 0 at the beginning.
func (t *tokens) precedes(i int) byte {
	if i < 0 || i >= len(t.all) || t.all[i].begin == 0 {
		return 0
	}
	return t.text[t.all[i].begin-1]
}

// parts separates words. A name may begin with "*.", which is looked at where a name is.
func parts(c byte) bool {
	switch c {
	case ' ', '\n', '"', '\'', '`', '(', ')', '[', ']', '{', '}', '<', '>', ',', ';', '=', '|', '!',
		'?', '*', pageMark:
		return true
	}
	return false
}

// scan takes a decoded text apart.
func scan(text string) *tokens {
	t := &tokens{text: text, low: lower(text), all: make([]token, 0, len(text)/6+4)}
	for i := 0; i < len(text); {
		if text[i] == pageMark && i+2 < len(text) {
			t.all = append(t.all, token{page, i, i + 3})
			i += 3
			continue
		}
		if parts(text[i]) {
			i++
			continue
		}
		end := i
		for end < len(text) && !parts(text[end]) {
			end++
		}
		i = t.run(i, end)
	}
	return t
}

// run adds the tokens of a run of characters without white space, and returns where to go on.
func (t *tokens) run(begin, end int) int {
	run := t.low[begin:end]
	if scheme := strings.Index(run, "://"); scheme > 0 {
		for begin+scheme > begin && scheme > 1 && strings.IndexByte(run[:scheme], ':') >= 0 {
			cut := strings.IndexByte(run, ':') + 1
			t.run(begin, begin+cut) // "error:https://…"
			begin, run, scheme = begin+cut, run[cut:], scheme-cut
		}
		end = urlEnd(t.text, begin)
		t.all = append(t.all, token{link, begin, end})
		return max(end, begin+1)
	}
	if slash := strings.IndexByte(run, '/'); slash >= 0 && (slash == 0 || run[0] == '~' || run[0] == '.' ||
		strings.Contains(run, "/.well-known")) {
		t.all = append(t.all, token{path, begin, begin + len(strings.TrimRight(run, ".:"))})
		return end
	}
	if t.address(begin, end) {
		return end
	}
	if strings.HasPrefix(run, "urn:") {
		t.all = append(t.all, token{word, begin, begin + len(strings.TrimRight(run, ".:"))})
		return end
	}
	for begin < end {
		cut := strings.IndexByte(t.low[begin:end], ':')
		if cut < 0 {
			cut = end - begin
		}
		if begin > 0 && t.low[begin-1] == ':' && begin+cut < end && cut > 0 { // ":ERROR:certbot.hooks:"
			t.all = append(t.all, token{word, begin, begin + cut})
		} else {
			t.plain(begin, begin+cut)
		}
		begin += cut + 1
		if begin < end && t.address(begin, end) { // "error:192.0.2.10:"
			return end
		}
	}
	return end
}

// urlEnd is where a URL ends: a URL has characters in it that part words elsewhere.
func urlEnd(text string, begin int) int {
	end := begin
	for end < len(text) && strings.IndexByte(" \n\"'<>`\\", text[end]) < 0 && text[end] != pageMark {
		end++
	}
	return begin + len(strings.TrimRight(text[begin:end], ".:,;)]}!?"))
}

// address adds a run that is an IP address, perhaps with a port or a colon behind it.
func (t *tokens) address(begin, end int) bool {
	run := t.low[begin:end]
	c := run[0]
	if c != ':' && (c < '0' || c > '9') && (c < 'a' || c > 'f') || strings.Trim(run, ":.") == "" ||
		strings.Count(run, ".") < 3 && strings.Count(run, ":") < 2 {
		return false
	}
	for _, cut := range []int{0, 1, 2} {
		if cut > 0 && (len(run) < cut+2 || strings.IndexByte(".:", run[len(run)-cut]) < 0) {
			return false
		}
		if _, err := netip.ParseAddr(run[:len(run)-cut]); err == nil {
			t.all = append(t.all, token{address, begin, end - cut})
			return true
		}
		if at, err := netip.ParseAddrPort(run[:len(run)-cut]); err == nil {
			host := begin + len(at.Addr().String())
			t.all = append(t.all, token{address, begin, host}, token{word, host + 1, end - cut})
			return true
		}
	}
	return false
}

// plain adds a name or a word.
func (t *tokens) plain(begin, end int) {
	for end > begin && (t.text[end-1] == '.' || t.text[end-1] == '-' && end-begin > 1) {
		end--
	}
	for begin < end && (t.text[begin] == '.' || t.text[begin] == '\\') {
		begin++
	}
	if begin == end {
		return
	}
	if isHost(t.text[begin:end]) && (end == len(t.text) || t.text[end] != '(') { // a function's
		if begin > 1 && t.text[begin-2:begin] == "*." {
			begin -= 2
		} else if begin > 2 && t.text[begin-1] == '.' && t.text[begin-2] == '*' {
			begin -= 2
		}
		t.all = append(t.all, token{name, begin, end})
		return
	}
	t.all = append(t.all, token{word, begin, end})
}

// isNoTLD reports whether this is an ending of files or of programs' own errors, which look like
// names.
func isNoTLD(end string) bool {
	switch end {
	case "py", "pyc", "pem", "conf", "log", "json", "txt", "key", "crt", "csr", "ini", "cgi",
		"php", "html", "htm", "sh", "so", "toml", "yml", "yaml", "lock", "bak", "tmp",
		"service", "timer", "cnf", "gaierror", "timeout", "error", "main", "client",
		"exceptions", "messages", "errors", "err", "warn", "notice", "crit", "debug", "acme",
		"obtain", "issuance", "maintenance":
		return true
	}
	return false
}

// isHost reports whether a word looks like the name of a host: labels, the last of them letters of
// one case.
func isHost(w string) bool {
	dot := strings.LastIndexByte(w, '.')
	if dot <= 0 || dot > 253 || len(w) > 300 || strings.IndexByte(w, '/') >= 0 {
		return false
	}
	last := w[dot+1:]
	low, low0 := lower(last), lower(w[:min(len(w), 20)])
	if len(last) < 2 || isNoTLD(low) {
		return false
	}
	letters := low == last || strings.ToUpper(last) == last
	for _, r := range low {
		if r < utf8.RuneSelf && (r < 'a' || r > 'z') && !strings.HasPrefix(low, "xn--") {
			return false
		}
	}
	for i := range dot {
		c := w[i]
		if c == '_' && (i == 0 || w[i-1] == '.') && !strings.HasPrefix(low0, "_acme-challenge.") {
			return false // a module of Python's
		}
		if c < utf8.RuneSelf && c != '.' && c != '-' && c != '_' && (c < '0' || c > '9') &&
			(c|0x20 < 'a' || c|0x20 > 'z') {
			return false
		}
	}
	return letters
}
