package preflight

import (
	"net"
	"net/netip"
	"slices"
	"strings"
)

// A customer decides where his names point, and preflight connects there, as root and from inside:
// which addresses it may, is decided before.

// policy decides which addresses may be connected to. A customer decides where his names point:
// without it he could make this server, as root and from inside, ask a cloud's metadata service or
// a neighbour behind the firewall.
type policy struct {
	own   []netip.Addr
	allow []netip.Prefix
	only  []netip.Addr // nothing else is connected to, wherever names and redirects lead
}

func newPolicy(allow []netip.Prefix, own func() ([]net.Addr, error)) policy {
	p := policy{allow: allow}
	if own == nil {
		own = net.InterfaceAddrs
	}
	addrs, err := own()
	if err != nil {
		// then no address but a global one is taken for ours, which refuses too much and never too
		// little
		return p
	}
	for _, addr := range addrs {
		if network, ok := addr.(*net.IPNet); ok {
			if ip, ok := netip.AddrFromSlice(network.IP); ok {
				p.own = append(p.own, ip.Unmap())
			}
		}
	}
	return p
}

// permits reports whether a may be connected to for the name itself: a global unicast address, one
// of this host's own (no link-local one: metadata services live there), or one that was allowed.
func (p policy) permits(a netip.Addr) bool {
	if p.only != nil {
		return isDialable(a) && slices.Contains(p.only, a)
	}
	return p.allowed(a) || p.isOwn(a) && !a.IsLinkLocalUnicast() && !a.Is4In6() ||
		isDialable(a) && isGlobal(a)
}

// permitsAt is permits for a redirect, which a customer writes as he likes: only a global address,
// the very one at which the fetch began (NAT and split DNS lead there), or one that was allowed.
// Through loopback, and this host's other private addresses, he would have root ask services that
// listen for this host alone. Where the fetch began at loopback (he says where his name points,
// too), the redirect has to be to a name: such services answer to "localhost" and to addresses.
func (p policy) permitsAt(first netip.Addr, host string) func(netip.Addr) bool {
	if p.only != nil {
		return p.permits
	}
	again := !first.IsLoopback() || !isLocal(host)
	return func(a netip.Addr) bool { return p.allowed(a) || isDialable(a) && (again && a == first || isGlobal(a)) }
}

// isLocal reports whether a host is an address, or one of the names of loopback (RFC 6761 section
// 6.3).
func isLocal(host string) bool {
	if _, err := netip.ParseAddr(host); err == nil {
		return true
	}
	last := strings.TrimSuffix(host, ".")
	last = last[strings.LastIndexByte(last, '.')+1:]
	return last == "localhost" || last == "localdomain"
}

func (p policy) allowed(a netip.Addr) bool {
	return isDialable(a) && slices.ContainsFunc(p.allow,
		func(prefix netip.Prefix) bool { return prefix.Contains(a) })
}

func isDialable(a netip.Addr) bool { return a.IsValid() && a.Zone() == "" }

// isOwn reports whether this host itself has the address.
func (p policy) isOwn(a netip.Addr) bool {
	return isDialable(a) && (a.IsLoopback() || slices.Contains(p.own, a))
}

// choose returns the addresses to try, as Boulder does (va/http.go): of those that may be connected
// to, the first IPv6 address and, should connecting to it fail, the first IPv4 address. Boulder
// leaves out reserved ones in the same way.
func choose(addresses []netip.Addr, permits func(netip.Addr) bool) []netip.Addr {
	var v4, v6 []netip.Addr
	for _, a := range addresses {
		switch {
		case !permits(a):
		case a.Is4():
			v4 = append(v4, a)
		default:
			v6 = append(v6, a)
		}
	}
	return append(slices.Clip(v6[:min(1, len(v6))]), v4[:min(1, len(v4))]...)
}

// isGlobal reports whether a CA on the Internet would connect to a.
func isGlobal(a netip.Addr) bool {
	return !a.IsMulticast() && !slices.ContainsFunc(reserved(),
		func(prefix netip.Prefix) bool { return prefix.Contains(a) })
}

// reserved are the blocks of IANA's special-purpose address registries, of which the Baseline
// Requirements let no CA validate one (Boulder: iana.IsReservedAddr), the smaller ones inside
// larger ones left out. Translated and tunnelled IPv4 addresses (64:ff9b::/96, 2001::/23,
// 2002::/16) are among them: they would lead to private ones.
func reserved() []netip.Prefix {
	v4 := func(a, b, c byte, bits int) netip.Prefix {
		return netip.PrefixFrom(netip.AddrFrom4([4]byte{a, b, c}), bits)
	}
	v6 := func(bits int, groups ...uint16) netip.Prefix {
		var a [16]byte
		for i, g := range groups {
			a[2*i], a[2*i+1] = byte(g>>8), byte(g)
		}
		return netip.PrefixFrom(netip.AddrFrom16(a), bits)
	}
	return []netip.Prefix{
		v4(0, 0, 0, 8), v4(10, 0, 0, 8), v4(100, 64, 0, 10), v4(127, 0, 0, 8), v4(169, 254, 0, 16),
		v4(172, 16, 0, 12), v4(192, 0, 0, 24), v4(192, 0, 2, 24), v4(192, 31, 196, 24),
		v4(192, 52, 193, 24), v4(192, 88, 99, 24), v4(192, 168, 0, 16), v4(192, 175, 48, 24),
		v4(198, 18, 0, 15), v4(198, 51, 100, 24), v4(203, 0, 113, 24), v4(240, 0, 0, 4),
		// ::/96 holds :: and ::1, and the IPv4-compatible addresses that some systems still
		// translate
		v6(96),
		v6(96, 0, 0, 0, 0, 0, 0xffff), v6(96, 0x64, 0xff9b), v6(48, 0x64, 0xff9b, 1), v6(63, 0x100),
		v6(23, 0x2001), v6(32, 0x2001, 0xdb8), v6(16, 0x2002), v6(48, 0x2620, 0x4f, 0x8000),
		v6(20, 0x3fff), v6(16, 0x5f00), v6(7, 0xfc00), v6(10, 0xfe80), v6(10, 0xfec0),
	}
}
