package client

// How a run of certbot's ended, by what it wrote itself. A kill leaves no word, so that what was
// written last decides: each request that follows takes back what was read before it.

import "bytes"

// marks are what a run wrote about its end, the last of each kind.
type marks struct{ signal, abnormal, interrupt, whole, selecting bool }

// mark keeps what a run writes about its own end.
func (c *certbot) mark(now *run, logger []byte, r record) {
	m := r.message
	switch string(logger) {
	case "error_handler":
		if begins(m, "Encountered exception:") {
			c.gaveUp(now)
		}
		if begins(m, "Encountered signals: [") ||
			begins(m, "Calling signal ") {
			now.marks.signal = true
		}
	case "main", "log":
		switch {
		case begins(m, "Exiting abnormally:"):
			c.gaveUp(now)
			now.marks.abnormal = true
			now.marks.interrupt = bytes.HasSuffix(bytes.TrimSpace(m), []byte("\nKeyboardInterrupt"))
		case begins(m, "Picked account: "):
			now.marks.selecting = true
			if u := between(m, "uri='", "'"); usable(u) {
				now.account = u
			} else if u := between(m, "uri=u'", "'"); usable(u) {
				now.account = u
			}
		}
	case "renewal":
		if bytes.Contains(m, []byte("with error: ")) ||
			bytes.Contains(m, []byte("unexpected error: ")) {
			c.gaveUp(now)
		}
	case "plugins.selection":
		now.marks.selecting = true
	}
	if m = m[:min(len(m), 4096)]; !endsIn(logger) {
		return
	}
	switch {
	case saysEnd(m):
		now.marks.whole, now.marks.selecting = true, false
	case saysOrder(m):
		now.marks.whole = false
	}
}

// endsIn says whether a logger is one of those by which certbot says how it ended.
func endsIn(logger []byte) bool {
	for _, one := range [...]string{"renewal", "display", "reporter", "main", "client", "log",
		"util"} {
		if begins(logger, one) {
			return true
		}
	}
	return false
}

// saysEnd says whether a message is one that certbot ends with. Those about an account end the verbs
// that are about nothing else, and are not the last words where a certificate is ordered next.
func saysEnd(m []byte) bool {
	for _, end := range [...]string{"no renewal failures", "If you like Certbot", "Congratulations",
		"Successfully received certificate", "Successfully deployed certificate",
		"Deploying certificate", "Deploying Certificate", "The dry run was successful",
		"no action taken", "Keeping the existing certificate",
		"Account registered.", "Account deactivated.", "Account details for server",
		"account credentials have been saved", "Your e-mail address was updated",
		"contact information associated with this account has been removed",
		"Could not find an existing account", "Could not find existing account"} {
		if bytes.Contains(m, []byte(end)) {
			return true
		}
	}
	return false
}

// saysOrder says whether a message is one that an order begins with.
func saysOrder(m []byte) bool {
	for _, begin := range [...]string{"Requesting a certificate", "Renewing an existing certificate",
		"Simulating renewal of", "Obtaining a new certificate"} {
		if bytes.Contains(m, []byte(begin)) {
			return true
		}
	}
	return false
}

// over says that a run wrote its end.
func (r *run) over() bool { return r.marks.abnormal || r.marks.whole }

// gaveUp: certbot logs that a request failed; there will be no answer to it.
func (c *certbot) gaveUp(now *run) {
	for _, one := range c.runs {
		if one != now && one.out != nil && one.last+lull >= now.last {
			return // may be the other's
		}
	}
	now.drop(c.sink)
}

// end is the run's end.
func (r *run) end(sink Sink) {
	r.drop(sink)
	fate := Whole
	switch {
	case r.marks.signal || r.marks.interrupt:
		fate = Signaled
	case r.marks.abnormal:
		fate = Failed
	case r.marks.whole:
	case r.asked > 0 || r.marks.selecting:
		fate = Killed
	}
	sink.End(r.ended(sink, fate, false))
}

// ended is the run as it is told, after its last attempt.
func (r *run) ended(sink Sink, fate Fate, atWork bool) Run {
	r.confirm(sink, nil)
	r.settleAt(sink, fate, r.place)
	return Run{Began: r.began.in(r.zone), Ended: r.last.in(r.zone), Fate: fate, Step: r.step,
		Place: r.place, Mark: r.mark, AtWork: atWork}
}
