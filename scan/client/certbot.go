package client

// certbot's debug log, 0.9 to 5.6. A record says who logged it; few of them matter: what was sent,
// what came back, urllib3's line between the two, where a run begins and what it ends with. Here a
// record is told what it is; each kind has its own file.

import (
	"bytes"
	"slices"
)

// maxLive bounds how many runs of one log may be mixed; an older one is taken to have ended.
const maxLive = 32

// Certbot reads the log of one directory, which one or, where a collector mixed them, several runs
// wrote.
type certbot struct {
	sink    Sink
	runs    []*run // that may go on, the one that wrote last at the end
	zone    zone
	said    said
	asked   said
	scratch []byte
	last    answered // what was answered last, which 0.9 logs twice
	nonced  bool     // the log shows nonces: one that it does not show was not given
	unasked string   // the URL of urllib3's last line, where no request of the log waits
}

type answered struct {
	status, length int
	nonce          string
}

func (c *certbot) current() *run {
	if len(c.runs) == 0 {
		return nil
	}
	return c.runs[len(c.runs)-1]
}

// record takes one record.
func (c *certbot) record(r record) {
	logger := trimmed(r.logger)
	switch {
	case string(logger) == "acme.client" || string(logger) == "root":
		if c.wire(r) {
			return
		}
	case bytes.HasSuffix(logger, []byte("connectionpool")):
		c.line(r)
	case string(logger) == "main" && c.begins(r):
		return
	}
	now := c.current()
	if now == nil {
		// A log that begins in the middle of a run.
		now = c.begin(r)
	}
	now.last = momentOf(r.stamp)
	c.mark(now, logger, r)
	c.words(now, logger, r)
}

// trimmed is a logger's name without the package that changed its own.
func trimmed(logger []byte) []byte {
	for _, prefix := range [...]string{"certbot._internal.", "certbot.", "letsencrypt."} {
		if begins(logger, prefix) {
			return logger[len(prefix):]
		}
	}
	return logger
}

// wire takes a record of what was sent or received; it says whether it was one.
func (c *certbot) wire(r record) bool {
	m := r.message
	switch {
	case begins(m, "Sending "):
		c.sending(r)
	case begins(m, "Received response:\n"):
		c.received(r, m[len("Received response:\n"):])
	case begins(m, "Received response <Response ["):
		c.receivedOnOneLine(r, m[len("Received response <Response ["):], "(headers: ", "):")
	case begins(m, "Received <Response ["):
		c.receivedOnOneLine(r, m[len("Received <Response ["):], ". Headers: ", ". Content:")
	default:
		return false
	}
	return true
}

// begins says whether a record of main's begins a run. 0.9 logs its level first.
func (c *certbot) begins(r record) bool {
	version := begins(r.message, "certbot version: ")
	if !version && !begins(r.message, "Root logging level set at ") {
		return false
	}
	if now := c.current(); version && now != nil && now.asked == 0 && now.marks == (marks{}) &&
		now.early {
		now.early = false
		now.last = momentOf(r.stamp)
		return true
	}
	c.begin(r).early = !version
	return true
}

func (c *certbot) begin(r record) *run {
	if len(c.runs) >= maxLive {
		c.end(c.runs[0])
	}
	for _, old := range slices.Clone(c.runs) {
		if old.over() {
			c.end(old)
		}
	}
	for _, old := range c.runs {
		if old.out != nil {
			old.out.overtaken = true
		}
	}
	now := newRun(r.place, momentOf(r.stamp), "certbot")
	now.zone.ahead = c.zone.ahead
	c.runs = append(c.runs, now)
	return now
}

func (c *certbot) end(one *run) {
	one.end(c.sink)
	c.runs = slices.DeleteFunc(c.runs, func(r *run) bool { return r == one })
}

// finish ends all but the last where that is at work, or was when the log was cut: it was not
// killed, and what it waits for may be answered yet.
func (c *certbot) finish(atWork, torn bool) {
	for len(c.runs) > 1 {
		c.end(c.runs[0])
	}
	switch now := c.current(); {
	case now == nil:
	case atWork:
		c.sink.End(now.ended(c.sink, Running, true))
	case torn && !now.over():
		now.drop(c.sink)
		c.sink.End(now.ended(c.sink, Running, false))
	default:
		now.end(c.sink)
	}
	c.runs = nil
}
