package renewal

import (
	"context"
	"errors"
	"slices"
	"strings"

	"orderly/certbot"
	"orderly/failure"
	"orderly/order"
)

// Before a wish is decided about, the lineages that it may be about are mended.

// heal mends the lineages that a wish may be about, as renew does: a script that asks for a
// certificate once more after somebody harmed live/ is not to get a second lineage.
func (s *wishes) heal(ctx context.Context, w Wish) {
	troubled := s.Disk.Troubled(w.Names)
	if w.CertName != "" && !slices.Contains(troubled, w.CertName) {
		troubled = append(troubled, w.CertName)
	}
	for _, name := range troubled {
		// what is wrong still, is found when it is decided about
		_, err := s.host.Lineages.Open(name)
		if failure.ClassOf(err) != failure.LineageBroken || s.Settings.Rehearsal {
			continue
		}
		// Another process may be mending it just now; it is broken only if it still is when that
		// one is done.
		if unlock, err := s.Locks.Lock(ctx, order.LineageLock(name)); err == nil &&
			unlock() == nil {
			_, _ = s.host.Lineages.Open(name)
		}
	}
}

// passedOver refuses to make a new lineage for names that one has already which cannot be used:
// certbot passes it over and makes a NAME-0001, and from then on renews both.
func (s *wishes) passedOver(w Wish) error {
	if w.Duplicate || s.Settings.Rehearsal {
		return nil
	}
	for _, name := range s.Disk.Troubled(w.Names) {
		_, err := s.Disk.Look(name)
		if err == nil || errors.Is(err, certbot.ErrBlank) {
			continue
		}
		has := s.Disk.Remains(name)
		for i := range has {
			has[i] = strings.ToLower(has[i])
		}
		if has == nil && name == certbot.NameFor(w.Names) {
			has = []string{name}
		}
		foreign := slices.ContainsFunc(has,
			func(n string) bool { return !slices.Contains(w.Names, n) })
		if len(has) == 0 || foreign {
			continue
		}
		remedy, remove := failure.RemedyOf(err), failure.Do(failure.Delete, name)
		if !strings.Contains(string(remedy), string(remove)) {
			remedy = failure.Advise("%s Or %s, and run the same command again.", remedy, remove)
		}
		return failure.Wrap(err, failure.LineageBroken, remedy,
			"the certificate %s is for these names (%s) and cannot be used", name,
			s.Disk.Dirs.Renewal(name))
	}
	return nil
}
