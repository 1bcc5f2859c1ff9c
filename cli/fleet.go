package cli

// The addresses of a fleet stand in a file, so that the same one serves every server of it. A line
// that is not understood is told with its place: left out, it would make a site of the fleet one
// that has moved away.

import (
	"bufio"
	"net/netip"
	"os"
	"strings"

	"orderly/failure"
)

// mostFleet bounds the file, in bytes: a larger one is another one.
const mostFleet = 16 << 20

// fleetAddresses reads the file of --addresses: one address or network a line, comments behind #.
func fleetAddresses(path string) ([]netip.Prefix, error) {
	unreadable := func(err error) error {
		return failure.Wrap(err, failure.Config, failure.Advise(
			"Name a file with one address or network a line: %s.", failure.Do(failure.FleetAddresses, "FILE")),
			"the addresses of the fleet cannot be read")
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, unreadable(err)
	}
	if !info.Mode().IsRegular() || info.Size() > mostFleet {
		return nil, unreadable(failure.New(failure.Config, "", "%s is no file of addresses",
			failure.Clean(path)))
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, unreadable(err)
	}
	defer file.Close()
	var fleet []netip.Prefix
	lines := bufio.NewScanner(file)
	for n := 1; lines.Scan(); n++ {
		text, _, _ := strings.Cut(strings.TrimPrefix(lines.Text(), "\ufeff"), "#")
		if text = strings.TrimSpace(text); text == "" {
			continue
		}
		prefix, ok := networkOf(text)
		if !ok {
			return nil, failure.New(failure.Config,
				"Write one address or network a line, such as 198.51.100.7 or 2001:db8::/32.",
				"%s line %d: %s is neither an address nor a network", failure.Clean(path), n,
				failure.Clean(text))
		}
		fleet = append(fleet, prefix)
	}
	if err := lines.Err(); err != nil {
		return nil, unreadable(err)
	}
	if len(fleet) == 0 {
		return nil, failure.New(failure.Config, "Write one address or network a line, or leave the flag out.",
			"%s has no address", failure.Clean(path))
	}
	return fleet, nil
}

// networkOf reads an address or a network.
func networkOf(text string) (netip.Prefix, bool) {
	if address, err := netip.ParseAddr(text); err == nil && address.Zone() == "" {
		address = address.Unmap()
		return netip.PrefixFrom(address, address.BitLen()), true
	}
	prefix, err := netip.ParsePrefix(text)
	if err != nil {
		return netip.Prefix{}, false
	}
	return prefix.Masked(), true
}
