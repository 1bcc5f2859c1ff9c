package webroot

import (
	"crypto/rand"
	"encoding/base64"
	"regexp"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// probePrefix begins the name of every probe, so that one left behind is known for what it is.
	probePrefix = "orderly-"
	// staleAfter is the age at which a probe belongs to no running process any more.
	staleAfter = time.Hour
	// maxListed bounds the entries looked at for stale probes: a customer may have put a million there.
	maxListed = 10_000
)

// probePattern is the name of a probe: with its prefix as long as a Boulder token, so that a web server's rule that goes
// by length treats both alike.
var probePattern = regexp.MustCompile(`^` + probePrefix + `[A-Za-z0-9_-]{35}$`)

// Probe is a file that was written to see whether it can be, and whether it is served.
type Probe struct {
	Placement
	// Content is what the file holds: as long and of the same characters as a key authorization (RFC 8555 section 8.1).
	Content string
}

// NewProbe makes up a probe that stands nowhere yet.
func NewProbe() Probe {
	token := probePrefix + random(26)
	return Probe{Placement: Placement{Token: token}, Content: token + "." + random(32)}
}

// WriteProbe writes a probe file into root as a token would be. Remove(probe.Placement) takes it away. If it fails, what
// it made is removed again; the errors are those of Check.
func (w *Writer) WriteProbe(root string) (Probe, error) {
	probe := NewProbe()
	p, err := w.Plan(root, probe.Token)
	if err != nil {
		return Probe{}, err
	}
	probe.Placement = p
	if err := w.Place(p, probe.Content); err != nil {
		_ = w.Remove(p) // the reason that matters is err
		return Probe{}, err
	}
	return probe, nil
}

// Check looks whether tokens can be placed in root: it exists and is a directory (otherwise WebrootGone), no customer can
// redirect what is written (WebrootUnsafe), and a probe file was really written and removed again (WebrootLocked). Every
// error is a *failure.Error that names the path in the way.
func (w *Writer) Check(root string) error {
	probe, err := w.WriteProbe(root)
	if err != nil {
		return err
	}
	return w.Remove(probe.Placement)
}

func random(bytes int) string {
	b := make([]byte, bytes)
	rand.Read(b)
	return base64.RawURLEncoding.EncodeToString(b)
}

// RemoveStaleProbes removes the probes that killed runs left in root, those older than an hour at now, and returns how
// many. Only plain files of this process's user are touched. Nothing there is no error.
func (w *Writer) RemoveStaleProbes(root string, now time.Time) (int, error) {
	walk, abs, err := open(root)
	if err != nil {
		return 0, err
	}
	walk.close()
	walk, err = reach(abs, levels())
	if walk == nil {
		if err != nil {
			err = explainBelow(abs, err)
		}
		return 0, err
	}
	defer walk.close()
	names, err := list(walk.top())
	if err != nil {
		return 0, explainBelow(abs, err)
	}
	removed := 0
	for _, name := range names {
		if !isStale(walk, name, now) {
			continue
		}
		if err := unlinkToken(walk.top(), name); err != nil {
			return removed, explainBelow(abs, err)
		}
		removed++
	}
	return removed, nil
}

func isStale(walk *walker, name string, now time.Time) bool {
	if !probePattern.MatchString(name) {
		return false
	}
	e, err := statAt(walk.top().fd, name)
	return err == nil && e.isRegular() && e.uid == walk.self.uid && now.Sub(e.changed) > staleAfter
}

// list returns the names in dir, at most about maxListed of them.
func list(dir node) ([]string, error) {
	fd, err := openAt(dir.fd, ".", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &obstacle{kind: denied, path: dir.path, cause: err}
	}
	defer unix.Close(fd)
	var names []string
	buf := make([]byte, 32<<10)
	for len(names) < maxListed {
		n, err := unix.ReadDirent(fd, buf)
		if err != nil {
			return nil, &obstacle{kind: denied, path: dir.path, cause: err}
		}
		if n <= 0 {
			break
		}
		_, _, names = unix.ParseDirent(buf[:n], -1, names)
	}
	return names, nil
}
