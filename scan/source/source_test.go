package source

// Which files are one log, in which order, and what becomes of those that move meanwhile.

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func put(t *testing.T, path, text string) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func names(s Series) []string {
	var all []string
	for _, f := range s.Files {
		all = append(all, filepath.Base(f.Name))
	}
	return all
}

func TestTheFilesOfALogAreReadOldestFirst(t *testing.T) {
	for _, want := range [][]string{
		{"letsencrypt.log.1000", "letsencrypt.log.99", "letsencrypt.log.2.gz", "letsencrypt.log.1", "letsencrypt.log"},
		{"letsencrypt.log-20251231.gz", "letsencrypt.log-20260101.zst", "letsencrypt.log-20261128", "letsencrypt.log"},
		{"acme.sh.log-20261127-1200.gz", "acme.sh.log-20261128-0300", "acme.sh.log"},
		{"log"},
	} {
		dir := t.TempDir()
		for _, name := range want {
			put(t, filepath.Join(dir, name), "x")
		}
		put(t, filepath.Join(dir, "other"), "x")
		finder := &Finder{Say: func(one Trouble) { t.Errorf("said %v", one) }}
		found, err := finder.Find(t.Context(), []string{dir})
		if err != nil || len(found) != 2 {
			t.Fatalf("%d series, %v", len(found), err)
		}
		i := slices.IndexFunc(found, func(s Series) bool { return names(s)[0] != "other" })
		if got := names(found[i]); !slices.Equal(got, want) {
			t.Errorf("%v, want %v", got, want)
		}
	}
}

func TestAFileThatMovedIsFoundAgain(t *testing.T) {
	dir := t.TempDir()
	log := put(t, filepath.Join(dir, "letsencrypt.log"), "old")
	finder := &Finder{Say: func(one Trouble) { t.Errorf("said %v", one) }}
	kit := &Kit{Say: finder.Say}
	found, err := finder.Find(t.Context(), []string{dir})
	if err != nil || len(found) != 1 {
		t.Fatal(found, err)
	}
	if err := os.Rename(log, log+".1"); err != nil {
		t.Fatal(err)
	}
	put(t, log, "new")
	var read []string
	take := func(text Text) error {
		b, err := io.ReadAll(text)
		read = append(read, string(b))
		return err
	}
	if err := kit.Read(t.Context(), found[0].Files[0], take, func() {}); !errors.Is(err, ErrMoved) {
		t.Fatalf("another file was read: %v, %v", read, err)
	}
	finder.Forget(found[0].Files[0])
	found, err = finder.Find(t.Context(), []string{dir})
	if err != nil || len(found) != 1 || len(found[0].Files) != 2 {
		t.Fatal(found, err)
	}
	for _, f := range found[0].Files {
		if err := kit.Read(t.Context(), f, take, func() {}); err != nil {
			t.Error(err)
		}
	}
	if !slices.Equal(read, []string{"old", "new"}) {
		t.Errorf("read %q", read)
	}
}

// What is appended while a file is read is read, but not for ever.
func TestAFileThatGrows(t *testing.T) {
	path := put(t, filepath.Join(t.TempDir(), "letsencrypt.log"), "begin\n")
	var said []Trouble
	finder := &Finder{Say: func(one Trouble) { said = append(said, one) }}
	found, err := finder.Find(t.Context(), []string{path})
	if err != nil {
		t.Fatal(err)
	}
	more := strings.Repeat("x", 1<<20)
	total := 0
	err = (&Kit{Say: finder.Say}).Read(t.Context(), found[0].Files[0], func(text Text) error {
		buf := make([]byte, 1<<20)
		for {
			n, err := text.Read(buf)
			total += n
			if errors.Is(err, io.EOF) || err != nil {
				return nil
			}
			f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
			if err != nil {
				return err
			}
			_, err = f.WriteString(more)
			if err := errors.Join(err, f.Close()); err != nil {
				return err
			}
		}
	}, func() {})
	if err != nil || total < 1<<20 || total > maxGrowth+1<<20 {
		t.Errorf("read %d bytes, %v", total, err)
	}
	if len(said) != 1 || !said[0].Unread || !strings.Contains(said[0].Sentence, "grows faster") {
		t.Errorf("said %v", said)
	}
}

// Closing a file drops every lock that the process has on it: this program's own are not opened,
// under whatever name they are found.
func TestItsOwnFilesAreNotOpened(t *testing.T) {
	dir := t.TempDir()
	own := filepath.Join(dir, "etc", "orderly")
	database := put(t, filepath.Join(own, "ledger.db"), "x")
	put(t, filepath.Join(own, "keys", "1.pem"), "x")
	log := put(t, filepath.Join(dir, "etc", "letsencrypt.log"), "x")
	for _, err := range []error{os.Link(database, filepath.Join(dir, "hard")),
		os.Symlink(database, filepath.Join(dir, "soft")), os.Symlink(own, filepath.Join(dir, "etc2"))} {
		if err != nil {
			t.Fatal(err)
		}
	}
	finder := &Finder{Own: own, Say: func(Trouble) {}}
	found, err := finder.Find(t.Context(), []string{dir, own, database, filepath.Join(dir, "etc2")})
	if err != nil || len(found) != 1 || found[0].Files[0].Name != log {
		t.Errorf("found %+v, %v", found, err)
	}
}

// What is truncated while it is read is said: what it held is gone.
func TestAFileThatShrinks(t *testing.T) {
	path := put(t, filepath.Join(t.TempDir(), "letsencrypt.log"), strings.Repeat("x\n", 200_000))
	var said []Trouble
	kit := &Kit{Say: func(one Trouble) { said = append(said, one) }}
	found, err := (&Finder{Say: kit.Say}).Find(t.Context(), []string{path})
	if err != nil {
		t.Fatal(err)
	}
	err = kit.Read(t.Context(), found[0].Files[0], func(text Text) error {
		if err := os.Truncate(path, 10); err != nil {
			return err
		}
		_, err := io.Copy(io.Discard, text)
		return err
	}, func() {})
	if err != nil || len(said) != 1 || !strings.Contains(said[0].Sentence, "became shorter") {
		t.Errorf("said %v, %v", said, err)
	}
}

// Where there is no room to keep what is packed, it is read all the same, and said.
func TestAnArchiveWithoutRoom(t *testing.T) {
	for _, room := range []int64{0, 1500, 3000, 1 << 20} {
		s := newSpool()
		defer s.close()
		s.most, s.enough = room, room/2
		var said []Trouble
		var read []string
		o := &opener{Kit: &Kit{Say: func(one Trouble) { said = append(said, one) }}, ctx: t.Context(),
			name: "a.tar.gz", next: func() { read = append(read, "next") }, text: func(text Text) error {
				b, err := io.ReadAll(text)
				read = append(read, text.Name+" "+strings.TrimRight(string(b), "x"))
				return err
			}}
		for _, name := range []string{"a/log", "b/log", "a/log.1", "b/log.1"} {
			text := strings.NewReader(name + strings.Repeat("x", 1000))
			if err := o.spooled(s, "a.tar.gz:"+name, text.Size(), text, 0); err != nil {
				t.Fatal(err)
			}
		}
		if err := o.flush(s, 0); err != nil {
			t.Fatal(err)
		}
		all := strings.Join(slices.DeleteFunc(slices.Clone(read), func(r string) bool { return r == "next" }), ", ")
		if room == 1<<20 {
			if len(said) != 0 || strings.Index(all, "a/log.1 ") > strings.Index(all, "a/log ") {
				t.Errorf("room: read %v, said %v", read, said)
			}
			continue
		}
		for _, name := range []string{"a/log a/log", "b/log b/log", "a/log.1 a/log.1", "b/log.1 b/log.1"} {
			if !strings.Contains(all, "a.tar.gz:"+name) {
				t.Errorf("room for %d: %s was not read: %s", room, name, all)
			}
		}
		if len(said) != 1 || !strings.Contains(said[0].Sentence, "further apart") {
			t.Errorf("room for %d: said %v", room, said)
		}
	}
}
