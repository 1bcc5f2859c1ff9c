package logfile

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// ample is more than any of these files is waited for.
const ample = time.Minute

func must(t *testing.T, errs ...error) {
	t.Helper()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

// small is a log of which little fits into a file.
func small(path string, keep int) Options {
	return Options{Path: path, Limit: 100, Keep: keep, Patience: ample, Opening: ample, Closing: ample,
		Gap: func(lines int, why error) []byte { return fmt.Appendf(nil, "%d missing: %v\n", lines, why) }}
}

// says writes lines as one run does.
func says(t *testing.T, o Options, lines ...string) {
	t.Helper()
	f, err := Open(o)
	must(t, err)
	for _, line := range lines {
		_, err := f.Write([]byte(line + "\n"))
		must(t, err)
	}
	must(t, f.Close(context.Background()))
}

// numberedLines are so many lines of 20 bytes.
func numberedLines(from, to int) (all []string) {
	for i := from; i < to; i++ {
		all = append(all, fmt.Sprintf("line %014d", i))
	}
	return all
}

// everything is what the log's files hold, oldest first.
func everything(t *testing.T, path string) (lines []string) {
	t.Helper()
	all := numbers(path)
	slices.Reverse(all)
	names := make([]string, 0, len(all)+1)
	for _, n := range all {
		names = append(names, numbered(path, n))
	}
	for _, name := range append(names, path) {
		text, err := os.ReadFile(name)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
		lines = append(lines, strings.FieldsFunc(string(text), func(r rune) bool { return r == '\n' })...)
	}
	return lines
}

func mode(t *testing.T, path string) os.FileMode {
	t.Helper()
	info, err := os.Stat(path)
	must(t, err)
	return info.Mode().Perm()
}

// The log is set aside by size, and so many are kept: the newest, in order.
func TestSoManyAreKept(t *testing.T) {
	t.Parallel()
	for keep, want := range map[int]struct {
		files int
		first int
	}{0: {0, 0}, 1: {1, 30}, 3: {3, 20}, 1000: {7, 0}} {
		path := filepath.Join(t.TempDir(), "o.log")
		for from := 0; from < 40; from += 8 { // several runs
			says(t, small(path, keep), numberedLines(from, from+8)...)
		}
		if got := len(numbers(path)); got != want.files {
			t.Errorf("%d: %d files", keep, got)
		}
		if got := everything(t, path); !slices.Equal(got, numberedLines(want.first, 40)) {
			t.Errorf("%d: %q", keep, got)
		}
		for _, n := range numbers(path) {
			if info, err := os.Stat(numbered(path, n)); err != nil || info.Size() != 100 {
				t.Errorf("%d: %d: %v, %v", keep, n, info.Size(), err)
			}
		}
	}
}

// Fewer are wanted than were kept, and what others made of them is theirs.
func TestWhatIsBeyondIsRemoved(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "o.log")
	says(t, small(path, 9), numberedLines(0, 50)...)
	others := []string{path + ".12.gz", path + ".07", path + ".-1", path + ".old", path + "x.3"}
	for _, other := range others {
		must(t, os.WriteFile(other, nil, 0o600))
	}
	says(t, small(path, 2), numberedLines(50, 56)...)
	if got := numbers(path); !slices.Equal(got, []int{1, 2}) {
		t.Errorf("%v are left", got)
	}
	if got := everything(t, path); !slices.Equal(got, numberedLines(45, 56)) {
		t.Errorf("%q", got)
	}
	for _, other := range others {
		if _, err := os.Stat(other); err != nil {
			t.Error(err)
		}
	}
}

// A line longer than a file is written whole, and nothing is set aside for it that is empty.
func TestALongLineIsWrittenWhole(t *testing.T) {
	t.Parallel()
	path, long := filepath.Join(t.TempDir(), "o.log"), strings.Repeat("long", 100)
	says(t, small(path, 3), long, "short", long)
	if got := everything(t, path); !slices.Equal(got, []string{long, "short", long}) || len(numbers(path)) != 2 {
		t.Errorf("%q in %v", got, numbers(path))
	}
}

// Killed at any rename, nothing is lost, and the next run goes on.
func TestKilledWhileItIsSetAside(t *testing.T) {
	t.Parallel()
	killed := errors.New("killed")
	for keep := 1; keep <= 4; keep++ {
		for at := 0; at <= keep; at++ {
			path := filepath.Join(t.TempDir(), "o.log")
			says(t, small(path, keep), numberedLines(0, 50)...)
			before := everything(t, path)
			left := at
			w := &writer{Options: small(path, keep), limit: 100, trouble: &trouble{}}
			w.rename = func(path, name string) error {
				if left--; left < 0 {
					return killed
				}
				return os.Rename(path, filepath.Join(filepath.Dir(path), name))
			}
			must(t, w.begin())
			if !w.named() || (w.setAside() == nil) != (at == keep) {
				t.Errorf("%d: not killed at %d", keep, at)
			}
			must(t, w.end())
			oldest := before
			if at > 0 {
				oldest = before[5:] // what is beyond the number that is kept
			}
			if got := everything(t, path); !slices.Equal(got, oldest) {
				t.Errorf("%d, killed at %d: %q, want %q", keep, at, got, oldest)
			}
			says(t, small(path, keep), numberedLines(50, 51)...)
			if got := everything(t, path); got[len(got)-1] != numberedLines(50, 51)[0] ||
				!slices.Equal(got[:len(got)-1], oldest[len(oldest)-len(got)+1:]) || len(numbers(path)) > keep || len(got) < 5*keep+1 {
				t.Errorf("%d, killed at %d, and the next run: %q", keep, at, got)
			}
		}
	}
}

// Many processes write one log, each finds it too large, and no line is lost or mixed with another.
func TestManyWriteOneLog(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "o.log")
	var all sync.WaitGroup
	const runs, lines = 8, 60
	for run := range runs {
		all.Go(func() {
			f, err := Open(small(path, 1000))
			if err != nil {
				t.Error(err)
				return
			}
			for _, line := range numberedLines(run*lines, (run+1)*lines) {
				_, _ = f.Write([]byte(line + "\n"))
			}
			if err := f.Close(context.Background()); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	got := everything(t, path)
	slices.Sort(got)
	if !slices.Equal(got, numberedLines(0, runs*lines)) {
		t.Errorf("%d lines of %d", len(got), runs*lines)
	}
}

// While another process sets the log aside, nobody waits for it.
func TestAnothersLockIsNotWaitedFor(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "o.log")
	says(t, small(path, 3), numberedLines(0, 5)...)
	other, err := os.Open(path)
	must(t, err)
	must(t, syscall.Flock(int(other.Fd()), syscall.LOCK_EX))
	says(t, small(path, 3), numberedLines(5, 12)...)
	if got := everything(t, path); !slices.Equal(got, numberedLines(0, 12)) || len(numbers(path)) != 0 {
		t.Errorf("%q in %v", got, numbers(path))
	}
	must(t, other.Close())
	says(t, small(path, 3), numberedLines(12, 13)...)
	if got := everything(t, path); !slices.Equal(got, numberedLines(0, 13)) || len(numbers(path)) != 1 {
		t.Errorf("%q in %v", got, numbers(path))
	}
}

// What logrotate, another process or a person does to the file while a run is under way.
func TestTheNameIsFollowed(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "o.log")
	f, err := Open(small(path, 0))
	must(t, err)
	write := func(line string) {
		_, err := f.Write([]byte(line + "\n"))
		must(t, err)
	}
	write("first")
	must(t, os.Rename(path, path+".1"))
	write("second")
	must(t, os.Remove(path))
	write("third")
	must(t, f.Close(context.Background()))
	if got := everything(t, path); !slices.Equal(got, []string{"first", "third"}) {
		t.Errorf("%q", got)
	}
	// root's own link leads to where the log is kept, and what is set aside is there as well
	kept := filepath.Join(t.TempDir(), "kept.log")
	must(t, os.Remove(path), os.Symlink(kept, path))
	says(t, small(path, 2), numberedLines(0, 12)...)
	if got := everything(t, kept); !slices.Equal(got, numberedLines(0, 12)) || !slices.Equal(numbers(kept), []int{1, 2}) {
		t.Errorf("%q", got)
	}
}

// Others can never read a log, whoever made it and with whatever mode. What an administrator lets a
// group read, it can read afterwards as well.
func TestOthersCannotReadIt(t *testing.T) {
	old := syscall.Umask(0)
	defer syscall.Umask(old)
	for name, c := range map[string]struct{ before, want os.FileMode }{
		"a new one": {0, 0o600}, "an earlier version's": {0o644, 0o600}, "everybody's": {0o666, 0o600},
		"a group's": {0o640, 0o640}, "root's": {0o600, 0o600},
	} {
		path := filepath.Join(t.TempDir(), "o.log")
		for _, file := range []string{path, path + ".1", path + ".7"} {
			if c.before != 0 {
				must(t, os.WriteFile(file, []byte("before\n"), c.before))
			}
		}
		says(t, small(path, 9), numberedLines(0, 12)...)
		all := numbers(path)
		if len(all) < 2 {
			t.Errorf("%s: %v", name, all)
		}
		files := []string{path}
		for _, n := range all {
			files = append(files, numbered(path, n))
		}
		for _, file := range files {
			if got := mode(t, file); got != c.want {
				t.Errorf("%s: %s has mode %o, want %o", name, file, got, c.want)
			}
		}
	}
}

// stuck is a file whose file system does not answer until it is let.
func stuck(patience time.Duration) (f *File, let chan struct{}, path string, err error) {
	dir, err := os.MkdirTemp("", "stuck")
	if err != nil {
		return nil, nil, "", err
	}
	path, let = filepath.Join(dir, "o.log"), make(chan struct{})
	o := small(path, 0)
	o.Patience, o.Opening, o.Closing = patience, patience, patience
	o.Prepare = func() error {
		<-let
		return nil
	}
	f, err = Open(o)
	return f, let, path, err
}

// A file system that does not answer holds nobody up: neither when the log is opened, nor line by
// line, nor at the end. What waited is written when it answers again, and what is missing is said.
func TestASilentFileSystemHoldsNobodyUp(t *testing.T) {
	t.Parallel()
	f, let, path, err := stuck(time.Millisecond)
	must(t, err)
	defer func() { _ = os.RemoveAll(filepath.Dir(path)) }()
	lines := numberedLines(0, mostWaiting+7)
	for _, line := range lines {
		if n, err := f.Write([]byte(line + "\n")); n != len(line)+1 || err != nil {
			t.Fatalf("%d, %v", n, err)
		}
	}
	if err := f.Close(context.Background()); !errors.Is(err, errHeldUp) || !strings.Contains(err.Error(), "lines are missing") {
		t.Errorf("closed: %v", err)
	}
	if err := f.Close(context.Background()); err != nil {
		t.Errorf("closed twice: %v", err)
	}
	if _, err := f.Write([]byte("afterwards\n")); err != nil {
		t.Error(err)
	}
	close(let)
	<-f.ended
	got := everything(t, path)
	if len(got) != mostWaiting+1 || got[0] != "7 missing: <nil>" || !slices.Equal(got[1:], lines[:mostWaiting]) {
		t.Errorf("%d lines, %q", len(got), got[:min(3, len(got))])
	}
}

// Who is told to end waits no longer for the log than for a line of it.
func TestTheEndIsObeyed(t *testing.T) {
	t.Parallel()
	f, let, path, err := stuck(time.Millisecond)
	must(t, err)
	defer func() { _ = os.RemoveAll(filepath.Dir(path)) }()
	f.closing = time.Hour
	ctx, stop := context.WithCancel(t.Context())
	stop()
	if err := f.Close(ctx); !errors.Is(err, errHeldUp) {
		t.Errorf("closed: %v", err)
	}
	close(let)
	<-f.ended
}

// A file system that takes its time for each line would make of a moment for each of them more than a
// run that is told to end has: all of them have that moment together.
func TestOnceItIsToEndLinesAreWaitedForTogether(t *testing.T) {
	t.Parallel()
	f, let, path, err := stuck(time.Millisecond)
	must(t, err)
	defer func() { _ = os.RemoveAll(filepath.Dir(path)) }()
	ctx, stop := context.WithCancel(t.Context())
	stop()
	f.ending, f.patience = ctx, time.Hour
	lines := numberedLines(0, 5)
	for _, line := range lines {
		f.late.Store(false) // as if the one before was written
		_, _ = f.Write([]byte(line + "\n"))
	}
	if f.left > 0 {
		t.Errorf("%v are left of a moment", f.left)
	}
	close(let)
	f.closing = ample
	must(t, f.Close(t.Context()))
	if got := everything(t, path); !slices.Equal(got, lines) {
		t.Errorf("%q", got)
	}
}

// The lines go on to be waited for when the file system has answered.
func TestAFileSystemThatAnswersAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, let, path, err := stuck(time.Millisecond)
		must(t, err)
		defer func() { _ = os.RemoveAll(filepath.Dir(path)) }()
		_, _ = f.Write([]byte("first\n"))
		close(let)
		f.patience, f.closing = ample, ample
		if synctest.Wait(); f.late.Load() {
			t.Error("all is written, and nobody waits")
		}
		_, _ = f.Write([]byte("second\n"))
		if got := everything(t, path); !slices.Equal(got, []string{"first", "second"}) {
			t.Errorf("%q", got)
		}
		must(t, f.Close(t.Context()))
	})
}

// A disk that takes no more: the run is not told until its end, the next line stands by itself, and
// the gap is shown.
func TestADiskThatTakesNoMore(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "o.log")
	if os.Getenv("ORDERLY_LOGFILE_LIMITED") != "" {
		limited(os.Getenv("ORDERLY_LOGFILE_LIMITED"))
		return
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestADiskThatTakesNoMore$")
	cmd.Env = append(os.Environ(), "ORDERLY_LOGFILE_LIMITED="+path)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	text, err := os.ReadFile(path)
	must(t, err)
	want := "line 00000000000000\nline 00000000000001\nline 0000\n2 missing: write " + path + ": file too large\nlast\n"
	if string(text) != want {
		t.Errorf("%q, want %q", text, want)
	}
}

// limited writes more than it may, and then what it may.
func limited(path string) {
	var was syscall.Rlimit
	f, err := Open(small(path, 0))
	if err == nil {
		err = syscall.Getrlimit(syscall.RLIMIT_FSIZE, &was)
	}
	if err == nil {
		err = syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: 49, Max: was.Max})
	}
	if err != nil {
		panic(err)
	}
	for _, line := range numberedLines(0, 4) {
		if n, err := f.Write([]byte(line + "\n")); n != 20 || err != nil {
			panic("a run that is told")
		}
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &was); err != nil {
		panic(err)
	}
	_, _ = f.Write([]byte("last\n"))
	if err := f.Close(context.Background()); !errors.Is(err, syscall.EFBIG) || !strings.Contains(err.Error(), "(2 lines are missing in it)") {
		panic(err)
	}
}

// What cannot be opened is said at once, and what cannot be set aside is written on.
func TestALogThatIsNone(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	must(t, os.Mkdir(filepath.Join(dir, "o.log"), 0o700))
	if _, err := Open(small(filepath.Join(dir, "o.log"), 3)); err == nil {
		t.Error("a directory was opened")
	}
	none := errors.New("no directory")
	o := small(filepath.Join(dir, "other.log"), 3)
	o.Prepare = func() error { return none }
	if _, err := Open(o); !errors.Is(err, none) {
		t.Errorf("without a directory: %v", err)
	}
	path := filepath.Join(dir, "third.log")
	must(t, os.MkdirAll(numbered(path, 1)+"/taken", 0o700))
	f, err := Open(small(path, 1))
	must(t, err)
	for _, line := range numberedLines(0, 20) {
		_, _ = f.Write([]byte(line + "\n"))
	}
	if err := f.Close(context.Background()); err == nil || strings.Contains(err.Error(), "missing") {
		t.Errorf("closed: %v", err)
	}
	if text, err := os.ReadFile(path); err != nil || bytes.Count(text, []byte("\n")) != 20 {
		t.Errorf("%q, %v", text, err)
	}
}

// With a thousand kept, as certbot does, setting one aside takes a thousand renames at most, and of a
// killed run's gap only those below it.
func TestAThousandAreMovedOnce(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "o.log")
	for n := 1; n <= 1000; n++ {
		must(t, os.WriteFile(numbered(path, n), nil, 0o600))
	}
	moved := 0
	rename := func(path, name string) error {
		moved++
		return os.Rename(path, filepath.Join(filepath.Dir(path), name))
	}
	must(t, makeRoom(path, 1000, rename))
	if moved != 999 || len(numbers(path)) != 999 {
		t.Errorf("%d moved, %d left", moved, len(numbers(path)))
	}
	moved = 0
	must(t, os.WriteFile(numbered(path, 1), nil, 0o600), os.Remove(numbered(path, 4)), makeRoom(path, 1000, rename))
	if moved != 3 {
		t.Errorf("%d moved below a gap", moved)
	}
}
