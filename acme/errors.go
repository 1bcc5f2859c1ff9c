package acme

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"

	"orderly/failure"
)

// Two errors keep the promise that no order is made twice: NotSent proves that the CA heard
// nothing, Lost that it may have. What is neither is an answer (Problem).

// NotSent says that nothing of this request reached the CA: the name did not resolve, no connection
// or TLS session came about, no nonce or directory could be had, the context had ended, or the
// request was refused here. The state of the CA is what it was. It never wraps a Lost; it can wrap
// the Problem with which the CA refused a nonce or the directory, so a caller must look for NotSent
// before it looks for Problem.
type NotSent struct {
	Kind, URL string
	Cause     error
}

// Error says which request was not sent and why.
func (e *NotSent) Error() string {
	if e.Kind == KindDirectory { // it depends on no other request, and the sentence around it names it
		return broken(e.Cause)
	}
	return fmt.Sprintf("%s was not sent: %s", e.Kind, broken(e.Cause))
}

// Unwrap returns the cause.
func (e *NotSent) Unwrap() error { return e.Cause }

// Lost says that the request was sent, or may have been, and that no usable answer came back: the
// connection broke, time ran out, or a 2xx answer had a body or a Location that cannot be used.
// What the CA did must be found out by looking.
type Lost struct {
	Kind, URL string
	Reply     Reply // Status is 0 when nothing arrived
	// the Location of an answer whose body was unusable: it names the order or account that was
	// made
	Location string
	Cause    error
}

// Error says which request's answer was lost and how.
func (e *Lost) Error() string {
	return fmt.Sprintf("the answer to %s was lost: %s", e.Kind, broken(e.Cause))
}

// Unwrap returns the cause.
func (e *Lost) Unwrap() error { return e.Cause }

// broken is what broke a connection, in words where the library has but an abbreviation.
func broken(cause error) string {
	text := failure.Clean(cause.Error())
	for _, short := range []string{"unexpected EOF", "EOF"} {
		rest, ended := strings.CutSuffix(text, short)
		if ended && (rest == "" || strings.HasSuffix(rest, ": ")) {
			return rest + "the connection was closed before the whole answer had come"
		}
	}
	return text
}

// beforehand makes the NotSent of a request that something before it kept from being sent: a nonce
// or the directory. The Lost of that earlier request is taken off, since to a caller it would say
// that this one may have been sent.
func beforehand(kind, target, step string, err error) error {
	if e, ok := errors.AsType[*NotSent](err); ok {
		err = e.Cause
	} else if e, ok := errors.AsType[*Lost](err); ok {
		err = e.Cause
	}
	return &NotSent{Kind: kind, URL: target, Cause: fmt.Errorf("%s: %w", step, err)}
}

// ended returns why ctx ended, such that errors.Is finds context.Canceled or
// context.DeadlineExceeded as well.
func ended(ctx context.Context) error {
	cause := context.Cause(ctx)
	if errors.Is(cause, ctx.Err()) {
		return cause
	}
	return fmt.Errorf("%w: %w", ctx.Err(), cause)
}

// bare takes off the *url.Error, which would repeat method and URL, and prefers the reason of an
// ended context to the broken connection that was its consequence.
func bare(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ended(ctx)
	}
	if e, ok := errors.AsType[*url.Error](err); ok {
		return e.Err
	}
	return err
}

// Undecided reports whether a request may have been obeyed although no answer says so: its answer
// was lost, or is a 5xx, which a proxy in front of the CA also sends.
func Undecided(err error) bool {
	if _, ok := errors.AsType[*NotSent](err); ok || err == nil {
		return false
	}
	p, ok := errors.AsType[*Problem](err)
	return !ok || p.Undecided()
}

// Class sorts an error of the wire for a person.
func Class(err error) failure.Class {
	if p, ok := errors.AsType[*Problem](err); ok && p.Status < 500 {
		if p.Status == 429 {
			return failure.RateLimited
		}
		return failure.CARefused
	}
	if errors.Is(err, context.Canceled) {
		return failure.Stopped
	}
	return Unavailable(err)
}

// Unavailable is the class of a CA that gave no answer that counts: where no connection came about,
// that is this server's to mend, and not the CA's.
func Unavailable(err error) failure.Class {
	if unreached(err) {
		return failure.CAUnreachable
	}
	return failure.CAUnavailable
}

// unreached reports whether no connection to the CA came about.
func unreached(err error) bool {
	if _, ok := errors.AsType[*NotSent](err); !ok {
		return false
	}
	if op, ok := errors.AsType[*net.OpError](err); ok {
		return op.Op == "dial" || op.Op == "proxyconnect"
	}
	_, unknown := errors.AsType[*net.DNSError](err)
	_, distrusted := errors.AsType[*tls.CertificateVerificationError](err)
	_, noTLS := errors.AsType[tls.RecordHeaderError](err)
	return unknown || distrusted || noTLS
}
