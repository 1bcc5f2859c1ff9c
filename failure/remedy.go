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

// Step is something that a person does with Orderly. The values are in ledgers, and stay.
type Step string

// The steps, each with its arguments.
const (
	Resume           Step = "resume"             // go on with all that is unfinished
	ShowOrder        Step = "show-order"         // see the history of an order: its id
	ShowLimits       Step = "show-limits"        // see what is left of every budget
	DrainPending     Step = "drain-pending"      // finish what is pending at the CA
	PriceRelease     Step = "price-release"      // see what it costs to give up what is pending
	Unpause          Step = "unpause"            // let names be ordered again: the names
	ChangeAccountKey Step = "change-account-key" // give an account another key: server, account
	AnotherKey       Step = "another-key"        // renew with another key: lineage, as OfKey
	OfKey            Step = "of-key"             // what asks for a key: some of the below
	Insist           Step = "insist"             // what tries at once, whatever the back-off
	OtherCA          Step = "other-ca"           // what asks another CA
	OtherAccount     Step = "other-account"      // what names another account
	GiveNames        Step = "give-names"         // what says which names a certificate is for
	DocumentRoot     Step = "document-root"      // what names a document root
	OwnPort          Step = "own-port"           // what says where the run's own web server listens
	ProveByDNS       Step = "prove-by-dns"       // what proves names by DNS records
)

// What OfKey and AnotherKey ask for.
const (
	RSA2048   = "rsa-2048"
	P256      = "p-256"
	NewKey    = "new"       // a key as before, but a new one
	Unstapled = "unstapled" // without OCSP Must Staple
)

// The marks around a step and between its arguments. Clean leaves none of them in text from
// outside, so that no name or page can pass for a step.
const (
	stepBegins = "\x02"
	stepEnds   = "\x03"
	stepComma  = "\x1f"
)

// Do is a step within a remedy.
func Do(step Step, args ...string) Remedy {
	parts := []string{string(step)}
	for _, arg := range args {
		parts = append(parts, outside.Clean(arg))
	}
	return Remedy(stepBegins + strings.Join(parts, stepComma) + stepEnds)
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
			r += Do(Step(part[0]), part[1:]...)
		}
	}
	return r
}
