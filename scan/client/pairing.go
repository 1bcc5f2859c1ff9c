package client

// Which answer belongs to which request, and which request to which run. An answer does not name
// its request. Two runs of one directory cannot overlap, but a collector mixes the records of
// several: nonces tell which run a request belongs to, urllib3's line (method, path, status) tells
// whose answer comes next, and what contradicts them proves nothing.

import (
	"bytes"
	"slices"
	"strings"
	"time"
)

// lull is how long a run may write nothing before it is no longer thought of where nothing but the
// time tells whose a record is.
const lull = moment(2 * time.Minute)

// owner is the run that sends a request: the one that was given its nonce, else the one that wrote
// last of those that do not wait for an answer. given says that some run was given the nonce.
func (c *certbot) owner(q *request, r record) (now *run, given bool) {
	found := -1
	for i, one := range c.runs {
		if one.hasNonce(c.asked.nonce) {
			found, given = i, true
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
			return now, given // also one that seemed over: what its log says goes on
		}
		return c.begin(r), given
	}
	one := c.runs[found]
	c.runs = append(slices.Delete(c.runs, found, found+1), one)
	return one, given
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
	if !c.waits() {
		c.unasked = strings.TrimSuffix(originOf(string(bytes.TrimRight(head[:j], " "))), ":443") +
			string(path)
		return
	}
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
		free.out.odd = contradictory
	}
}

// waits says that some request waits for its answer.
func (c *certbot) waits() bool {
	return slices.ContainsFunc(c.runs, func(one *run) bool { return one.out != nil })
}

const contradictory = "request and answer in the log contradict each other"

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

// answer gives an answer to the run that waits for it.
func (c *certbot) answer(r record, a *answer, body []byte) {
	body, ended := unrepr(bytes.TrimSpace(body))
	body = bytes.TrimSpace(body)
	a.body = body
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
	c.last = answered{a.status, len(a.body), a.nonce}
	c.nonced = c.nonced || a.nonce != ""
	if !certain {
		one.out.odd = contradictory
	}
	if !one.out.overtaken {
		one.last = a.at
		i := slices.Index(c.runs, one)
		c.runs = append(slices.Delete(c.runs, i, i+1), one)
	}
	one.take(c.sink, a)
	if one.zone.known {
		c.zone = one.zone
	}
}

// nobodys is an answer that no request waits for: 0.9's second record of one, or a contradiction.
func (c *certbot) nobodys(r record, a *answer) {
	if last := c.last; last.status == a.status && last.nonce == a.nonce &&
		(a.nonce != "" || last.length == len(a.body)) {
		return
	}
	now := c.current()
	if now == nil {
		now = c.begin(r)
	}
	now.last = a.at
	if a.said.hasChallenges && a.said.status == "pending" && a.location == "" && usable(c.unasked) {
		a.location = c.unasked // its request stood before the beginning of the log
	}
	c.unasked = ""
	now.release(c.sink, contradictory)
	now.outOfPair(c.sink, a, "nothing in the log asked for the answer that names it")
}

// waiting is the run whose request an answer belongs to, and whether that is certain.
func (c *certbot) waiting(a *answer) (one *run, certain bool) {
	var told, untold, any []*run
	for _, r := range slices.Backward(c.runs) {
		switch {
		case r.out == nil, r.out.overtaken && r.out.status != a.status:
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

func (r *run) hasNonce(nonce string) bool {
	return nonce != "" && slices.Contains(r.nonces[:], sameNonce(nonce))
}

// sameNonce is a nonce without its last letter: certbot decodes nonces and encodes them again, and
// what the last letter holds beyond whole bytes is lost.
func sameNonce(nonce string) string {
	nonce = strings.TrimRight(nonce, "=")
	if nonce == "" {
		return ""
	}
	return nonce[:len(nonce)-1]
}
