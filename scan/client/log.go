package client

// One log, whoever wrote it: the files of a series, the oldest first, as one text.

import (
	"context"
	"io"
)

// Log reads one log. It is for one goroutine.
type Log struct {
	framer  framer
	certbot certbot
	loose   loose
}

// NewLog is a log of which nothing was read yet.
func NewLog(sink Sink) *Log {
	l := &Log{certbot: certbot{sink: sink}}
	l.loose.sink = sink
	l.framer.record = func(r record) { l.certbot.record(r); l.loose.certbot = true }
	l.framer.loose = func(line []byte, place Place) { l.loose.line(line, place) }
	return l
}

// Read takes one file of the log; file is how places name it.
func (l *Log) Read(ctx context.Context, file uint32, r io.Reader) error {
	return l.framer.read(ctx, file, r)
}

// Close tells the sink what the log ended with, and says whether anything in it was a client's.
// atWork says that certbot is at work on the log now. What is read next is another log.
func (l *Log) Close(atWork bool) (known bool) {
	torn := l.framer.finish()
	l.certbot.finish(atWork, torn)
	l.loose.finish()
	known = l.loose.certbot || l.loose.known
	l.certbot = certbot{sink: l.certbot.sink, scratch: l.certbot.scratch}
	l.loose = loose{sink: l.loose.sink}
	return known
}
