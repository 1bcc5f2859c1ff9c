package client

// Lines that are no records of certbot's: what lego, uacme and acme.sh write, perhaps behind what
// the journal or cron put before it.

import (
	"bytes"
	"strings"
	"time"
)

// maxLoose bounds what is remembered of one log of these clients.
const maxLoose = 4096

// loose tells the lines of the other clients apart.
type loose struct {
	sink    Sink
	certbot bool // the log is certbot's: what is loose in it is the rest of a record
	known   bool
	lego    lego
	uacme   uacme
	acmeSh  acmeSh
}

func (l *loose) line(b []byte, place Place) {
	if l.certbot {
		return
	}
	b = bytes.TrimRight(b, "\r\n")
	if len(b) < 8 { // a brace of an answer that is logged over several lines
		_ = l.acmeSh.continues(b) || l.uacme.reported(string(b))
		return
	}
	switch {
	case b[0] == '[' && l.acmeSh.line(l.sink, b, place):
	case l.lego.line(l.sink, b, place):
	case l.uacme.line(l.sink, b, place):
	case l.acmeSh.continues(b):
	default:
		return
	}
	l.known = true
}

func (l *loose) finish() {
	l.lego.end(l.sink, Killed)
	l.uacme.end(l.sink, Killed)
	l.acmeSh.end(l.sink)
}

// started is a run of one of these clients, of which the log says little.
type started struct {
	on    bool
	run   run
	names map[string]string // authorizations by name
}

func (s *started) begin(place Place, at moment, client string) {
	*s = started{on: true, run: *newRun(place, at, client), names: map[string]string{}}
	s.run.attempt.asked = true
}

// see tells of one authorization; what it is not named by, it has no name by.
func (s *started) see(sink Sink, kind Kind, url, name string, place Place) {
	s.run.see(sink, Sighting{Kind: kind, URL: url, Name: name, At: s.run.last.in(s.run.zone),
		Place: place})
}

// of is the authorization of a name that was named in this run.
func (s *started) of(name string) string { return s.names[name] }

// lose tells that the newOrder sent last had no answer.
func (s *started) lose(sink Sink, names ...string) {
	if s.on {
		sink.Lose(Lost{Names: names, Account: s.run.account, Server: s.run.server,
			At: s.run.last.in(s.run.zone), Place: s.run.place, Run: s.run.place})
	}
}

func (s *started) finish(sink Sink, fate Fate) {
	if s.on {
		s.run.settleAt(sink, fate, s.run.place)
		sink.End(Run{Began: s.run.began.in(s.run.zone), Ended: s.run.last.in(s.run.zone), Fate: fate,
			Step: s.run.step, Place: s.run.place})
	}
	*s = started{}
}

// lego 4: YYYY/MM/DD hh:mm:ss [INFO] [NAME] text; local time.
type lego struct {
	started
	failed  bool
	ordered string // the names of the order at hand
	ending  string // the authorization that it was about to deactivate when it wrote last
}

// What lego writes before it deactivates an authorization, and where that was refused: so are those
// that are invalid already.
const deactivating, refused = "Deactivating auth: ", "Unable to deactivate the authorization: "

func (l *lego) line(sink Sink, b []byte, place Place) bool {
	at := bytes.Index(b, []byte(" [INFO] "))
	if at < 0 {
		l.deactivated(sink, Final, place)
		return l.problem(sink, b, place)
	}
	text := string(b[at+len(" [INFO] "):])
	name, rest := bracketed(text)
	if strings.HasPrefix(rest, refused) {
		l.ending = "" // what it was before, it is still
	}
	l.deactivated(sink, Final, place)
	now := legoTime(b[:at])
	switch {
	case strings.HasPrefix(rest, "acme: Obtaining "), strings.HasPrefix(rest, "acme: Trying renewal "):
		if !l.on || !strings.HasPrefix(rest, "acme: Obtaining ") || l.run.step != Directory {
			l.end(sink, Killed)
			l.begin(place, now, "lego")
			l.run.step = Directory
		}
		if strings.HasPrefix(rest, "acme: Obtaining ") {
			l.run.step, l.ordered = NewOrder, name
		}
		l.asksFor(name)
	case strings.HasPrefix(rest, "AuthURL: "):
		l.open(place, now)
		u := strings.TrimSpace(rest[len("AuthURL: "):])
		if usable(u) && len(l.names) < maxLoose {
			l.names[name] = u
			l.run.step = Authorization
			l.see(sink, Named, u, name, place)
		}
	case !l.on:
		return strings.HasPrefix(rest, "acme: ")
	default:
		l.run.last = max(now, l.run.last)
		return l.goesOn(sink, name, rest, place)
	}
	return true
}

// open begins a run where its first line is missing.
func (l *lego) open(place Place, now moment) {
	if !l.on {
		l.begin(place, now, "lego")
	}
	l.run.last = max(now, l.run.last)
}

func (l *lego) goesOn(sink Sink, name, rest string, place Place) bool {
	switch {
	case strings.HasPrefix(rest, "acme: Trying to solve "):
		// The answer to the challenge is the next request, and logged by its result alone.
		l.run.step = Challenge
		l.see(sink, Unanswered, l.of(name), name, place)
	case strings.HasPrefix(rest, "The server validated our request"),
		strings.HasPrefix(rest, "acme: authorization already valid"):
		l.run.step = Poll
		l.see(sink, Final, l.of(name), name, place)
	case strings.HasPrefix(rest, "acme: Validations succeeded"):
		l.run.step = Finalize
		for one := range strings.SplitSeq(name, ", ") {
			l.see(sink, Final, l.of(one), one, place)
		}
	case strings.HasPrefix(rest, deactivating):
		// Written before it is asked for: the next line tells what came of it.
		l.run.step, l.ending = Authorization, strings.TrimSpace(rest[len(deactivating):])
	case strings.HasPrefix(rest, "Skipping deactivating of valid auth: "):
		l.see(sink, Final, strings.TrimSpace(rest[len("Skipping deactivating of valid auth: "):]), "", place)
	case strings.HasPrefix(rest, "Server responded with a certificate"):
		l.run.step = Certificate
		l.run.gets()
		l.end(sink, Whole)
	default:
		return strings.HasPrefix(rest, "acme: ") || strings.HasPrefix(rest, "Unable to deactivate")
	}
	return true
}

// deactivated tells what became of the authorization that was to be deactivated.
func (l *lego) deactivated(sink Sink, kind Kind, place Place) {
	if l.ending != "" && l.on {
		l.see(sink, kind, l.ending, "", place)
	}
	l.ending = ""
}

// asksFor takes up the names of a certificate, of which the first names its files.
func (l *lego) asksFor(names string) {
	for name := range strings.SplitSeq(names, ", ") {
		l.run.attempt.asksFor(name)
	}
	if t := &l.run.attempt; len(t.names) > 0 {
		t.lineage = t.names[0]
	}
}

// problem is a line without a level: what lego ends with, the error of a name a line.
func (l *lego) problem(sink Sink, b []byte, place Place) bool {
	if !l.on {
		return false
	}
	text := string(b[:min(len(b), maxText)])
	if name, rest, ok := ofOne(text); ok {
		// An error of the validation itself is told without the request that it answers.
		if !strings.Contains(rest, ":: POST ::") && !strings.Contains(rest, "presenting token") {
			l.see(sink, Final, l.of(name), name, place)
		}
		l.run.body(Failure{Names: []string{name}, Text: "[" + name + "] " + rest,
			At: l.run.last.in(l.run.zone), Place: place})
		l.failed = true
		return true
	}
	switch i := strings.Index(text, "Could not "); {
	case i >= 0 && !l.failed:
		l.failed = true
		l.run.says(text[i:], place)
	case l.failed && (strings.HasPrefix(text, "\t") || strings.HasPrefix(text, "acme: error")):
		l.run.goesOn(text)
	default:
		return false
	}
	return true
}

// ofOne is the name that an error is of: [NAME] acme: error: …
func ofOne(text string) (name, rest string, ok bool) {
	i := strings.Index(text, "] acme: error")
	if i < 0 {
		return "", "", false
	}
	j := strings.LastIndexByte(text[:i], '[')
	if j < 0 || i-j > 260 {
		return "", "", false
	}
	return text[j+1 : i], text[i+len("] "):], true
}

func (l *lego) end(sink Sink, fate Fate) {
	if l.failed && fate == Killed {
		fate = Failed
	}
	l.deactivated(sink, Unanswered, l.run.place)
	if fate == Killed && l.run.step == NewOrder {
		l.lose(sink, strings.Split(l.ordered, ", ")...)
	}
	l.finish(sink, fate)
	l.failed, l.ordered = false, ""
}

// bracketed takes [NAME] off the beginning of a text.
func bracketed(text string) (name, rest string) {
	if !strings.HasPrefix(text, "[") {
		return "", text
	}
	name, rest, ok := strings.Cut(text[1:], "] ")
	if !ok {
		return "", text
	}
	return name, rest
}

// legoTime is the date at the end of what stands before a level.
func legoTime(b []byte) moment {
	const form = "2006/01/02 15:04:05"
	if len(b) < len(form) {
		return 0
	}
	t, err := time.Parse(form, string(b[len(b)-len(form):]))
	if err != nil {
		return 0
	}
	return moment(t.UnixNano())
}
