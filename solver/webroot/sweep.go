package webroot

import (
	"time"

	"golang.org/x/sys/unix"
)

// A run that is killed in preflight leaves its probe. Whoever comes to the directory next takes it
// away.

const (
	// staleAfter is the age at which a probe belongs to no running process any more.
	staleAfter = time.Hour
	// maxListed bounds the entries looked at for stale probes: a customer may have put a million
	// there.
	maxListed = 10_000
)

// sweep removes the probes that killed runs left in the directory that a walk has come to. Only
// plain files of this identity are touched.
func sweep(walk *walker, now time.Time) (removed int, err error) {
	names, err := list(walk)
	if err != nil {
		return 0, err
	}
	for _, name := range names {
		if !isStale(walk, name, now) {
			continue
		}
		if err := (tokenFile{me: walk.self, dir: walk.top(), name: name}).remove(); err != nil {
			return removed, err
		}
		removed++
	}
	return removed, nil
}

func isStale(walk *walker, name string, now time.Time) bool {
	if !isProbe(name) {
		return false
	}
	e, err := statAt(walk.top().fd, name)
	return err == nil && e.isRegular() && e.uid == walk.self.uid && now.Sub(e.changed) > staleAfter
}

// list returns the names in the directory at hand, at most about maxListed of them.
func list(walk *walker) ([]string, error) {
	dir := walk.top()
	fd, err := openAt(dir.fd, ".", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, walk.denied(dir.path, err)
	}
	defer unix.Close(fd)
	var names []string
	buf := make([]byte, 32<<10)
	for len(names) < maxListed {
		n, err := unix.ReadDirent(fd, buf)
		if err != nil {
			return nil, walk.denied(dir.path, err)
		}
		if n <= 0 {
			break
		}
		_, _, names = unix.ParseDirent(buf[:n], -1, names)
	}
	return names, nil
}
