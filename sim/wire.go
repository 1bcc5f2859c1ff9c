package sim

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptrace"
	"strconv"
	"strings"
	"time"
)

// grace is how long after a signal a request under way is still waited for (see order's outliving, whose timer is real and
// so cannot be used here): what would arrive later is lost.
const grace = 1200 * time.Millisecond

// wire is the network between one process and the CA.
type wire struct{ p *process }

var (
	errConnect = errors.New("connection refused")
	errReset   = errors.New("connection reset by peer")
)

func newBody(b []byte) io.ReadCloser { return io.NopCloser(bytes.NewReader(b)) }

// probe is a POST-as-GET of newOrder, of which no CA makes an order.
const probe = "new-order-probe"

// asked takes a request apart.
func asked(req *http.Request) (kind string, id int, payload []byte, err error) {
	parts := strings.Split(strings.TrimPrefix(req.URL.Path, "/"), "/")
	kind = parts[0]
	if len(parts) > 1 {
		if id, err = strconv.Atoi(parts[1]); err != nil {
			return kind, id, nil, err
		}
	}
	if req.Body == nil {
		return kind, id, nil, nil
	}
	var jws struct{ Payload string }
	if err := json.NewDecoder(req.Body).Decode(&jws); err != nil {
		return kind, id, nil, err
	}
	payload, err = base64.RawURLEncoding.DecodeString(jws.Payload)
	if kind == "new-order" && len(payload) == 0 {
		kind = probe
	}
	return kind, id, payload, err
}

// RoundTrip implements http.RoundTripper.
func (v wire) RoundTrip(req *http.Request) (*http.Response, error) {
	p, trace := v.p.at(), httptrace.ContextClientTrace(req.Context())
	kind, id, payload, err := asked(req)
	if err != nil {
		p.w.fail("panic", p.lineage(), "a request that cannot be read: %v", err)
		return nil, err
	}
	if p.w.ca.habits.former(kind, req.URL.Path) {
		kind = "page"
	}
	p.w.result.Requests++
	p.point("request " + kind)
	trace.GetConn(req.URL.Host)
	if p.late() {
		return nil, context.Canceled
	}
	p.w.sending(p, kind, id, payload)
	if err := v.connect(kind); err != nil {
		p.w.unsent(p, kind, id)
		return nil, err
	}
	trace.GotConn(httptrace.GotConnInfo{})
	trace.WroteHeaders()
	r, err := v.exchange(kind, id, payload)
	if err != nil {
		p.log(kind, strconv.Itoa(id), err.Error())
		return nil, err
	}
	p.log(kind, strconv.Itoa(id), strconv.Itoa(r.status))
	p.nonces++
	return r.asResponse(req, p.w.time(), p.name[:1]+strconv.Itoa(p.nonces)), nil
}

// late reports whether the grace after a signal is over.
func (p *worker) late() bool {
	return p.signalled && p.w.now-p.signalAt > int64(grace/time.Microsecond)
}

// connect may fail, so that nothing is sent.
func (v wire) connect(kind string) error {
	p := v.p.at()
	away := p.w.time().Before(p.w.ca.away) && p.w.ca.drops
	if !away && !p.dice().strikes(unsent) {
		return nil
	}
	v.pass(p.dice().between(50*time.Millisecond, 10*time.Second))
	p.log(kind, "cannot be sent")
	if p.late() {
		return context.Canceled
	}
	return errConnect
}

// pass lets time pass for a request: to its end, or to the end of the grace after a signal. It reports which.
func (v wire) pass(d time.Duration) (inTime bool) {
	p := v.p.at()
	until := p.w.now + int64(d/time.Microsecond)
	for p.w.now < until {
		if p.late() {
			return false
		}
		left := time.Duration(until-p.w.now) * time.Microsecond
		if p.signalled {
			left = min(left, time.Duration(p.signalAt-p.w.now)*time.Microsecond+grace+time.Millisecond)
		}
		p.dozing = true
		p.nap(left)
		p.dozing = false
	}
	return true
}

// exchange is the way there, what the CA does, and the way back.
func (v wire) exchange(kind string, id int, payload []byte) (reply, error) {
	p := v.p.at()
	d := p.dice()
	if !v.pass(d.between(8*time.Millisecond, 120*time.Millisecond)) {
		return reply{}, context.Canceled
	}
	p.point("sent " + kind)
	if d.strikes(dropped) {
		v.pass(d.between(time.Second, 30*time.Second))
		return reply{}, errReset
	}
	r := v.serve(kind, id, payload)
	p.w.answered(p, kind, id, r)
	back := d.between(8*time.Millisecond, 120*time.Millisecond)
	if d.strikes(slow) {
		back = d.between(2*time.Second, 29*time.Second)
	}
	inTime := v.pass(back)
	p.point("answer to " + kind)
	if !inTime {
		return reply{}, context.Canceled
	}
	if d.strikes(lostAnswer) {
		return reply{}, errReset
	}
	if r.status/100 == 2 && d.strikes(garbled) {
		r.body = []byte("<html>")
	}
	p.w.received(p, kind, id, r)
	return r, nil
}

// serve is the CA with what stands before it.
func (v wire) serve(kind string, id int, payload []byte) reply {
	p := v.p.at()
	d := p.dice()
	post := kind != "directory" && kind != "nonce"
	switch {
	case p.w.time().Before(p.w.ca.away), d.strikes(busy):
		r := reply{status: 503, html: true, body: []byte("<html>")}
		if d.one(2) {
			r.retryAfter = strconv.Itoa(1 + d.IntN(90))
		}
		return r
	case post && d.strikes(badNonce):
		return problem(400, "badNonce", "JWS has an invalid anti-replay nonce")
	case d.strikes(broken):
		return reply{status: 500, html: true, body: []byte("<html>")}
	}
	if page, done, ok := p.w.ca.habits.page(kind); ok {
		if done {
			page.order = p.w.ca.answer(p, kind, id, payload).order
		}
		return page
	}
	r := p.w.ca.answer(p, kind, id, payload)
	r.html = r.html || r.status >= 400 && p.w.ca.habits.has[mumbling]
	if d.strikes(brokenLate) {
		late := problem(500, "serverInternal", "the database is slow")
		late.order = r.order
		return late
	}
	return r
}
