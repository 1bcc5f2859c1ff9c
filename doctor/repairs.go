package doctor

// What can be mended, and how: for each finding a plan that is shown, and a deed that is the one by
// which renew heals. Whether a finding is marked yes or ask is what its plan says: no promise is
// made without a deed.

import (
	"cmp"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"orderly/certbot"
	"orderly/failure"
)

// plan is what would be done about a finding. Without edits there is nothing to do, or nothing that
// is certain.
type plan struct {
	fix   Fix
	edits []certbot.Edit
	do    func(ctx context.Context) error
}

// planner makes the plan for a finding of one check. It changes nothing, and is asked again under
// the locks.
type planner func(ctx context.Context, e *Exam, f Finding) (plan, error)

// planners are those of all checks whose findings can be mended.
func planners() map[string]planner {
	return map[string]planner{
		"D2": rebuilt, "D3": leftoverGone, "D4": rootNamed, "D5": settings(FixYes, tidied),
		"D6": settings(FixYes, withoutStale), "D7": settings(FixYes, mapped),
		"D8": settings(FixAsk, tidied), "D10": settings(FixAsk, todaysServer),
		"D11": settings(FixAsk, onlyAccount), "D12": settings(FixAsk, accountOfLedger),
		"D13": narrowed, "D14": relinked, "D15": relinked, "D16": relinked, "D17": closed,
		"D18": relinked, "D19": spared, "D20": strayMoved, "D22": tokensGone,
		"D25": renewerOff, "D26": timerOn,
	}
}

// Mends reports whether what a check finds can be mended, where it is certain.
func Mends(id string) bool { return planners()[id] != nil }

// planFor is the plan for a finding as things stand now.
func (e *Exam) planFor(ctx context.Context, f Finding) (plan, error) {
	propose, ok := planners()[f.ID]
	if !ok {
		return plan{fix: FixNo}, nil
	}
	p, err := propose(ctx, e, f)
	if err != nil || len(p.edits) == 0 {
		return plan{fix: FixNo}, err
	}
	slices.SortFunc(p.edits, func(a, b certbot.Edit) int { return cmp.Compare(a.Path, b.Path) })
	return p, nil
}

// promise marks a finding as its plan says.
func (e *Exam) promise(ctx context.Context, f *Finding) {
	f.Fix = FixNo
	if p, err := e.planFor(ctx, *f); err == nil {
		f.Fix = p.fix
	}
}

// byFix puts the command first that mends a finding, where its own remedy tells a person what to
// write. What is mended without a question is so at all certificates at once: they have one remedy.
func (f *Finding) byFix() {
	ids := []string{f.ID}
	if f.Fix == FixAsk && f.Lineage != "" {
		ids = append(ids, f.Lineage)
	}
	mend := failure.Do(failure.Mend, ids...)
	switch {
	case f.Fix == FixNo:
	case f.Remedy == nextRun:
		f.Remedy = failure.Advise("The next run of renew mends it, and %s does now.", mend)
	case slices.Contains([]string{"D4", "D5", "D6", "D7", "D8", "D10", "D11", "D12"}, f.ID):
		f.Remedy = failure.Advise("Let it be mended: %s. Or by hand: %s", mend, f.Remedy)
	}
}

// relinked leads the links of a lineage to the best version, as Repair does. What names another
// directory is a matter of taste.
func relinked(_ context.Context, e *Exam, f Finding) (plan, error) {
	edits, err := e.Disk.Foresee(f.Lineage)
	if err != nil {
		return plan{}, err
	}
	if slices.ContainsFunc(edits, func(edit certbot.Edit) bool { return !e.within(edit.Path) }) {
		return plan{}, nil // the files of another directory, whose locks are not held
	}
	fix := FixYes
	if slices.ContainsFunc(edits, func(edit certbot.Edit) bool {
		return edit.Path == e.Disk.Dirs.Renewal(f.Lineage)
	}) {
		fix = FixAsk
	}
	return plan{fix, edits, func(context.Context) error {
		_, err := e.Disk.Repair(f.Lineage)
		return err
	}}, nil
}

// leftoverGone removes what a killed certbot left beside a renewal file.
func leftoverGone(_ context.Context, e *Exam, f Finding) (plan, error) {
	if filepath.Dir(f.File) != filepath.Dir(e.Disk.Dirs.Renewal("x")) || !strings.HasSuffix(f.File, ".conf.new") {
		return plan{}, nil
	}
	info, err := os.Lstat(f.File)
	if err != nil || !info.Mode().IsRegular() {
		return plan{}, err // a pipe would be waited for
	}
	text, err := os.ReadFile(f.File)
	if err != nil {
		return plan{}, err
	}
	return plan{FixYes, []certbot.Edit{{Kind: certbot.Removed, Path: f.File, Before: string(text)}},
		func(context.Context) error { return removeDurably(f.File) }}, nil
}

// removeDurably removes a file.
func removeDurably(path string) error {
	return errors.Join(os.Remove(path), syncDir(filepath.Dir(path)))
}

// settings is the planner of what is mended by settings of a lineage's renewal file.
func settings(fix Fix, which func(ctx context.Context, e *Exam, l *certbot.Lineage) (certbot.Params, bool)) planner {
	return func(ctx context.Context, e *Exam, f Finding) (plan, error) {
		l, err := e.Disk.Look(f.Lineage)
		if err != nil {
			return plan{}, err
		}
		p, certain := which(ctx, e, l)
		if !certain {
			return plan{}, nil
		}
		return e.rewritten(fix, f.Lineage, p)
	}
}

// rewritten is the plan that writes settings into a renewal file.
func (e *Exam) rewritten(fix Fix, lineage string, p certbot.Params) (plan, error) {
	edit, err := e.Disk.ForeseeSettings(lineage, p)
	if err != nil || edit.Before == edit.After {
		return plan{}, err
	}
	return plan{fix, []certbot.Edit{edit}, func(context.Context) error {
		return e.Disk.Rewrite(lineage, p)
	}}, nil
}

// tidied is all that WriteRenewal puts in order by itself.
func tidied(context.Context, *Exam, *certbot.Lineage) (certbot.Params, bool) {
	return certbot.Params{}, true
}

// withoutStale takes the document roots away that belong to no name of the certificate and are gone.
func withoutStale(_ context.Context, _ *Exam, l *certbot.Lineage) (certbot.Params, bool) {
	now := l.Renewal.Params
	p := certbot.Params{WebrootPath: now.WebrootPath}
	for _, w := range now.WebrootMap {
		own := slices.ContainsFunc(l.Certificate.Names, func(n string) bool { return strings.EqualFold(n, w.Name) })
		if own || !gone(w.Path) {
			p.WebrootMap = append(p.WebrootMap, w)
		}
	}
	if len(p.WebrootMap) == len(now.WebrootMap) || len(p.WebrootMap)+len(p.WebrootPath) == 0 {
		return certbot.Params{}, false
	}
	return p, true
}

// lookPatience is how long a file system may take to say that something is not there.
const lookPatience = 2 * time.Second

// gone reports whether nothing is at a path. A file system that does not answer has not said so.
func gone(path string) bool {
	if !filepath.IsAbs(path) {
		return false
	}
	said := make(chan bool, 1)
	go func() { // a file server that is away may keep it for ever
		_, err := os.Stat(path)
		said <- errors.Is(err, os.ErrNotExist)
	}()
	timer := time.NewTimer(lookPatience)
	defer timer.Stop()
	select {
	case is := <-said:
		return is
	case <-timer.C:
		return false
	}
}

// mapped writes the map that an old certbot emptied.
func mapped(_ context.Context, _ *Exam, l *certbot.Lineage) (certbot.Params, bool) {
	p := certbot.Params{WebrootPath: l.Renewal.Params.WebrootPath}
	if len(l.Renewal.Params.WebrootMap) > 0 || len(p.WebrootPath) == 0 {
		return p, false
	}
	for _, name := range l.Certificate.Names {
		root, err := l.Renewal.Webroot(name)
		if err != nil {
			return p, false
		}
		p.WebrootMap = append(p.WebrootMap, certbot.Webroot{Name: name, Path: root})
	}
	return p, true
}

// rootNamed names the document root of names that have none: the one that is kept as webroot_path,
// or that all others of the certificate have. Where both are there, they have to agree. Somebody's
// own words that cannot be used are replaced only where he is asked.
func rootNamed(_ context.Context, e *Exam, f Finding) (plan, error) {
	l, err := e.Disk.Look(f.Lineage)
	if err != nil {
		return plan{}, err
	}
	now, fix := l.Renewal.Params, FixYes
	var roots []string
	if n := len(now.WebrootPath); n > 0 {
		roots = append(roots, now.WebrootPath[n-1])
	}
	var bare []string
	for _, name := range l.Certificate.Names {
		root, err := l.Renewal.Webroot(name)
		if err != nil {
			bare = append(bare, name)
			continue
		}
		roots = append(roots, root)
	}
	slices.Sort(roots)
	if roots = slices.Compact(roots); len(roots) != 1 || !filepath.IsAbs(roots[0]) || len(bare) == 0 {
		return plan{}, nil
	}
	p := certbot.Params{WebrootPath: now.WebrootPath}
	for _, w := range now.WebrootMap {
		if !slices.Contains(bare, strings.ToLower(w.Name)) {
			p.WebrootMap = append(p.WebrootMap, w)
		} else if l.Renewal.Mapped(w.Name) {
			fix = FixAsk
		}
	}
	for _, name := range bare {
		p.WebrootMap = append(p.WebrootMap, certbot.Webroot{Name: name, Path: roots[0]})
	}
	return e.rewritten(fix, f.Lineage, p)
}

// todaysServer names the successor of an ACMEv1 directory, which is gone.
func todaysServer(_ context.Context, _ *Exam, l *certbot.Lineage) (certbot.Params, bool) {
	successor := map[string]string{
		"https://acme-v02.api.letsencrypt.org/directory":     "https://acme-v02.api.letsencrypt.org/directory", // as which v01 is read
		"https://acme-staging.api.letsencrypt.org/directory": "https://acme-staging-v02.api.letsencrypt.org/directory",
	}[l.Renewal.Params.Server]
	return certbot.Params{Set: []certbot.Setting{{Key: "server", Value: successor}}}, successor != ""
}

// onlyAccount names the only account of the CA where the one that is named is not there.
func onlyAccount(_ context.Context, e *Exam, l *certbot.Lineage) (certbot.Params, bool) {
	now := l.Renewal.Params
	if _, err := e.Disk.Accounts().Get(now.Server, now.Account); err == nil || now.Account == "" {
		return certbot.Params{}, false
	}
	all, err := e.Disk.Accounts().At(now.Server)
	if err != nil || len(all) != 1 {
		return certbot.Params{}, false
	}
	return certbot.Params{Account: all[0].ID}, true
}

// accountOfLedger names, of several accounts, the one by which the last certificate was ordered.
func accountOfLedger(ctx context.Context, e *Exam, l *certbot.Lineage) (certbot.Params, bool) {
	now := l.Renewal.Params
	if e.Ledger == nil || now.Account != "" {
		return certbot.Params{}, false
	}
	last, err := e.Ledger.Certificate(ctx, l.Name)
	if err != nil {
		return certbot.Params{}, false
	}
	used, err := e.Ledger.AccountByID(ctx, last.AccountID)
	if err != nil || used.Server != now.Server {
		return certbot.Params{}, false
	}
	a, ok := e.Disk.Accounts().ByURL(now.Server, used.URL)
	return certbot.Params{Account: a.ID}, ok
}

// rebuilt writes a renewal file anew where a killed certbot left an empty one: the certificate says
// the names, and another lineage that has all of them the CA and the document roots. An empty file
// behind which nothing stands goes, as at each renewal.
func rebuilt(_ context.Context, e *Exam, f Finding) (plan, error) {
	path := e.Disk.Dirs.Renewal(f.Lineage)
	if e.Disk.NothingBehind(f.Lineage) {
		return plan{FixYes, []certbot.Edit{{Kind: certbot.Removed, Path: path}},
			func(context.Context) error { return e.Disk.RemoveBlank(f.Lineage) }}, nil
	}
	c, err := e.Disk.Behind(f.Lineage)
	if err != nil {
		return plan{}, err
	}
	p, certain := e.fromSibling(c.Names)
	if !certain {
		return plan{}, nil
	}
	p.KeyType = strings.ToLower(c.KeyType)
	edit, err := e.Disk.ForeseeRebuilt(f.Lineage, p)
	return plan{FixAsk, []certbot.Edit{edit}, func(context.Context) error {
		return e.Disk.Rebuild(f.Lineage, p)
	}}, err
}

// fromSibling are the settings by which other lineages prove these names; certain only where all
// that have a name say the same of it.
func (e *Exam) fromSibling(names []string) (p certbot.Params, certain bool) {
	roots, said := map[string]string{}, map[[2]string]bool{}
	for _, x := range slices.Concat(e.Lineages, e.Others) {
		for _, name := range names {
			if root, ok := x.Roots[name]; ok {
				if roots[name] != "" && roots[name] != root {
					return p, false
				}
				roots[name] = root
				said[[2]string{x.Server, x.Account}] = true
			}
		}
	}
	if len(roots) != len(names) || len(said) != 1 {
		return p, false
	}
	for by := range said {
		p = certbot.Params{Authenticator: "webroot", Server: by[0], Account: by[1]}
	}
	for _, name := range names {
		p.WebrootMap = append(p.WebrootMap, certbot.Webroot{Name: name, Path: roots[name]})
	}
	return p, true
}
