package client

// Python's own spelling of bytes, texts and dictionaries, in which certbot's older versions, and
// its younger ones for what they send, write bodies and headers.

import "bytes"

// unrepr takes the spelling off: b'…' (Python 3) and '…' or u'…' (Python 2) become what they
// spell; anything else stays as it is. ended says that the closing quote was there.
func unrepr(b []byte) (text []byte, ended bool) {
	at := 0
	for at < len(b) && at < 2 && (b[at] == 'b' || b[at] == 'u' || b[at] == 'r') {
		at++
	}
	if at >= len(b) || b[at] != '\'' && b[at] != '"' {
		return b, true
	}
	text, _, ended = quoted(b[at:])
	return text, ended
}

// quoted reads one quoted text of Python's and says what follows it.
func quoted(b []byte) (text, rest []byte, ended bool) {
	quote := b[0]
	i := 1
	for i < len(b) && b[i] != quote && b[i] != '\\' {
		i++
	}
	if i < len(b) && b[i] == quote {
		return b[1:i], b[i+1:], true
	}
	out := append(make([]byte, 0, len(b)), b[1:i]...)
	for i < len(b) {
		c := b[i]
		if c == quote {
			return out, b[i+1:], true
		}
		if c != '\\' || i+1 == len(b) {
			out = append(out, c)
			i++
			continue
		}
		switch e := b[i+1]; e {
		case 'n':
			out = append(out, '\n')
		case 't':
			out = append(out, '\t')
		case 'r':
			out = append(out, '\r')
		case 'x':
			if i+3 < len(b) {
				out = append(out, hex(b[i+2])<<4|hex(b[i+3]))
				i += 2
			}
		default:
			out = append(out, e)
		}
		i += 2
	}
	return out, nil, false
}

func hex(c byte) byte {
	switch {
	case c >= '0' && c <= '9':
		return c - '0'
	case c >= 'a' && c <= 'f':
		return c - 'a' + 10
	case c >= 'A' && c <= 'F':
		return c - 'A' + 10
	}
	return 0
}

// eachHeader goes over a dictionary {'Name': 'value', …} and says what follows it.
func eachHeader(b []byte, each func(name, value []byte)) (rest []byte, ok bool) {
	if len(b) == 0 || b[0] != '{' {
		return b, false
	}
	b = b[1:]
	for {
		b = bytes.TrimLeft(b, " ,u")
		if len(b) == 0 {
			return nil, false
		}
		if b[0] == '}' {
			return b[1:], true
		}
		if b[0] != '\'' && b[0] != '"' {
			return b, false
		}
		name, after, ended := quoted(b)
		if !ended {
			return nil, false
		}
		after = bytes.TrimLeft(after, ": ub")
		if len(after) == 0 || after[0] != '\'' && after[0] != '"' {
			return after, false
		}
		value, after, ended := quoted(after)
		if !ended {
			return nil, false
		}
		each(name, value)
		b = after
	}
}
