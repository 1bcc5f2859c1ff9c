package doctor

// D19 is mended by putting aside what nothing uses, as `retire` does: its files are kept, and it can
// come back. The web servers' word says which certificate is served; what any other program's
// configuration names is in use as well, and so is one with a hook of its own, which may copy it.

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"orderly/certbot"
	"orderly/failure"
)

// kin are lineages of which some may be spared, since another has all their names.
type kin struct{ keep, spare []*Lineage }

// relate remembers of a finding which lineages it is about.
func (e *Exam) relate(f Finding, k kin) {
	if e.kin == nil {
		e.kin = map[string]kin{}
	}
	e.kin[kinOf(f)] = k
}

func kinOf(f Finding) string { return f.Cause + " " + f.Lineage }

// spared puts those of a family aside that nothing uses, where one that is served has all their names
// and is renewed.
func spared(ctx context.Context, e *Exam, f Finding) (plan, error) {
	if f.Cause == copied {
		return e.copyGone(f)
	}
	k, ok := e.kin[kinOf(f)]
	if !ok {
		return plan{}, failure.New(failure.LimitSet, f.Remedy,
			"none of them has all names of the others, so that each is needed")
	}
	u, err := e.used(ctx, false)
	if err != nil {
		return plan{}, err
	}
	kept, err := e.kept(u, k)
	if err != nil {
		return plan{}, err
	}
	var edits []certbot.Edit
	var spare []*Lineage
	var problems error
	for _, x := range k.spare {
		if u.serves[x.Name] || away(x) {
			continue
		}
		err := e.sparable(u, x, kept)
		if err == nil {
			var some []certbot.Edit
			if some, err = e.Disk.ForeseeRetire(x.Name); err == nil {
				edits, spare = append(edits, some...), append(spare, x)
			}
		}
		problems = errors.Join(problems, err)
	}
	if len(spare) == 0 {
		return plan{}, problems
	}
	return plan{FixAsk, edits, func(ctx context.Context) error { return e.spare(ctx, kept, spare) }}, nil
}

// copyGone removes a renewal file that is a copy of another's and has no files of its own: no web server
// can name any, so that nobody has to be asked what it uses. That it still is one is asked where it is
// removed alone: all renewal files are read for it, of which copies may be thousands.
func (e *Exam) copyGone(f Finding) (plan, error) {
	path := e.Disk.Dirs.Renewal(f.Lineage)
	for _, dir := range []string{"live", "archive"} {
		own := filepath.Join(e.Disk.Dirs.Config, dir, f.Lineage)
		if _, err := os.Lstat(own); !errors.Is(err, os.ErrNotExist) {
			return plan{}, failure.New(failure.Config, f.Remedy, "%s is there as well, and may be in use", own)
		}
	}
	info, err := os.Lstat(path)
	if errors.Is(err, os.ErrNotExist) {
		return plan{}, nil
	}
	if err != nil || !info.Mode().IsRegular() {
		return plan{}, err
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return plan{}, err
	}
	return plan{FixAsk, []certbot.Edit{{Kind: certbot.Removed, Path: path, Before: string(text)}},
		func(context.Context) error { return e.removeCopy(f.Lineage) }}, nil
}

// removeCopy removes the renewal file of a lineage that is a copy of another.
func (e *Exam) removeCopy(lineage string) error {
	switch err := e.Disk.NotCopied(lineage); {
	case err == nil:
		return failure.New(failure.Locked, "Run the same command again.",
			"%s is no copy any more, and is left as it is", lineage)
	case failure.ClassOf(err) != failure.LineageBroken:
		return err // it is not known
	}
	return removeDurably(e.Disk.Dirs.Renewal(lineage))
}

// away reports whether a lineage was there and is put aside or deleted by now.
func away(x *Lineage) bool {
	_, err := os.Lstat(x.Path)
	return errors.Is(err, os.ErrNotExist)
}

// kept is the lineage that is served and renewed, for whose sake others may go.
func (e *Exam) kept(u *usage, k kin) (*Lineage, error) {
	served := false
	for _, x := range k.keep {
		if !u.serves[x.Name] {
			continue
		}
		served = true
		if x.Err == nil && len(x.Refusals) == 0 && !x.off() && x.Standing.Class == "" &&
			x.NotAfter.After(e.At) {
			return x, nil
		}
	}
	if served {
		return nil, failure.New(failure.Config, "See to it first: "+failure.Do(failure.RenewDue)+".",
			"the one that is served is not renewed, so that the others are kept")
	}
	return nil, failure.New(failure.Config, "Look by hand which of them is in use.",
		"no web server names a certificate that has all names: %s", called(k.keep))
}

// sparable returns why a lineage may not be put aside for the sake of another one.
func (e *Exam) sparable(u *usage, x, kept *Lineage) error {
	if file := u.named[x.Name]; file != "" {
		return failure.New(failure.Config, failure.Advise("If that is no longer used, take it out of %s.", file),
			"%s is named in %s, and may be in use", x.Name, file)
	}
	if u.hands != "" {
		return failure.New(failure.Config, failure.Advise("Look by hand to whom %s gives certificates.", u.hands),
			"%s may give each renewed certificate to somebody, %s as well", u.hands, x.Name)
	}
	l, err := e.Disk.Look(x.Name)
	if err != nil {
		return err
	}
	if p := l.Renewal.Params; p.DeployHook != "" || !onlyReloads(p.PostHook) {
		return failure.New(failure.Config, failure.Advise("Take the hook out of %s if it is not needed.", x.Path),
			"%s has a hook of its own, which may give the certificate to somebody", x.Name)
	}
	other, err := e.Disk.Look(kept.Name)
	if err != nil {
		return err
	}
	has := lowered(other.Certificate.Names)
	for _, name := range l.Certificate.Names {
		if _, ok := slices.BinarySearch(has, strings.ToLower(name)); !ok {
			return failure.New(failure.Config, "", "%s is only in %s, not in %s", name, x.Name, kept.Name)
		}
	}
	return nil
}

// spare puts lineages aside under the lock of the one that is kept, which nobody deletes or changes
// meanwhile.
func (e *Exam) spare(ctx context.Context, kept *Lineage, some []*Lineage) error {
	unlock, err := e.mender.lock(kept.Name)
	if err != nil {
		return err
	}
	defer unlock()
	for _, x := range some {
		err := e.mender.PutAside(ctx, x.Name, func() error {
			u, err := e.used(ctx, true) // a person may have thought for an hour
			if err != nil {
				return err
			}
			if !u.serves[kept.Name] || u.serves[x.Name] || away(kept) {
				return failure.New(failure.Config, "Run the same command again.",
					"what the web servers use was changed meanwhile: %s is left as it is", x.Name)
			}
			return e.sparable(u, x, kept)
		})
		if err != nil {
			return err
		}
	}
	return nil
}
