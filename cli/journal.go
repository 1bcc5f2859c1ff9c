package cli

// Under systemd, lines on stderr say how urgent they are, as sd-daemon(3) has it: `journalctl -p err`
// shows what failed, and an alert on it need not know Orderly's words. Nothing else is told apart: a
// terminal, a pipe and a file see the same lines without.

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"sync"
	"syscall"
)

// priority is how urgent a line is (syslog(3)).
type priority byte

// The priorities that Orderly uses.
const (
	priorityErr     priority = '3'
	priorityWarning priority = '4'
	priorityInfo    priority = '6'
	priorityDebug   priority = '7'
)

// journal is the journal behind stderr.
type journal struct {
	io.Writer
	mu   sync.Mutex
	open bool // a line was begun, and has its priority
}

// urgent is a journal to which lines of one priority are written.
type urgent struct {
	*journal
	priority priority
}

// Write implements io.Writer: every line of a message gets its priority.
func (w urgent) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	var out bytes.Buffer
	for line := range bytes.Lines(b) {
		if !w.open {
			fmt.Fprintf(&out, "<%c>", w.priority)
		}
		out.Write(line)
		w.open = line[len(line)-1] != '\n'
	}
	if _, err := w.Writer.Write(out.Bytes()); err != nil {
		return 0, err
	}
	return len(b), nil
}

// Unwrap returns the writer itself.
func (w urgent) Unwrap() io.Writer { return w.Writer }

// toJournal reports whether what is written to w goes to systemd's journal: systemd names the stream
// that it gave, which somebody may have led elsewhere since (systemd.exec(5), JOURNAL_STREAM).
func toJournal(w io.Writer, getenv func(string) string) bool {
	given := getenv("JOURNAL_STREAM")
	file, ok := unwrapped(w).(*os.File)
	if given == "" || !ok {
		return false
	}
	info, err := file.Stat()
	if err != nil {
		return false
	}
	stream, ok := info.Sys().(*syscall.Stat_t)
	return ok && given == fmt.Sprintf("%d:%d", stream.Dev, stream.Ino)
}

// as is where lines of a priority are written.
func (p *printer) as(how priority) io.Writer {
	if j, ok := p.err.(urgent); ok {
		return urgent{j.journal, how}
	}
	return p.err
}
