package cli

// What became of the lineages of a round, in certbot's summary and as JSON: what failed, why, and
// what to do about it stand together.

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"orderly/failure"
	"orderly/history"
	"orderly/host"
	"orderly/renewal"
)

// invalidNames prints the CA's words about each name that it could not validate, as certbot does
// (auth_handler.py), with the keys of both certbot 2 and 5.
func (p *printer) invalidNames(ctx context.Context, s *session, r renewal.Result) {
	if r.Class != failure.Validation || r.Order == 0 || p.quiet || p.json {
		return
	}
	o, err := s.ledger.Order(ctx, r.Order)
	if err != nil {
		return // the error itself is printed anyway
	}
	var blocks []string
	for _, a := range o.Authorizations {
		if a.ErrorType != "" {
			blocks = append(blocks,
				fmt.Sprintf("  Domain: %s\n  Identifier: %s\n  Type:   %s\n  Detail: %s\n",
					a.FullName(), a.FullName(), a.ErrorType, a.ErrorDetail))
		}
	}
	if len(blocks) == 0 {
		return
	}
	asked := host.Read(o.Request)
	p.Say("\nCertbot failed to authenticate some domains (authenticator: %s). The Certificate "+
		"Authority reported these problems:\n%s\nHint: %s\n",
		solverName(asked), strings.Join(blocks, "\n"), validationHint(asked))
}

// describe names a result for a summary line.
func describe(r renewal.Result) string {
	if r.Path != "" {
		return r.Path
	}
	return fmt.Sprintf("%s (order %d)", lineageWords(r.Lineage), r.Order)
}

// lineageWords names a lineage as people know it: that of a dry run's order is the ledger's word.
func lineageWords(lineage string) string {
	if of := host.LineageOf(lineage); of != lineage {
		return "dry run of " + of
	}
	return lineage
}

type roundView struct {
	Version int          `json:"version"`
	Results []resultView `json:"results"`
	// Counts are the results by outcome, ByClass those that failed by class.
	Counts  map[string]int        `json:"counts"`
	ByClass map[failure.Class]int `json:"by_class"`
	// Failures are those of the results by class.
	Failures []classView `json:"failures"`
	// Hooks are those that failed, also at the end of the round.
	Hooks  []host.Broken `json:"hooks_failed"`
	Class  failure.Class `json:"class,omitempty"`
	Error  string        `json:"error,omitempty"`
	Remedy string        `json:"remedy,omitempty"`
}

// resultView is a result as JSON. One of a renewal file that is not used has the path of that file,
// which a script must not take for a certificate's.
type resultView struct {
	renewal.Result
	FullChain *string `json:"fullchain"` // null where there is none
	Renewal   string  `json:"renewal_file,omitempty"`
}

func (p *printer) viewResult(r renewal.Result) resultView {
	v := resultView{Result: p.worded(r)}
	v.Outcome = outcomeOf(r)
	switch {
	case r.Outcome == renewal.Invalid || r.Outcome == renewal.Skipped:
		v.Renewal = r.Path
	case r.Path != "":
		v.FullChain = &r.Path
	}
	return v
}

// refused is shown of what failed before anything was ordered: the CA has heard nothing of it.
const refused = "refused"

// notReached is counted of a round that was ended before it came to all certificates.
const notReached = "not_reached"

// outcomeOf is a result's outcome as it is shown and counted.
func outcomeOf(r renewal.Result) string {
	if r.Outcome == renewal.Failed && r.Refused {
		return refused
	}
	return r.Outcome
}

// worded is a result whose steps are in words, to be printed as JSON.
func (p *printer) worded(r renewal.Result) renewal.Result {
	r.Sentence, r.Remedy, r.Note = p.pasted(r.Sentence), failure.Remedy(p.remedy(r.Remedy)),
		p.pasted(r.Note)
	r.Notes = slices.Clone(r.Notes)
	for i, note := range r.Notes {
		r.Notes[i] = p.pasted(note)
	}
	return r
}

func printResults(p *printer, results []renewal.Result, causes []history.Entry, broken []host.Broken,
	missed int, err error) {
	view := roundView{Version: 1, Results: []resultView{}, Hooks: append([]host.Broken{}, broken...),
		Counts: map[string]int{}, ByClass: map[failure.Class]int{},
		Failures: p.classViews(groups(causes))}
	for _, r := range results {
		view.Results = append(view.Results, p.viewResult(r))
		view.Counts[outcomeOf(r)]++
		if r.Class != "" {
			view.ByClass[r.Class]++
		}
	}
	if missed > 0 {
		view.Counts[notReached] = missed
	}
	if err != nil {
		view.Class, view.Error, view.Remedy = failure.ClassOf(err), p.pasted(err.Error()),
			p.remedy(failure.RemedyOf(err))
	}
	p.print(view)
}

// summary tells in certbot's words what became of the lineages.
// whole says that the round has come to all of them.
func summary(p *printer, results []renewal.Result, dry, hooks, whole bool) {
	by := map[string][]renewal.Result{}
	for _, r := range results {
		by[r.Outcome] = append(by[r.Outcome], r)
	}
	if kept := by[renewal.Kept]; len(kept) > 0 {
		p.Say("The following certificates are not due for renewal yet:")
		for _, r := range kept {
			p.say("  %s expires on %s (skipped)", r.Path, r.Expires.UTC().Format("2006-01-02"))
		}
	}
	renewals := "renewals"
	if dry {
		renewals = "simulated renewals"
	}
	issued, failed := slices.Concat(by[renewal.Issued], by[renewal.Rehearsed], by[renewal.Superseded]),
		slices.Concat(by[renewal.Failed], by[renewal.Stopped])
	switch {
	case len(issued)+len(failed) == 0:
		p.Say("No %s were attempted.", renewals)
		if hooks {
			p.Say("No hooks were run.")
		}
	case len(failed) == 0 && whole:
		p.Say("Congratulations, all %s succeeded: ", renewals)
	case len(issued) > 0:
		p.Say("The following %s succeeded:", renewals)
	}
	for _, r := range issued {
		word := "success"
		if r.Outcome == renewal.Superseded {
			word = "something newer is in place"
		}
		p.Say("  %s (%s)", r.Path, word)
		if r.Note != "" {
			p.Say("    %s%s", p.paint(yellow, "note: "), r.Note)
		}
	}
	complain(p, renewals, failed, by[renewal.Invalid], len(issued) == 0)
	busy(p, by[renewal.Locked])
}

// busy lists what was left to other runs: they see to it, so that it is no failure of this one.
func busy(p *printer, locked []renewal.Result) {
	if len(locked) > 0 {
		p.fault("Left to another run, which is at work on them:")
	}
	for _, r := range locked {
		p.fault("  %s (locked by another run)", describe(r))
		p.because(r)
	}
}

// complain prints on stderr what failed and what to do about each.
func complain(p *printer, renewals string, failed, invalid []renewal.Result, all bool) {
	if len(failed) > 0 && all && p.certbot {
		// certbot before 1.10
		p.fault("All renewal attempts failed. The following certs could not be renewed:")
	}
	if len(failed) > 0 && all {
		p.fault("All %s failed. The following certificates could not be renewed:", renewals)
	} else if len(failed) > 0 {
		p.fault("The following %s failed:", renewals)
	}
	for _, r := range failed {
		word := "failure"
		if r.Outcome == renewal.Stopped {
			word = "stopped, and will be continued"
		}
		p.fault("  %s (%s)", describe(r), word)
		p.because(r)
	}
	unusable(p, invalid)
}

// unusable lists the renewal files that cannot be used. certbot does so on stdout, after it has
// said why on stderr.
func unusable(p *printer, invalid []renewal.Result) {
	say, why := p.fault, p.because
	if p.certbot {
		say, why = p.Say, func(renewal.Result) {}
	}
	if len(invalid) > 0 {
		say("Additionally, the following renewal configurations were invalid: ")
	}
	for _, r := range invalid {
		say("  %s (parsefail)", r.Path)
		why(r)
	}
}

// tally is certbot's last word about a round that did not go well.
func tally(p *printer, results []renewal.Result) {
	failed, invalid := 0, 0
	for _, r := range results {
		switch r.Outcome {
		case renewal.Failed, renewal.Stopped:
			failed++
		case renewal.Invalid:
			invalid++
		}
	}
	if failed+invalid > 0 {
		p.fault("%d renew failure(s), %d parse failure(s)", failed, invalid)
	}
}

// count ends a round over many lineages in one line, which certbot has not.
// missed are the certificates that it did not come to.
func count(p *printer, results []renewal.Result, missed int) {
	if p.certbot || len(results)+missed < fewResults {
		return
	}
	n := map[string]int{}
	for _, r := range results {
		n[outcomeOf(r)]++
	}
	rest := len(results)
	var said []string
	for _, of := range []struct {
		word     string
		outcomes []string
	}{
		{"renewed", []string{renewal.Issued}}, {"rehearsed", []string{renewal.Rehearsed}}, {"kept", []string{renewal.Kept}},
		{"superseded", []string{renewal.Superseded}},
		{"refused before any order", []string{refused}}, {"locked by another run", []string{renewal.Locked}},
		{"failed", []string{renewal.Failed}}, {"stopped, to be continued", []string{renewal.Stopped}},
		{"unusable", []string{renewal.Invalid}}, {"left alone as a copy", []string{renewal.Skipped}},
	} {
		sum := 0
		for _, outcome := range of.outcomes {
			sum += n[outcome]
		}
		if rest -= sum; sum > 0 {
			said = append(said, fmt.Sprintf("%d %s", sum, of.word))
		}
	}
	if rest > 0 { // orders that earlier runs left, and that are over
		said = append(said, fmt.Sprintf("%d over without a certificate", rest))
	}
	if missed > 0 {
		said = append(said, fmt.Sprintf("%d not reached", missed))
	}
	p.Say("%s.", strings.Join(said, ", "))
}

// fewResults is how many certificates a round has to be about before they are counted.
const fewResults = 3

// because prints why a lineage failed and what to do.
func (p *printer) because(r renewal.Result) {
	p.fault("    %s: %s", p.paint(red, string(r.Class)), r.Sentence)
	if r.Remedy != "" {
		p.fault("    %s%s", p.paint(bold, "remedy: "), r.Remedy)
	}
}

// brokenOnce is an error for whoever reads no warnings: the deploy hook of a whole run stands for all
// its certificates. The exit code stays certbot's.
func (p *printer) brokenOnce(broken []host.Broken) {
	for _, b := range broken {
		if b.Hook == host.OnceHook && p.quiet {
			p.problem(failure.New(failure.Hook,
				"Run the command by hand, with RENEWED_LINEAGE and RENEWED_DOMAINS where it needs them.",
				"the %s failed (%s), and the certificates are in place: %s", b.About(), b.Error,
				failure.Clean(b.Command)))
		}
	}
}
