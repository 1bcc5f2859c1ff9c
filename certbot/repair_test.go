package certbot_test

import (
	"os"
	"path/filepath"
	"testing"

	"orderly/failure"
)

func TestANewCertificateMendsBrokenLinks(t *testing.T) {
	for name, destroy := range map[string]func(live, archive string) error{
		"no archive": func(_, archive string) error { return os.RemoveAll(archive) },
		"no live":    func(live, _ string) error { return os.RemoveAll(live) },
		"no key":     func(_, archive string) error { return os.Remove(filepath.Join(archive, "privkey1.pem")) },
		"copied": func(live, _ string) error {
			path := filepath.Join(live, "chain.pem")
			text, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			if err := os.Remove(path); err != nil {
				return err
			}
			return os.WriteFile(path, text, 0o644)
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStore(t)
			install(t, s, "a.example", issue(t, 10, "a.example"))
			archive, live := filepath.Join(s.Dirs.Config, "archive", "a.example"), filepath.Join(s.Dirs.Config, "live", "a.example")
			must(t, destroy(live, archive))
			next := issue(t, 90, "a.example")
			for range 2 {
				install(t, s, "a.example", next)
				l, err := s.Open("a.example")
				must(t, err)
				must(t, l.Verify())
				if read(t, live, "fullchain.pem") != string(next.Chain) || l.Unsettled {
					t.Errorf("another certificate is in place: %+v", l)
				}
			}
		})
	}
	s := newStore(t)
	done := install(t, s, "a.example", issue(t, 10, "a.example"))
	must(t, os.Remove(filepath.Join(done.Dir, "cert.pem")))
	write(t, filepath.Join(done.Dir, "cert.pem"), "bought elsewhere", 0o644)
	_, err := s.Install("a.example", issue(t, 90, "a.example"), testParams)
	if class(t, err, failure.LineageBroken); read(t, done.Dir, "cert.pem") != "bought elsewhere" {
		t.Error("somebody's certificate was replaced")
	}
}

func TestRepairNeverGoesBackFromAGoodPair(t *testing.T) {
	for name, harm := range map[string]func(archive string) error{
		"certificate gone": func(archive string) error { return os.Remove(filepath.Join(archive, "cert2.pem")) },
		"chain torn":       func(archive string) error { return os.Truncate(filepath.Join(archive, "chain2.pem"), 10) },
		"chain edited": func(archive string) error {
			f, err := os.OpenFile(filepath.Join(archive, "chain2.pem"), os.O_APPEND|os.O_WRONLY, 0)
			if err != nil {
				return err
			}
			defer f.Close()
			_, err = f.WriteString("# the root, for an old client\n")
			return err
		},
	} {
		s := newStore(t)
		install(t, s, "a.example", issue(t, 10, "a.example"))
		next := issue(t, 90, "a.example")
		done := install(t, s, "a.example", next)
		must(t, harm(filepath.Join(s.Dirs.Config, "archive", "a.example")))
		_, err := s.Repair("a.example")
		must(t, err)
		l, err := s.Open("a.example")
		must(t, err)
		if read(t, done.Dir, "fullchain.pem") != string(next.Chain) || l.Version != 2 {
			t.Errorf("%s: version %d", name, l.Version)
		}
		if name != "chain edited" {
			must(t, l.Verify())
		}
	}
}
