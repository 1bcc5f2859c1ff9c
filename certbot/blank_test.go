package certbot_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"orderly/certbot"
	"orderly/failure"
)

func list(t testing.TB, path ...string) []string {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join(path...))
	must(t, err)
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func TestAnEmptyRenewalFileIsNoLineage(t *testing.T) {
	s := newStore(t)
	conf := s.Dirs.Renewal("a.example")
	write(t, conf, "", 0o600)
	write(t, s.Dirs.Renewal("b.example"), "x", 0o644)
	if names, err := s.Names(); err != nil || strings.Join(names, " ") != "b.example" {
		t.Errorf("Names = %v, %v", names, err)
	}
	_, err := s.Open("a.example")
	if class(t, err, failure.RenewalFile); !errors.Is(err, certbot.ErrBlank) {
		t.Error(err)
	}
	if name, err := s.UniqueName("a.example"); err != nil || name != "a.example" {
		t.Errorf("UniqueName = %s, %v", name, err)
	}
	must(t, s.Free("a.example"))
	done := install(t, s, "a.example", issue(t, 90, "a.example"))
	if done.Version != 1 || pairAt(done.Dir, "") != "" || mode(t, done.Dir) != 0o755 {
		t.Errorf("%+v: %s", done, pairAt(done.Dir, ""))
	}
	if out := runCertbot(t, s, "certificates"); !strings.Contains(out, "Certificate Name: a.example\n") {
		t.Error(out)
	}
}

func TestEmptyRenewalFilesAreClearedIfTheyStandForNothing(t *testing.T) {
	s := newStore(t)
	if cleared, err := s.ClearBlank(alone); err != nil || cleared != nil {
		t.Errorf("no directory: %v, %v", cleared, err)
	}
	install(t, s, "kept.example", issue(t, 90, "kept.example"))
	must(t, os.Truncate(s.Dirs.Renewal("kept.example"), 0))
	write(t, s.Dirs.Renewal("gone.example"), "", 0o644)
	write(t, s.Dirs.Renewal("nul.example"), "\x00\x00", 0o644)
	must(t, os.MkdirAll(filepath.Join(s.Dirs.Config, "live", "gone.example"), 0o755))
	cleared, err := s.ClearBlank(alone)
	if err != nil || len(cleared) != 1 || cleared[0] != "gone.example" {
		t.Errorf("cleared %v, %v", cleared, err)
	}
	if names, err := s.Names(); err != nil || strings.Join(names, " ") != "kept.example nul.example" {
		t.Errorf("Names = %v, %v", names, err)
	}
	_, err = s.Open("kept.example")
	if !strings.Contains(string(failure.RemedyOf(err)), string(failure.Do(failure.ObtainAt, "", "kept.example"))) {
		t.Error(failure.RemedyOf(err))
	}
}

// TestALineageWithoutSettingsIsContinued goes over all that a certbot can leave that is killed while it makes a lineage.
func TestALineageWithoutSettingsIsContinued(t *testing.T) {
	for name, rest := range map[string]struct {
		destroy func(live, archive string) error
		version int
	}{
		"whole":      {func(string, string) error { return nil }, 2},
		"no archive": {func(live, archive string) error { return os.RemoveAll(archive) }, 1},
		"empty directories": {func(live, archive string) error {
			return errors.Join(os.RemoveAll(archive), os.RemoveAll(live), os.Mkdir(archive, 0o755), os.Mkdir(live, 0o755))
		}, 1},
		"certificate without key": {func(live, archive string) error {
			return errors.Join(os.Remove(archive+"/privkey1.pem"), os.Remove(archive+"/chain1.pem"), os.Remove(archive+"/fullchain1.pem"))
		}, 2},
		"two links": {func(live, archive string) error {
			return errors.Join(os.RemoveAll(archive), os.Remove(live+"/chain.pem"), os.Remove(live+"/fullchain.pem"), os.Remove(live+"/README"))
		}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStore(t)
			install(t, s, "a.example", issue(t, 90, "a.example"))
			archive, live := filepath.Join(s.Dirs.Config, "archive", "a.example"), filepath.Join(s.Dirs.Config, "live", "a.example")
			must(t, rest.destroy(live, archive))
			must(t, os.Truncate(s.Dirs.Renewal("a.example"), 0))
			must(t, s.Free("a.example"))
			if unique, err := s.UniqueName("a.example"); err != nil || unique != "a.example" {
				t.Errorf("UniqueName = %s, %v", unique, err)
			}
			next := issue(t, 90, "a.example")
			for range 2 {
				done := install(t, s, "a.example", next)
				l, err := s.Open("a.example")
				must(t, err)
				must(t, l.Verify())
				if done.Version != rest.version || l.Version != rest.version || l.Unsettled || read(t, done.Dir, "fullchain.pem") != string(next.Chain) {
					t.Errorf("%+v, %+v", done, l)
				}
			}
		})
	}
}

func TestAKillWhileALineageWithoutSettingsIsContinuedIsHealed(t *testing.T) {
	former, next := issue(t, 10, "a.example"), issue(t, 90, "a.example")
	for k := 0; ; k++ {
		s := newStore(t)
		install(t, s, "a.example", former)
		must(t, os.Truncate(s.Dirs.Renewal("a.example"), 0))
		live := filepath.Join(s.Dirs.Config, "live", "a.example")
		step := dieAt(s, k, func(step string) {
			if wrong := pairAt(live, ""); wrong != "" {
				t.Errorf("at %q: %s", step, wrong)
			}
		}, func() { install(t, s, "a.example", next) })
		done := install(t, s, "a.example", next)
		if wrong := pairAt(live, ""); wrong != "" || done.Version != 2 {
			t.Errorf("after death at %q: version %d, %s", step, done.Version, wrong)
		}
		if step == "" {
			if k < 10 {
				t.Errorf("only %d steps", k)
			}
			return
		}
	}
}

func TestForeignFilesKeepANameTaken(t *testing.T) {
	for _, foreign := range []string{"archive/a.example/mine", "live/a.example/mine", "live/a.example/cert.pem"} {
		s := newStore(t)
		write(t, s.Dirs.Renewal("a.example"), "", 0o644)
		path := filepath.Join(s.Dirs.Config, foreign)
		write(t, path, "foreign", 0o644)
		err := s.Free("a.example")
		if class(t, err, failure.LineageTaken); !strings.Contains(err.Error(), path) {
			t.Error(err)
		}
		if name, err := s.UniqueName("a.example"); err != nil || name != "a.example-0001" {
			t.Errorf("UniqueName = %s, %v", name, err)
		}
		_, err = s.Install("a.example", issue(t, 90, "a.example"), testParams)
		if class(t, err, failure.LineageTaken); read(t, path) != "foreign" {
			t.Errorf("%s was changed", path)
		}
	}
}

// alone locks a lineage where nobody else is at work.
func alone(string) (func() error, bool, error) { return func() error { return nil }, true, nil }
