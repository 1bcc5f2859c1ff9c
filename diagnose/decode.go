package diagnose

// A text arrives as a terminal, a mail, a JSON string or a log's repr made it: coloured, wrapped,
// escaped once or twice. All that is taken off before anybody reads it, and so is what a customer's
// site put into the CA's words: a page may say "Connection refused", or a whole forged report, and
// must not choose its own diagnosis.

import (
	"strings"
	"unicode/utf8"

	"orderly/outside"
)

// mostRead is how much of a text is read, in bytes. What is longer has its cause at one of its ends.
const mostRead = 64 << 10

// pageMark encloses the sort of a page that stood in a text. No text has it: controls are gone.
const pageMark = '\x01'

// decode makes a text ready to be taken apart: printable, white space folded to one blank or one
// line break, quotes plain, pages of sites gone.
func decode(text string) string {
	if len(text) > mostRead {
		text = text[:mostRead*3/4] + "\n" + text[len(text)-mostRead/4:]
	}
	if simple(text) {
		text = text[prefixes(text):]
	} else {
		text = withoutPrefixes(unwrap(printable(strings.ToValidUTF8(text, " "))))
	}
	plain := unescape(withoutPages(fold(text)))
	if strings.Contains(text, `\n`) { // lines of a log within a string
		plain = withoutPrefixes(plain)
	}
	return plain
}

// simple reports whether a text is one line of printable ASCII.
func simple(text string) bool {
	for i := range len(text) {
		if text[i] < ' ' || text[i] > '~' {
			return false
		}
	}
	return true
}

// printable makes blanks of what a terminal obeys, and plain quotes of typographic ones.
func printable(text string) string {
	var out strings.Builder
	out.Grow(len(text))
	for i := 0; i < len(text); {
		r, size := utf8.DecodeRuneInString(text[i:])
		switch {
		case r == '\x1b' || r == '\u009b':
			size = escapeSequence(text[i:], size)
			out.WriteByte(' ')
		case r == '\n' || r == '\u2028' || r == '\u0085' || r == '\v' || r == '\f':
			out.WriteByte('\n')
		case r == '\u00a0' || r != '\u200b' && outside.Unprintable(r):
			out.WriteByte(' ')
		case r == '\u200b':
		case strings.ContainsRune("“”„«»‘’‚`´", r):
			out.WriteByte('"')
		default:
			out.WriteString(text[i : i+size])
		}
		i += size
	}
	return out.String()
}

// escapeSequence is the length of a control sequence such as a colour's.
func escapeSequence(text string, size int) int {
	if size == 1 && (len(text) < 2 || text[1] != '[') {
		return 1
	}
	for i := max(size, 2); i < len(text) && i < 24; i++ {
		if text[i] >= '@' && text[i] <= '~' {
			return i + 1
		}
	}
	return size
}

// fold makes each run of white space one blank, or one line break where there is one in it.
func fold(text string) string {
	out := make([]byte, 0, len(text))
	for i := range len(text) {
		c := text[i]
		if c != ' ' && c != '\n' && c != '\t' && c != '\r' {
			out = append(out, c)
			continue
		}
		last := byte('\n')
		if len(out) > 0 {
			last = out[len(out)-1]
		}
		switch {
		case last == '\n':
		case c == '\n' && last == ' ':
			out[len(out)-1] = '\n'
		case c == '\n':
			out = append(out, '\n')
		case last != ' ':
			out = append(out, ' ')
		}
	}
	return string(out)
}

// entities are HTML's, as panels and mails write them.
var entities = strings.NewReplacer("&quot;", `"`, "&#34;", `"`, "&#39;", "'", "&#x27;", "'",
	"&lt;", "<", "&gt;", ">", "&amp;", "&", "&nbsp;", " ")

// unescape takes off what JSON, Python and shells put before quotes, slashes and line breaks, however
// often.
func unescape(text string) string {
	if strings.IndexByte(text, '&') >= 0 {
		text = entities.Replace(text)
	}
	if strings.IndexByte(text, '\\') < 0 {
		return text
	}
	out := make([]byte, 0, len(text))
	for i := 0; i < len(text); i++ {
		if text[i] != '\\' {
			out = append(out, text[i])
			continue
		}
		for i+1 < len(text) && text[i+1] == '\\' {
			i++
		}
		if i+1 == len(text) {
			break
		}
		i++
		i += escaped(text[i:], &out) - 1
	}
	return string(out)
}

// escaped writes what stands for the escape that text begins with, and returns its length.
func escaped(text string, out *[]byte) int {
	switch c := text[0]; c {
	case 'n', 'r':
		*out = append(*out, '\n')
	case 't', 'b', 'f', 'v':
		*out = append(*out, ' ')
	case 'x', 'u':
		digits := 2
		if c == 'u' {
			digits = 4
		}
		if len(text) <= digits {
			return 1
		}
		code, ok := hex(text[1 : 1+digits])
		if !ok {
			*out = append(*out, c)
			return 1
		}
		if code < ' ' || code > '~' {
			code = ' '
		}
		*out = append(*out, byte(code))
		return 1 + digits
	default:
		*out = append(*out, c)
	}
	return 1
}

func hex(digits string) (n rune, ok bool) {
	for _, d := range digits {
		switch {
		case d >= '0' && d <= '9':
			n = n<<4 | (d - '0')
		case d|0x20 >= 'a' && d|0x20 <= 'f':
			n = n<<4 | (d | 0x20 - 'a' + 10)
		default:
			return 0, false
		}
	}
	return n, true
}
