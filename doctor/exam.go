package doctor

// The survey: what is known of each lineage is gathered once, each PEM parsed once, and little of it
// is kept, since a host may have twenty thousand.

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"sync"
	"time"

	"orderly/certbot"
	"orderly/failure"
	"orderly/ledger"
	"orderly/renewal"
	"orderly/schedule"
	"orderly/solver/webroot"
)

// Host is what is looked at.
type Host struct {
	Disk   *certbot.Store
	Ledger ledger.Store // nil where there is none
	Name   string       // of the host, for reports of several
	Now    func() time.Time
	// Root is the file system's root where the host's own files are looked at (tables of cron,
	// /proc); "" for /.
	Root     string
	Schedule schedule.Host // what starts renewals; without Self nobody is told from ourselves
	// Alive reports whether a run of the ledger's is at work; nil where that cannot be told.
	Alive func(run int64) (bool, error)
	// Run runs what a repair runs; nil where nothing is.
	Run Runner
	// Unsynchronised reports whether nothing keeps the clock right; nil where nobody is asked.
	Unsynchronised func() bool
	// Quota asks what a user may have on the file system of a device; nil where nobody is asked. Its
	// error is that there is no quota, or that it cannot be asked.
	Quota func(device string, uid uint32) (Quota, error)
	// NoLedger is why the ledger cannot be used, though there is one.
	NoLedger error
	// Online is how the network is asked, for Needs Network.
	Online *Online
	// Progress is told how many lineages were looked at; nil for nobody. It is called from several
	// goroutines, one at a time.
	Progress func(done, all int)
	// Authority is how CAs are asked, for Needs Authorities.
	Authority *Authority
	// Web is how the web servers are asked, for Needs WebServer.
	Web *Web
	// Tell is told what is waited for.
	Tell func(format string, args ...any)
	// Say puts steps that a sentence names into words; nil leaves their names.
	Say func(failure.Remedy) string
}

// Wanted is what is to be looked at.
type Wanted struct {
	// Names are lineages' or sites'; none means all.
	Names []string
	// Needs are what checks may need beside Nothing.
	Needs []Needs
}

func (w Wanted) allows(n Needs) bool { return n == Nothing || slices.Contains(w.Needs, n) }

// Exam is a host as its checks see it. Nothing of it changes while they look.
type Exam struct {
	Host
	Wanted Wanted
	At     time.Time // of the examination
	// Lineages are those that were asked for, by name. Checks of a single lineage see one before
	// all are there.
	Lineages []*Lineage
	// Others are the rest, for what concerns several.
	Others    []*Lineage
	Known     renewal.Known
	Standings map[string]ledger.Standing // by lineage
	runs      []ledger.Run               // the last ones, newest first
	refusals  map[string][]ledger.Event  // of the lineages that fail
	memo      *memo

	network *network       // what it showed, once a check has needed it
	sites   *sites         // what the web servers said, likewise
	kin     map[string]kin // of the findings about names in common, by kinOf
	usage   *usage         // what uses certificates, likewise
	mender  *Mender        // whose hands the deeds are that need more than files
}

// memo is what is looked at once, however many lineages it concerns.
type memo struct {
	hooks   sync.Map // looked, by kind and command
	grounds grounds
	ports   listening
	whole   sync.Once
	cannot  bool // the configuration directory cannot be written
	issued  issuedHere
}

// looked is what a look came to.
type looked struct{ err error }

// Lineage is what is kept of one.
type Lineage struct {
	Name string
	Path string // of the renewal file
	// Err is why the lineage cannot be read at all; what follows is then what is left of it, if
	// anything is.
	Err error
	// Refusals are why it could not be renewed with its own settings, Err among them.
	Refusals  []error
	Names     []string
	NotBefore time.Time
	NotAfter  time.Time
	Version   int // of archive/NAME/certN.pem
	Serial    string
	Server    string
	Account   string // id
	// AccountLine is the line of the renewal file that names it, 0 for none.
	AccountLine int
	// Authenticator is how its names are proven; Roots are their document roots, where they have
	// some.
	Authenticator string
	Roots         map[string]string
	Asks          bool // a command is asked for document roots at each renewal
	KeyType       string
	Owned         certbot.Owned
	DeployHook    string // its own
	Links         Links
	Due           renewal.Due
	Standing      ledger.Standing
}

// document is it as reports have it.
func (x *Lineage) document() DocumentLineage {
	return DocumentLineage{Name: x.Name, Names: x.Names, Issued: x.NotBefore.UTC(),
		Expires: x.NotAfter.UTC(), Due: x.Due.At.UTC()}
}

// Links are the files of a lineage that a web server is told of.
type Links struct{ Cert, FullChain, Key string }

// hurtsAt is when a renewal of it is next tried.
func (x *Lineage) hurtsAt() time.Time { return cmp.Or(x.Due.At, x.NotAfter) }

// off reports whether it is never renewed by itself.
func (x *Lineage) off() bool { return x.Due.Because == renewal.DueNever }

// finds is a finding about a lineage whose renewal will fail of it.
func (x *Lineage) finds(id string, class failure.Class, remedy failure.Remedy, format string,
	args ...any) Finding {
	return Finding{ID: id, Class: class, Severity: WillFail, Lineage: x.Name, File: x.Path,
		HurtsAt: x.hurtsAt(), Sentence: failure.Words(format, args...), Remedy: remedy, Fix: FixNo}
}

// findsError is a finding with an error's own words.
func (x *Lineage) findsError(id string, err error) Finding {
	f := x.finds(id, failure.ClassOf(err), failure.RemedyOf(err), "%s", "")
	f.Sentence = err.Error()
	return f
}

// Examine looks at a host. An error is one that keeps everything from being looked at; what cannot be
// looked at alone is a finding.
func Examine(ctx context.Context, h Host, w Wanted) (Report, error) {
	e := &Exam{Host: h, Wanted: w, At: h.Now(), memo: &memo{}}
	e.memo.grounds.writer = &webroot.Writer{Patience: groundPatience, Tell: h.Tell}
	defer e.memo.grounds.writer.Close() // who mends later starts it again
	if err := e.learn(ctx); err != nil {
		return Report{}, err
	}
	var checks []Check
	for _, c := range Checks() {
		if w.allows(c.Needs) {
			checks = append(checks, c)
		}
	}
	findings, err := e.survey(ctx, checks)
	if err != nil {
		return Report{}, err
	}
	for _, c := range checks {
		if c.Host == nil {
			continue
		}
		some, err := c.Host(ctx, e)
		if ctx.Err() != nil { // half a report must not look like a whole one
			return Report{}, context.Cause(ctx)
		}
		if err != nil {
			some = append(some, e.unseen(c, err))
		}
		findings = append(findings, some...)
	}
	if len(w.Names) > 0 {
		findings = slices.DeleteFunc(findings, ofNobodyAskedFor)
	}
	return e.report(ctx, findings), nil
}

// ofNobodyAskedFor reports whether a finding is about the host alone, and keeps nothing from being
// renewed: who asks for one certificate does not ask for it.
func ofNobodyAskedFor(f Finding) bool { return f.Lineage == "" && len(f.Names) == 0 && !f.hurts() }

// unseen is the finding that a check could not be made.
func (e *Exam) unseen(c Check, err error) Finding {
	return Finding{ID: c.ID, Class: failure.ClassOf(err), Severity: Note, Fix: FixNo, Unseen: true,
		Sentence: failure.Words("this could not be looked at: %v", err),
		Remedy:   failure.RemedyOf(err)}
}

// learn reads what the ledger knows.
func (e *Exam) learn(ctx context.Context) (err error) {
	e.Standings = map[string]ledger.Standing{}
	if e.Ledger == nil {
		return nil
	}
	if e.Known, err = renewal.ReadKnown(ctx, e.Ledger); err != nil {
		return err
	}
	standings, err := e.Ledger.Standings(ctx)
	for _, s := range standings {
		e.Standings[s.Lineage] = s
	}
	if err == nil {
		e.runs, err = e.Ledger.Runs(ctx, lastRuns)
	}
	return errors.Join(err, e.learnTried(ctx))
}

// survey looks at each lineage, and makes the checks that concern one alone.
func (e *Exam) survey(ctx context.Context, checks []Check) ([]Finding, error) {
	disk := e.Disk.Within(ctx)
	names, err := disk.Listed()
	if err != nil {
		return nil, err
	}
	all := make([]*Lineage, len(names))
	var mu sync.Mutex
	var findings []Finding
	looked := e.progress(len(names))
	disk.ExamineEach(names, func(i int, l *certbot.Lineage, err error) {
		defer looked()
		x := e.lineage(disk, names[i], l, err)
		all[i] = x
		if !e.wanted(x) {
			return
		}
		some := e.each(checks, x, l)
		if len(some) > 0 {
			mu.Lock()
			defer mu.Unlock()
			findings = append(findings, some...)
		}
	})
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	for _, x := range all {
		if e.wanted(x) {
			e.Lineages = append(e.Lineages, x)
		} else {
			e.Others = append(e.Others, x)
		}
	}
	return findings, cmp.Or(e.allNamed(), e.allClosed())
}

// progress counts the lineages that were looked at, and tells of each hundredth part.
func (e *Exam) progress(all int) (looked func()) {
	if e.Progress == nil {
		return func() {}
	}
	var mu sync.Mutex // held while it is told: a bar must not go back
	done, step := 0, max(1, all/100)
	return func() {
		mu.Lock()
		defer mu.Unlock()
		if done++; done%step == 0 {
			e.Progress(done, all)
		}
	}
}

// each makes the checks of one lineage. One that is so odd that a check breaks at it hides no other.
func (e *Exam) each(checks []Check, x *Lineage, l *certbot.Lineage) (findings []Finding) {
	for _, c := range checks {
		if c.Lineage == nil {
			continue
		}
		func() {
			defer func() {
				if broken := recover(); broken != nil {
					findings = append(findings, e.unseen(c, fmt.Errorf("%v", broken)))
					findings[len(findings)-1].Lineage = x.Name
				}
			}()
			findings = append(findings, c.Lineage(e, x, l)...)
		}()
	}
	return findings
}

// lineage is what is kept of one.
func (e *Exam) lineage(disk *certbot.Store, name string, l *certbot.Lineage, err error) *Lineage {
	x := &Lineage{Name: name, Path: disk.Dirs.Renewal(name), Err: err, Standing: e.Standings[name]}
	if err != nil {
		x.Refusals = []error{err}
		if !errors.Is(err, fs.ErrPermission) {
			x.remember(disk.Remnant(name))
		}
		return x
	}
	x.Version = l.Version
	if due, err := e.Known.Due(l); err == nil {
		x.Due = due
	}
	x.read(l.Renewal, l.Certificate)
	if err := refusal(l); err != nil && !x.off() {
		x.Refusals = []error{err}
	}
	return x
}

// remember keeps what is left of a lineage that cannot be read.
func (x *Lineage) remember(r *certbot.Renewal, c *certbot.Certificate) {
	if c == nil {
		c = &certbot.Certificate{} // nothing is known of it, and nothing expires
	} else if own, err := (renewal.Term{Lineage: x.Name, NotBefore: c.NotBefore,
		NotAfter: c.NotAfter}).Own(); err == nil {
		x.Due = own
	}
	if r == nil {
		return
	}
	if r.Params.AutorenewOff {
		x.Due = renewal.Due{Because: renewal.DueNever}
	}
	x.read(r, c)
	if errors.Is(x.Err, certbot.ErrBlank) || failure.ClassOf(x.Err) == failure.RenewalFile {
		return // it says nothing, or nothing that can be gone by
	}
	if refusal := r.Usable(c.Names); refusal != nil && !x.off() {
		x.Refusals = append(x.Refusals, refusal)
	}
}

// read keeps what a renewal file and a certificate say.
func (x *Lineage) read(r *certbot.Renewal, c *certbot.Certificate) {
	p := r.Params
	x.Names, x.NotBefore, x.NotAfter, x.Serial = c.Names, c.NotBefore, c.NotAfter, c.Serial
	x.KeyType, x.Server, x.Account, x.Asks = c.KeyType, p.Server, p.Account, p.WebrootFrom != ""
	x.Authenticator, x.Owned, x.Roots = p.Authenticator, r.Owned(), map[string]string{}
	_, x.AccountLine = r.Written("account")
	x.DeployHook, x.Links = p.DeployHook, Links{r.Cert, r.FullChain, r.PrivKey}
	if p.Authenticator != "webroot" {
		return
	}
	for _, name := range c.Names {
		if root, err := r.Webroot(name); err == nil {
			x.Roots[name] = root
		}
	}
}

// wanted reports whether a lineage was asked for.
func (e *Exam) wanted(x *Lineage) bool {
	if len(e.Wanted.Names) == 0 {
		return true
	}
	return slices.ContainsFunc(e.Wanted.Names, x.is)
}

// is reports whether a lineage is called so, or has a name.
func (x *Lineage) is(named string) bool {
	return x.Name == named ||
		slices.ContainsFunc(x.Names, func(n string) bool { return strings.EqualFold(n, named) })
}

// allNamed complains of a name that no lineage has: a mistyped one must not look healthy.
func (e *Exam) allNamed() error {
	for _, name := range e.Wanted.Names {
		if !slices.ContainsFunc(e.Lineages, func(x *Lineage) bool { return x.is(name) }) {
			return failure.New(failure.Config, failure.Remedy(
				"The certificates of this host are listed by "+failure.Do(failure.ListCertificates)+"."),
				"there is no certificate called %s or with that name", failure.Clean(name))
		}
	}
	return nil
}

// inWords is a sentence in which each step is named as whoever looks would type it.
func (e *Exam) inWords(sentence string) string {
	if e.Say != nil {
		sentence = e.Say(failure.Remedy(sentence).Cleaned())
	}
	return failure.Clean(sentence)
}

// report puts findings in order, and says of each whether it hurts already and can be mended.
func (e *Exam) report(ctx context.Context, findings []Finding) Report {
	sick, lost := map[string]bool{}, map[string]bool{}
	for _, x := range e.Lineages {
		lost[x.Name] = x.Err != nil && x.NotAfter.IsZero()
	}
	for i := range findings {
		f := &findings[i]
		if f.HurtsAt.IsZero() && f.hurts() && lost[f.Lineage] { // renew fails of it each day
			f.HurtsAt = f.Since
			if f.HurtsAt.IsZero() {
				f.HurtsAt = e.At
			}
		}
		f.Comes(e.At)
		slices.Sort(f.Names)
		f.Sentence = e.inWords(f.Sentence)
		if f.Lineage != "" { // who checks a document root knows names alone
			f.Remedy = f.Remedy.For(f.Lineage)
		}
		e.promise(ctx, f)
		f.byFix()
		sick[f.Lineage] = true
	}
	findings = onceEach(findings)
	Arrange(findings)
	r := Report{Findings: findings, Lineages: len(e.Lineages), Server: e.Name, At: e.At,
		Partial: len(e.Wanted.Names) > 0, exam: e}
	for _, x := range e.Lineages {
		if x.Err == nil {
			r.Held = append(r.Held, x.document())
		}
		if !sick[x.Name] {
			r.Clean++
		}
	}
	return r
}
