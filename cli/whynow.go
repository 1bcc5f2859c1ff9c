package cli

// What why knows of this moment: what stands on disk for a name, what the checks say of it, and the
// verdict that comes of both and of the past.

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"orderly/certbot"
	"orderly/diagnose"
	"orderly/failure"
	"orderly/history"
	"orderly/host"
	"orderly/preflight"
	"orderly/renewal"
	"orderly/solver/webroot"
)

// lineageView is a certificate with the name, and what is configured for it.
type lineageView struct {
	Lineage       string     `json:"lineage"`
	Names         []string   `json:"names"`
	Expires       *time.Time `json:"expires"` // null where the files cannot be read
	DueAt         *time.Time `json:"due_at"`
	DueBecause    string     `json:"due_because,omitempty"`
	Explanation   string     `json:"explanation_url,omitempty"` // the CA's, of why it is due then
	Authenticator string     `json:"authenticator"`
	Root          string     `json:"document_root"`
	Server        string     `json:"server"`
	File          string     `json:"renewal_file"`
	Error         string     `json:"error"` // why it cannot be renewed, as far as its files show

	dueNote string // what a person is to know of why it is due then
}

// words is a lineage for a person.
func (l lineageView) words() string {
	if l.Error != "" {
		return l.Lineage + ", not renewable: " + l.Error
	}
	said := l.Lineage
	if l.Expires != nil {
		said += ", expires " + clock(*l.Expires)
	}
	if l.DueAt != nil {
		said += ", due " + clock(*l.DueAt) + becauseOf(l.DueBecause)
	}
	if l.dueNote != "" {
		said += " (" + l.dueNote + ")"
	}
	return said
}

// becauseOf says for a person why a certificate is due when it is; nothing where it is the usual
// time.
func becauseOf(because string) string {
	switch because {
	case renewal.DueByCA:
		return " as the CA suggests"
	case renewal.DueByFile:
		return " as its renewal file says"
	case renewal.DueRevoked:
		return " since it was revoked"
	}
	return ""
}

// checkView is what a check says.
type checkView struct {
	Check   string        `json:"check"`
	Verdict string        `json:"verdict"`
	Class   failure.Class `json:"class"`
	Error   string        `json:"error"`
	Remedy  string        `json:"remedy"`
}

// onDisk is what the disk has for a name.
type onDisk struct {
	found []standing
	known renewal.Known
}

// standing is one lineage as it stands on disk.
type standing struct {
	name    string // of the lineage
	path    string
	lineage *certbot.Lineage // nil where it cannot be read
	err     error
}

// onDisk looks for the lineages with a name, and for one of its name that cannot be read.
func (f *why) onDisk(ctx context.Context, s *session, name string) (*onDisk, error) {
	disk := (&certbot.Store{Dirs: s.dirs}).Within(ctx)
	names, err := disk.Names()
	if err != nil {
		return nil, err
	}
	looked := make([]standing, len(names))
	disk.LookEach(names, func(i int, l *certbot.Lineage, err error) {
		one := standing{name: names[i], path: disk.Dirs.Renewal(names[i]), err: err}
		switch {
		case err != nil && names[i] == name:
		case err == nil && slices.ContainsFunc(l.Certificate.Names,
			func(n string) bool { return strings.EqualFold(n, name) }):
			one.lineage, one.err = l, l.Usable()
		default:
			return
		}
		looked[i] = one
	})
	on := &onDisk{}
	if s.ledger != nil {
		if on.known, err = renewal.ReadKnown(ctx, s.ledger); err != nil {
			return nil, err
		}
	}
	for _, one := range looked {
		if one.name != "" {
			on.found = append(on.found, one)
		}
	}
	return on, ctx.Err()
}

func (o *onDisk) lineages() []string {
	var names []string
	for _, one := range o.found {
		names = append(names, one.name)
	}
	return names
}

// views are the lineages as programs read them.
func (o *onDisk) views(name string) []lineageView {
	views := []lineageView{}
	for _, one := range o.found {
		v := lineageView{Lineage: one.name, Names: []string{}, File: one.path}
		if one.err != nil {
			v.Error = failure.Clean(one.err.Error())
		}
		if l := one.lineage; l != nil {
			c, params := l.Certificate, l.Renewal.Params
			v.Names, v.Authenticator, v.Server = c.Names, params.Authenticator, params.Server
			v.Expires = known(c.NotAfter.UTC())
			if due, err := o.known.Due(l); err == nil && !due.At.IsZero() {
				v.DueAt, v.DueBecause = known(due.At.UTC()), due.Because
				v.Explanation, v.dueNote = due.Explanation, dueNote(due)
			}
			if root, err := l.Renewal.Webroot(name); err == nil && params.Authenticator == "webroot" {
				v.Root = root
			}
		}
		views = append(views, v)
	}
	return views
}

// renewed is when a certificate with the name was put in place last, as far as disk and ledger tell.
func (o *onDisk) renewed(past history.Past) (at time.Time) {
	for _, one := range o.found {
		if one.lineage != nil && one.lineage.Certificate.NotBefore.After(at) {
			at = one.lineage.Certificate.NotBefore
		}
	}
	for _, when := range past.Renewed {
		if when.After(at) {
			at = when
		}
	}
	return at
}

// checks are what this host's checks say of a name now. Without --online nothing is written and
// nobody is asked.
func (f *why) checks(ctx context.Context, s *session, name string, on *onDisk) []preflight.Result {
	writer := &webroot.Writer{Tell: s.p.Tell}
	defer writer.Close()
	var all []preflight.Result
	refuse := func(err error) {
		all = append(all, preflight.Result{Check: host.LineageCheck, Name: name, Local: true,
			Verdict: preflight.Refuse, Class: failure.ClassOf(err), Sentence: err.Error(),
			Remedy: failure.RemedyOf(err)})
	}
	for _, one := range on.found {
		if one.err != nil {
			refuse(one.err)
			continue
		}
		request, err := host.FromFile(one.lineage, host.Said{})
		if err != nil {
			refuse(err)
			continue
		}
		root := request.Webroots[name]
		if root == "" {
			continue // a hook or a web server of the run's own proves it
		}
		results := []preflight.Result{}
		if f.online {
			results = f.fetched(ctx, s, writer, preflight.Site{Name: name, Root: root})
		} else {
			results = append(results, planned(ctx, writer, name, root))
		}
		for _, r := range results {
			r.Remedy = r.Remedy.For(one.name)
			all = append(all, r)
		}
	}
	if f.online && len(on.found) == 0 {
		all = append(all, f.resolved(ctx, s, writer, name)...)
	}
	return all
}

// resolved is what DNS says of a name that logs or orders alone know: there is nothing here to fetch.
func (f *why) resolved(ctx context.Context, s *session, writer *webroot.Writer,
	name string) []preflight.Result {
	results := f.fetched(ctx, s, writer, preflight.Site{Name: name, Elsewhere: "another client"})
	return slices.DeleteFunc(results, func(r preflight.Result) bool { return r.Check != preflight.DNS })
}

// fetched are all checks of a site.
func (f *why) fetched(ctx context.Context, s *session, writer *webroot.Writer,
	site preflight.Site) []preflight.Result {
	checker := &preflight.Checker{Resolver: f.resolver, Port: f.port, UserAgent: userAgent(),
		Writer: writer, Now: time.Now, Tell: s.p.Tell}
	return checker.Check(ctx, []preflight.Site{site}).Results
}

// planned asks the writer what it would do.
func planned(ctx context.Context, writer *webroot.Writer, name, root string) preflight.Result {
	r := preflight.Result{Check: preflight.Writable, Name: name, Verdict: preflight.Pass, Local: true}
	if _, err := writer.Plan(ctx, root, webroot.NewProbe().Token); err != nil {
		r.Verdict, r.Class, r.Sentence = preflight.Refuse, failure.ClassOf(err), err.Error()
		r.Remedy = failure.RemedyOf(err)
	}
	return r
}

// The verdicts.
const (
	fine     = "fine"
	fails    = "fails"     // it failed last
	mended   = "mended"    // what it failed of last is there now, and nothing was renewed since
	willFail = "will-fail" // a check forbids the next order
	doubtful = "doubtful"  // a check of the network disagrees with a renewal that went well
)

// verdictWords are said where a verdict has no error.
func verdictWords(verdict string) string {
	if verdict != fine {
		return ""
	}
	return "nothing stands in the way of its renewal, as far as can be seen from here"
}

// believed is for how long a renewal that went well counts more than what the network looks like from
// here.
const believed = 90 * 24 * time.Hour

// judgement is what a verdict is made of.
type judgement struct {
	checks  []preflight.Result
	past    history.Past
	renewed time.Time
	now     time.Time
}

// last is the newest failure that nothing renewed came after: on this server what disk and ledger
// have, elsewhere what the logs tell.
func (j judgement) last() *history.Entry {
	for i, e := range slices.Backward(j.past.Failures) {
		if !j.past.Over(e) && (e.Server != "" || !j.renewed.After(e.At)) {
			return &j.past.Failures[i]
		}
	}
	return nil
}

// mended reports whether a failure was of something on this host's disk that the checks find in order
// now.
func (j judgement) mended(last *history.Entry) bool {
	switch last.Class {
	case failure.WebrootUnset, failure.WebrootGone, failure.WebrootLocked, failure.RenewalFile,
		failure.LineageBroken:
	default:
		return false
	}
	return last.Server == "" && slices.ContainsFunc(j.checks, func(r preflight.Result) bool {
		return r.Check == preflight.Writable && r.Verdict == preflight.Pass
	})
}

// judge makes the verdict.
func (v *whyView) judge(p *printer, name string, j judgement) {
	v.Verdict = fine
	refusal := preflight.Report{Results: j.checks}.Refusal()
	last := j.last()
	switch {
	case refusal != nil && refusal.Local:
		v.Verdict = willFail
		v.because(p, name, refusal.Class, refusal.Sentence, refusal.Remedy)
	case last != nil && j.mended(last):
		v.Verdict, v.Class = mended, last.Class
		v.Error = fmt.Sprintf("it failed on %s (%s); what was wanting is there now, and nothing was "+
			"renewed since", last.At.UTC().Format(time.DateOnly), last.Class)
		v.Who, v.Retry, v.Remedy = failure.Nobody, failure.RetryOnce, "Wait for the next renewal, or renew it now."
	case last != nil:
		v.Verdict = fails
		v.because(p, name, last.Class, last.Sentence, last.Remedy)
		v.Customer, v.Server = last.Customer, last.Server
		if last.Until.After(j.now) {
			v.Until = known(last.Until)
		}
	case refusal != nil:
		v.Verdict = willFail
		if j.now.Sub(j.renewed) < believed {
			v.Verdict = doubtful
		}
		v.because(p, name, refusal.Class, refusal.Sentence, refusal.Remedy)
	}
	if v.Verdict == doubtful {
		v.Error = fmt.Sprintf("%s; but it was renewed on %s", v.Error, j.renewed.UTC().Format(time.DateOnly))
	}
}

// because takes up why a name fails.
func (v *whyView) because(p *printer, name string, class failure.Class, sentence string,
	remedy failure.Remedy) {
	known := diagnose.Known(class, name)
	if remedy == "" {
		remedy = known.Remedy
	}
	v.Class, v.Who, v.Retry, v.Error, v.Remedy = class, class.Who(), class.Retry(), sentence,
		p.remedy(remedy)
	v.Customer = known.Customer
}
