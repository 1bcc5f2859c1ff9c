package preflight

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"orderly/failure"
	"orderly/solver/webroot"
)

// A name goes through the checks one after the other; what several share is looked at once.

// ground is one document root, which several names may share: it is looked at and written to once.
type ground struct {
	identity     webroot.Identity
	unfit        error // why it cannot be used
	lookTook     time.Duration
	probe        *webroot.Probe
	unwritable   error // why no probe could be written
	writeTook    time.Duration
	writeSkipped bool
}

// ground looks at root and writes the probe, or returns what an earlier name found.
func (r *round) ground(ctx context.Context, root string) *ground {
	if g, ok := r.grounds[root]; ok {
		return g
	}
	g := &ground{writeSkipped: r.Skip[Writable]}
	r.grounds[root] = g
	switch {
	case root == "":
		g.unfit = failure.New(failure.WebrootUnset, "Name it: "+failure.Do(failure.NameRoot)+
			", or write NAME = DIR under [[webroot_map]] in the renewal file.",
			"no document root is configured")
	case ctx.Err() != nil:
		g.unfit = stopped()
	}
	if g.unfit != nil {
		g.unwritable = g.unfit
		return g
	}
	began := r.now()
	identity, draft, unfit := r.Writer.Survey(ctx, root)
	g.identity, g.unfit = identity, unfit
	looked := r.now()
	g.lookTook = looked.Sub(began)
	if g.writeSkipped || g.unfit != nil && !r.Skip[Webroot] {
		return g
	}
	probe, err := draft.Write(ctx)
	g.writeTook = r.now().Sub(looked)
	if err != nil {
		g.unwritable = err
		return g
	}
	g.probe = &probe
	if !probe.IsAlone() {
		// Probes of killed runs would stay for ever. What cannot be removed does no harm and is tried
		// again next time.
		_, _ = r.Writer.RemoveStaleProbes(ctx, root, r.now())
	}
	return g
}

// clearing bounds the removal of probes after the end of the context: the process must be gone
// within two seconds.
const clearing = time.Second

// clear removes the probes, also after a signal, and returns, by document root, what could not be
// removed.
func (r *round) clear(ctx context.Context) map[string]error {
	for _, stop := range r.stops {
		stop()
	}
	// A signal may come before, or between two of many removals: none of them is given up for it.
	detached, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(clearing, cancel) })()
	left := map[string]error{}
	for root, g := range r.grounds {
		if g.probe == nil {
			continue
		}
		if err := r.Writer.Remove(detached, g.probe.Placement); err != nil {
			left[root] = err
		}
	}
	return left
}

func stopped() error {
	return failure.New(failure.Stopped, "Run the same command again.",
		"the checks were ended before they were done")
}

// subject is one name under examination.
type subject struct {
	site    Site
	ground  *ground
	answer  answer
	looked  *answer // what DNS said, where that shows where the name leads
	probed  probed
	served  served
	results [4]Result // in the order of Checks
	stage   atomic.Int32
}

// stage is what is waited for of a name.
type stage int32

const (
	idle stage = iota
	asking
	fetching
)

func (s *subject) at(now stage) { s.stage.Store(int32(now)) }

func (s *subject) set(check string, r Result) {
	r.Check, r.Name = check, s.site.Name
	r.Local = check == Webroot || check == Writable
	r.Sentence = failure.Clean(r.Sentence)
	r.Remedy = r.Remedy.Cleaned()
	s.results[slices.Index(Checks(), check)] = r
}

func (s *subject) skip(check, format string, args ...any) {
	s.set(check, Result{Verdict: Skipped, Sentence: failure.Words(format, args...)})
}

const onRequest = "not checked, as asked for"

// refusedLocally reports whether the document root already forbids an order.
func (s *subject) refusedLocally() bool {
	return s.results[0].Verdict == Refuse || s.results[1].Verdict == Refuse
}

// judgeGround sets the results of the local checks.
func (s *subject) judgeGround(r *round) {
	if s.site.rootless() {
		s.skip(Webroot, "not looked for: no document root proves %s", s.site.Name)
		s.skip(Writable, "not looked for: no document root proves %s", s.site.Name)
		return
	}
	g := s.ground
	switch {
	case r.Skip[Webroot]:
		s.skip(Webroot, onRequest)
	case g.unfit != nil:
		s.set(Webroot, s.refusal(g.unfit, g.lookTook))
	default:
		s.set(Webroot, Result{Verdict: Pass, Sentence: "document root " + s.site.Root + " for " + s.site.Name + " is there", Took: g.lookTook})
	}
	switch {
	case g.writeSkipped:
		s.skip(Writable, onRequest)
	case s.results[0].Verdict == Refuse:
		s.skip(Writable, "not checked: the document root has to be put right first")
	case g.unwritable != nil:
		s.set(Writable, s.refusal(g.unwritable, g.writeTook))
	default:
		s.set(Writable, Result{Verdict: Pass, Sentence: "document root " + s.site.Root + " for " + s.site.Name + " can be written", Took: g.writeTook})
	}
}

// refusal makes a Result of what the document root's check said, with the name in its sentence and
// remedy: a document root's own errors know no name.
func (s *subject) refusal(err error, took time.Duration) Result {
	sentence := err.Error()
	root, absErr := filepath.Abs(s.site.Root)
	about := "document root " + failure.Clean(root)
	if rest, ok := strings.CutPrefix(sentence, about); ok && s.site.Root != "" && absErr == nil {
		sentence = about + " for " + s.site.Name + rest
	} else {
		sentence = s.site.Name + ": " + sentence
	}
	remedy := strings.ReplaceAll(string(failure.RemedyOf(err)), "NAME", s.site.Name)
	verdict := Refuse
	if failure.ClassOf(err) == failure.Stopped {
		verdict = Warn
	}
	return Result{Verdict: verdict, Class: failure.ClassOf(err), Sentence: sentence,
		Remedy: failure.Remedy(remedy), Took: took}
}

// noteLeftover tells that the probe could not be taken away again.
func (s *subject) noteLeftover(err error) {
	if err == nil || s.results[1].Verdict != Pass {
		return
	}
	took := s.results[1].Took
	s.set(Writable, Result{Verdict: Warn, Class: failure.ClassOf(err), Took: took,
		Sentence: fmt.Sprintf("probe file %s for %s stays behind: %v", s.ground.probe.Path(),
			s.site.Name, err),
		Remedy: failure.RemedyOf(err)})
}

// checkNetwork sets the results of the network checks.
func (s *subject) checkNetwork(ctx context.Context, r *round) {
	bounded, cancel := context.WithTimeout(ctx, r.fetcher.patience)
	defer cancel()
	if s.refusedLocally() {
		s.skip(DNS, "not checked: the document root has to be put right first")
		s.skip(HTTP, "not checked: the document root has to be put right first")
		s.lookAfterGone(bounded, r)
		return
	}
	defer s.at(idle)
	s.at(asking)
	s.checkDNS(bounded, r)
	s.at(fetching)
	s.checkHTTP(bounded, r)
	if ctx.Err() != nil {
		s.noteStop(r)
	}
}

// noteStop replaces what may have come of the end of the context: a refusal stays where it rests on
// an answer.
func (s *subject) noteStop(r *round) {
	rests := func(result Result) bool {
		return result.Verdict == Refuse && result.Class != failure.DNSSilent &&
			result.Class != failure.HTTPUnreached
	}
	if rests(s.results[2]) {
		return
	}
	s.looked = nil
	for i, check := range Checks() {
		if !r.Skip[check] && s.results[i].Verdict != Pass && !rests(s.results[i]) {
			s.set(check, s.refusal(stopped(), s.results[i].Took))
		}
	}
}

// glance bounds a look-up on which no verdict waits.
const glance = 2 * time.Second

// lookAfterGone asks where a name leads whose document root is gone, or not known: a site that was moved away and
// tidied up would otherwise never be known for one. It is nobody's verdict.
func (s *subject) lookAfterGone(ctx context.Context, r *round) {
	class := s.results[0].Class
	if r.Memory == nil || class != failure.WebrootGone && class != failure.WebrootUnset || r.Skip[DNS] || r.Skip[HTTP] {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, glance)
	defer cancel()
	said := r.fetcher.resolver.lookup(ctx, s.site.Name)
	s.looked, s.probed = &said, missed
}

func (s *subject) checkDNS(ctx context.Context, r *round) {
	began := r.now()
	if s.site.Record != "" {
		s.checkRecord(ctx, r)
		return
	}
	if !r.Skip[DNS] || !r.Skip[HTTP] {
		s.answer = r.fetcher.resolver.lookup(ctx, s.site.Name)
		if s.site.Elsewhere == "" {
			s.looked = &s.answer
		}
	}
	if r.Skip[DNS] {
		s.skip(DNS, onRequest)
		return
	}
	result := s.answer.judge(s.site.Name, r.fetcher.resolver)
	result.Took = r.now().Sub(began)
	s.set(DNS, result)
}

func (s *subject) checkHTTP(ctx context.Context, r *round) {
	switch {
	case r.Skip[HTTP]:
		s.skip(HTTP, onRequest)
		return
	case s.site.Elsewhere != "":
		s.skip(HTTP, "not fetched: %s proves %s", s.site.Elsewhere, s.site.Name)
		return
	case s.ground.probe == nil:
		s.skip(HTTP, "not fetched: no probe file was written")
		return
	case len(s.answer.addresses()) == 0:
		s.skip(HTTP, "not fetched: no address of %s is known", s.site.Name)
		return
	}
	began := r.now()
	got, err := r.fetcher.fetch(ctx, s.site.Name, s.answer.addresses(), s.ground.probe)
	s.served = got
	var result Result
	s.probed = found
	if t, ok := errors.AsType[*trouble](err); ok {
		if result = t.result(s.site); t.kind != padded {
			s.probed = missed
		}
	} else {
		result = Result{Verdict: Pass, Sentence: got.trail.way() + " serves the probe file"}
	}
	result.Took = r.now().Sub(began)
	s.set(HTTP, result)
}
