package renewal

import (
	"cmp"
	"errors"
	"slices"
	"strings"
	"time"

	"orderly/account"
	"orderly/certbot"
	"orderly/host"
	"orderly/ledger"
)

// What certonly asks for, and what that comes to, given what is on disk: by certbot's rules for -n,
// and by what a person answers.

// Wish is what certonly was asked for.
type Wish struct {
	host.Said
	Names        []string // as asked, A-labels, each once
	CertName     string
	Registration account.Registration
	Duplicate    bool // another lineage although one has the same names
	Expand       bool // a lineage that holds some of the names is to hold all of them
	Renew        bool // --force-renewal: due now
	Keep         bool // --keep-until-expiring: what is not due is kept without a question
	NewNames     bool // --renew-with-new-domains: names change without a question
	// Ask puts a question to whoever may answer; nil for nobody.
	Ask func(Question) (int, error)

	answers map[string]int
	closed  bool // nothing more is asked
}

// itIsDue is the Why of a decision by the calendar.
const itIsDue = "it is due"

// Decision is what a wish comes to, given what is on disk.
type Decision struct {
	Lineage string
	Current *certbot.Lineage // nil for a new one
	Needed  bool
	Why     string             // for people
	KeyType host.Value[string] // as it was confirmed, if anything was said of it
}

// request makes the engine's request of a wish.
func (w Wish) request(d Decision, account string) (host.Request, error) {
	r := host.Request{
		Request: ledger.Request{Lineage: d.Lineage, Names: w.Names, Server: w.Server,
			Account: account, New: d.Current == nil},
		Payload: host.Payload{Webroots: w.Webroots, WebrootPaths: w.WebrootPaths},
	}
	if d.Current != nil {
		r.Settings, r.LostKey = d.Current.Renewal.Text(), d.Current.KeyLost != nil
	}
	w.Choice.KeyType = d.KeyType.Over(w.Choice.KeyType)
	return r, w.Complete(&r, d.Current)
}

// wishes fulfils what certonly asks for.
type wishes struct {
	*base
	*engines
	*inPlace
	*attempts
}

// Complete gives a wish without names those of the lineage that it names, and the document roots of
// its renewal file.
func (s *wishes) Complete(w *Wish) error {
	if len(w.Names) > 0 {
		return nil
	}
	l, err := s.host.Lineages.Open(w.CertName)
	if err == nil {
		err = l.Orderable()
	}
	if err != nil {
		return err
	}
	for _, name := range s.asOrdered(l).Certificate.Names {
		name = strings.ToLower(name)
		w.Names = append(w.Names, name)
		if w.Proof.Rootless() {
			continue
		}
		if len(w.WebrootPaths) > 0 {
			w.Webroots[name] = w.WebrootPaths[len(w.WebrootPaths)-1]
			continue
		}
		root, err := l.Renewal.Webroot(name)
		if err != nil && cmp.Or(w.Proof.WebrootFrom.Is(), l.Renewal.Params.WebrootFrom) == "" {
			return err
		}
		if err == nil {
			w.Webroots[name] = root
		}
	}
	return nil
}

// decide finds the lineage a wish is about and whether anything is to be done, by certbot's rules
// for -n: the same name set is kept until it is due; --cert-name changes a lineage's names; a
// lineage that holds a part of the names is expanded only when that is said; otherwise a new
// lineage is made, NAME-0001 when NAME exists.
func (s *wishes) decide(w Wish, now time.Time) (Decision, error) {
	if w.CertName != "" {
		return s.decideNamed(w, now)
	}
	if same := s.lineageFor(w.Names); same != nil && !w.Duplicate {
		return s.decideSame(w, same, now)
	}
	if part := s.contained(w.Names); part != nil && !w.Duplicate {
		if err := w.confirms(part); err != nil {
			return Decision{}, err
		}
		if err := w.expands(part); err != nil {
			return Decision{}, err
		}
		return Decision{Lineage: part.Name, Current: part, Needed: true, Why: "its names change",
			KeyType: w.Choice.KeyType}, nil
	}
	if err := s.passedOver(w); err != nil {
		return Decision{}, err
	}
	name, err := s.Disk.UniqueName(certbot.NameFor(w.Names))
	return Decision{Lineage: name, Needed: true, Why: "it is new", KeyType: w.Choice.KeyType}, err
}

func (s *wishes) decideNamed(w Wish, now time.Time) (Decision, error) {
	names, err := s.Disk.Names()
	if err != nil {
		return Decision{}, err
	}
	if !slices.Contains(names, w.CertName) {
		return Decision{Lineage: w.CertName, Needed: true, Why: "it is new",
			KeyType: w.Choice.KeyType}, nil
	}
	if err := s.Disk.NotCopied(w.CertName); err != nil {
		return Decision{}, err
	}
	current, err := s.Disk.Open(w.CertName)
	if errors.Is(err, certbot.ErrBlank) {
		return Decision{Lineage: w.CertName, Needed: true,
			Why: "a killed certbot left nothing of it", KeyType: w.Choice.KeyType}, nil
	}
	if err != nil {
		return Decision{}, err
	}
	if received := current; ledger.NameKey(received.Certificate.Names) != ledger.NameKey(w.Names) {
		current = s.asOrdered(received)
	}
	if ledger.NameKey(current.Certificate.Names) == ledger.NameKey(w.Names) {
		return s.decideSame(w, current, now)
	}
	if err := w.confirms(current); err != nil {
		return Decision{}, err
	}
	if err := w.changesNames(current); err != nil {
		return Decision{}, err
	}
	return Decision{Lineage: w.CertName, Current: current, Needed: true, Why: "its names change",
		KeyType: w.Choice.KeyType}, nil
}

func (s *wishes) decideSame(w Wish, l *certbot.Lineage, now time.Time) (Decision, error) {
	d := Decision{Lineage: l.Name, Current: l, Needed: true, Why: "somebody wants it at once"}
	err := w.confirms(l)
	if d.KeyType = w.Choice.KeyType; err != nil || w.Renew {
		return d, err
	}
	if w.Choice.ChangesKeyType(l) {
		d.Why = "its key changes"
		return d, nil
	}
	if s.host.Lineages.NeedsKey(l) {
		d.Why = "its key is lost"
		return d, nil
	}
	at, err := s.dueAt(l)
	if err != nil {
		return d, err
	}
	// as certbot's should_renew has it
	d.Needed, d.Why = !now.Before(at) && !l.Renewal.Params.AutorenewOff, itIsDue
	if d.Needed || s.Settings.Rehearsal {
		return d, nil
	}
	kept, err := w.keeps(l)
	if !kept {
		d.Needed, d.Why = true, "somebody said so"
	}
	return d, err
}

// contained returns a lineage all of whose names are wanted, with others.
func (s *wishes) contained(names []string) *certbot.Lineage {
	for _, l := range s.Disk.Overlaps(names) {
		l = s.asOrdered(l)
		all := func(name string) bool { return slices.Contains(names, strings.ToLower(name)) }
		if !slices.ContainsFunc(l.Certificate.Names, func(name string) bool { return !all(name) }) {
			return l
		}
	}
	return nil
}
