package cli

// Everything that a command says goes through the printer: in words, in JSON or not at all, and
// into the log.

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/term"

	"orderly/failure"
	"orderly/schedule"
)

// printer writes what people and programs read. Results go to out, everything else to err. What is
// said while work is done may come from any goroutine: a line is written at once, and whole.
type printer struct {
	caller
	line     sync.Mutex // whoever writes a line, or moves the bar, has it
	out, err io.Writer
	getenv   func(string) string
	bars     bool // a progress bar stands on the terminal
	started  bool // the command line was understood
	tty      bool // stdout is a terminal
	renewals schedule.Host
	logPath  string
	quiet    bool
	json     bool
	logger   *slog.Logger
	file     *slog.Logger // without the terminal, which has the line already
}

// Say prints a line that belongs to the command's result.
func (p *printer) Say(format string, args ...any) {
	text := p.pasted(fmt.Sprintf(format, args...))
	p.log("say", text)
	p.line.Lock()
	defer p.line.Unlock()
	if !p.quiet && !p.json {
		p.unbar()
		fmt.Fprintln(p.out, text)
	}
}

// say prints what need not be in the log: lines about lineages that nothing happens to.
func (p *printer) say(format string, args ...any) {
	p.line.Lock()
	defer p.line.Unlock()
	if !p.quiet && !p.json {
		p.unbar()
		text := p.pasted(fmt.Sprintf(format, args...))
		if w, ok := p.out.(*witness); ok {
			w.hold(text + "\n")
			return
		}
		fmt.Fprintln(p.out, text)
	}
}

// Tell prints a line for a person who watches.
func (p *printer) Tell(format string, args ...any) {
	text := p.pasted(fmt.Sprintf(format, args...))
	p.log("tell", text)
	p.line.Lock()
	defer p.line.Unlock()
	if !p.quiet && !p.json {
		p.unbar()
		fmt.Fprintln(p.err, text)
	}
}

// Warn prints a line that somebody should read although the command goes on.
func (p *printer) Warn(format string, args ...any) {
	text := p.pasted(fmt.Sprintf(format, args...))
	p.log("warning", text)
	p.line.Lock()
	defer p.line.Unlock()
	if !p.quiet {
		p.unbar()
		prefix := p.paint(yellow, "warning: ")
		if p.certbot {
			prefix = "" // scripts look for certbot's sentences at the beginning of a line
		}
		fmt.Fprintln(p.err, prefix+text)
	}
}

// fault prints a line about a failure on stderr, also when quiet.
func (p *printer) fault(format string, args ...any) {
	text := p.pasted(fmt.Sprintf(format, args...))
	p.log("fault", text)
	p.line.Lock()
	defer p.line.Unlock()
	p.unbar()
	fmt.Fprintln(p.err, text)
}

func (p *printer) log(kind, text string, args ...any) {
	if p.file != nil {
		p.file.Debug(kind+": "+text, args...)
	}
}

// problem prints an error as a sentence and its remedy.
func (p *printer) problem(err error) {
	text := p.inOwnWords(p.pasted(err.Error()))
	p.log("error", text)
	if p.json {
		p.print(problemView{Version: 1, Class: failure.ClassOf(err), Error: text,
			Remedy: p.remedy(failure.RemedyOf(err))})
		return
	}
	if p.certbot { // scripts may look for the sentence at the beginning of a line
		fmt.Fprintln(p.err, p.paint(red, text))
	} else {
		fmt.Fprintf(p.err, "%s%s\n", p.paint(red, "error: "), text)
	}
	if remedy := failure.RemedyOf(err); remedy != "" {
		fmt.Fprintf(p.err, "%s%s\n", p.paint(bold, "remedy: "), p.remedy(remedy))
	}
}

type problemView struct {
	Version int           `json:"version"`
	Class   failure.Class `json:"class"`
	Error   string        `json:"error"`
	Remedy  string        `json:"remedy,omitempty"`
}

// print writes v as JSON.
func (p *printer) print(v any) {
	e := json.NewEncoder(escaper{p.out})
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	_ = e.Encode(v) // a closed pipe is the reader's wish
}

// The colours.
const (
	red    = markRed
	green  = markGreen
	yellow = markYellow
	bold   = markBold
)

// paint colours text where its reader is a person at a terminal who did not say NO_COLOR.
func (p *printer) paint(colour, text string) string {
	if p.getenv("NO_COLOR") != "" || !isTerminal(p.err) {
		return text
	}
	return colour + text + markPlain
}

// unwrapped is the writer within those that only watch what is written.
func unwrapped(w io.Writer) io.Writer {
	for inner, ok := w.(interface{ Unwrap() io.Writer }); ok; inner,
		ok = w.(interface{ Unwrap() io.Writer }) {
		w = inner.Unwrap()
	}
	return w
}

func isTerminal(w io.Writer) bool {
	f, ok := unwrapped(w).(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// bar draws the progress of long work on a terminal, and nothing elsewhere.
func (p *printer) bar(what string) func(done, all int) {
	if p.quiet || p.json || !isTerminal(p.err) {
		return func(int, int) {}
	}
	const width = 30
	return func(done, all int) {
		full := width
		if all > 0 {
			full = width * done / all
		}
		p.line.Lock()
		defer p.line.Unlock()
		p.bars = true
		fmt.Fprintf(p.err, markBack+"%s [%s%s] %d of %d", what, strings.Repeat("=", full),
			strings.Repeat(" ", width-full), done, all)
		if done >= all {
			p.unbar()
		}
	}
}

// unbar takes the bar away, so that a line does not begin behind it.
func (p *printer) unbar() {
	if p.bars {
		p.bars = false
		fmt.Fprint(p.err, markErase)
	}
}

// clock shows a moment to a person, in UTC as every time here.
func clock(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.UTC().Format("2006-01-02 15:04:05")
}

// span shows a length of time in its largest fitting unit.
func span(d time.Duration) string {
	switch d = d.Abs(); {
	case d < time.Second:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	case d < time.Minute:
		return fmt.Sprintf("%.1f s", d.Seconds())
	case d < time.Hour:
		return fmt.Sprintf("%d min", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h", int(d.Hours()))
	}
	return fmt.Sprintf("%d days", int(d.Hours()/24))
}

// frame is the line around certbot's notifications.
const frame = "- - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - -"
