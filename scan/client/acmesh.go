package client

// acme.sh --log: [DATE] key='value', one line each, appended for ever. With LOG_LEVEL 2 it logs what
// the CA answers, else no more than what was asked and the status.

import (
	"bytes"
	"slices"
	"strings"
	"time"
)

type acmeSh struct {
	run     *run
	said    said
	url     string
	payload string
	hasURL  bool
	code    int
	authz   string // of the challenge at hand
	name    string
	names   map[string]string // authorizations by name
	ended   Fate
	failing bool // the last line was about an error, which the next may go on with
}

func (a *acmeSh) line(sink Sink, b []byte, place Place) bool {
	i := bytes.IndexByte(b[:min(len(b), 64)], ']')
	if i < 0 || i+2 > len(b) {
		return false
	}
	at := acmeShTime(string(b[1:i]))
	if at == 0 && a.run == nil {
		return false
	}
	a.failing = false
	text := bytes.TrimPrefix(b[i+1:], []byte(" "))
	key, value, pair := bytes.Cut(text, []byte("='"))
	if pair && len(value) > 0 && value[len(value)-1] == '\'' && len(key) < 40 {
		a.pair(sink, string(key), value[:len(value)-1], at, place)
		return a.run != nil
	}
	return a.says(sink, string(text[:min(len(text), maxText)]), place)
}

// pair takes one value that was logged.
func (a *acmeSh) pair(sink Sink, key string, value []byte, at moment, place Place) {
	if a.run == nil && key != "_main_domain" {
		if key != "Le_Domain" && key != "url" && key != "_authz_url" &&
			key != "_ACME_SERVER_HOST" && key != "ACME_DIRECTORY" {
			return
		}
		a.run = newRun(place, at, "acme.sh")
	}
	if key == "_main_domain" {
		a.end(sink)
		a.run = newRun(place, at, "acme.sh")
		a.run.attempt.lineage = ofFile(string(value))
	}
	a.run.last = max(a.run.last, at)
	switch key {
	case "ACME_DIRECTORY":
		a.run.server, a.run.origin = string(value), originOf(string(value))
	case "_accUri", "ACCOUNT_URL":
		if usable(string(value)) {
			a.run.account = string(value)
		}
	case "url":
		a.sends(sink)
		a.url, a.payload, a.hasURL, a.code = string(value), "", true, 0
	case "payload":
		a.payload = string(value[:min(len(value), 64<<10)])
		a.ask(sink, place)
	case "code":
		a.code = number(value)
		a.coded(sink, place)
	case "d":
		a.name = string(value)
		a.run.attempt.asksFor(a.name)
	case "_authz_url":
		a.authorization(sink, string(value), place)
	case "response":
		a.answer(sink, value, place)
	}
}

// authorization is the one of the name that was logged before it.
func (a *acmeSh) authorization(sink Sink, u string, place Place) {
	a.authz = u
	if !usable(u) {
		return
	}
	if a.names == nil {
		a.names = map[string]string{}
	}
	if a.name != "" && len(a.names) < maxLoose {
		a.names[a.name] = u
	}
	if a.run.lineage.authz[u] == nil {
		a.run.see(sink, Sighting{Kind: Named, URL: u, Name: a.name, At: a.run.last.in(a.run.zone),
			Place: place})
	}
}

// sends forgets a request that had no answer.
func (a *acmeSh) sends(sink Sink) {
	if a.run.out != nil && a.code == 0 {
		a.run.drop(sink)
	}
	a.run.out = nil
}

// ask is a request: its URL was logged before, now what it carries.
func (a *acmeSh) ask(sink Sink, place Place) {
	if !a.hasURL || !usable(a.url) {
		return
	}
	a.hasURL = false
	var payload said
	readJSON([]byte(a.payload), &payload)
	q := &request{method: "POST", url: a.url, place: place, at: a.run.last, names: payload.names,
		empty: a.payload == "", answers: a.payload == "{}"}
	if q.answers && a.authz != "" {
		if a.run.lineage.challenges == nil {
			a.run.lineage.challenges = map[string]string{}
		}
		a.run.lineage.challenges[a.url] = a.authz
	}
	a.run.send(sink, q)
}

// coded is the status of an answer; the answer itself may follow, or not.
func (a *acmeSh) coded(sink Sink, place Place) {
	q := a.run.out
	if q == nil || q.step != Challenge || q.empty {
		return
	}
	a.said = said{}
	a.run.take(sink, &answer{status: a.code, said: &a.said, at: a.run.last, place: place})
}

// answer is what the CA said.
func (a *acmeSh) answer(sink Sink, body []byte, place Place) {
	if a.run.out == nil || a.code == 0 {
		return
	}
	got := &answer{status: a.code, at: a.run.last, place: place, said: &a.said, body: body}
	got.json = len(body) > 0 && body[0] == '{'
	got.whole = readJSON(body, &a.said)
	a.run.take(sink, got)
}

// says is a line for people.
func (a *acmeSh) says(sink Sink, text string, place Place) bool {
	if a.run == nil {
		return false
	}
	final := func(u string) {
		a.run.see(sink, Sighting{Kind: Final, URL: u, Name: a.run.nameOf(u), At: a.run.last.in(a.run.zone),
			Place: place})
	}
	text = uncoloured(text)
	switch name, verified := strings.CutSuffix(strings.SplitN(text, ",", 2)[0], " is already verified"); {
	case verified:
		final(a.names[name])
	case text == "payload": // and nothing behind it: a POST-as-GET
		a.ask(sink, place)
	case strings.HasPrefix(text, "Using CA: "):
		a.run.server = strings.TrimSpace(text[len("Using CA: "):])
		a.run.origin = originOf(a.run.server)
	case text == "Success":
		final(a.authz)
	case strings.Contains(text, "Invalid status"), strings.Contains(text, "Verify error:"):
		final(a.authz)
		a.fails(text, place)
	case strings.HasPrefix(text, "Cert success."):
		a.ended = Whole
		a.run.gets()
	case strings.HasPrefix(text, "Please add '--debug'"), strings.HasPrefix(text, "Please check log file"):
		a.ended = Failed
	case complains(text):
		a.fails(text, place)
	}
	return true
}

// complains says whether a line for people is of something that went wrong.
func complains(text string) bool {
	for _, word := range [...]string{"rror", "Cannot ", "Can not ", "Could not ", "could not ",
		": Timeout", "has been deactivated", "imeout"} {
		if strings.Contains(text, word) {
			return true
		}
	}
	return false
}

// fails takes a line about what went wrong, which begins with the name where it is of one.
func (a *acmeSh) fails(text string, place Place) {
	a.failing = true
	name, _, _ := strings.Cut(text, ":")
	if t := &a.run.attempt; slices.Contains(t.names, name) {
		a.run.body(Failure{Names: []string{name}, Text: text, At: a.run.last.in(a.run.zone), Place: place})
		return
	}
	if a.run.attempt.words.Text == "" {
		a.run.says(text, place)
	} else {
		a.run.goesOn(text)
	}
}

// continues takes a line that goes on with an error: an answer of the CA's over several lines.
func (a *acmeSh) continues(line []byte) bool {
	if a.run == nil || !a.failing {
		return false
	}
	a.run.goesOn(string(line[:min(len(line), maxText)]))
	return true
}

// uncoloured is a text without the escapes that a terminal would colour it by.
func uncoloured(text string) string {
	for {
		i := strings.Index(text, "\x1b[")
		if i < 0 {
			return strings.TrimSpace(text)
		}
		j := strings.IndexByte(text[i:], 'm')
		if j < 0 {
			return strings.TrimSpace(text)
		}
		text = text[:i] + text[i+j+1:]
	}
}

func (a *acmeSh) end(sink Sink) {
	if a.run == nil {
		return
	}
	a.run.marks = marks{whole: a.ended == Whole, abnormal: a.ended == Failed}
	a.run.end(sink)
	*a = acmeSh{}
}

// acmeShTime reads what `date` printed, in English or by numbers; another locale's months are
// unknown, and the moment with them.
func acmeShTime(text string) moment {
	var year, day, clock string
	var month time.Month
	afternoon, morning := false, false
	for _, word := range strings.Fields(text) {
		word = strings.Trim(word, ",")
		switch {
		case strings.Count(word, ":") == 2:
			clock = word
		case len(word) == 4 && word > "1999" && word < "2100":
			year = word
		case len(word) <= 2 && word >= "0" && word <= "9~":
			day = word
		case word == "PM":
			afternoon = true
		case word == "AM":
			morning = true
		case len(word) >= 3 && month == 0:
			month = monthOf(word)
		}
	}
	if year == "" || day == "" || clock == "" || month == 0 {
		return 0
	}
	t, err := time.Parse("2006 1 2 15:04:05", strings.Join([]string{year, decimal(int(month)), day, clock}, " "))
	if err != nil {
		return 0
	}
	switch {
	case afternoon && t.Hour() < 12:
		t = t.Add(12 * time.Hour)
	case morning && t.Hour() == 12:
		t = t.Add(-12 * time.Hour)
	}
	return moment(t.UnixNano())
}

func monthOf(word string) time.Month {
	for m := time.January; m <= time.December; m++ {
		if strings.EqualFold(word, m.String()[:3]) {
			return m
		}
	}
	return 0
}

func decimal(n int) string {
	if n < 10 {
		return string(rune('0' + n))
	}
	return string(rune('0'+n/10)) + string(rune('0'+n%10))
}
