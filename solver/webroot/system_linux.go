package webroot

import "golang.org/x/sys/unix"

// openPath opens an entry for its place in the tree alone: no right to read it is asked for, so that a document root below
// a directory of mode 0711 is reached, and nothing happens to a device or a pipe.
const openPath = unix.O_PATH

// hide keeps other processes of the user whose identity this one takes from tracing it or reading its memory.
func hide() error { return unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0) }

// readLink reads the target of the link that fd was opened from.
func readLink(fd, _ int, _ string) (string, error) { return readLinkAt(fd, "") }

// descriptors is where the kernel lists what this process has open.
const descriptors = "/proc/self/fd"
