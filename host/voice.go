package host

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// A run finds some things more than once (the checks are made again after the pre-hooks), and some
// of what it does takes long. Voice is what keeps a person from reading the same warning twice, and
// from taking a run that waits for one that hangs.

// Reporter tells a person what is going on.
type Reporter interface {
	// Say prints a line that belongs to the command's result.
	Say(format string, args ...any)
	// Tell prints a line for a person who watches: what goes on, what is waited for.
	Tell(format string, args ...any)
	// Warn prints a line that somebody should read although the command goes on.
	Warn(format string, args ...any)
}

// Voice is the Reporter of a run, or of what is said of one certificate in it.
type Voice struct {
	Reporter
	*once
}

// once is what a run has warned of.
type once struct {
	mu     sync.Mutex
	warned map[string]bool
}

// NewVoice speaks through r.
func NewVoice(r Reporter) *Voice {
	return &Voice{Reporter: r, once: &once{warned: map[string]bool{}}}
}

type speakerKey struct{}

// Speaking lets what is said of one certificate be said through r, for as long as it is worked on
// under the context: what many say at once would be mixed.
func Speaking(ctx context.Context, r Reporter) context.Context {
	return context.WithValue(ctx, speakerKey{}, r)
}

type lineageKey struct{}

// About lets the log tell which lineage is worked on under the context.
func About(ctx context.Context, lineage string) context.Context {
	return context.WithValue(ctx, lineageKey{}, lineage)
}

// LineageIn is the lineage that is worked on under a context, "" where nobody has said so.
func LineageIn(ctx context.Context) string {
	lineage, _ := ctx.Value(lineageKey{}).(string)
	return lineage
}

// Apart is a Reporter that keeps what is said under one context apart from what is said under another:
// its log says which certificate a line is about.
type Apart interface {
	Under(ctx context.Context) Reporter
}

// Under is r for what is said under ctx.
func Under(ctx context.Context, r Reporter) Reporter {
	if apart, ok := r.(Apart); ok {
		return apart.Under(ctx)
	}
	return r
}

// In is the voice for what is said under ctx.
func (v *Voice) In(ctx context.Context) *Voice {
	r, ok := ctx.Value(speakerKey{}).(Reporter)
	if !ok {
		r = v.Reporter
	}
	return &Voice{Reporter: Under(ctx, r), once: v.once}
}

// WarnOnce warns of what a run may find more than once.
func (v *Voice) WarnOnce(format string, args ...any) {
	sentence := fmt.Sprintf(format, args...)
	v.mu.Lock()
	known := v.warned[sentence]
	v.warned[sentence] = true
	v.mu.Unlock()
	if !known {
		v.Warn(format, args...)
	}
}

// Slowly tells of work that takes longer than a second: a hook, whoever it is for. It is called
// when that begins, and what it returns when it has ended.
func (v *Voice) Slowly(format string, args ...any) (ended func()) {
	told := make(chan struct{})
	timer := time.AfterFunc(time.Second, func() {
		defer close(told)
		v.Tell("Waiting for "+format+".", args...)
	})
	return func() {
		if !timer.Stop() {
			<-told // nothing is told from two goroutines at once
		}
	}
}
