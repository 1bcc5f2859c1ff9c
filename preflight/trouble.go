package preflight

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strings"
	"syscall"

	"orderly/failure"
)

// Why a probe was not fetched, in a value: what can be known for certain of this host forbids an
// order, the rest only delays it.

// troubleKind tells apart what a person would do different things about.
type troubleKind int

const (
	unreached  troubleKind = iota // no connection, or it broke off
	shut                          // no connection to an address that this host itself has
	different                     // something else than the probe was served
	padded                        // the probe, with too much behind it
	misled                        // a redirect that no CA follows
	forbidden                     // an address that is not connected to
	unresolved                    // a redirect to a name without an address
)

// trouble is why a probe was not fetched. Its text never holds any of a page.
type trouble struct {
	kind   troubleKind
	trail  trail
	detail string
	own    string // the whole sentence, where the address is this host's own
	dns    Result // for unresolved
	cause  error

	addresses []netip.Addr // for forbidden
}

func (t *trouble) Error() string {
	switch {
	case t.kind == unresolved:
		return t.trail.way() + " " + t.dns.Sentence
	case t.own != "" && t.trail.redirects == 0:
		return t.trail.start.host + ": " + t.own
	case t.own != "":
		return t.trail.start.url.String() + " redirects to " + short(t.trail.at.url) + ": " + t.own
	}
	return t.trail.way() + " " + t.detail
}

func (t *trouble) Unwrap() error { return t.cause }

// tooSoon reports whether the server closed the connection, or spoke, before it was asked. net/http
// has no value for that error, so its text is looked for; the server's words are not in it.
func tooSoon(err error) bool {
	return strings.Contains(err.Error(), "server closed idle connection")
}

// shutBy says what keeps a connection to one of this host's own addresses from coming about: what
// is seen here is what the CA will see. It is empty for errors that say nothing of the port, such
// as want of file descriptors.
func shutBy(ctx context.Context, err error) string {
	if _, isDial := errors.AsType[*dialError](err); !isDial || ctx.Err() != nil {
		return "" // the time that one name may take was spent elsewhere
	}
	if timeout, ok := errors.AsType[net.Error](err); ok && timeout.Timeout() {
		return "no connection comes about to"
	}
	errno, _ := errors.AsType[syscall.Errno](err)
	switch errno {
	case syscall.ECONNREFUSED:
		return "nothing listens on"
	case syscall.EHOSTUNREACH, syscall.ENETUNREACH, syscall.EACCES, syscall.EPERM:
		return "this host's firewall refuses connections to"
	}
	return ""
}

// troubleOf says what a request's error means. Errors of net/http quote what a server sent, so
// their text is not used.
func (f *fetcher) troubleOf(ctx context.Context, way trail, err error) *trouble {
	if by := shutBy(ctx, err); by != "" && f.policy.isOwn(way.address) {
		return &trouble{kind: shut, trail: way, cause: err,
			own: fmt.Sprintf("%s port %d of %s, an address of this host", by, way.at.port,
				way.address)}
	}
	t := &trouble{kind: unreached, trail: way, cause: err}
	errno, isErrno := errors.AsType[syscall.Errno](err)
	_, isDial := errors.AsType[*dialError](err)
	switch timeout, ok := errors.AsType[interface {
		error
		Timeout() bool
	}](err); {
	case ok && timeout.Timeout(), errors.Is(err, context.DeadlineExceeded):
		t.detail = "does not answer in time"
	case isErrno:
		t.detail = "cannot be reached: " + errno.Error()
	case isDial:
		t.detail = "cannot be reached"
	case isNetwork(err), tooSoon(err):
		t.detail = "breaks the connection off"
	default:
		t.kind, t.detail = different, "answers with something that is not HTTP"
		if way.at.url.Scheme == "https" {
			t.detail = "fails the TLS handshake, or answers with something that is not HTTP"
		}
	}
	return t
}

// allowance is what --preflight-allow takes for an address that was not connected to. Those at
// which only this host and its cloud listen are not spelt out: a customer's redirect would make
// somebody allow them.
func (t *trouble) allowance() string {
	for _, a := range t.addresses {
		if a.IsPrivate() {
			return netip.PrefixFrom(a, a.BitLen()).String()
		}
	}
	return "CIDR"
}

// way names where the fetch got to, so that a verb can follow.
func (t trail) way() string {
	at := ""
	if t.address.IsValid() {
		at = " (" + t.address.String() + ")"
	}
	if t.redirects == 0 {
		return t.start.url.String() + at
	}
	return t.start.url.String() + " redirects to " + short(t.at.url) + at + ", which"
}

// short is a URL that a customer chose, cut so that the sentence keeps its end.
func short(u *url.URL) string {
	const limit = 200
	text := u.String()
	if len(text) > limit {
		return failure.Clean(text[:limit]) + "…"
	}
	return failure.Clean(text)
}

// result is the verdict on the trouble: what may look right from elsewhere warns, all else refuses.
func (t *trouble) result(site Site) Result {
	r := Result{Verdict: Refuse, Class: failure.HTTPWrong, Sentence: t.Error()}
	serve := failure.Advise("Let the web server of %s serve /.well-known/acme-challenge/ from %s, or "+
		"name the document root it really uses with %s.", site.Name, site.Root,
		failure.Do(failure.DocumentRoot))
	if site.rootless() {
		serve = failure.Advise("Let port 80 of %s lead to the port on which Orderly listens here, or "+
			"prove the name another way.", site.Name)
	}
	if site.Content != nil {
		serve = failure.Advise("Let the web server of %s answer to /.well-known/acme-challenge/ with "+
			"what is expected of it.", site.Name)
	}
	switch t.kind {
	case unreached:
		r.Verdict, r.Class = Warn, failure.HTTPUnreached
		r.Remedy = "See whether port 80 is open to the Internet. Nothing need be wrong: a server behind a firewall or NAT may not reach itself, so the order goes on."
	case shut:
		r.Class = failure.HTTPUnreached
		r.Remedy = "Start the web server, or let " + failure.Do(failure.HookBefore) +
			" start it. Where " +
			"connections from outside are forwarded past that port: " +
			failure.Do(failure.SkipCheck, HTTP) + "."
		if site.rootless() {
			r.Remedy = serve
		}
	case different:
		r.Remedy = serve
	case padded:
		r.Verdict = Warn
		r.Remedy = failure.Advise("Let the web server of %s serve /.well-known/acme-challenge/ "+
			"unchanged.", site.Name)
	case misled:
		r.Remedy = "Except /.well-known/acme-challenge/ from the redirect, or redirect to a name on port 80 or 443."
	case forbidden:
		r.Class = failure.AddressRefuse
		r.Sentence = fmt.Sprintf("%s leads to %s, where only a private CA could connect, and Orderly does not", t.trail.way(), t.detail)
		if t.trail.redirects == 0 {
			r.Sentence = fmt.Sprintf("%s points to %s, where only a private CA could connect, and Orderly does not", site.Name, t.detail)
		}
		r.Remedy = failure.Advise("Let %s point to a public address of this server. If the CA is a private "+
			"one, allow the network: %s.",
			failure.Clean(t.trail.at.host), failure.Do(failure.AllowNetwork, "CIDR"))
		if t.trail.redirects > 0 {
			r.Remedy = "Except /.well-known/acme-challenge/ from the redirect, or let it lead to a " +
				"public address. If the address is right, allow it: " +
				failure.Do(failure.AllowNetwork, t.allowance()) + "."
		}
	case unresolved:
		r.Verdict, r.Class, r.Remedy = t.dns.Verdict, t.dns.Class, t.dns.Remedy
		r.Sentence = fmt.Sprintf("%s redirects to %s: %s", t.trail.start.url, short(t.trail.at.url),
			t.dns.Sentence)
	}
	return r
}
