package namespace

import (
	"net/netip"

	"golang.org/x/sys/unix"
)

// Neighbourhood gives loopback an address, in a network of the test's own. The other addresses of the
// network that its class says end on this host as well, without being its addresses: whoever looks
// for those finds them to be somebody else's.
func Neighbourhood(own netip.Addr) error {
	socket, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(socket)
	alias, err := unix.NewIfreq("lo:1")
	if err == nil {
		err = alias.SetInet4Addr(own.AsSlice())
	}
	if err != nil {
		return err
	}
	return unix.IoctlIfreq(socket, unix.SIOCSIFADDR, alias)
}
