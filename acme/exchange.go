package acme

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"sync/atomic"
	"time"
)

// One request on its way: what is sent, how much of an answer is read, and the moment from which it
// counts as sent.

// Bodies are read up to these sizes, in bytes: a CA gone mad must not fill the memory of a small
// server.
const (
	problemLimit = 64 << 10
	bodyLimit    = 1 << 20
)

// Reply is what every answer tells beside its body.
type Reply struct {
	Status        int
	Date          time.Time     // the CA's clock; zero when the header is absent or unparsable
	Received      time.Time     // this machine's clock when the answer's head arrived
	RetryAfter    time.Duration // never negative; an HTTP date is taken relative to Date
	HasRetryAfter bool
}

// request is one HTTP request before it is sent.
type request struct {
	kind, method, url string
	body              []byte // nil for GET and HEAD
	accept            string
}

func (r request) notSent(err error) error { return &NotSent{Kind: r.kind, URL: r.url, Cause: err} }

// answer is what arrived. With broken set the body is incomplete or too long, and is not to be
// trusted.
type answer struct {
	Reply
	request request
	header  http.Header
	body    []byte
	broken  error
}

func (a answer) success() bool { return a.Status/100 == 2 }

func (a answer) lost(err error) error {
	location, _ := a.location()
	return &Lost{Kind: a.request.kind, URL: a.request.url, Reply: a.Reply, Location: location,
		Cause: err}
}

// exchange sends one request, once, and reads the answer, whatever its status. The error is a
// NotSent or a Lost.
func (c *Client) exchange(ctx context.Context, hc *http.Client, r request) (answer, error) {
	if ctx.Err() != nil {
		return answer{}, r.notSent(ended(ctx))
	}
	start := c.now()
	a, err := c.send(ctx, hc, r)
	report := Exchange{Kind: r.kind, Method: r.method, URL: r.url, Status: a.Status,
		Took: c.now().Sub(start), Date: a.Date, Err: err}
	if a.broken != nil {
		report.Err = a.lost(a.broken)
	}
	c.observe(ctx, report)
	return a, err
}

func (c *Client) send(ctx context.Context, hc *http.Client, r request) (answer, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, c.timeout,
		fmt.Errorf("no answer within %s: %w", c.timeout, context.DeadlineExceeded))
	defer cancel()
	var p passage
	req, err := c.compose(httptrace.WithClientTrace(ctx, p.trace()), r)
	if err != nil {
		return answer{}, r.notSent(err)
	}
	p.guard(req)
	resp, err := hc.Do(req)
	if err != nil {
		return answer{}, p.failed(r, bare(ctx, err))
	}
	defer resp.Body.Close()
	return c.receive(ctx, r, resp), nil
}

func (c *Client) compose(ctx context.Context, r request) (*http.Request, error) {
	var body io.Reader
	if r.body != nil {
		body = bytes.NewReader(r.body)
	}
	req, err := http.NewRequestWithContext(ctx, r.method, r.url, body)
	if err != nil {
		return nil, err
	}
	req.Header.Set("User-Agent", c.userAgent)
	req.Header.Set("Accept-Language", "en")
	if r.accept != "" {
		req.Header.Set("Accept", r.accept)
	}
	if r.body != nil {
		req.Header.Set("Content-Type", "application/jose+json")
	}
	return req, nil
}

func (c *Client) receive(ctx context.Context, r request, resp *http.Response) answer {
	a := answer{request: r, header: resp.Header,
		Reply: replyOf(resp.StatusCode, resp.Header, c.now())}
	limit := int64(bodyLimit)
	if !a.success() {
		limit = problemLimit
	}
	var err error
	a.body, err = io.ReadAll(io.LimitReader(resp.Body, limit+1))
	if err != nil {
		a.broken = fmt.Errorf("reading the answer's body: %w", bare(ctx, err))
	} else if int64(len(a.body)) > limit {
		a.broken = fmt.Errorf("the answer's body is longer than %d bytes", limit)
	}
	return a
}

// passage watches one request on its way out, to tell NotSent from Lost. Only a connection that was
// asked for and never got proves that nothing was sent: between getting one and the first byte
// there is no moment that net/http reports reliably for both HTTP/1.1 and HTTP/2, so from then on
// the request counts as sent.
type passage struct {
	asked, got, multiplexed, wrote atomic.Bool
}

func (p *passage) trace() *httptrace.ClientTrace {
	return &httptrace.ClientTrace{
		GetConn: func(string) { p.asked.Store(true) },
		GotConn: func(info httptrace.GotConnInfo) {
			p.got.Store(true)
			conn, ok := info.Conn.(*tls.Conn)
			p.multiplexed.Store(ok && conn.ConnectionState().NegotiatedProtocol == "h2")
		},
		WroteHeaders: func() { p.wrote.Store(true) },
	}
}

var errOnlyOnce = errors.New("the connection was reset after the request was sent")

// guard keeps net/http from sending a POST twice. Over HTTP/1.1 it sends one again only if not a
// byte of it was written to a kept-alive connection, which is what we want of it. Over HTTP/2 it
// also sends again after a stream was reset with PROTOCOL_ERROR (go.dev/issue/47635), by which time
// the CA may have processed it.
func (p *passage) guard(req *http.Request) {
	again := req.GetBody
	if again == nil {
		return
	}
	req.GetBody = func() (io.ReadCloser, error) {
		if p.multiplexed.Load() && p.wrote.Load() {
			return nil, errOnlyOnce
		}
		return again()
	}
}

func (p *passage) failed(r request, err error) error {
	if p.asked.Load() && !p.got.Load() {
		return r.notSent(distrusted(r.url, err))
	}
	return &Lost{Kind: r.kind, URL: r.url, Cause: err}
}
