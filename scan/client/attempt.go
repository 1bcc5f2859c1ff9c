package client

// One attempt at one certificate, and what came of it. A failure is logged several times: the CA's
// answer, the client's report of it, the error of the certificate, the error of the run. It is told
// once, by the surest: what the CA said of a name counts before what it answered to a request, and
// that before the client's words.

import (
	"slices"
	"strings"
	"time"
)

const (
	// maxText bounds what is kept of a failure's text.
	maxText = 4 << 10
	// maxFailed bounds the names of an attempt: no CA allows more in a certificate.
	maxFailed = 100
)

// Failure is one attempt at one certificate that came to nothing, or what was said of one name of
// it.
type Failure struct {
	Client  string // the program's name
	Lineage string // "" where the log does not say
	// Names are whose failure it is where the text names none; an empty list, other than nil, says
	// that it is the whole certificate's, or the run's.
	Names []string
	// Kind is the type of the CA's problem about the only name, Text its detail. Without a Kind the
	// text is whatever was said.
	Kind, Text string
	// Killed says that the attempt ended without a word, at Step, after Seconds.
	Killed  bool
	Step    Step
	Seconds float64
	Until   time.Time // of the answer's Retry-After
	At      time.Time
	Place   Place
}

// Renewal is an attempt that ended with a certificate.
type Renewal struct {
	Lineage string
	Names   []string
	At      time.Time
	Place   Place
}

// attempt is what is known of one until it is over.
type attempt struct {
	lineage  string
	names    []string
	asked    bool // something was sent for it
	bodies   []Failure
	problem  Failure // what the CA answered to a request
	of       string  // the URL of that request
	words    Failure // the client's
	obtained moment
}

// failed says whether the attempt has a reason to have failed.
func (t *attempt) failed() bool {
	return len(t.bodies) > 0 || t.problem.Text != "" || t.words.Text != ""
}

// empty says that nothing befell.
func (t *attempt) empty() bool { return !t.asked && !t.failed() && t.obtained == 0 }

// orders notes that the names are asked for. An attempt that is over makes room for the next.
func (r *run) orders(sink Sink, names []string, url string) {
	t := &r.attempt
	if t.obtained != 0 || len(t.bodies) > 0 || len(t.names) > 0 && !r.retries(names, url) {
		r.settle(sink)
	}
	if t.of == url {
		t.problem, t.of = Failure{}, ""
	}
	for _, name := range names { // one a request in ACMEv1
		t.asksFor(name)
	}
}

// asksFor takes up a name.
func (t *attempt) asksFor(name string) {
	if name != "" && !slices.Contains(t.names, name) && len(t.names) < maxFailed {
		t.names = append(t.names, name)
	}
}

// retries says whether names are of the attempt that is under way: a request that is sent again, or
// one of ACMEv1's, which asks for each name by itself.
func (r *run) retries(names []string, url string) bool {
	t := &r.attempt
	if r.v1 {
		return t.words.Text == ""
	}
	return sameNames(t.names, names) && t.words.Text == "" && (t.problem.Text == "" || t.of == url)
}

// invalid: the CA says why it could not validate a name.
func (r *run) invalid(name string, kind, detail string, a *answer) {
	if detail == "" || name == "" {
		return
	}
	r.body(Failure{Names: []string{name}, Kind: kind, Text: detail, At: a.when(r.zone),
		Place: a.place})
}

// body keeps what was said of one name, once.
func (r *run) body(f Failure) {
	for _, told := range r.attempt.bodies {
		if told.Names[0] == f.Names[0] {
			return
		}
	}
	if len(r.attempt.bodies) < maxFailed {
		f.Text = bounded(f.Text)
		r.attempt.bodies = append(r.attempt.bodies, f)
	}
}

// denied: the CA refused a request of the attempt. The first refusal is the cause; what it says to
// a nonce is asked again by every client.
func (r *run) denied(q *request, a *answer) {
	if q.method != "POST" || !r.names(q) || r.attempt.problem.Text != "" ||
		strings.HasSuffix(a.said.kind, ":badNonce") {
		return
	}
	text := strings.TrimSpace(string(a.body[:min(len(a.body), maxText)]))
	if text == "" {
		text = "HTTP " + decimals(a.status)
	} else if !a.json {
		text = "HTTP " + decimals(a.status) + " from the CA: " + text
	}
	f := Failure{Text: bounded(text), At: a.when(r.zone), Place: a.place}
	if q.step == Challenge {
		if name := r.nameOf(r.lineage.challenges[q.url]); name != "" && !strings.Contains(name, ",") {
			f.Names = []string{name}
		}
	}
	f.Until = a.until(f.At)
	r.attempt.problem, r.attempt.of = f, q.url
}

// names says whether a request is of an order, by what it asks or by a URL that the CA named.
func (r *run) names(q *request) bool {
	if len(q.names) > 0 {
		return true
	}
	l := &r.lineage
	if l.authz[q.url] != nil || l.challenges[q.url] != "" {
		return true
	}
	return slices.ContainsFunc(l.orders, func(o *placed) bool {
		return q.url != "" && (q.url == o.url || q.url == o.finalize || q.url == o.certificate)
	})
}

// says keeps the client's own words about the failure; the first are the closest.
func (r *run) says(text string, place Place) {
	if text = strings.TrimSpace(text); text != "" && r.attempt.words.Text == "" {
		r.attempt.words = Failure{Text: bounded(text), At: r.last.in(r.zone), Place: place}
	}
}

// goesOn adds a line to the client's words.
func (r *run) goesOn(line string) {
	if w := &r.attempt.words; w.Text != "" && len(w.Text)+len(line) < maxText {
		w.Text += "\n" + strings.TrimSpace(line)
	}
}

// gets notes that the certificate is there.
func (r *run) gets() {
	r.attempt.obtained = max(r.last, 1)
}

// tell tells the sink of a failure.
func (r *run) tell(sink Sink, f Failure) {
	f.Client = r.client
	if f.Lineage == "" {
		f.Lineage = r.attempt.lineage
	}
	if len(f.Names) > maxFailed {
		f.Names = f.Names[:maxFailed]
	}
	if f.Names == nil {
		f.Names = slices.Clone(r.attempt.names)
	}
	if len(f.Names) == 0 && r.client != "certbot" && f.Lineage != "" {
		f.Names = []string{f.Lineage} // these call a certificate by its first name
	}
	if f.Text != "" || f.Killed {
		sink.Fail(f)
	}
}

// note keeps a name, or a lineage, of which it was told already that it failed.
func (r *run) note(name string) {
	if r.failed == nil {
		r.failed = map[string]bool{}
	}
	if len(r.failed) < maxLoose {
		r.failed[name] = true
	}
}

// settle tells what came of the attempt, which is over.
func (r *run) settle(sink Sink) {
	t := &r.attempt
	switch {
	case t.obtained != 0:
		sink.Renew(Renewal{Lineage: t.lineage, Names: slices.Clone(t.names), At: t.obtained.in(r.zone),
			Place: r.place})
	case len(t.bodies) > 0:
		for _, f := range t.bodies {
			r.note(strings.TrimPrefix(f.Names[0], "*."))
			r.tell(sink, f)
		}
	case t.problem.Text != "":
		r.tell(sink, t.problem)
	default:
		r.tell(sink, t.words)
	}
	r.attempt = attempt{}
}

// settleAt tells what came of the last attempt of a run, by how the run ended.
func (r *run) settleAt(sink Sink, fate Fate, place Place) {
	t := &r.attempt
	if (fate == Killed || fate == Signaled) && t.asked && !t.failed() && t.obtained == 0 &&
		(len(t.names) > 0 || t.lineage != "") {
		ended := r.last.in(r.zone)
		r.tell(sink, Failure{Killed: true, Step: r.step, At: ended, Place: place,
			Seconds: ended.Sub(r.began.in(r.zone)).Seconds()})
	}
	r.settle(sink)
}

// bounded is what is kept of a text.
func bounded(text string) string {
	if len(text) > maxText {
		text = text[:maxText]
	}
	return strings.Clone(strings.ToValidUTF8(text, "\uFFFD"))
}

func decimals(n int) string {
	if n < 10 {
		return string(rune('0' + max(0, n)))
	}
	return decimals(n/10) + string(rune('0'+n%10))
}
