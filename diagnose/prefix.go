package diagnose

// A log, a mail and a container's console put something before each line: a time, a host, a program,
// ">" or "|". Where a block of a CA's is spread over such lines it must stand together again.

import "strings"

// How much is looked for before a line.
const (
	longestPrefix = 200
	mostPrefixes  = 3
)

// stamp is whose form the time at the beginning of a line has.
type stamp uint8

// The forms of times.
const (
	noStamp stamp = iota
	syslog
	iso
	pythonLog
)

// withoutPrefixes takes off what logs and mails put before lines.
func withoutPrefixes(text string) string {
	out := make([]byte, 0, len(text))
	for line := range strings.Lines(text) {
		out = append(out, line[prefixes(line):]...)
	}
	return string(out)
}

// prefixes is the length of all that stands before a line's own text: a log may hold another's lines.
func prefixes(line string) int {
	at := 0
	for range mostPrefixes {
		n := prefixOf(line[at:min(len(line), at+longestPrefix)])
		if n == 0 {
			break
		}
		at += n
	}
	return at
}

// prefixOf is the length of what one log, mail or console put before a line.
func prefixOf(line string) int {
	at := quoteMarks(line)
	if before, _, ok := strings.Cut(line[at:], " | "); ok && isIdent(strings.TrimSpace(before)) {
		at += len(before) + len(" | ") // docker compose
	}
	blanks := len(line[at:]) - len(strings.TrimLeft(line[at:], " "))
	stamp, sort := stampOf(line[at+blanks:])
	if stamp > 0 {
		at += blanks + stamp
	}
	if sort == pythonLog {
		return at
	}
	first, rest, _ := strings.Cut(line[at:], " ")
	program, pid := isProgram(first)
	if program && pid {
		return at + len(first) + 1
	}
	second, _, more := strings.Cut(rest, " ")
	program, pid = isProgram(second)
	if program && more && isIdent(first) && (pid || sort == syslog) {
		return at + len(first) + len(second) + 2
	}
	return at
}

// quoteMarks is how many marks of quotations and tables begin a line.
func quoteMarks(line string) int {
	at := 0
	for at < len(line) && strings.IndexByte(">| \t", line[at]) >= 0 {
		at++
	}
	if strings.ContainsAny(line[:at], ">|") {
		return at
	}
	return 0
}

// stampOf is the length of a time that begins a line, with the level and the logger that follow it in
// a log of Python's; 0 where none does.
func stampOf(line string) (int, stamp) {
	switch {
	case len(line) > 25 && shaped(line[:25], "Aaa Aaa d9 99:99:99 9999 "): // OpenWrt
		return 25, syslog
	case len(line) > 16 && shaped(line[:16], "Aaa d9 99:99:99 "): // syslog
		return 16, syslog
	case len(line) > 19 && (shaped(line[:19], "9999-99-99 99:99:99") || shaped(line[:19], "9999-99-99T99:99:99")):
		at := 19
		for at < len(line) && strings.IndexByte(".,0123456789Z+-:", line[at]) >= 0 {
			at++
		}
		if line[at-1] == ':' { // 03:17:02,123:ERROR:certbot._internal.log:
			for range 2 {
				next := strings.IndexByte(line[at:], ':')
				if next < 0 || !isIdent(line[at:at+next]) {
					break
				}
				at += next + 1
			}
			return at, pythonLog
		}
		if at < len(line) && line[at] == ' ' {
			return at + 1, iso
		}
	}
	return 0, noStamp
}

// shaped reports whether a text has a shape: 9 is a digit, d a digit or blank, A and a letters.
func shaped(text, shape string) bool {
	for i := range len(shape) {
		c := text[i]
		switch shape[i] {
		case '9':
			if c < '0' || c > '9' {
				return false
			}
		case 'd':
			if c != ' ' && (c < '0' || c > '9') {
				return false
			}
		case 'A':
			if c < 'A' || c > 'Z' {
				return false
			}
		case 'a':
			if c < 'a' || c > 'z' {
				return false
			}
		default:
			if c != shape[i] {
				return false
			}
		}
	}
	return true
}

// isIdent reports whether a text can be the name of a logger, a level or a container.
func isIdent(text string) bool {
	return text != "" && len(text) < 80 && strings.IndexFunc(text, notInIdent) < 0
}

func notInIdent(r rune) bool {
	return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '.' && r != '_' && r != '-'
}

// isProgram reports whether a word is "certbot[4711]:", or "certbot:" without a pid.
func isProgram(word string) (program, pid bool) {
	word, program = strings.CutSuffix(word, ":")
	name, rest, pid := strings.Cut(word, "[")
	return program && isIdent(name) && (!pid || strings.HasSuffix(rest, "]")), pid
}
