package certbot_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"orderly/certbot"
)

// However a renewal file spells what certbot writes in one way, a lineage is found by its names.
func TestALineageIsFoundHoweverItsFileIsWritten(t *testing.T) {
	for name, change := range map[string]func(dir, conf string) string{
		"as written": func(_, conf string) string { return conf },
		"CRLF":       func(_, conf string) string { return strings.ReplaceAll(conf, "\n", "\r\n") },
		"quoted": func(_, conf string) string {
			return strings.Replace(strings.Replace(conf, "\ncert = ", "\ncert = '", 1), "/cert.pem\n", "/cert.pem'\n", 1)
		},
		"spaced":    func(_, conf string) string { return strings.Replace(conf, "\ncert = ", "\ncert    =  ", 1) },
		"commented": func(_, conf string) string { return strings.Replace(conf, "/cert.pem\n", "/cert.pem # here\n", 1) },
		"another path": func(dir, conf string) string {
			return strings.Replace(conf, filepath.Join(dir, "live"), dir+"/./live", 1)
		},
		"cert comes first": func(_, conf string) string {
			i := strings.Index(conf, "\ncert = ")
			line, rest, _ := strings.Cut(conf[i+1:], "\n")
			return line + "\n" + conf[:i+1] + rest
		},
		"a decoy in another section": func(dir, conf string) string {
			return strings.Replace(conf, "\ncert = "+filepath.Join(dir, "live"), "\ncert = "+dir+"/./live", 1) +
				"\n[elsewhere]\ncert = " + filepath.Join(dir, "live", "a.example", "cert.pem") + "\n"
		},
		"a file longer than most": func(_, conf string) string { return strings.Repeat("# "+strings.Repeat("x", 100)+"\n", 500) + conf },
	} {
		t.Run(name, func(t *testing.T) {
			s, names := searched(t)
			path := s.Dirs.Renewal("a.example")
			text, err := os.ReadFile(path)
			must(t, err)
			must(t, os.WriteFile(path, []byte(change(s.Dirs.Config, string(text))), 0o644))
			if _, err := s.Open("a.example"); err != nil {
				t.Fatalf("the test's file cannot be read: %v", err)
			}
			if l := s.FindByNames(names); l == nil || l.Name != "a.example" {
				t.Errorf("not found: %+v", l)
			}
			if l := s.FindByNames([]string{"WWW.a.example", "a.EXAMPLE"}); l == nil || l.Name != "a.example" {
				t.Errorf("not found by other letters: %+v", l)
			}
			if all := s.Overlaps([]string{"other.example", "www.a.example"}); len(all) != 1 || all[0].Name != "a.example" {
				t.Errorf("it shares a name, but %d were found", len(all))
			}
			if l := s.FindByNames([]string{"a.example"}); l != nil {
				t.Errorf("%s was found by a part of its names", l.Name)
			}
		})
	}
}

// searched is a directory with some lineages, one of them for a.example and www.a.example.
func searched(t *testing.T) (*certbot.Store, []string) {
	t.Helper()
	s := newStore(t)
	names := []string{"a.example", "www.a.example"}
	install(t, s, "a.example", issue(t, 90, names...))
	for i := range 20 {
		name := fmt.Sprintf("b%d.example", i)
		install(t, s, name, issue(t, 90, name))
	}
	return s, names
}

// What stands in the way of others is passed over, as certbot does.
func TestASearchPassesOverWhatIsBroken(t *testing.T) {
	s, names := searched(t)
	must(t, os.WriteFile(s.Dirs.Renewal("b1.example"), []byte("[broken"), 0o644))
	must(t, os.Remove(filepath.Join(s.Dirs.Config, "live", "b2.example", "cert.pem")))
	must(t, os.WriteFile(filepath.Join(s.Dirs.Config, "archive", "b3.example", "cert1.pem"), nil, 0o644))
	must(t, os.WriteFile(s.Dirs.Renewal("b4.example"), nil, 0o644))
	if l := s.FindByNames(names); l == nil || l.Name != "a.example" {
		t.Errorf("%+v", l)
	}
	for i := range 4 {
		if l := s.FindByNames([]string{fmt.Sprintf("b%d.example", i+1)}); l != nil {
			t.Errorf("%s was found", l.Name)
		}
	}
}
