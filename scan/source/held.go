package source

// Whether certbot is at work on a log: while it runs it holds a lock in its logs directory, which
// can be asked about and is not taken.

import (
	"path/filepath"

	"orderly/lock"
)

// Held says whether certbot is at work on a log that lies where certbot writes it, and which
// process that is, 0 where it is not known. A copy has no lock beside it, nor has an archive.
func (s Series) Held() (pid int, held bool) {
	if len(s.Files) == 0 {
		return 0, false
	}
	last := s.Files[len(s.Files)-1]
	if last.archive != nil || filepath.Base(last.Name) != "letsencrypt.log" {
		return 0, false
	}
	pid, held, err := lock.Foreign(filepath.Join(filepath.Dir(last.Name), ".certbot.lock"))
	return pid, held && err == nil // without a lock file nothing is at work
}
