package certbot_test

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"orderly/certbot"
	"orderly/failure"
)

// copyConf copies a renewal file beside itself, as administrators do before they edit one.
func copyConf(t *testing.T, s *certbot.Store, from, to string, edits ...string) {
	t.Helper()
	text := strings.NewReplacer(edits...).Replace(read(t, s.Dirs.Renewal(from)))
	write(t, s.Dirs.Renewal(to), text, 0o644)
}

func TestCopiedRenewalFilesAreTold(t *testing.T) {
	s := newStore(t)
	for _, name := range []string{"a.example", "b.example", "c.example"} {
		install(t, s, name, issue(t, 90, name))
	}
	archive := filepath.Join(s.Dirs.Config, "archive")
	must(t, os.Symlink(archive, archive+"2"))
	copyConf(t, s, "a.example", "a.example.bak")
	copyConf(t, s, "a.example", "0-a.example")                                                            // first by name, and still the copy
	copyConf(t, s, "b.example", "b-live.example", "live/b.", "live/b-live.")                              // one archive, other links
	copyConf(t, s, "b.example", "b-arch.example", "archive/b.", "archive/b-arch.")                        // one live/, another archive
	copyConf(t, s, "c.example", "c-link.example", "archive/c.", "archive2/c.", "live/c.", "live/c-link.") // by another path
	var all []certbot.Owned
	names, err := s.Names()
	must(t, err)
	for _, name := range names {
		r, err := s.ReadRenewal(s.Dirs.Renewal(name))
		must(t, err)
		all = append(all, r.Owned())
		if err := s.NotCopied(name); err != nil {
			class(t, err, failure.LineageBroken)
		} else if !slices.Contains([]string{"a.example", "b.example", "c.example"}, name) {
			t.Errorf("%s is no copy", name)
		}
	}
	want := map[string]string{"a.example.bak": "a.example", "0-a.example": "a.example", "b-live.example": "b.example",
		"b-arch.example": "b.example", "c-link.example": "c.example"}
	if got := certbot.Copies(all); !maps.Equal(got, want) {
		t.Errorf("copies %v, not %v", got, want)
	}
	for range 5 { // whichever is looked at first
		if l := s.FindByNames([]string{"a.example"}); l == nil || l.Name != "a.example" {
			t.Fatalf("found %+v", l)
		}
	}
	for _, name := range []string{"a.example", "b.example", "c.example"} { // each remedy in turn, to the letter
		for tries := 0; ; tries++ {
			err := s.Delete(name)
			if err == nil {
				break
			}
			class(t, err, failure.LineageBroken)
			_, remedy, ok := strings.Cut(string(failure.RemedyOf(err)), "is the copy: ")
			if !ok || tries > 2 {
				t.Fatalf("%s: %v, remedy %q", name, err, failure.RemedyOf(err))
			}
			sh(t, remedy)
		}
	}
	if left, err := s.Names(); err != nil || len(left) > 0 {
		t.Errorf("left: %q, %v", left, err)
	}
}
