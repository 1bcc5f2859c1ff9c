package webserver

import (
	"bufio"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// Who listens on a port is what the kernel says: /proc/net/tcp and tcp6.

// Listener is a socket that waits for connections on a port.
type Listener struct {
	Address netip.Addr
	PID     int    // 0 where it is not known, as for a container's
	Program string // its executable; empty where it is not known
}

// Listeners are those of a port. known is false where the kernel does not say.
func Listeners(port int) (all []Listener, known bool) { return listeners("/proc", port) }

// listenState is TCP_LISTEN, as the kernel prints it.
const listenState = "0A"

func listeners(proc string, port int) (all []Listener, known bool) {
	inodes := map[string]int{}
	for _, name := range []string{"net/tcp", "net/tcp6"} {
		file, err := os.Open(filepath.Join(proc, name))
		if err != nil {
			continue // a kernel without IPv6 has no tcp6
		}
		known = true
		lines := bufio.NewScanner(file)
		for lines.Scan() {
			fields := strings.Fields(lines.Text())
			if len(fields) < 10 || fields[3] != listenState {
				continue
			}
			address, number, ok := kernelAddress(fields[1])
			if ok && number == port {
				inodes["socket:["+fields[9]+"]"] = len(all)
				all = append(all, Listener{Address: address})
			}
		}
		_ = file.Close() // it was read
	}
	if len(all) > 0 {
		owners(proc, inodes, all)
	}
	return all, known
}

// kernelAddress reads 0100007F:0050: four bytes at a time, the last first, on the machines that this
// is built for.
func kernelAddress(text string) (netip.Addr, int, bool) {
	host, port, _ := strings.Cut(text, ":")
	number, err := strconv.ParseUint(port, 16, 16)
	if err != nil || len(host) != 8 && len(host) != 32 {
		return netip.Addr{}, 0, false
	}
	bytes := make([]byte, 0, len(host)/2)
	for ; host != ""; host = host[8:] {
		word, err := strconv.ParseUint(host[:8], 16, 32)
		if err != nil {
			return netip.Addr{}, 0, false
		}
		bytes = append(bytes, byte(word), byte(word>>8), byte(word>>16), byte(word>>24))
	}
	address, ok := netip.AddrFromSlice(bytes)
	return address.Unmap(), int(number), ok
}

// owners finds the processes that hold sockets open; of several, the first one.
func owners(proc string, inodes map[string]int, all []Listener) {
	fds, _ := filepath.Glob(filepath.Join(proc, "[0-9]*", "fd", "*")) // a constant pattern
	for _, fd := range fds {
		target, err := os.Readlink(fd)
		if err != nil {
			continue
		}
		i, ok := inodes[target]
		if !ok {
			continue
		}
		pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(filepath.Dir(fd)))) // digits
		if all[i].PID != 0 && all[i].PID < pid {
			continue
		}
		exe, _ := os.Readlink(filepath.Join(proc, strconv.Itoa(pid), "exe"))
		all[i].PID, all[i].Program = pid, strings.TrimSuffix(exe, " (deleted)")
	}
}
