package client

// What certbot sends: the URL, and of the JWS who signed it, with which nonce, and what it asks.
// certbot logs a request before it sends it, so that the record proves an intention and no more.

import (
	"bytes"
	"encoding/base64"
)

// request is one that was sent and has no answer yet.
type request struct {
	method, url string
	place       Place
	at          moment
	names       []string // of a newOrder or new-authz
	empty       bool     // POST-as-GET, or no POST
	asGet       bool     // POST-as-GET
	answers     bool     // what is sent is an answer to a challenge
	csr         bool     // or a signing request
	step        Step
	// status is the one of urllib3's line, 0 without one; odd says why the exchange proves nothing.
	status int
	odd    string
	// quoted: a customer's page or a hook may have put it into the log. It was signed with a nonce
	// that nobody was given there, and nonces are what such a one cannot know.
	quoted bool
	nonced bool // there were nonces in the log before: without any nothing can be told
	// overtaken: another run began before the answer. Where no collector mixed the two, this one was
	// killed, and what answers it is quoted.
	overtaken bool
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
	c.asked, c.unasked = said{}, ""
	if q.method == "POST" {
		c.readJWS(q, jws)
	}
	now, given := c.owner(q, r)
	q.nonced = c.nonced
	q.quoted = q.method == "POST" && !given && c.nonced
	if usable(c.asked.keyID) && (!q.quoted || now.account == "") {
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
	p := member(jws, `"payload": "`)
	q.asGet = p != nil && len(p) == 0
	if len(p) > 0 {
		q.empty = false
		if b := c.decode(p); readJSON(b, &payload) {
			q.names = payload.names
			if payload.name != "" {
				q.names = []string{payload.name}
			}
			q.csr = payload.csr
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
