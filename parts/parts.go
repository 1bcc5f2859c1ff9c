// Package parts runs parts of one piece of work at once. A panic in a goroutine ends the process,
// and with it every other order that is under way; a panic of a part goes on in the goroutine that
// waits for the parts, where whoever began the work expects it. It must never lose where the panic
// came from, nor wait for anything but its parts.
package parts

import (
	"fmt"
	"runtime/debug"
	"sync"
	"sync/atomic"
)

// Group is the parts of one piece of work. The zero Group is ready.
type Group struct {
	group  sync.WaitGroup
	broken atomic.Pointer[Panic]
}

// Panic is what Wait panics with.
type Panic struct {
	Value any    // what the part panicked with
	Stack string // where
}

// Error is what the part panicked with: the stack is for logs.
func (p *Panic) Error() string { return fmt.Sprint(p.Value) }

// Go does a part.
func (g *Group) Go(part func()) {
	g.group.Go(func() {
		defer func() {
			if value := recover(); value != nil {
				g.broken.CompareAndSwap(nil, &Panic{value, string(debug.Stack())})
			}
		}()
		part()
	})
}

// Wait waits for all parts. Where one of them panicked it panics with a *Panic, the first one.
func (g *Group) Wait() {
	g.group.Wait()
	if broken := g.broken.Load(); broken != nil {
		panic(broken)
	}
}

// StackOf is where something that was recovered came from: the part that panicked, else the stack of
// whoever asks.
func StackOf(recovered any) string {
	if broken, ok := recovered.(*Panic); ok {
		return broken.Stack
	}
	return string(debug.Stack())
}
