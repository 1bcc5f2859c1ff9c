package certbot_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"orderly/certbot"
	"orderly/failure"
)

// states are all that is below a directory, but for the places where something is put aside: modes, owners, what links
// say and files hold.
func states(t testing.TB, dir string) string {
	t.Helper()
	var all []string
	must(t, filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if path == filepath.Join(dir, "orderly") {
			return fs.SkipDir
		}
		var st unix.Stat_t
		must(t, unix.Lstat(path, &st))
		line := fmt.Sprintf("%s %o %d:%d", strings.TrimPrefix(path, dir), st.Mode, st.Uid, st.Gid)
		switch e.Type() {
		case fs.ModeSymlink:
			to, err := os.Readlink(path)
			must(t, err)
			line += " -> " + to
		case 0:
			text, err := os.ReadFile(path)
			must(t, err)
			line += fmt.Sprintf(" %q", text)
		}
		all = append(all, line)
		return nil
	}))
	return strings.Join(all, "\n")
}

// placed are the pieces of a.example that are in their place.
func placed(s *certbot.Store) []string {
	return slices.DeleteFunc([]string{s.Dirs.Renewal("a.example"), filepath.Join(s.Dirs.Config, "live/a.example"),
		filepath.Join(s.Dirs.Config, "archive/a.example")}, func(path string) bool {
		_, err := os.Lstat(path)
		return errors.Is(err, fs.ErrNotExist)
	})
}

// worn is a store with two lineages, one of which was used for a while.
func worn(t *testing.T) *certbot.Store {
	s := newStore(t)
	must(t, s.Dirs.Prepare())
	must(t, s.Dirs.PrepareLedger())
	install(t, s, "kept.example", issue(t, 90, "kept.example"))
	install(t, s, "a.example", issue(t, 10, "a.example", "www.a.example"))
	install(t, s, "a.example", issue(t, 90, "a.example", "www.a.example"))
	live := filepath.Join(s.Dirs.Config, "live", "a.example")
	must(t, os.Chmod(live, 0o750))
	must(t, os.Chown(live, -1, foreign(4242, os.Getegid())))
	write(t, filepath.Join(live, "combined.pem"), "mine", 0o640)
	must(t, os.Chmod(s.Dirs.Renewal("a.example"), 0o600))
	return s
}

func TestWhatIsPutAsideComesBackAsItWas(t *testing.T) {
	s := worn(t)
	before := states(t, s.Dirs.Config)
	must(t, s.Retirable("a.example"))
	must(t, s.Retire("a.example"))
	if left := placed(s); len(left) > 0 {
		t.Errorf("left in its place: %s", left)
	}
	if names, err := s.Names(); err != nil || !slices.Equal(names, []string{"kept.example"}) {
		t.Errorf("%v, %v", names, err)
	}
	must(t, s.Free("a.example"))
	all, err := s.Retired()
	must(t, err)
	if len(all) != 1 || all[0].Name != "a.example" || !slices.Equal(all[0].Names, []string{"a.example", "www.a.example"}) ||
		all[0].At.IsZero() || all[0].Expires.IsZero() || all[0].Dir != filepath.Join(s.Dirs.Config, "orderly/retired/a.example") {
		t.Errorf("%+v", all)
	}
	// links lead where they led
	if text, err := os.ReadFile(filepath.Join(all[0].Dir, "live/a.example/fullchain.pem")); err != nil || len(text) == 0 {
		t.Error(err)
	}
	must(t, s.Returnable("a.example"))
	must(t, s.Return("a.example"))
	if after := states(t, s.Dirs.Config); after != before {
		t.Errorf("before:\n%s\nafter:\n%s", before, after)
	}
	if all, err := s.Retired(); err != nil || len(all) > 0 {
		t.Errorf("%v, %v", all, err)
	}
	class(t, s.Returnable("a.example"), failure.Config)
}

// certbot no longer knows a lineage that is put aside, and knows it again once it is back.
func TestCertbotDoesNotKnowWhatIsPutAside(t *testing.T) {
	s := worn(t)
	must(t, s.Retire("a.example"))
	if said := runCertbot(t, s, "certificates"); strings.Contains(said, "a.example") || !strings.Contains(said, "kept.example") {
		t.Error(said)
	}
	must(t, s.Return("a.example"))
	if said := runCertbot(t, s, "certificates"); !strings.Contains(said, "www.a.example") {
		t.Error(said)
	}
}

func TestAMoveThatWasCutShortIsEndedByTheNext(t *testing.T) {
	for _, back := range []bool{false, true} {
		for k := 0; ; k++ {
			s := worn(t)
			before := states(t, s.Dirs.Config)
			move := s.Retire
			if back {
				must(t, s.Retire("a.example"))
				move = s.Return
			}
			whole := func(step string) {
				// without its renewal file nobody knows it; with it, it can be used
				if names, err := s.Names(); err != nil {
					t.Errorf("at %q: %v", step, err)
				} else if back && slices.Contains(names, "a.example") {
					if _, err := s.Open("a.example"); err != nil {
						t.Errorf("at %q it is known, and broken: %v", step, err)
					}
				}
			}
			step := dieAt(s, k, whole, func() { must(t, move("a.example")) })
			if step != "" {
				must(t, move("a.example"))
			}
			after := states(t, s.Dirs.Config)
			if !back && len(placed(s)) > 0 || back && after != before {
				t.Errorf("after death at %q: %s", step, after)
			}
			if !back {
				must(t, s.Return("a.example"))
				if after := states(t, s.Dirs.Config); after != before {
					t.Errorf("after death at %q, and back: %s", step, after)
				}
			}
			if step == "" {
				if k != 6 {
					t.Errorf("%d steps", k)
				}
				break
			}
		}
	}
}

func TestWhatCannotBePutAsideIsLeftAsItIs(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(t *testing.T, s *certbot.Store)
		class failure.Class
	}{
		"no such name": {func(t *testing.T, s *certbot.Store) { must(t, s.Delete("a.example")) }, failure.Config},
		"shared": {func(t *testing.T, s *certbot.Store) {
			write(t, s.Dirs.Renewal("b.example"), read(t, filepath.Dir(s.Dirs.Renewal("a.example")), "a.example.conf"), 0o644)
		}, failure.LineageBroken},
		"unusual archive": {func(t *testing.T, s *certbot.Store) {
			text := read(t, filepath.Dir(s.Dirs.Renewal("a.example")), "a.example.conf")
			write(t, s.Dirs.Renewal("a.example"), strings.ReplaceAll(text, "/archive/a.example", "/archive/b.example"), 0o644)
		}, failure.Config},
		"put aside before": {func(t *testing.T, s *certbot.Store) {
			must(t, s.Retire("a.example"))
			install(t, s, "a.example", issue(t, 90, "a.example"))
		}, failure.LineageTaken},
	} {
		t.Run(name, func(t *testing.T) {
			s := worn(t)
			c.spoil(t, s)
			before := states(t, s.Dirs.Config)
			err := s.Retirable("a.example")
			class(t, err, c.class)
			if failure.RemedyOf(err) == "" {
				t.Errorf("%v has no remedy", err)
			}
			if states(t, s.Dirs.Config) != before {
				t.Error("something was changed")
			}
		})
	}
}

func TestNothingIsReplacedByWhatComesBack(t *testing.T) {
	for _, stands := range []string{"renewal/a.example.conf", "live/a.example", "archive/a.example"} {
		s := worn(t)
		must(t, s.Retire("a.example"))
		must(t, os.Mkdir(filepath.Join(s.Dirs.Config, stands), 0o755))
		before, away := states(t, s.Dirs.Config), tree(t, filepath.Join(s.Dirs.Config, "orderly"))
		err := s.Returnable("a.example")
		class(t, err, failure.LineageTaken)
		if !strings.Contains(err.Error(), stands) || failure.RemedyOf(err) == "" {
			t.Error(err)
		}
		// it came into the way only now
		if err := s.Return("a.example"); !errors.Is(err, fs.ErrExist) {
			t.Errorf("%s: %v", stands, err)
		}
		if states(t, s.Dirs.Config) != before || tree(t, filepath.Join(s.Dirs.Config, "orderly")) != away {
			t.Errorf("%s: something was moved", stands)
		}
	}
}

// Another file system in the way of the last piece: nothing stays moved.
func TestAMoveThatFailsIsTakenBack(t *testing.T) {
	s := worn(t)
	before := states(t, s.Dirs.Config)
	blocked := filepath.Join(s.Dirs.Config, "orderly/retired/a.example/archive")
	must(t, os.MkdirAll(filepath.Dir(blocked), 0o700))
	write(t, blocked, "no directory", 0o600)
	class(t, s.Retire("a.example"), failure.Config)
	if after := states(t, s.Dirs.Config); after != before {
		t.Errorf("before:\n%s\nafter:\n%s", before, after)
	}
	must(t, os.Remove(blocked))
	must(t, s.Retire("a.example"))
}
