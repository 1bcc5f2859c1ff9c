package cli

// Everything that a command says goes through the printer: in words, in JSON or not at all, and
// into the log.

import (
	"context"
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
	"orderly/renewal"
	"orderly/schedule"
)

// printer writes what people and programs read. Results go to out, everything else to err. What is
// said while work is done may come from any goroutine: a line is written at once, and whole.
type printer struct {
	caller
	block    sync.Mutex // held while a lineage's block is told of many: see whole
	line     sync.Mutex // whoever writes a line, or moves the bar, has it
	out, err io.Writer
	getenv   func(string) string
	barred   string // the progress bar that stands on the terminal
	started  bool   // the command line was understood
	tty      bool   // stdout is a terminal
	renewals schedule.Host
	logPath  string
	quiet    bool
	json     bool
	verbose  bool // every step is written to stderr, where no bar could stand
	printed  bool // a whole document: what comes after it is words on stderr
	logger   *slog.Logger
	file     *slog.Logger // without the terminal, which has the line already
}

// Say prints a line that belongs to the command's result.
func (p *printer) Say(format string, args ...any) { p.saying(fmt.Sprintf(format, args...)) }

// saying is Say with what the log is to say of the line.
func (p *printer) saying(text string, about ...any) {
	text = p.pasted(text)
	p.log("say", text, about...)
	p.line.Lock()
	defer p.line.Unlock()
	if !p.quiet && !p.json {
		p.above(p.out, text)
	}
}

// say prints what need not be in the log: lines about lineages that nothing happens to.
func (p *printer) say(format string, args ...any) {
	p.line.Lock()
	defer p.line.Unlock()
	if !p.quiet && !p.json {
		text := p.pasted(fmt.Sprintf(format, args...))
		if w, ok := p.out.(*witness); ok {
			w.hold(text + "\n")
			return
		}
		p.above(p.out, text)
	}
}

// Tell prints a line for a person who watches.
func (p *printer) Tell(format string, args ...any) { p.telling(fmt.Sprintf(format, args...)) }

// telling is Tell with what the log is to say of the line.
func (p *printer) telling(text string, about ...any) {
	text = p.pasted(text)
	p.log("tell", text, about...)
	p.block.Lock() // what is waited for by one lineage stands in no other's block
	defer p.block.Unlock()
	p.line.Lock()
	defer p.line.Unlock()
	if !p.quiet && !p.json {
		p.above(p.as(priorityInfo), text)
	}
}

// Warn prints a line that somebody should read although the command goes on.
func (p *printer) Warn(format string, args ...any) { p.warning(fmt.Sprintf(format, args...)) }

// warning is Warn with what the log is to say of the line.
func (p *printer) warning(text string, about ...any) {
	text = p.pasted(text)
	p.log("warning", text, about...)
	p.line.Lock()
	defer p.line.Unlock()
	if !p.quiet {
		prefix := p.paint(yellow, "warning: ")
		if p.certbot {
			prefix = "" // scripts look for certbot's sentences at the beginning of a line
		}
		p.above(p.as(priorityWarning), prefix+text)
	}
}

// fault prints a line about a failure on stderr, also when quiet.
func (p *printer) fault(format string, args ...any) {
	text := p.pasted(fmt.Sprintf(format, args...))
	p.log("fault", text)
	p.line.Lock()
	defer p.line.Unlock()
	p.above(p.err, text)
}

func (p *printer) log(kind, text string, args ...any) {
	if p.file == nil {
		return
	}
	level := slog.LevelInfo
	switch kind {
	case "warning":
		level = slog.LevelWarn
	case "fault", "error", "panic":
		level = slog.LevelError
	}
	p.file.Log(context.Background(), level, kind+": "+text, args...)
}

// problem prints an error as a sentence and its remedy.
func (p *printer) problem(err error) {
	text := p.inOwnWords(p.pasted(err.Error()))
	p.log("error", text, "class", failure.ClassOf(err))
	if p.json && !p.printed {
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
	p.printed = true
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
	if p.getenv("NO_COLOR") != "" || p.dumb() || !isTerminal(p.err) {
		return text
	}
	return colour + text + markPlain
}

// paintOut is paint for what goes to stdout.
func (p *printer) paintOut(colour, text string) string {
	if p.getenv("NO_COLOR") != "" || p.dumb() || !p.tty {
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
	if !p.draws() {
		return func(int, int) {}
	}
	return func(done, all int) { p.draw(what, done, all, "") }
}

// draws reports whether bars are drawn. It is asked once for each bar: of thousands of lineages each
// moves it, and to ask whether there is a terminal is a system call.
func (p *printer) draws() bool {
	return !p.quiet && !p.json && isTerminal(p.err) && !p.dumb()
}

// draw draws a bar beneath what is printed, with more behind it. All of it stands until the work is
// done.
func (p *printer) draw(what string, done, all int, more string) {
	p.line.Lock()
	defer p.line.Unlock()
	p.unbar()
	if done >= all || p.verbose {
		return
	}
	p.barred = barLine(what, done, all, more, terminalWidth(p.err))
	p.rebar()
}

// barLine is a bar that fits a line of so many columns, 0 for any: one that reaches into a second line
// could not be taken away. There is least to be read in the bar itself, so that it gives way first.
func barLine(what string, done, all int, more string, columns int) string {
	const widest, narrowest = 30, 8
	rest := fmt.Sprintf(" %d of %d%s", done, all, more)
	width := widest
	if columns > 0 {
		width = min(widest, columns-1-cells(what+" []"+rest))
	}
	line := what + rest
	if width >= narrowest {
		full := width * done / max(all, 1)
		line = fmt.Sprintf("%s [%s%s]%s", what, strings.Repeat("=", full),
			strings.Repeat(" ", width-full), rest)
	}
	if columns > 0 {
		line = line[:cut(line, max(columns-1, 1))]
	}
	return line
}

// dumb reports whether the terminal says that it does nothing but print.
func (p *printer) dumb() bool { return p.getenv("TERM") == "dumb" }

// above writes a line above the bar. Whoever calls has the line.
func (p *printer) above(w io.Writer, text string) {
	barred := p.barred
	p.unbar()
	fmt.Fprintln(w, text)
	p.barred = barred
	p.rebar()
}

// rebar draws the bar again.
func (p *printer) rebar() {
	if p.barred != "" {
		fmt.Fprint(p.err, p.barred)
	}
}

// endBar takes the bar away for good.
func (p *printer) endBar() {
	p.line.Lock()
	defer p.line.Unlock()
	p.unbar()
}

// unbar takes the bar away, for good unless it is drawn again. Whoever calls has the line.
func (p *printer) unbar() {
	if p.barred != "" {
		p.barred = ""
		fmt.Fprint(p.err, markErase)
	}
}

// roundBar is the progress of work on many: what is done, under way and failed, and how long the rest
// may take at the pace so far; nil where it is not drawn.
func (p *printer) roundBar(what string) func(renewal.Progress) {
	if !p.draws() {
		return nil
	}
	var began time.Time // with the first that is worked on: nobody waits for the others
	var before int
	return func(g renewal.Progress) {
		if began.IsZero() && g.UnderWay > 0 {
			began, before = time.Now(), g.Done
		}
		p.draw(what, g.Done, g.All, behindBar(g, g.Done-before, time.Since(began)))
	}
}

// behindBar says more of a round than its bar shows; done of its certificates took so long.
func behindBar(g renewal.Progress, done int, took time.Duration) string {
	var more string
	if g.UnderWay > 0 {
		more += fmt.Sprintf(", %d under way", g.UnderWay)
	}
	if g.Failed > 0 {
		more += fmt.Sprintf(", %d failed", g.Failed)
	}
	if left := g.All - g.Done; done > 0 && left > 0 {
		more += fmt.Sprintf(", about %s left", span(took*time.Duration(left)/time.Duration(done)))
	}
	return more
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
