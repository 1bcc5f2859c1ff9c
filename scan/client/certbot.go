package client

// certbot's debug log, 0.9 to 5.6. A record says who logged it; few of them matter. Two runs of
// one directory cannot overlap, but a collector mixes the records of several: nonces tell which run
// a request belongs to, urllib3's line (method, path, status) tells whose answer comes next, and
// what contradicts them proves nothing.

import (
	"bytes"
	"encoding/base64"
	"net/http"
	"slices"
	"strings"
	"time"
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
}

type answered struct {
	status int
	nonce  string
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
	now := newRun(r.place, momentOf(r.stamp))
	now.zone.ahead = c.zone.ahead
	c.runs = append(c.runs, now)
	return now
}

func (c *certbot) end(one *run) {
	one.end(c.sink)
	c.runs = slices.DeleteFunc(c.runs, func(r *run) bool { return r == one })
}

// finish ends all.
func (c *certbot) finish() {
	for len(c.runs) > 0 {
		c.end(c.runs[0])
	}
}

// mark keeps what a run writes about its own end.
func (c *certbot) mark(now *run, logger []byte, r record) {
	m := r.message
	switch string(logger) {
	case "error_handler":
		if begins(m, "Encountered exception:") {
			c.gaveUp(now)
		}
		if begins(m, "Encountered signals: [") ||
			begins(m, "Calling signal ") {
			now.marks.signal = true
		}
	case "main", "log":
		switch {
		case begins(m, "Exiting abnormally:"):
			c.gaveUp(now)
			now.marks.abnormal = true
			now.marks.interrupt = bytes.HasSuffix(bytes.TrimSpace(m), []byte("\nKeyboardInterrupt"))
		case begins(m, "Picked account: "):
			now.marks.selecting = true
			if u := between(m, "uri='", "'"); usable(u) {
				now.account = u
			} else if u := between(m, "uri=u'", "'"); usable(u) {
				now.account = u
			}
		}
	case "renewal":
		if bytes.Contains(m, []byte("with error: ")) || bytes.Contains(m, []byte("unexpected error: ")) {
			c.gaveUp(now)
		}
	case "plugins.selection":
		now.marks.selecting = true
	}
	if endsIn(logger) && saysEnd(m) {
		now.marks.whole, now.marks.selecting = true, false
	}
}

// endsIn says whether a logger is one of those by which certbot says how it ended.
func endsIn(logger []byte) bool {
	for _, one := range [...]string{"renewal", "display", "reporter", "main", "client", "log", "util"} {
		if begins(logger, one) {
			return true
		}
	}
	return false
}

// saysEnd says whether a message is one that certbot ends with.
func saysEnd(m []byte) bool {
	if len(m) > 4096 {
		m = m[:4096]
	}
	for _, end := range [...]string{"no renewal failures", "If you like Certbot", "Congratulations",
		"Successfully received certificate", "Successfully deployed certificate",
		"Deploying certificate", "Deploying Certificate", "The dry run was successful",
		"no action taken", "Keeping the existing certificate"} {
		if bytes.Contains(m, []byte(end)) {
			return true
		}
	}
	return false
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

// sending: `Sending POST request to URL:` and the JWS, or 0.9's `. args: (), kwargs: {…}`.
func (c *certbot) sending(r record) {
	method, rest, ok := bytes.Cut(r.message[len("Sending "):], []byte(" request to "))
	if !ok || len(method) > 8 {
		return
	}
	head, jws, _ := splitAt(rest, '\n')
	q := &request{method: string(method), place: r.place, at: momentOf(r.stamp), empty: true}
	if i := bytes.Index(head, []byte(". args: ")); i >= 0 {
		head, jws = head[:i], kwargs(head[i:])
	}
	q.url = string(bytes.TrimRight(head, ":. "))
	c.asked = said{}
	if q.method == "POST" {
		c.readJWS(q, jws)
	}
	now := c.owner(q, r)
	if c.asked.keyID != "" && usable(c.asked.keyID) {
		now.account = c.asked.keyID
	}
	now.send(c.sink, q)
	now.last = q.at
}

// kwargs is the JWS within 0.9's line.
func kwargs(b []byte) []byte {
	i := bytes.Index(b, []byte("'data': "))
	if i < 0 {
		return nil
	}
	jws, _ := unrepr(b[i+len("'data': "):])
	return jws
}

// readJWS takes from a request who sends it, with which nonce, and what.
func (c *certbot) readJWS(q *request, jws []byte) {
	var payload said
	if p := member(jws, `"payload": "`); len(p) > 0 {
		q.empty = false
		if b := c.decode(p); readJSON(b, &payload) {
			q.names = payload.names
			if payload.name != "" {
				q.names = []string{payload.name}
			}
			q.answers = bytes.Equal(b, []byte("{}")) || payload.hasKeyAuthz
		}
	}
	readJSON(c.decode(member(jws, `"protected": "`)), &c.asked)
}

// member is the value of a member of the JWS, which is base64 and needs no more care.
func member(jws []byte, key string) []byte {
	i := bytes.Index(jws, []byte(key))
	if i < 0 {
		return nil
	}
	rest := jws[i+len(key):]
	n := bytes.IndexByte(rest, '"')
	if n < 0 {
		return nil
	}
	return rest[:n]
}

func (c *certbot) decode(b []byte) []byte {
	b = bytes.TrimRight(b, "=")
	if n := base64.RawURLEncoding.DecodedLen(len(b)); n > len(c.scratch) {
		c.scratch = make([]byte, n)
	}
	n, err := base64.RawURLEncoding.Decode(c.scratch, b)
	if err != nil {
		return nil
	}
	return c.scratch[:n]
}

// lull is how long a run may write nothing before it is no longer thought of where nothing but the
// time tells whose a record is.
const lull = moment(2 * time.Minute)

// owner is the run that sends a request: the one that was given its nonce, else the one that wrote
// last of those that do not wait for an answer.
func (c *certbot) owner(q *request, r record) *run {
	found := -1
	for i, one := range c.runs {
		if one.hasNonce(c.asked.nonce) {
			found = i
		}
	}
	// One that waits for an answer cannot ask: where two runs asked for a nonce at the same moment,
	// it was given the other's as well.
	for i := len(c.runs) - 1; i >= 0 && (found < 0 || c.runs[found].out != nil); i-- {
		if one := c.runs[i]; one.out == nil && !one.over() && one.last+lull >= q.at {
			found = i
		}
	}
	if found < 0 {
		if now := c.current(); now != nil {
			return now // also one that seemed over: what its log says goes on
		}
		return c.begin(r)
	}
	one := c.runs[found]
	c.runs = append(slices.Delete(c.runs, found, found+1), one)
	return one
}

// over says that a run wrote its end.
func (r *run) over() bool { return r.marks.abnormal || r.marks.whole }

// gaveUp: certbot logs that a request failed; there will be no answer to it.
func (c *certbot) gaveUp(now *run) {
	for _, one := range c.runs {
		if one != now && one.out != nil && one.last+lull >= now.last {
			return // may be the other's
		}
	}
	now.drop(c.sink)
}

// line is urllib3's: https://host:443 "POST /acme/new-order HTTP/1.1" 201 443
func (c *certbot) line(r record) {
	i := bytes.Index(r.message, []byte(` HTTP/`))
	if i < 0 {
		return
	}
	head := r.message[:i]
	j := bytes.LastIndexByte(head, '"')
	_, tail, ok := bytes.Cut(r.message[i:], []byte(`" `))
	if j < 0 || !ok {
		return
	}
	method, path, _ := splitAt(head[j+1:], ' ')
	status := number(tail)
	var free *run
	for i := len(c.runs) - 1; i >= 0; i-- {
		one := c.runs[i]
		if one.out == nil || one.out.status != 0 {
			continue
		}
		if one.out.method == string(method) && pathOf(one.out.url) == string(path) {
			one.out.status = status
			return
		}
		if free == nil {
			free = one
		}
	}
	if free != nil && c.alone() {
		free.out.odd = true
	}
}

// alone says that one run alone waits for an answer.
func (c *certbot) alone() bool {
	n := 0
	for _, one := range c.runs {
		if one.out != nil {
			n++
		}
	}
	return n == 1
}

// received: HTTP status, headers, an empty line, the body.
func (c *certbot) received(r record, text []byte) {
	a := &answer{place: r.place, at: momentOf(r.stamp), said: &c.said}
	first, rest, _ := splitAt(text, '\n')
	a.status = number(bytes.TrimPrefix(first, []byte("HTTP ")))
	for len(rest) > 0 {
		var header []byte
		header, rest, _ = splitAt(rest, '\n')
		header = bytes.TrimSuffix(header, []byte("\r"))
		if len(header) == 0 {
			break
		}
		name, value, _ := bytes.Cut(header, []byte(": "))
		a.header(name, value)
	}
	c.answer(r, a, rest)
}

// receivedOnOneLine is 0.9's: everything in Python's own spelling.
func (c *certbot) receivedOnOneLine(r record, text []byte, headers, body string) {
	a := &answer{place: r.place, at: momentOf(r.stamp), said: &c.said}
	a.status = number(text)
	i := bytes.Index(text, []byte(headers))
	if i < 0 {
		return
	}
	rest, ok := eachHeader(text[i+len(headers):], a.header)
	if !ok {
		return
	}
	_, rest, _ = bytes.Cut(rest, []byte(body[:1]))
	rest = bytes.TrimPrefix(rest, []byte(body[1:]))
	c.answer(r, a, bytes.TrimLeft(rest, " "))
}

// header takes what a scan needs to know.
func (a *answer) header(name, value []byte) {
	switch len(name) {
	case len("Date"):
		if bytes.EqualFold(name, []byte("Date")) {
			a.date, _ = time.Parse(http.TimeFormat, string(value))
		}
		if bytes.EqualFold(name, []byte("Link")) {
			if u := upward(string(value)); u != "" {
				a.up = u
			}
		}
	case len("Location"):
		if bytes.EqualFold(name, []byte("Location")) {
			a.location = string(value)
		}
	case len("Replay-Nonce"):
		if bytes.EqualFold(name, []byte("Replay-Nonce")) {
			a.nonce = string(value)
		}
	}
}

// upward is the URL of a Link header with rel="up".
func upward(links string) string {
	for link := range strings.SplitSeq(links, ",") {
		target, params, ok := strings.Cut(strings.TrimSpace(link), ">")
		if ok && strings.HasPrefix(target, "<") && strings.Contains(params, `rel="up"`) {
			return target[1:]
		}
	}
	return ""
}

// answer gives an answer to the run that waits for it.
func (c *certbot) answer(r record, a *answer, body []byte) {
	body, ended := unrepr(bytes.TrimSpace(body))
	body = bytes.TrimSpace(body)
	a.json = len(body) > 0 && body[0] == '{'
	a.whole = readJSON(body, &c.said) && ended && !r.cut
	if a.status >= 300 && a.status < 400 {
		return // followed by the client: the answer comes yet
	}
	one, certain := c.waiting(a)
	if one == nil {
		c.nobodys(r, a)
		return
	}
	c.last = answered{a.status, a.nonce}
	if !certain {
		one.out.odd = true
	}
	one.last = a.at
	i := slices.Index(c.runs, one)
	c.runs = append(slices.Delete(c.runs, i, i+1), one)
	one.take(c.sink, a)
	if one.zone.known {
		c.zone = one.zone
	}
}

// nobodys is an answer that no request waits for: 0.9's second record of one, or a contradiction.
func (c *certbot) nobodys(r record, a *answer) {
	if c.last == (answered{a.status, a.nonce}) && a.nonce != "" {
		return
	}
	now := c.current()
	if now == nil {
		now = c.begin(r)
	}
	now.last = a.at
	now.outOfPair(c.sink, a, "nothing in the log asked for the answer that names it")
}

// waiting is the run whose request an answer belongs to, and whether that is certain.
func (c *certbot) waiting(a *answer) (one *run, certain bool) {
	var told, untold, any []*run
	for _, r := range slices.Backward(c.runs) {
		switch {
		case r.out == nil:
			continue
		case r.out.status == a.status:
			told = append(told, r)
		case r.out.status == 0:
			untold = append(untold, r)
		}
		any = append(any, r)
	}
	switch {
	case len(told) == 1:
		return told[0], true
	case len(told) > 1:
		return fitting(told, a)
	case len(untold) == 1:
		return untold[0], true
	case len(untold) > 1:
		return fitting(untold, a)
	case len(any) > 0:
		return any[0], false
	}
	return nil, false
}

// fitting is the only one of several runs whose request fits what the answer says.
func fitting(runs []*run, a *answer) (*run, bool) {
	var fit []*run
	for _, r := range runs {
		if r.fits(a) {
			fit = append(fit, r)
		}
	}
	switch {
	case len(fit) == 1:
		return fit[0], true
	case len(fit) > 1:
		// Answers that say nothing (a nonce) may go to either.
		return fit[len(fit)-1], !a.json
	}
	return runs[0], false
}

// fits says whether an answer can be one to what this run asked.
func (r *run) fits(a *answer) bool {
	q, s := r.out, a.said
	switch {
	case s.hasAuthorizations && q.step == NewOrder:
		return sameNames(s.names, q.names)
	case s.hasAuthorizations:
		for _, o := range r.lineage.orders {
			if o.finalize == s.finalize && (q.url == o.url || q.url == o.finalize) {
				return true
			}
		}
		return false
	case s.hasChallenges:
		for _, c := range s.challenges {
			if u, known := r.lineage.challenges[c]; known {
				return u == q.url
			}
		}
		known := r.lineage.authz[q.url]
		return known != nil && (known.name == "" || known.name == s.identifier()) ||
			slices.Contains(q.names, s.name)
	case s.url != "" && s.token != "":
		return s.url == q.url
	case s.newOrder != "" || s.newAuthz != "":
		return q.step == Directory
	}
	return !a.json || a.status >= 400
}

func sameNames(a, b []string) bool {
	a, b = slices.Clone(a), slices.Clone(b)
	slices.Sort(a)
	slices.Sort(b)
	return slices.Equal(a, b)
}

func number(b []byte) int {
	n := 0
	for i := 0; i < len(b) && i < 6 && b[i] >= '0' && b[i] <= '9'; i++ {
		n = n*10 + int(b[i]-'0')
	}
	return n
}

func between(b []byte, begin, end string) string {
	_, rest, ok := bytes.Cut(b, []byte(begin))
	if !ok {
		return ""
	}
	found, _, ok := bytes.Cut(rest, []byte(end))
	if !ok || len(found) > maxURL {
		return ""
	}
	return string(found)
}
