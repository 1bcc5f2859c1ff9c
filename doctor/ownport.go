package doctor

// Names that are proven by a web server of the run's own: whether it could listen now. What stops a
// program meanwhile may stand on the command line of whatever runs the renewal, so that it is a note.

import (
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"orderly/certbot"
	"orderly/failure"
	"orderly/webserver"
)

func ownPortChecks() []Check {
	return []Check{{ID: "D54", Title: "Something else listens where a renewal is to", Lineage: portTaken}}
}

// listening is who listens on ports: each is asked for once.
type listening struct {
	mu    sync.Mutex
	known map[int][]webserver.Listener
}

func (l *listening) on(port int) []webserver.Listener {
	l.mu.Lock()
	defer l.mu.Unlock()
	all, asked := l.known[port]
	if !asked {
		if l.known == nil {
			l.known = map[int][]webserver.Listener{}
		}
		all, _ = webserver.Listeners(port)
		l.known[port] = all
	}
	return all
}

// portTaken tells of a port that another program has, and no hook that is known here frees.
func portTaken(e *Exam, x *Lineage, l *certbot.Lineage) []Finding {
	if l == nil || x.off() || x.Authenticator != "standalone" {
		return nil
	}
	p := l.Renewal.Params
	port := p.HTTP01Port
	if port == 0 {
		port = 80
	}
	for _, other := range e.memo.ports.on(port) {
		if !inTheWayOf(other, p.HTTP01Address) || p.PreHook != "" || e.hooksBefore() {
			continue
		}
		program := filepath.Base(other.Program)
		f := x.notesThat("D54", failure.Advise("Let it prove the names: %s.", failure.Do(failure.NameRoot, x.Name)),
			"%s (process %d) listens on port %d, where a renewal is to listen itself, and no hook stops it before",
			program, other.PID, port)
		_, f.Line = l.Renewal.Written("authenticator")
		f.Class, f.HurtsAt, f.Cause = failure.PortTaken, x.hurtsAt(), program
		return []Finding{f}
	}
	return nil
}

// inTheWayOf reports whether a program has a port at an address, "" for all of them, for longer than
// its own validations take.
func inTheWayOf(other webserver.Listener, address string) bool {
	program := filepath.Base(other.Program)
	if other.PID == 0 || other.Program == "" || program == "orderly" || strings.HasPrefix(program, "python") {
		return false // nobody knows whose it is, or it is a renewal at work
	}
	at, err := netip.ParseAddr(address)
	return other.Address.IsUnspecified() || err == nil && other.Address.Unmap() == at.Unmap()
}

// hooksBefore reports whether something may run before each renewal: files in the directory of hooks,
// or what cli.ini says.
func (e *Exam) hooksBefore() bool {
	files, err := e.entries(filepath.Join("renewal-hooks", "pre"))
	text, unread := os.ReadFile(filepath.Join(e.Disk.Dirs.Config, "cli.ini"))
	return len(files) > 0 || err != nil || unread != nil && !os.IsNotExist(unread) ||
		strings.Contains(strings.ReplaceAll(string(text), "_", "-"), "pre-hook")
}
