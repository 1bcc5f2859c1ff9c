package diagnose

// What a site served stands in the CA's words as a quotation. It is cut out, and what remains of it
// is which of three sorts of page it was.

import "strings"

// The sorts of pages.
const (
	pageDenied = 'd' // a wall: password, firewall, bot check, an application that fails
	pageLost   = 'l' // not found
	pageOther  = 'o' // anything else
)

// quotesPage are the words behind which a CA quotes what a site, or its DNS, served. At a colon, the
// quotation is not at once behind the words but behind the next colon.
var quotesPage = []struct {
	words string
	colon bool
}{
	{"invalid response from ", true},
	{"(got ", false},
	{"did not match this challenge ", false},
	{" != ", false},
	{"but got ", false},
	{"incorrect txt record ", false},
	{"unexpected identifiers", true},
	{"certificate had names ", false},
	{"received certificate containing ", false},
}

// withoutPages cuts what sites served out of a text.
func withoutPages(text string) string {
	flat := lower(text)
	if strings.IndexByte(flat, '\n') >= 0 {
		flat = strings.ReplaceAll(flat, "\n", " ")
	}
	for _, q := range quotesPage {
		for from := 0; ; {
			i := strings.Index(flat[from:], q.words)
			if i < 0 {
				break
			}
			from += i + len(q.words)
			begin := quotation(flat, from, q.colon)
			if begin < 0 {
				continue
			}
			end := closing(flat, begin)
			mark := string([]byte{pageMark, sort(flat[begin:end]), pageMark})
			text = text[:begin] + mark + text[end:]
			flat = flat[:begin] + mark + flat[end:]
			from = begin + len(mark)
		}
	}
	return withoutRest(text, flat)
}

// printsPage are the words between which a client's own check of a site printed, without quotes, what
// it got, the first of them only behind others. Where the last do not follow, it goes to the end.
var printsPage = [][3]string{{"couldn't download ", "response: ", "\x00"},
	{"expected response", "but got: ", "(truncated)"}, {"", "presented key (", ") did not match expected"}}

// withoutRest cuts out what clients printed without quotes.
func withoutRest(text, flat string) string {
	for _, q := range printsPage {
		before := strings.Index(flat, q[0])
		if before < 0 {
			continue
		}
		at := strings.Index(flat[before:], q[1])
		if at < 0 {
			continue
		}
		begin, end := before+at+len(q[1]), len(flat)
		if last := strings.LastIndex(flat[begin:], q[2]); last >= 0 {
			end = begin + last
		}
		text, flat = text[:begin]+" "+text[end:], flat[:begin]+" "+flat[end:]
	}
	return text
}

// farthest is how far behind the words of a CA a quotation may begin: a URL and an address are
// between.
const farthest = 2200

// quotation is where the quoted page begins, at its opening quote or bracket; -1 where there is
// none.
func quotation(flat string, from int, colon bool) int {
	i := from
	if colon {
		limit := min(len(flat), from+farthest)
		next := strings.Index(flat[from:limit], ": ")
		if next < 0 {
			return -1
		}
		i = from + next + len(": ")
	}
	for i < len(flat) && flat[i] == '\\' {
		i++
	}
	if i < len(flat) && (flat[i] == '"' || flat[i] == '[' && !colon) {
		return i
	}
	return -1
}

// closing is where a quotation ends: at the first quote that has as many backslashes before it as
// the opening one, since what is quoted has its own quotes escaped once more. A torn one ends with
// the text.
func closing(flat string, begin int) int {
	if flat[begin] == '[' {
		if end := strings.IndexByte(flat[begin:], ']'); end >= 0 {
			return begin + end + 1
		}
		return len(flat)
	}
	depth := 0
	for begin-depth > 0 && flat[begin-depth-1] == '\\' {
		depth++
	}
	slashes := 0
	for i := begin + 1; i < len(flat); i++ {
		switch {
		case flat[i] == '\\':
			slashes++
			continue
		case flat[i] == '"' && slashes == depth && !goesOn(flat, i+1):
			return i + 1
		}
		slashes = 0
	}
	return len(flat)
}

// goesOn reports whether a quotation goes on behind a quote: old clients did not escape those within.
func goesOn(flat string, at int) bool {
	if at >= len(flat) {
		return false
	}
	c := flat[at]
	return c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || strings.IndexByte("/<>-=#_", c) >= 0
}

// Words of pages, all in lower case.
var (
	lostWords   = []string{"404 not found", "not found", "410 gone", "<title>404", "error 404"}
	deniedWords = []string{"403 forbidden", "401 ", "forbidden", "unauthorized", "access denied",
		"just a moment", "attention required", "checking your browser", "one moment, please",
		"captcha", "enable javascript", "ddos", "imunify", "sucuri", "incapsula", "web application firewall",
		"bot verification", "are you human", "too many requests", "500 internal", "502 bad gateway",
		"503 service", "504 gateway", "service unavailable", "internal server error", "bad gateway",
		"request blocked", "modsecurity", "mod_security", "406 not acceptable"}
)

// sort tells which sort of page a quotation is.
func sort(page string) byte {
	for _, w := range deniedWords {
		if strings.Contains(page, w) {
			return pageDenied
		}
	}
	for _, w := range lostWords {
		if strings.Contains(page, w) {
			return pageLost
		}
	}
	return pageOther
}

// lower is a text in lower case, ASCII alone, so that every place in it stays where it is.
func lower(text string) string {
	for i := range len(text) {
		if text[i] >= 'A' && text[i] <= 'Z' {
			out := []byte(text)
			for ; i < len(out); i++ {
				if out[i] >= 'A' && out[i] <= 'Z' {
					out[i] += 'a' - 'A'
				}
			}
			return string(out)
		}
	}
	return text
}
