package certbot_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"orderly/certbot"
	"orderly/failure"
)

// forbidden is a directory in which nobody can make a file, not even root.
const forbidden = "/proc/self/fdinfo"

func TestWhereNoCertificateCanBePutInPlaceIsFoundBefore(t *testing.T) {
	for name, harm := range map[string]func(t *testing.T, s *certbot.Store){
		"archive": func(t *testing.T, s *certbot.Store) {
			conf := s.Dirs.Renewal("a.example")
			write(t, conf, strings.Replace(read(t, conf), "archive_dir = "+filepath.Join(s.Dirs.Config, "archive/a.example"), "archive_dir = "+forbidden, 1), 0o644)
		},
		"renewal": func(t *testing.T, s *certbot.Store) {
			dir := filepath.Dir(s.Dirs.Renewal("a"))
			must(t, os.Rename(dir, dir+"-old"))
			must(t, os.WriteFile(dir, nil, 0o644))
		},
		"live": func(t *testing.T, s *certbot.Store) {
			dir := filepath.Join(s.Dirs.Config, "live", "a.example")
			must(t, os.RemoveAll(dir))
			must(t, os.WriteFile(dir, nil, 0o644))
		},
	} {
		s := newStore(t)
		install(t, s, "a.example", issue(t, 9, "a.example"))
		before := snapshot(t, s.Dirs.Config)
		must(t, s.Installable("a.example", testParams))
		must(t, s.Installable("new.example", testParams))
		if after := snapshot(t, s.Dirs.Config); after != before {
			t.Errorf("the try left something: %s, before %s", after, before)
		}
		harm(t, s)
		err := s.Installable("a.example", testParams)
		if class(t, err, failure.Config); failure.RemedyOf(err) == "" || !strings.Contains(err.Error(), "nothing can be written to /") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A try that was killed left its files. They neither stop the next one nor keep the lineage from being removed.
func TestWhatAKilledTryLeftIsRemoved(t *testing.T) {
	s := newStore(t)
	done := install(t, s, "a.example", issue(t, 9, "a.example"))
	archive := filepath.Join(s.Dirs.Config, "archive", "a.example")
	for _, dir := range []string{done.Dir, archive} {
		for _, n := range []string{"1", "2"} {
			write(t, filepath.Join(dir, ".a.example.probe99999999."+n+".orderly-new"), "killed", 0o600)
		}
	}
	write(t, filepath.Join(archive, ".privkey2.pem.orderly-new"), "killed", 0o600)
	must(t, s.Installable("a.example", testParams))
	if _, err := s.Repair("a.example"); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{done.Dir, archive} {
		if left, err := filepath.Glob(filepath.Join(dir, ".*")); err != nil || len(left) > 0 {
			t.Errorf("left: %q", left)
		}
	}
	write(t, filepath.Join(done.Dir, ".a.example.probe99999999.1.orderly-new"), "killed", 0o600)
	must(t, s.Delete("a.example"))
	must(t, s.Free("a.example"))
}

// Two runs may look at one directory at once: neither takes the other's probe away.
func TestTheProbeOfARunThatLivesStays(t *testing.T) {
	s := newStore(t)
	install(t, s, "a.example", issue(t, 9, "a.example"))
	another := filepath.Join(s.Dirs.Config, "archive", "a.example", ".a.example.probe1.1.orderly-new") // process 1 always lives
	write(t, another, "at work", 0o600)
	must(t, s.Installable("a.example", testParams))
	read(t, another)
}

// A renewal file that says everything already may be one that cannot be changed.
func TestARenewalFileThatStaysAsItIsNeedsNoDirectory(t *testing.T) {
	s := newStore(t)
	install(t, s, "a.example", issue(t, 9, "a.example"))
	conf := s.Dirs.Renewal("a.example")
	dir := filepath.Dir(conf)
	text := read(t, conf)
	must(t, os.RemoveAll(dir))
	must(t, os.Symlink(forbidden, dir))
	if err := s.Installable("a.example", testParams); err == nil {
		t.Fatal("the lineage has no renewal file there")
	}
	must(t, os.Remove(dir))
	write(t, conf, text, 0o644)
	changed := testParams
	changed.PostHook = "true"
	for _, p := range []certbot.Params{testParams, changed} {
		must(t, s.Installable("a.example", p))
	}
}

func TestKeysThatAKillLeftAreSwept(t *testing.T) {
	s := newStore(t)
	key, err := s.Accounts().PendingKey(testServer)
	must(t, err)
	dir := filepath.Join(s.Dirs.Config, "orderly/new-accounts/ca.example:14000/dir")
	left := filepath.Join(dir, ".ABCDEFGH.orderly-new")
	write(t, left, "a private key", 0o600)
	again, err := s.Accounts().PendingKey(testServer)
	must(t, err)
	if _, err := os.Lstat(left); err == nil || key == nil || again == nil {
		t.Error("the key beside one that has its name stays")
	}
	write(t, left, "a private key", 0o600)
	s.Accounts().SweepPendingKeys()
	if _, err := os.Lstat(left); err != nil {
		t.Error("the key of a process at work was swept")
	}
	must(t, os.Chtimes(left, time.Now().Add(-2*time.Hour), time.Now().Add(-2*time.Hour)))
	s.Accounts().SweepPendingKeys()
	if _, err := os.Lstat(left); err == nil {
		t.Error("a key that nobody is at work on stays")
	}
	for _, top := range []string{"archive", "live"} {
		write(t, filepath.Join(s.Dirs.Config, top, ".gone.example.orderly-new/privkey1.pem"), "a private key", 0o600)
	}
	install(t, s, "there.example", issue(t, 9, "there.example"))
	mine := filepath.Join(s.Dirs.Config, "live/.there.example.orderly-new/combined.pem")
	write(t, mine, "put in while the directories were exchanged", 0o600)
	if names := s.Unfinished(); len(names) != 1 || names[0] != "gone.example" {
		t.Errorf("unfinished: %q", names)
	}
	must(t, s.ClearUnfinished("gone.example"))
	must(t, s.ClearUnfinished("there.example"))
	if _, err := os.Lstat(mine); err != nil {
		t.Error("what somebody put into a directory that was exchanged is lost")
	}
	if names := s.Unfinished(); len(names) != 0 {
		t.Errorf("still unfinished: %q", names)
	}
}
