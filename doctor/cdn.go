package doctor

// A CDN in front answers in the site's stead: it may keep the path of the probe, and serves a
// certificate of its own. That is said where it explains something, and is no fault.

import (
	"net/netip"
	"strings"

	"orderly/failure"
	"orderly/preflight"
)

// cdn is whoever stands in front, by the ranges that they publish (in 2026: cloudflare.com/ips,
// api.fastly.com/public-ip-list), "" for nobody that is known.
func cdn(a netip.Addr) string {
	for _, c := range []struct{ name, ranges string }{
		{"Cloudflare", "173.245.48.0/20 103.21.244.0/22 103.22.200.0/22 103.31.4.0/22 141.101.64.0/18 " +
			"108.162.192.0/18 190.93.240.0/20 188.114.96.0/20 197.234.240.0/22 198.41.128.0/17 " +
			"162.158.0.0/15 104.16.0.0/13 104.24.0.0/14 172.64.0.0/13 131.0.72.0/22 2400:cb00::/32 " +
			"2606:4700::/32 2803:f800::/32 2405:b500::/32 2405:8100::/32 2a06:98c0::/29 2c0f:f248::/32"},
		{"Fastly", "23.235.32.0/20 43.249.72.0/22 103.244.50.0/24 103.245.222.0/23 103.245.224.0/24 " +
			"104.156.80.0/20 140.248.64.0/18 140.248.128.0/17 146.75.0.0/17 151.101.0.0/16 " +
			"157.52.64.0/18 167.82.0.0/17 167.82.128.0/20 167.82.160.0/20 167.82.224.0/20 " +
			"172.111.64.0/18 185.31.16.0/22 199.27.72.0/21 199.232.0.0/16 2a04:4e40::/32 2a04:4e42::/32"},
	} {
		if within(a, c.ranges) {
			return c.name
		}
	}
	return ""
}

// behindCDN tells whose answer it is that is not the probe.
func behindCDN(e *Exam, n *network, x *Lineage, name string) []Finding {
	found, _ := n.probe(x, name)
	_, missed := parted(found)
	if !allIn(missed) {
		return nil
	}
	who := cdn(missed[0].Address)
	f := e.notes(x, "D46", []string{name}, missed[0].Result.Class, failure.Advise(
		"Let %s pass /.well-known/acme-challenge/ of %s through to this server, over HTTP.", who, name),
		"%s stands in front of %s (%s), and does not serve the probe from this server", who, name,
		missed[0].Address)
	f.Cause = who
	return []Finding{f}
}

// allIn reports whether there are addresses, and a CDN has all of them.
func allIn(all []preflight.Seen) bool {
	for _, at := range all {
		if cdn(at.Address) == "" {
			return false
		}
	}
	return len(all) > 0
}

func within(a netip.Addr, ranges string) bool {
	for text := range strings.FieldsSeq(ranges) {
		if netip.MustParsePrefix(text).Contains(a) {
			return true
		}
	}
	return false
}
