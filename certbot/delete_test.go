package certbot_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"orderly/certbot"
	"orderly/failure"
)

// tree lists what is below a directory.
func tree(t testing.TB, dir string) string {
	t.Helper()
	var all []string
	must(t, filepath.WalkDir(dir, func(path string, _ os.DirEntry, err error) error {
		all = append(all, strings.TrimPrefix(path, dir))
		return err
	}))
	return strings.Join(all, "\n")
}

func TestDeleteLeavesWhatCertbotLeaves(t *testing.T) {
	for name, before := range map[string]func(live string) error{
		"plain":     func(string) error { return nil },
		"own files": func(live string) error { return os.WriteFile(filepath.Join(live, "combined.pem"), nil, 0o600) },
		"no readme": func(live string) error { return os.Remove(filepath.Join(live, "README")) },
		"link gone": func(live string) error { return os.Remove(filepath.Join(live, "chain.pem")) },
		"no link": func(live string) error {
			return errors.Join(os.Remove(live+"/cert.pem"), os.WriteFile(live+"/cert.pem", nil, 0o600))
		},
	} {
		t.Run(name, func(t *testing.T) {
			ours, theirs := newStore(t), newStore(t)
			for _, s := range []*certbot.Store{ours, theirs} {
				must(t, s.Dirs.Prepare())
				install(t, s, "kept.example", issue(t, 90, "kept.example"))
				install(t, s, "a.example", issue(t, 90, "a.example"))
				must(t, before(filepath.Join(s.Dirs.Config, "live", "a.example")))
			}
			must(t, ours.Delete("a.example"))
			runCertbot(t, theirs, "delete", "--cert-name", "a.example", "-n")
			if got, want := tree(t, ours.Dirs.Config), tree(t, theirs.Dirs.Config); got != want {
				t.Errorf("ours:\n%s\ncertbot:\n%s", got, want)
			}
			err := ours.Delete("a.example")
			class(t, err, failure.Config)
			all := []string{"delete", "--cert-name", "a.example", "-n", "--config-dir", theirs.Dirs.Config, "--work-dir", theirs.Dirs.Work, "--logs-dir", theirs.Dirs.Logs}
			out, _ := exec.Command("/usr/bin/certbot", all...).CombinedOutput()
			if said := strings.ReplaceAll(err.Error(), ours.Dirs.Config, theirs.Dirs.Config); !strings.Contains(string(out), said) {
				t.Errorf("ours %q, certbot %q", said, out)
			}
		})
	}
}

func TestADeletionThatWasCutShortIsEndedByTheNext(t *testing.T) {
	m := issue(t, 90, "a.example")
	for k := 0; ; k++ {
		s := newStore(t)
		install(t, s, "a.example", m)
		step := dieAt(s, k, func(string) {}, func() { must(t, s.Delete("a.example")) })
		if step != "" {
			if names, err := s.Names(); err != nil || len(names) == 1 {
				must(t, s.Delete("a.example"))
			}
		}
		must(t, s.Free("a.example"))
		if left := tree(t, s.Dirs.Config); strings.Contains(left, "a.example") {
			t.Errorf("after death at %q: %s", step, left)
		}
		if step == "" {
			if k < 10 {
				t.Errorf("only %d steps", k)
			}
			return
		}
	}
}

func TestBrokenLineagesCanBeDeleted(t *testing.T) {
	for name, text := range map[string]string{"blank": "", "no renewal file": "oops\n", "no references": "a = b\n"} {
		s := newStore(t)
		install(t, s, "a.example", issue(t, 90, "a.example"))
		write(t, s.Dirs.Renewal("a.example"), text, 0o644)
		must(t, s.Delete("a.example"))
		if left := tree(t, s.Dirs.Config); strings.Contains(left, "a.example") {
			t.Errorf("%s: %s", name, left)
		}
	}
}

// A live directory that was replaced by a link to a disk that is gone blocked the name for ever, though delete had succeeded.
func TestALinkThatLeadsNowhereGoesWithItsLineage(t *testing.T) {
	s := newStore(t)
	install(t, s, "a.example", issue(t, 90, "a.example"))
	live := filepath.Join(s.Dirs.Config, "live", "a.example")
	must(t, errors.Join(os.RemoveAll(live), os.Symlink(filepath.Join(s.Dirs.Config, "gone"), live)))
	must(t, s.Delete("a.example"))
	if left := tree(t, s.Dirs.Config); strings.Contains(left, "a.example") {
		t.Error(left)
	}
}

func TestAFileInTheDirectorysPlaceGoesWithItsLineage(t *testing.T) {
	s := newStore(t)
	install(t, s, "a.example", issue(t, 90, "a.example"))
	live := filepath.Join(s.Dirs.Config, "live", "a.example")
	must(t, errors.Join(os.RemoveAll(live), os.WriteFile(live, []byte("in the way"), 0o600)))
	must(t, s.Delete("a.example"))
	if left := tree(t, s.Dirs.Config); strings.Contains(left, "a.example") {
		t.Error(left)
	}
}

func TestDeleteTakesNothingThatIsNotTheLineages(t *testing.T) {
	s := newStore(t)
	install(t, s, "a.example", issue(t, 90, "a.example"))
	conf := s.Dirs.Renewal("a.example")
	copied := s.Dirs.Renewal("copy.example")
	write(t, copied, read(t, conf), 0o644)
	err := s.Delete("a.example")
	if class(t, err, failure.LineageBroken); !strings.Contains(string(failure.RemedyOf(err)), copied) {
		t.Error(failure.RemedyOf(err))
	}
	must(t, os.Remove(copied))

	elsewhere := filepath.Join(filepath.Dir(s.Dirs.Config), "elsewhere")
	write(t, filepath.Join(elsewhere, "mine"), "", 0o644)
	write(t, filepath.Join(elsewhere, "cert7.pem"), "", 0o644)
	write(t, filepath.Join(elsewhere, "key.pem"), "mine", 0o644)
	text := strings.Replace(read(t, conf), s.Dirs.Config+"/archive/a.example", elsewhere, 1)
	text = strings.Replace(text, "privkey = "+s.Dirs.Config+"/live/a.example/privkey.pem", "privkey = "+filepath.Join(elsewhere, "key.pem"), 1)
	write(t, conf, text, 0o644)
	must(t, s.Delete("a.example"))
	if left := list(t, elsewhere); strings.Join(left, " ") != "key.pem mine" {
		t.Errorf("left: %v", left)
	}
	class(t, s.Delete("../x"), failure.Usage)
}
