package client

// A log as records. certbot's begin with a date; everything up to the next such line belongs to
// them. Files of one log, the oldest first, are read as one: certbot rotates in the middle of a
// run, even of a record. A record is never kept beyond its bound, so that a line of 10 MB costs
// nothing but its reading.

import (
	"bytes"
	"context"
	"errors"
	"io"
)

const (
	maxRecord = 1 << 20
	window    = 256 << 10
	stampLen  = len("2026-11-28 02:51:12,840")
	headLen   = stampLen + 1
)

// record is one record of certbot's log.
type record struct {
	stamp   []byte
	logger  []byte
	message []byte
	// cut: the record was longer than its bound, or its file ended within it.
	cut   bool
	place Place
}

// framer cuts a log into records; lines before the first record are loose.
type framer struct {
	buf        []byte
	start, end int // of what was read and not handed on
	pos        int // how far start..end was looked through for line breaks
	file       uint32
	line       int64 // lines of the file that begin before pos
	inRecord   bool  // a record begins at start
	skipping   bool  // the record at start was handed on already
	lineOpen   bool  // the line at pos began before it
	origin     Place
	record     func(record)
	loose      func(line []byte, place Place)
}

// read takes one file of the log; what is unfinished at its end waits for the next one.
func (f *framer) read(ctx context.Context, file uint32, r io.Reader) error {
	if f.buf == nil {
		f.buf = make([]byte, window)
	}
	f.file, f.line = file, 0
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		f.room()
		n, err := r.Read(f.buf[f.end:])
		f.end += n
		f.cutLines(false)
		if errors.Is(err, io.EOF) {
			f.cutLines(true)
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// finish hands on what the last file ended with. torn says that its last record has no end: certbot
// was writing when the file was copied.
func (f *framer) finish() (torn bool) {
	torn = f.inRecord && f.end > f.start && f.buf[f.end-1] != '\n'
	f.cutLines(true)
	if f.inRecord && !f.skipping {
		f.hand(f.buf[f.start:f.end], false)
	} else if !f.inRecord && f.end > f.start {
		f.loose(f.buf[f.start:f.end], f.origin)
	}
	f.start, f.pos, f.end = 0, 0, 0
	f.inRecord, f.skipping, f.lineOpen = false, false, false
	return torn
}

// room makes place for more to be read: what was handed on is overwritten, and a record beyond its
// bound is handed on as it is.
func (f *framer) room() {
	if f.skipping {
		f.start = f.pos
	}
	if f.start > 0 {
		copy(f.buf, f.buf[f.start:f.end])
		f.end -= f.start
		f.pos -= f.start
		f.start = 0
	}
	if f.end < len(f.buf) {
		return
	}
	if len(f.buf) < maxRecord {
		f.buf = append(f.buf, make([]byte, len(f.buf))...)
		return
	}
	switch {
	case f.skipping: // a line without an end: nothing of it is kept
	case f.inRecord:
		f.hand(f.buf[:f.end], true)
		f.skipping = true
	default:
		f.loose(f.buf[:f.end], f.origin)
	}
	f.start, f.end, f.pos = 0, 0, 0
	f.lineOpen = true
}

// cutLines goes over what was read, line by line. At the end of a file the last line may lack its
// break, and whether it begins a record must be decided.
func (f *framer) cutLines(ended bool) {
	for f.pos < f.end {
		if !f.lineOpen {
			rest := f.buf[f.pos:f.end]
			if len(rest) < headLen && !ended && rest[0] >= '0' && rest[0] <= '9' {
				return // may begin a record: what follows decides
			}
			f.line++
			f.lineOpen = true
			if isHead(rest) {
				f.begin()
			} else if !f.inRecord {
				f.origin = Place{f.file, f.line}
			}
		}
		n := bytes.IndexByte(f.buf[f.pos:f.end], '\n')
		if n < 0 {
			if !ended {
				if f.skipping {
					f.pos = f.end
				}
				return
			}
			n = f.end - f.pos - 1 // the file ends without a line break
		}
		f.pos += n + 1
		f.lineOpen = false
		if !f.inRecord {
			f.loose(bytes.TrimRight(f.buf[f.start:f.pos], "\r\n"), f.origin)
			f.start = f.pos
		}
	}
	if ended {
		f.lineOpen = false
	}
}

// begin hands on the record before the one that begins at pos.
func (f *framer) begin() {
	if f.inRecord && !f.skipping {
		f.hand(f.buf[f.start:f.pos], false)
	} else if !f.inRecord && f.pos > f.start {
		f.loose(f.buf[f.start:f.pos], f.origin)
	}
	f.start, f.inRecord, f.skipping = f.pos, true, false
	f.origin = Place{f.file, f.line}
}

func (f *framer) hand(b []byte, cut bool) {
	r := record{stamp: b[:stampLen], cut: cut, place: f.origin}
	rest := b[headLen:]
	_, rest, _ = splitAt(rest, ':') // the level
	// The logger has no colon; a line without one is a message of nobody.
	logger, message, _ := splitAt(rest, ':')
	if n := len(message); n > 0 && message[n-1] == '\n' {
		message = message[:n-1]
	}
	r.logger, r.message = logger, unixLines(message)
	f.record(r)
}

// unixLines is a message without the returns that a collector on Windows put at its line ends.
func unixLines(b []byte) []byte {
	first := bytes.IndexByte(b, '\n')
	if first < 0 {
		first = len(b)
	}
	if first == 0 || b[first-1] != '\r' {
		return b
	}
	return bytes.TrimSuffix(bytes.ReplaceAll(b, []byte("\r\n"), []byte("\n")), []byte("\r"))
}

// splitAt is bytes.Cut at one byte.
func splitAt(b []byte, at byte) (before, after []byte, found bool) {
	if i := bytes.IndexByte(b, at); i >= 0 {
		return b[:i], b[i+1:], true
	}
	return b, nil, false
}

// begins is bytes.HasPrefix with a text.
func begins(b []byte, text string) bool { return len(b) >= len(text) && string(b[:len(text)]) == text }

// isHead says whether a line begins a record: 2026-11-28 02:51:12,840:
func isHead(b []byte) bool {
	if len(b) < headLen || b[4] != '-' || b[7] != '-' || b[10] != ' ' || b[13] != ':' ||
		b[16] != ':' || b[19] != ',' || b[23] != ':' {
		return false
	}
	for _, i := range [...]int{0, 1, 2, 3, 5, 6, 8, 9, 11, 12, 14, 15, 17, 18, 20, 21, 22} {
		if b[i] < '0' || b[i] > '9' {
			return false
		}
	}
	return levelAt(b[headLen:])
}

// levelAt says whether what follows the date is a level: without it the date is a message's.
func levelAt(b []byte) bool {
	for _, level := range [...]string{"DEBUG:", "INFO:", "WARNING:", "ERROR:", "CRITICAL:"} {
		if len(b) >= len(level) && string(b[:len(level)]) == level {
			return true
		}
	}
	return false
}
