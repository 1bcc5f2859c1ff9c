package preflight

import (
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"

	"orderly/failure"
)

// CAs follow redirects, but not everywhere. What they would refuse is refused here.

const (
	// maxRedirects is what Let's Encrypt documents: "up to 10 redirects deep".
	maxRedirects = 10
	// maxPath is the longest path of a redirect that Boulder follows (va/http.go: maxPathSize).
	maxPath = 2000
)

// ports are the two a CA connects to, or what stands in for them.
type ports struct{ http, https int }

// target is one URL to fetch.
type target struct {
	url  *url.URL
	host string // lower case, no port
	port int    // to connect to
}

// start is where a CA begins: RFC 8555 section 8.3.
func (p ports) start(name, path string) target {
	host := strings.ToLower(name)
	authority := host
	if p.http != 80 {
		authority = host + ":" + strconv.Itoa(p.http)
	}
	return target{url: &url.URL{Scheme: "http", Host: authority, Path: path}, host: host,
		port: p.http}
}

// isRedirect reports whether a status is one that leads on: the Baseline Requirements (3.2.2.4.19)
// allow these four.
func isRedirect(status int) bool {
	switch status {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusTemporaryRedirect,
		http.StatusPermanentRedirect:
		return true
	}
	return false
}

// isHostName reports whether a host may be a DNS name: 253 small letters, digits and _ - . at the
// most, of which the first is no dot and no hyphen, and the last no hyphen.
func isHostName(host string) bool {
	const letters = "abcdefghijklmnopqrstuvwxyz0123456789_"
	return host != "" && len(host) <= 253 && strings.Trim(host, letters+"-.") == "" &&
		host[0] != '.' && host[0] != '-' && !strings.HasSuffix(host, "-")
}

// follow resolves the Location of a redirect as Boulder does (va/http.go, extractRequestTarget and
// processRedirect), or says why a CA would not go there. Credentials and fragments are dropped.
// Boulder also demands a top-level domain that IANA knows; a private CA need not, so that is not
// looked at here.
func (p ports) follow(from *url.URL, location string) (target, error) {
	to, err := from.Parse(location)
	if err != nil {
		return target{}, errors.New("a location that is no URL")
	}
	to = &url.URL{Scheme: to.Scheme, Host: strings.ToLower(to.Host), Path: to.Path,
		RawPath: to.RawPath, RawQuery: to.RawQuery}
	if to.Scheme != "http" && to.Scheme != "https" {
		return target{}, fmt.Errorf("scheme %q, where a CA follows http and https only", failure.Clean(to.Scheme))
	}
	port, err := p.of(to)
	if err != nil {
		return target{}, err
	}
	if len(to.Path) > maxPath {
		return target{}, fmt.Errorf("a path of more than %d bytes", maxPath)
	}
	if err := checkHost(to); err != nil {
		return target{}, err
	}
	return target{url: to, host: to.Hostname(), port: port}, nil
}

// of returns the port to connect to: 80 and 443 are the CA's, what stands in for 80 is ours.
func (p ports) of(u *url.URL) (int, error) {
	word := u.Port()
	switch {
	case word == "" && u.Scheme == "https", word == "443":
		return p.https, nil
	case word == "", word == "80":
		return p.http, nil
	case word == strconv.Itoa(p.http):
		return p.http, nil
	case word == strconv.Itoa(p.https):
		return p.https, nil
	}
	return 0, fmt.Errorf("port %s, where a CA connects to 80 and 443 only", failure.Clean(word))
}

func checkHost(u *url.URL) error {
	host := u.Hostname()
	if host == "" {
		return errors.New("no host")
	}
	if strings.HasSuffix(host, ".well-known") {
		return fmt.Errorf("host %s: a slash is missing after the name in the web server's redirect",
			failure.Clean(host))
	}
	if a, err := netip.ParseAddr(host); err == nil && (a.Is4() || u.Host[0] == '[') {
		if a.Zone() != "" {
			return errors.New("an address with a zone")
		}
		return nil // Boulder goes to addresses; whether to this one is the policy's to say
	}
	if !isHostName(host) {
		return errors.New("a host that is no DNS name")
	}
	if isNumber(host) {
		return fmt.Errorf("host %s, which is a number and no name", failure.Clean(host))
	}
	return nil
}

// isNumber reports whether a host is one that the C library and browsers take for an IPv4 address
// in another spelling (2130706433, 0x7f.1, 127.1): no top-level domain is a number, so no CA goes
// there, and a resolver that understands it would lead to loopback.
func isNumber(host string) bool {
	host = strings.TrimSuffix(host, ".")
	last := host[strings.LastIndexByte(host, '.')+1:]
	if hex, ok := strings.CutPrefix(last, "0x"); ok {
		return strings.Trim(hex, "0123456789abcdef") == ""
	}
	return strings.Trim(last, "0123456789") == ""
}
