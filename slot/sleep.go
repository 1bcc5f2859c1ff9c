package slot

// The two places where work waits without knowing of slots: a pause, and a request that is not
// answered.

import (
	"context"
	"io"
	"net/http"
	"time"
)

// Sleeper is a clock that can be slept by.
type Sleeper interface {
	Now() time.Time
	Sleep(ctx context.Context, d time.Duration) error
}

// Clock is a clock whose pauses hold no slot.
type Clock struct{ Sleeper }

// Sleep is the clock's, without the slot of ctx.
func (c Clock) Sleep(ctx context.Context, d time.Duration) (err error) {
	if d <= 0 {
		return c.Sleeper.Sleep(ctx, d)
	}
	Away(ctx, func() { err = c.Sleeper.Sleep(ctx, d) })
	return err
}

// Transport sends requests by another one, and holds no slot while an answer is long in coming: a
// CA that hangs must not keep the work that is for others.
type Transport struct{ http.RoundTripper }

// RoundTrip implements http.RoundTripper.
func (t Transport) RoundTrip(r *http.Request) (answer *http.Response, err error) {
	Slowly(r.Context(), func() { answer, err = t.RoundTripper.RoundTrip(r) })
	if err == nil && answer.Body != nil {
		answer.Body = body{answer.Body, r.Context()}
	}
	return answer, err
}

// body is the rest of an answer, which may be as long in coming as its beginning.
type body struct {
	io.ReadCloser
	ctx context.Context
}

// Read implements io.Reader.
func (b body) Read(p []byte) (n int, err error) {
	Slowly(b.ctx, func() { n, err = b.ReadCloser.Read(p) })
	return n, err
}
