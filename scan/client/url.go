package client

// URLs of logs, which are hostile input: what could be followed, where it leads, and what a request
// line shows of it. Paths mean nothing.

import (
	"bytes"
	"net/url"
	"strings"
)

// maxURL bounds a URL; longer ones are nobody's.
const maxURL = 2048

// usable says whether a URL of a log is one that could be followed.
func usable(u string) bool {
	if len(u) > maxURL || !strings.HasPrefix(u, "https://") && !strings.HasPrefix(u, "http://") {
		return false
	}
	for i := range len(u) {
		if u[i] <= ' ' || u[i] > '~' || u[i] == '"' || u[i] == '\\' || u[i] == '<' || u[i] == '>' {
			return false
		}
	}
	return originOf(u) != ""
}

// originOf is scheme, host and port of a URL; nothing for one with a user or without a host.
func originOf(u string) string {
	scheme, rest, ok := strings.Cut(u, "://")
	if !ok {
		return ""
	}
	host := rest
	if i := strings.IndexAny(rest, "/?#\\"); i >= 0 {
		host = rest[:i]
	}
	if host == "" || strings.ContainsAny(host, "@ ") {
		return ""
	}
	return strings.ToLower(scheme + "://" + host)
}

// pathOf is what a request line shows of a URL.
func pathOf(u string) string {
	parsed, err := url.Parse(u)
	if err != nil {
		return ""
	}
	return parsed.RequestURI()
}

func between(b []byte, begin, end string) string {
	_, rest, ok := bytes.Cut(b, []byte(begin))
	if !ok {
		return ""
	}
	found, _, ok := bytes.Cut(rest, []byte(end))
	if !ok || len(found) > maxURL {
		return ""
	}
	return string(found)
}
