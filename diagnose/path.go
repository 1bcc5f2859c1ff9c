package diagnose

// Where a path leads says what could not be used: a token, a renewal file, an account, a certificate.
// Most paths of a text are only mentioned.

import "strings"

// path takes up where a path leads. One of the client's own counts only where it is what failed: the
// log's is named in every text, the renewal file's and the certificate's in most.
func (r *reader) path(i int) {
	p, sort := r.t.at(i), ""
	failed := r.failed(i)
	switch {
	case strings.Contains(p, ".well-known") || strings.Contains(p, "acme-challenge"):
		sort = "{path:challenge}"
	case strings.Contains(p, "/renewal-hooks") && failed:
		sort = "{path:hook}"
	case strings.Contains(p, "/renewal/"):
		sort = "{path:renewal}"
		if failed {
			r.mark("{failed:renewal}")
		}
	case !failed:
	case strings.Contains(p, "/accounts/"):
		sort = "{path:account}"
	case strings.Contains(p, "/letsencrypt/live/"), strings.Contains(p, "/letsencrypt/archive/"),
		strings.Contains(p, "/live/") && strings.HasSuffix(p, ".pem"):
		sort = "{path:lineage}"
	case strings.HasPrefix(p, "/var/log/letsencrypt"), strings.HasPrefix(p, "/var/lib/letsencrypt"),
		strings.HasPrefix(p, "/etc/letsencrypt"):
		sort = "{path:own}"
	}
	if sort != "" {
		r.mark(sort)
	}
	closer := sort == "{path:challenge}" || strings.Contains(p, "/live/") || strings.Contains(p, "/archive/")
	if (r.f.path == "" || closer) && !ofClient(p) {
		r.f.path = p
	}
}

// ofClient reports whether a path is that of a client's program or log, which stand in most texts.
func ofClient(p string) bool {
	return strings.HasSuffix(p, ".py") || strings.HasSuffix(p, ".log") || strings.HasPrefix(p, "/usr/bin/")
}

// failed reports whether a path is what could not be used: an errno or its words stand before it, as
// Python has them, or behind it, as Go and shells do.
func (r *reader) failed(i int) bool {
	t := r.t
	if next := t.word(i + 1); next == "failure" || next == "success" || next == "skipped" || next == "produced" {
		return false
	}
	for k := max(i-10, r.p.from); k < min(i+5, r.p.to); k++ {
		switch t.word(k) {
		case "errno", "denied", "permitted", "read-only", "such", "levels":
			return true
		}
	}
	return false
}
