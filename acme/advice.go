package acme

import (
	"errors"
	"net"
	"net/url"
	"strings"
	"syscall"

	"orderly/failure"
)

// A CA that cannot be talked to is most often one whose name, root or proxy is not what a person
// thought. The error knows which: the remedy is read from it, not from its text.

// Advice is what to do where a CA cannot be talked to: about its name, its certificate, the way to
// it. It is "" for an error that says nothing of these, such as an answer of the CA's own.
func Advice(server string, err error) failure.Remedy {
	if _, answered := errors.AsType[*Problem](err); answered {
		return ""
	}
	host := server
	if u, parseErr := url.Parse(server); parseErr == nil && u.Hostname() != "" {
		host = u.Hostname()
	}
	if remedy := failure.RemedyOf(err); remedy != "" {
		return remedy // of the certificate, or the proxy
	}
	if _, ok := errors.AsType[*net.DNSError](err); ok {
		return "Check this host's resolver, which does not know the CA: `" +
			failure.Shell("getent", "hosts", host) +
			"` must print an address. If the name is wrong, correct " +
			failure.Do(failure.OtherCA) + "."
	}
	if errors.Is(err, ErrNoDirectory) {
		return WrongServer(server)
	}
	if errors.Is(err, syscall.ECONNREFUSED) {
		return "Nothing listens at the CA's address: correct " + failure.Do(failure.OtherCA) +
			", or wait until the CA is up again."
	}
	if network, ok := errors.AsType[net.Error](err); ok && network.Timeout() || errors.Is(err, syscall.ENETUNREACH) || errors.Is(err, syscall.EHOSTUNREACH) {
		return failure.Advise("Let this host connect to %s (outbound firewall, HTTPS_PROXY), or "+
			"wait until the CA answers.", failure.Clean(host))
	}
	if strings.Contains(err.Error(), "tls: ") || strings.Contains(err.Error(), "HTTP response to HTTPS") {
		return failure.Advise("See whether %s is right and speaks TLS, and that nothing "+
			"intercepts the connection to %s.", failure.Do(failure.OtherCA), failure.Clean(host))
	}
	return ""
}

// WrongServer is what to do where something answers at the CA's address, and is no CA: waiting
// alone would not help.
func WrongServer(server string) failure.Remedy {
	return "Correct " + failure.Do(failure.OtherCA) + ", or wait until the CA is up again: `" +
		failure.Shell("curl", "-sS", server) +
		"` must print JSON that names newNonce, newAccount and newOrder."
}
