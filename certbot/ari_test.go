package certbot_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"orderly/certbot"
)

// noted is a renewal file with a note of when the CA may be asked again.
func noted(t *testing.T, text string, at time.Time) (path, got string, err error) {
	t.Helper()
	s := newStore(t)
	path = s.Dirs.Renewal("a.example")
	write(t, path, text, 0o640)
	err = s.NoteRetryAfter("a.example", at)
	return path, read(t, path), err
}

var noteAt = time.Date(2026, 5, 1, 9, 4, 5, 600, time.Local)

const noteLine = "ari_retry_after = 2026-05-01T09:04:05"

func TestTheNoteChangesNothingElseOfARenewalFile(t *testing.T) {
	const params = "[renewalparams]\nauthenticator = webroot\n[[webroot_map]]\na.example = /srv/a\n"
	for name, c := range map[string]struct{ text, want string }{
		"a first note": {head + params, head + params + "[acme_renewal_info]\n" + noteLine + "\n"},
		"certbot's": {head + params + "[acme_renewal_info]\nari_retry_after = 2026-05-01T03:04:05\n",
			head + params + "[acme_renewal_info]\n" + noteLine + "\n"},
		"no time": {head + params + "[acme_renewal_info]\nari_retry_after = soon\n",
			head + params + "[acme_renewal_info]\n" + noteLine + "\n"},
		// What a save for a certificate would put in its place is left to that.
		"what is misplaced": {head + params + "renew_hook = b\n",
			head + params + "renew_hook = b\n[acme_renewal_info]\n" + noteLine + "\n"},
		"no end of line": {head + strings.TrimSuffix(params, "\n"),
			head + params + "[acme_renewal_info]\n" + noteLine + "\n"},
		"the same": {head + params + "[acme_renewal_info]\n" + noteLine + "\n",
			head + params + "[acme_renewal_info]\n" + noteLine + "\n"},
	} {
		path, got, err := noted(t, c.text, noteAt)
		if err != nil || got != c.want {
			t.Errorf("%s: %v\n%s\nwant\n%s", name, err, got, c.want)
		}
		info, err := os.Stat(path)
		must(t, err)
		if info.Mode().Perm() != 0o640 {
			t.Errorf("%s: mode %o", name, info.Mode())
		}
	}
}

func TestAFileThatSaysItAlreadyIsNotWritten(t *testing.T) {
	s, _, err := readText(t, untouched)
	must(t, err)
	before, err := os.Stat(s.Dirs.Renewal("a.example"))
	must(t, err)
	must(t, s.NoteRetryAfter("a.example", time.Date(2026, 5, 1, 3, 4, 5, 0, time.Local)))
	after, err := os.Stat(s.Dirs.Renewal("a.example"))
	must(t, err)
	if !os.SameFile(before, after) {
		t.Error("written anew")
	}
}

func TestTheNoteKeepsOwnerAndGroup(t *testing.T) {
	s, _, err := readText(t, untouched)
	must(t, err)
	path := s.Dirs.Renewal("a.example")
	must(t, os.Chown(path, foreign(1234, os.Getuid()), foreign(4242, os.Getgid())))
	must(t, s.NoteRetryAfter("a.example", noteAt))
	info, err := os.Stat(path)
	must(t, err)
	if owner(info) != uint32(foreign(1234, os.Getuid())) || group(info) != uint32(foreign(4242, os.Getgid())) {
		t.Errorf("owned by %d:%d", owner(info), group(info))
	}
}

// A note is a hint: where there is a doubt, the file stays as it is, and nothing stays beside it.
func TestWhereThereIsADoubtNothingIsNoted(t *testing.T) {
	for name, spoil := range map[string]func(s *certbot.Store, path string){
		"a link": func(_ *certbot.Store, path string) {
			must(t, os.Rename(path, path+".real"))
			must(t, os.Symlink(path+".real", path))
		},
		"no settings":   func(_ *certbot.Store, path string) { write(t, path, head, 0o644) },
		"not readable":  func(_ *certbot.Store, path string) { write(t, path, head+"[renewalparams]\nwhat is this\n", 0o644) },
		"a key instead": func(_ *certbot.Store, path string) { write(t, path, "acme_renewal_info = a\n"+untouched, 0o644) },
		"empty":         func(_ *certbot.Store, path string) { write(t, path, "", 0o644) },
		"saved meanwhile": func(s *certbot.Store, path string) {
			s.Trace = func(step string) {
				if strings.HasPrefix(step, "after note") {
					write(t, path, untouched+"# by a person\n", 0o644)
				}
			}
		},
		"replaced meanwhile": func(s *certbot.Store, path string) {
			s.Trace = func(step string) {
				if strings.HasPrefix(step, "after note") {
					must(t, os.Rename(path, path+".old"))
					write(t, path, untouched, 0o644)
				}
			}
		},
	} {
		s, _, err := readText(t, untouched)
		must(t, err)
		path := s.Dirs.Renewal("a.example")
		spoil(s, path)
		before := read(t, path)
		if s.Trace != nil {
			before = ""
		}
		if err := s.NoteRetryAfter("a.example", noteAt); err == nil {
			t.Errorf("%s: noted", name)
		}
		if got := read(t, path); before != "" && got != before || strings.Contains(got, noteLine) {
			t.Errorf("%s:\n%s", name, got)
		}
		if info, err := os.Lstat(path); err != nil || (info.Mode()&os.ModeSymlink != 0) != (name == "a link") {
			t.Errorf("%s: %v, %v", name, info, err)
		}
		left, err := filepath.Glob(filepath.Join(filepath.Dir(path), ".*"))
		if err != nil || len(left) != 0 {
			t.Errorf("%s: left %q, %v", name, left, err)
		}
	}
	if err := newStore(t).NoteRetryAfter("none.example", noteAt); err == nil {
		t.Error("noted in no file")
	}
}
