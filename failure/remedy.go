package failure

// What a person can do about an error, as a value. Some of it is done with Orderly itself, and how
// that is called differs with who asks: a command line, a page, a service on another host. The
// packages that know what is to be done therefore name the step and what it is done to, and whoever
// shows it has the words. An engine that spelled out flags would have to change with each of them,
// and would tell a tenant of a service to run a program that is not there.

import (
	"encoding/json"
	"strings"

	"orderly/outside"
)

// Remedy is what to do about an error: sentences, in which each step that is done with Orderly
// stands as Do makes it. It must not be shown unless Say has put the steps into words.
type Remedy string

// Advise makes a remedy of a format and what belongs into it: a Remedy as it is, anything else
// without what could break a line or pass for a step.
func Advise(format string, args ...any) Remedy { return Remedy(Words(format, args...)) }

// For completes a remedy with the certificate that it is for: who checks a document root knows
// names alone.
func (r Remedy) For(lineage string) Remedy {
	for _, step := range []Step{NameRoot, Retire} {
		r = Remedy(strings.ReplaceAll(string(r), string(Do(step)), string(Do(step, lineage))))
	}
	return r
}

// Cleaned is a remedy that holds its steps and else nothing that does something.
func (r Remedy) Cleaned() Remedy { return r.cleaned(outside.Line) }

func (r Remedy) cleaned(clean func(string) string) Remedy {
	var all Remedy
	for i, part := range r.parts() {
		if i%2 == 0 {
			all += Remedy(clean(part[0]))
		} else {
			all += mark(Step(part[0]), part[1:], outside.Line)
		}
	}
	return all
}

// Say is the remedy in words: its sentences as they are, and each step as put says it.
func (r Remedy) Say(put func(step Step, args []string) string) string {
	var said strings.Builder
	for i, part := range r.parts() {
		if i%2 == 0 {
			said.WriteString(part[0])
		} else {
			said.WriteString(put(Step(part[0]), part[1:]))
		}
	}
	return said.String()
}

// parts are what stands outside of the steps, as one word each, and in turn the steps with their
// arguments. A step that does not end is none: nothing of a sentence may be lost.
func (r Remedy) parts() (all [][]string) {
	rest := string(r)
	for {
		before, after, found := strings.Cut(rest, stepBegins)
		step, behind, whole := strings.Cut(after, stepEnds)
		if !found || !whole {
			return append(all, []string{rest})
		}
		all = append(all, []string{before}, strings.Split(step, stepComma))
		rest = behind
	}
}

// Keep is the remedy as a ledger keeps it, to be shown later by whoever reads it then: a sentence
// without a step as it is, otherwise its parts in JSON, which has no character that a terminal
// obeys. Kept reads it.
func (r Remedy) Keep() string {
	parts := r.parts()
	if len(parts) == 1 && !strings.HasPrefix(string(r), "[[") {
		return string(r)
	}
	text, _ := json.Marshal(parts) // strings always can be
	return string(text)
}

// Kept is the remedy that Keep made the text of. What older versions kept is a sentence.
func Kept(text string) Remedy {
	var parts [][]string
	if !strings.HasPrefix(text, "[[") || json.Unmarshal([]byte(text), &parts) != nil {
		return Remedy(text)
	}
	var r Remedy
	for i, part := range parts {
		switch {
		case len(part) == 0:
		case i%2 == 0:
			r += Remedy(part[0])
		default:
			r += mark(Step(part[0]), part[1:], outside.Line)
		}
	}
	return r
}
