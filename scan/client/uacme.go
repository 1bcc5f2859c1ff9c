package client

// uacme -v: one line a step, without dates but for the run's own. It goes over the authorizations
// one after the other, and says nothing of one that is valid already. What it had not come to when it
// failed, or was killed, no line names: of such an order its own URL is told.

import (
	"bytes"
	"path"
	"strings"
	"time"
)

type uacme struct {
	started
	authz, challenge, name string
	order, certificate     string
	pending                bool // the authorization at hand was seen to be so
	failed                 bool
	reporting              bool // what follows is the CA's answer, over several lines
}

func (u *uacme) line(sink Sink, b []byte, place Place) bool {
	i := bytes.Index(b[:min(len(b), 256)], []byte("uacme: "))
	if i < 0 {
		return u.reported(string(b[:min(len(b), maxText)]))
	}
	text := string(b[i+len("uacme: "):])
	u.reporting = false
	switch {
	case strings.HasPrefix(text, "version "):
		u.end(sink, Killed)
		u.begin(place, uacmeTime(text), "uacme")
	case strings.HasPrefix(text, "fetching directory at "):
		u.open(place)
		u.run.step, u.run.server = Directory, after(text, "fetching directory at ")
		u.run.origin = originOf(u.run.server)
	case strings.HasPrefix(text, "account location: "):
		u.open(place)
		if account := after(text, "account location: "); usable(account) {
			u.run.account = account
		}
	case strings.HasPrefix(text, "checking existence and expiration of "):
		u.open(place)
		u.certificate = ofFile(path.Dir(after(text, "checking existence and expiration of ")))
		u.run.attempt.lineage = u.certificate
	case strings.HasPrefix(text, "creating new order "):
		u.open(place)
		u.run.step = NewOrder
	case strings.HasPrefix(text, "retrieving authorization at "):
		u.retrieve(sink, after(text, "retrieving authorization at "), place)
	case strings.HasPrefix(text, "order location: "):
		u.open(place)
		u.order = after(text, "order location: ")
		u.ofOrder(sink, Partial, place)
	case !u.on:
		return false
	default:
		return u.goesOn(sink, text, place)
	}
	return true
}

func (u *uacme) open(place Place) {
	if !u.on {
		u.begin(place, 0, "uacme")
	}
}

// retrieve is the next authorization; the one before it was valid already if nothing was done to it.
func (u *uacme) retrieve(sink Sink, url string, place Place) {
	u.open(place)
	u.passed(sink, place)
	u.authz, u.challenge, u.name, u.pending = "", "", "", false
	if usable(url) {
		u.authz = url
		u.run.step = Authorization
		u.see(sink, Named, url, "", place)
	}
}

// passed says that the authorization at hand needed nothing.
func (u *uacme) passed(sink Sink, place Place) {
	if u.authz != "" && !u.pending && !u.failed {
		u.see(sink, Final, u.authz, "", place)
	}
}

func (u *uacme) goesOn(sink Sink, text string, place Place) bool {
	switch {
	case strings.HasPrefix(text, "running "):
		// running HOOK begin TYPE NAME TOKEN KEYAUTH
		if words := strings.Fields(text); len(words) >= 5 && u.authz != "" {
			for i, w := range words[:len(words)-2] {
				if w == "begin" {
					u.name, u.pending = words[i+2], true
					u.see(sink, Named, u.authz, u.name, place)
					u.run.attempt.asksFor(u.name)
				}
			}
		}
	case strings.HasPrefix(text, "starting challenge at "):
		u.challenge, u.pending = after(text, "starting challenge at "), true
		u.run.step = Challenge
		u.see(sink, Unanswered, u.authz, u.name, place)
	case strings.HasPrefix(text, "failed to start challenge at "):
		u.fails(text, place) // what the CA said is not known: it stays doubtful
	case strings.HasPrefix(text, "polling challenge status at "):
		u.run.step = Poll
		if after(text, "polling challenge status at ") == u.challenge {
			u.see(sink, Final, u.authz, u.name, place)
		}
	case strings.HasPrefix(text, "challenge ") && strings.Contains(text, " failed with status "):
		u.see(sink, Final, u.authz, u.name, place)
		u.fails(text, place)
	case strings.HasPrefix(text, "polling order status at "):
		u.passed(sink, place)
		u.authz = ""
		u.run.step = Order
		u.ofOrder(sink, Final, place)
	case strings.HasPrefix(text, "finalizing order at "):
		u.run.step = Finalize
	case strings.HasPrefix(text, "retrieving certificate at "):
		u.run.step = Certificate
	case strings.HasPrefix(text, "saving certificate to "), strings.HasPrefix(text, "renaming "):
		u.run.gets()
		u.end(sink, Whole)
	case strings.HasPrefix(text, "failed to "), strings.HasPrefix(text, "unexpected "),
		strings.HasPrefix(text, "the server reported"), strings.HasPrefix(text, "timeout"):
		u.fails(text, place)
		u.reporting = strings.HasPrefix(text, "the server reported")
	default:
		return false
	}
	return true
}

// fails takes a line that says what went wrong, of the name at hand where there is one.
func (u *uacme) fails(text string, place Place) {
	u.failed = true
	if u.run.attempt.words.Text != "" {
		u.run.goesOn("uacme: " + text)
		return
	}
	u.run.says("uacme: "+text, place)
	if u.name != "" {
		u.run.attempt.words.Names = []string{u.name}
	}
}

// reported takes a line of what the CA said.
func (u *uacme) reported(line string) bool {
	if u.on && u.reporting {
		u.run.goesOn(line)
	}
	return u.on && u.reporting
}

// ofOrder tells that the order has authorizations which are not named, or that it is past them.
func (u *uacme) ofOrder(sink Sink, kind Kind, place Place) {
	u.run.see(sink, Sighting{Kind: kind, URL: u.order, Order: u.order, Name: u.certificate,
		At: u.run.last.in(u.run.zone), Place: place})
}

func (u *uacme) end(sink Sink, fate Fate) {
	if u.failed && fate == Killed {
		fate = Failed
	}
	if fate == Killed && u.run.step == NewOrder && u.order == "" {
		u.lose(sink, u.certificate)
	}
	u.finish(sink, fate)
	*u = uacme{}
}

func after(text, prefix string) string { return strings.TrimSpace(text[len(prefix):]) }

// uacmeTime reads `version 1.7.4 starting on Sat, 28 Nov 2026 03:03:58 +0000`.
func uacmeTime(text string) moment {
	_, date, ok := strings.Cut(text, " starting on ")
	if !ok {
		return 0
	}
	t, err := time.Parse(time.RFC1123Z, strings.TrimSpace(date))
	if err != nil {
		return 0
	}
	return moment(t.UnixNano())
}
