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

func install(t *testing.T, s *certbot.Store, name string, m certbot.Material) certbot.Installed {
	t.Helper()
	done, err := s.Install(name, m, testParams)
	must(t, err)
	return done
}

func TestLineagesAreFoundByTheirNames(t *testing.T) {
	s := newStore(t)
	if names, err := s.Names(); err != nil || names != nil {
		t.Errorf("no directory: %v, %v", names, err)
	}
	install(t, s, "b.example", issue(t, 10, "a.example", "www.a.example"))
	install(t, s, "a.example", issue(t, 50, "a.example"))
	install(t, s, "c.example", issue(t, 90, "www.a.example", "a.example", "a.example"))
	write(t, s.Dirs.Renewal("bad"), "no renewal file", 0o644)
	write(t, filepath.Join(s.Dirs.Config, "renewal", ".hidden.conf"), "", 0o644)
	write(t, filepath.Join(s.Dirs.Config, "renewal", "a.example.conf.bak"), "", 0o644)
	names, err := s.Names()
	must(t, err)
	if got := strings.Join(names, " "); got != "a.example b.example bad c.example" {
		t.Errorf("Names = %s", got)
	}
	all, bad := s.All()
	if len(all) != 3 || len(bad) != 1 || failure.ClassOf(bad[0]) != failure.RenewalFile {
		t.Errorf("All = %v, %v", all, bad)
	}
	if l := s.FindByNames([]string{"WWW.a.example", "a.example"}); l == nil || l.Name != "c.example" {
		t.Errorf("exact: %+v", l)
	}
	if l := s.FindByNames([]string{"www.a.example"}); l != nil {
		t.Errorf("a subset: %+v", l)
	}
	if found := s.Overlaps([]string{"www.a.example", "x.example"}); len(found) != 2 || found[0].Name != "b.example" {
		t.Errorf("Overlaps = %+v", found)
	}
}

func TestOpenTellsWhatIsCurrent(t *testing.T) {
	s := newStore(t)
	install(t, s, "a.example", issueRSA(t, "a.example"))
	l, err := s.Open("a.example")
	must(t, err)
	c := l.Certificate
	if l.Version != 1 || c.KeyType != "RSA" || !c.Issuer.Is("Test CA") || c.Serial != c.Leaf.SerialNumber.Text(16) || c.NotAfter.Before(c.NotBefore) {
		t.Errorf("%+v", l)
	}
	install(t, s, "a.example", issue(t, 90, "a.example"))
	if l, err = s.Open("a.example"); err != nil || l.Version != 2 || l.Certificate.KeyType != "ECDSA" {
		t.Errorf("%+v, %v", l, err)
	}
}

func TestBrokenLineagesAreToldInCertbotsWords(t *testing.T) {
	for name, c := range map[string]struct {
		damage func(live, archive string) error
		want   string
	}{
		"copied without links": {func(live, _ string) error {
			path := filepath.Join(live, "privkey.pem")
			if err := os.Remove(path); err != nil {
				return err
			}
			return os.WriteFile(path, nil, 0o600)
		}, "expected LIVE/privkey.pem to be a symlink"},
		"link gone":    {func(live, _ string) error { return os.Remove(filepath.Join(live, "chain.pem")) }, "expected LIVE/chain.pem to be a symlink"},
		"archive gone": {func(_, archive string) error { return os.Remove(filepath.Join(archive, "cert1.pem")) }, "target ARCHIVE/cert1.pem of symlink LIVE/cert.pem does not exist"},
		"torn":         {func(_, archive string) error { return os.Truncate(filepath.Join(archive, "cert1.pem"), 100) }, "the certificate LIVE/cert.pem is damaged"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStore(t)
			done := install(t, s, "a.example", issue(t, 90, "a.example"))
			archive := filepath.Join(s.Dirs.Config, "archive", "a.example")
			must(t, c.damage(done.Dir, archive))
			_, err := s.Open("a.example")
			class(t, err, failure.LineageBroken)
			want := strings.NewReplacer("LIVE", done.Dir, "ARCHIVE", archive).Replace(c.want)
			if !strings.HasPrefix(err.Error(), want) || failure.RemedyOf(err) == "" {
				t.Errorf("got %v, want %s", err, want)
			}
		})
	}
}

func TestCheckPairSeesAForeignKey(t *testing.T) {
	s := newStore(t)
	install(t, s, "a.example", issue(t, 90, "a.example"))
	l, err := s.Open("a.example")
	must(t, err)
	must(t, l.CheckPair())
	write(t, filepath.Join(s.Dirs.Config, "archive", "a.example", "privkey1.pem"), string(issue(t, 1, "x").Key), 0o600)
	class(t, l.CheckPair(), failure.LineageBroken)
	write(t, filepath.Join(s.Dirs.Config, "archive", "a.example", "privkey1.pem"), "", 0o600)
	class(t, l.CheckPair(), failure.LineageBroken)
}

func TestTakenNamesAreFoundBeforeOrdering(t *testing.T) {
	s := newStore(t)
	must(t, s.Free("a.example"))
	archive, live := filepath.Join(s.Dirs.Config, "archive", "a.example"), filepath.Join(s.Dirs.Config, "live", "a.example")
	must(t, os.MkdirAll(archive, 0o755))
	must(t, os.MkdirAll(live, 0o755))
	must(t, s.Free("a.example"))
	for _, path := range []string{filepath.Join(archive, "x"), filepath.Join(live, "x"), s.Dirs.Renewal("a.example")} {
		write(t, path, "x", 0o644)
		err := s.Free("a.example")
		class(t, err, failure.LineageTaken)
		named := strings.TrimSuffix(path, "/x")
		if !strings.Contains(err.Error(), named) || failure.RemedyOf(err) == "" {
			t.Errorf("%s: %v", path, err)
		}
		must(t, os.Remove(path))
	}
	must(t, s.Free("a.example"))
	for _, name := range []string{"", "../x", "a/b", ".hidden", "a\nb", strings.Repeat("x", 201)} {
		class(t, s.Free(name), failure.Usage)
	}
}

func TestUniqueNameCountsAsCertbotDoes(t *testing.T) {
	s := newStore(t)
	for _, want := range []string{"a.example", "a.example-0001", "a.example-0002"} {
		got, err := s.UniqueName("a.example")
		if err != nil || got != want {
			t.Errorf("got %q, %v, want %q", got, err, want)
		}
		write(t, s.Dirs.Renewal(want), "x", 0o644)
	}
	_, err := s.UniqueName("../x")
	class(t, err, failure.Usage)
	if certbot.NameFor([]string{"*.a.example", "a.example"}) != "a.example" || certbot.NameFor(nil) != "" {
		t.Error("NameFor")
	}
}

func TestPrepareMakesCertbotsDirectories(t *testing.T) {
	s := newStore(t)
	must(t, os.MkdirAll(s.Dirs.Work, 0o711))
	must(t, errors.Join(s.Dirs.Prepare(), s.Dirs.PrepareLogs()))
	must(t, errors.Join(s.Dirs.Prepare(), s.Dirs.PrepareLogs()))
	for path, want := range map[string]os.FileMode{
		s.Dirs.Config: 0o755, s.Dirs.Work: 0o711, s.Dirs.Logs: 0o700,
		s.Dirs.Config + "/renewal-hooks": 0o755, s.Dirs.Config + "/renewal-hooks/pre": 0o755,
		s.Dirs.Config + "/renewal-hooks/deploy": 0o755, s.Dirs.Config + "/renewal-hooks/post": 0o755,
	} {
		if mode(t, path) != want {
			t.Errorf("%s has mode %v, want %v", path, mode(t, path), want)
		}
	}
	write(t, filepath.Join(s.Dirs.Config, "file"), "", 0o644)
	for _, bad := range []string{filepath.Join(s.Dirs.Config, "file"), filepath.Join(s.Dirs.Config, "file", "below"), "/proc/orderly"} {
		dirs := s.Dirs
		dirs.Logs, dirs.Work = bad, bad
		for _, err := range []error{dirs.Prepare(), dirs.PrepareLogs()} {
			class(t, err, failure.Config)
			if !strings.Contains(err.Error(), bad) {
				t.Errorf("%s is not named in %v", bad, err)
			}
		}
	}
	dirs, err := certbot.Dirs{Config: "etc", Work: "/lib", Logs: "log"}.Abs()
	must(t, err)
	if !filepath.IsAbs(dirs.Config) || dirs.Work != "/lib" || !filepath.IsAbs(dirs.Logs) {
		t.Errorf("Abs = %+v", dirs)
	}
	if d := certbot.DefaultDirs(); d.Config != "/etc/letsencrypt" {
		t.Errorf("DefaultDirs = %+v", d)
	}
}

func TestDirectoryHooksAreListedAsCertbotDoes(t *testing.T) {
	s := newStore(t)
	if hooks, err := s.Dirs.Hooks("deploy"); err != nil || hooks != nil {
		t.Errorf("no directory: %v, %v", hooks, err)
	}
	dir := filepath.Join(s.Dirs.Config, "renewal-hooks", "deploy")
	write(t, filepath.Join(dir, "20-second"), "#!/bin/sh\n", 0o755)
	write(t, filepath.Join(dir, "10-first"), "#!/bin/sh\n", 0o755)
	write(t, filepath.Join(dir, "30-backup~"), "#!/bin/sh\n", 0o755)
	write(t, filepath.Join(dir, "40-plain"), "#!/bin/sh\n", 0o644)
	must(t, os.Mkdir(filepath.Join(dir, "50-directory"), 0o755))
	must(t, os.Symlink("10-first", filepath.Join(dir, "60-link")))
	must(t, os.Symlink("nowhere", filepath.Join(dir, "70-dangling")))
	hooks, err := s.Dirs.Hooks("deploy")
	must(t, err)
	if got, want := strings.Join(hooks, " "), strings.Join([]string{dir + "/10-first", dir + "/20-second", dir + "/60-link"}, " "); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	write(t, filepath.Join(s.Dirs.Config, "renewal-hooks", "post"), "", 0o644)
	_, err = s.Dirs.Hooks("post")
	class(t, err, failure.Hook)
}
