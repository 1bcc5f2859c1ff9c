package standalone

import (
	"errors"
	"net"
	"net/netip"
	"strconv"
	"syscall"

	"orderly/failure"
)

// A port that cannot be taken is a person's to free: the kernel's words are put into certbot's,
// which people know how to look up.

// listen takes the port of a place. On every address it is taken for IPv4 and for IPv6, each by a
// socket of its own, and both must be free: a web server that has one of them would answer in our
// stead. A host without IPv6, or without IPv4, gives what it has.
func listen(at Place) ([]net.Listener, error) {
	port := strconv.Itoa(at.Port)
	if at.Address != "" {
		listener, err := net.Listen(network(at.Address), net.JoinHostPort(at.Address, port))
		return []net.Listener{listener}, err
	}
	var listeners []net.Listener
	var absent error
	for _, network := range []string{"tcp4", "tcp6"} {
		listener, err := net.Listen(network, net.JoinHostPort("", port))
		switch {
		case err == nil:
			listeners = append(listeners, listener)
		case missing(err):
			absent = err
		default:
			return nil, errors.Join(err, closeAll(listeners))
		}
	}
	if len(listeners) == 0 {
		return nil, absent
	}
	return listeners, nil
}

// network keeps an IPv6 wildcard from taking IPv4 as well: an address that was named is the only
// one.
func network(address string) string {
	ip, err := netip.ParseAddr(address)
	switch {
	case err != nil:
		return "tcp" // a name, such as localhost
	case ip.Is4():
		return "tcp4"
	}
	return "tcp6"
}

// missing reports whether this host has no such kind of address.
func missing(err error) bool {
	return errors.Is(err, syscall.EAFNOSUPPORT) || errors.Is(err, syscall.EADDRNOTAVAIL) ||
		errors.Is(err, syscall.EPROTONOSUPPORT)
}

func closeAll(listeners []net.Listener) error {
	var errs []error
	for _, listener := range listeners {
		errs = append(errs, listener.Close())
	}
	return errors.Join(errs...)
}

// explain puts the error of a socket into certbot's words
// (certbot/_internal/plugins/standalone.py).
func explain(err error, at Place) error {
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return failure.New(failure.PortTaken,
			"Prove the names through that web server's document root ("+
				failure.Do(failure.UseRoot, "DIR")+"), or stop it for the time with "+
				failure.Do(failure.HookBefore)+" and "+failure.Do(failure.HookAfter)+".",
			"Could not bind TCP port %d because it is already in use by another process on this system (such as a web server). Please stop the program in question and then try again.", at.Port)
	case errors.Is(err, syscall.EACCES), errors.Is(err, syscall.EPERM):
		return failure.New(failure.PortTaken,
			"Run it as root, or choose a port above 1023 with "+failure.Do(failure.OwnPort)+
				" and lead port 80 there.",
			"Could not bind TCP port %d because you don't have the appropriate permissions (for example, you aren't running this program as root).", at.Port)
	case missing(err):
		return failure.New(failure.Config,
			"Name an address of this host with "+failure.Do(failure.OwnAddress)+", or none.",
			"%s is no address of this host on which TCP port %d could be bound",
			failure.Clean(at.Address), at.Port)
	}
	return failure.Wrap(err, failure.Config,
		"Look at "+failure.Do(failure.OwnPort)+" and "+failure.Do(failure.OwnAddress)+".",
		"TCP port %d cannot be bound", at.Port)
}
