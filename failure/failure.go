// Package failure gives every error that reaches a person three things: a class for machines, a sentence that says what
// is wrong and where, and the remedy where there is one. It knows what each class means (its exit code, whether the CA
// charged for it) and nothing about how it came to pass; it must never hold text that does something instead of saying it,
// whoever wrote it: New, Wrap and Words see to that.
package failure

import (
	"context"
	"errors"
	"time"

	"orderly/outside"
)

// Error is an error with a class, a sentence and a remedy. It wraps what caused it.
type Error struct {
	Class    Class
	Sentence string // what is wrong and where, without a full stop at the end
	Remedy   Remedy // what to do about it, as imperative sentences; may be empty
	Cause    error  // may be nil
	// Until is when what stands in the way ends by itself; zero where that is not known, or takes a person. The sentence says
	// it, too: this is for whoever plans by it.
	Until time.Time
}

// New makes an Error without a cause. The sentence is made as by Words.
func New(class Class, remedy Remedy, format string, args ...any) *Error {
	return &Error{Class: class, Sentence: Words(format, args...), Remedy: remedy.Cleaned()}
}

// Wrap makes an Error around cause; where that is a full disk, it is the class. The sentence is made
// as by Words and should not repeat the cause's text.
func Wrap(cause error, class Class, remedy Remedy, format string, args ...any) *Error {
	return &Error{Class: ofCause(cause, class), Sentence: Words(format, args...),
		Remedy: remedy.Cleaned(), Cause: cause}
}

// Lasting is the same error with the moment at which it ends by itself.
func (e *Error) Lasting(until time.Time) *Error {
	e.Until = until
	return e
}

// Error returns the sentence and, after a colon, the cause; the cause alone where there is no sentence. The remedy is not
// part of it: see RemedyOf.
func (e *Error) Error() string {
	if e.Cause == nil {
		return e.Sentence
	}
	if e.Sentence == "" {
		return lineOf(e.Cause)
	}
	return e.Sentence + ": " + lineOf(e.Cause)
}

// Unwrap returns the cause, so that errors.Is and errors.As see through.
func (e *Error) Unwrap() error { return e.Cause }

// ClassOf returns the class of the outermost Error in err's chain, "" for nil. Without one, a cancelled context is Stopped
// (a signal or the deadline ended whatever returned it) and anything else Internal.
func ClassOf(err error) Class {
	if err == nil {
		return ""
	}
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Class
	}
	if errors.Is(err, context.Canceled) {
		return Stopped
	}
	return Internal
}

// RemedyOf returns the first remedy in err's chain, or "".
func RemedyOf(err error) Remedy {
	for err != nil {
		e, ok := errors.AsType[*Error](err)
		if !ok {
			return ""
		}
		if e.Remedy != "" {
			return e.Remedy
		}
		err = e.Cause
	}
	return ""
}

// UntilOf returns the first moment in err's chain at which what stands in the way ends by itself, or zero.
func UntilOf(err error) time.Time {
	for err != nil {
		e, ok := errors.AsType[*Error](err)
		if !ok {
			break
		}
		if !e.Until.IsZero() {
			return e.Until
		}
		err = e.Cause
	}
	return time.Time{}
}

// Clean makes text from outside fit to be shown; see outside.Clean.
func Clean(text string) string { return outside.Clean(text) }
