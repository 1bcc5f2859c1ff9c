package sim

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"

	"orderly/failure"
	"orderly/ledger"
	"orderly/order"
	"orderly/preflight"
)

// site is one name: its DNS, its web server and its document root.
type site struct {
	name    string
	dice    *dice
	tokens  map[string]string // what stands in the document root
	gone    bool              // the document root does not exist
	dead    bool              // the name does not resolve
	strayed bool              // it serves something else
}

// sound reports whether the CA could validate the name.
func (s *site) sound() bool { return !s.gone && !s.dead && !s.strayed }

// serve says what is wrong with a fetch of a token, "" if nothing is.
func (s *site) serve(token, content string) string {
	switch {
	case s.dead:
		return "DNS problem: NXDOMAIN looking up A for " + s.name
	case s.gone, s.strayed, s.tokens[token] == "":
		return "Invalid response from http://" + s.name + ": 404"
	case s.tokens[token] != content:
		return "The key authorization file from the server did not match"
	}
	return ""
}

// solver puts tokens into document roots. A placement is NAME TOKEN.
type solver struct{ p *process }

// Challenge implements order.Solver.
func (solver) Challenge(ledger.Request, bool) order.Way { return order.Way{Type: ledger.HTTP01} }

// Plan implements order.Solver.
func (v solver) Plan(_ context.Context, r ledger.Request, proof order.Proof, _ string) (string, error) {
	name := proof.Name
	if rootIn(r, name) == "" {
		return "", failure.New(failure.WebrootUnset, "Name it.", "no document root for %s", name)
	}
	if v.p.w.sites[name].gone {
		return "", failure.New(failure.WebrootGone, "Make it.", "%s does not exist", rootIn(r, name))
	}
	return name + " " + proof.Token, nil
}

// Suits implements order.Solver.
func (v solver) Suits(placement string, _ ledger.Request, proof order.Proof) bool {
	return placement == proof.Name+" "+proof.Token
}

// Place implements order.Solver.
func (v solver) Place(_ context.Context, placement, content string) (string, error) {
	name, token, _ := strings.Cut(placement, " ")
	s := v.p.w.sites[name]
	v.p.at().point("place")
	if s.gone {
		return placement, failure.New(failure.WebrootGone, "Make it.", "the document root of %s does not exist", name)
	}
	if v.p.at().dice().strikes(placing) {
		return placement, errPlace(name)
	}
	s.tokens[token] = content
	v.p.at().log("places", placement)
	v.p.at().nap(time.Millisecond)
	v.p.at().point("placed")
	return placement, nil
}

// Leaving implements order.Solver.
func (v solver) Leaving(placement string) string { return placement }

// Remove implements order.Solver.
func (v solver) Remove(_ context.Context, placement string) error {
	name, token, _ := strings.Cut(placement, " ")
	s := v.p.w.sites[name]
	v.p.at().point("remove token")
	if s.gone {
		return failure.New(failure.WebrootGone, "Make it.", "the document root of %s does not exist", name)
	}
	delete(s.tokens, token)
	v.p.at().log("removes", placement)
	v.p.at().point("token removed")
	return nil
}

// preflight is what the checks report: the truth of what is local, and of the network what is seen from here.
func (p *worker) preflight(ctx context.Context, r ledger.Request, names []string) preflight.Report {
	p.look(r)
	p.doze(p.dice().between(20*time.Millisecond, 900*time.Millisecond))
	p.point("preflight")
	var report preflight.Report
	for _, name := range names {
		result := p.check(r, name)
		report.Results = append(report.Results, result)
		report.Fingerprint += name + "=" + string(result.Class) + ";"
	}
	p.admission.report, p.admission.checked = report, slices.Clone(names)
	if ctx.Err() == nil {
		p.log("preflight", report.Fingerprint)
	}
	return report
}

func (p *worker) check(r ledger.Request, name string) preflight.Result {
	s := p.w.sites[name]
	result := preflight.Result{Check: preflight.HTTP, Name: name, Verdict: preflight.Pass}
	refuse := func(class failure.Class, local bool) {
		result.Verdict, result.Class, result.Local = preflight.Refuse, class, local
		result.Sentence, result.Remedy = name+": "+string(class), "Mend it."
	}
	switch lies := p.dice().strikes(lie); {
	case rootIn(r, name) == "":
		refuse(failure.WebrootUnset, true)
	case s.gone:
		refuse(failure.WebrootGone, true)
	case lies && s.sound():
		refuse(failure.HTTPWrong, false)
	case lies:
	case s.dead:
		refuse(failure.DNSMissing, false)
	case s.strayed:
		refuse(failure.HTTPWrong, false)
	}
	return result
}

// installed is the certificate of a lineage on its host.
type installed struct {
	serial              string
	names               []string
	notBefore, notAfter time.Time
}

// root is the document root of a name.
func root(name string) string { return "/srv/" + name }

// wants is what a host wants with an order: the document root of each name.
func wants(names []string) ledger.Payload {
	roots := map[string]string{}
	for _, name := range names {
		roots[name] = root(name)
	}
	return ledger.Payload(must(json.Marshal(roots)))
}

// rootIn is the document root of a name as a request has it, "" for none.
func rootIn(r ledger.Request, name string) string {
	if r.Host == "" {
		return "" // an order of another host's
	}
	var roots map[string]string
	if err := json.Unmarshal([]byte(r.Host), &roots); err != nil {
		panic(err)
	}
	return roots[name]
}

// everySite lists the names in their order.
func (w *world) everySite() []*site {
	var list []*site
	for _, name := range slices.Sorted(maps.Keys(w.sites)) {
		list = append(list, w.sites[name])
	}
	return list
}
