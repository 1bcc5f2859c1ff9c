package scan_test

// Bad input: each gets a sentence, and the rest goes on.

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
	"golang.org/x/sys/unix"
	"golang.org/x/text/encoding/unicode"

	"orderly/scan"
	"orderly/scan/client"
)

const openOne = "debian-killed-authz.log" // one open, one doubtful

func scanned(t *testing.T, paths ...string) *scan.Report {
	t.Helper()
	got, err := scan.Scan(t.Context(), paths, scan.Settings{Now: itsTime, Workers: 2,
		HostFrom: regexp.MustCompile(`(web\d+)/`)})
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func write(t *testing.T, path string, b []byte) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func gz(t *testing.T, b []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	if _, err := w.Write(b); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func zst(t *testing.T, b []byte) []byte {
	t.Helper()
	w, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	return w.EncodeAll(b, nil)
}

type entry struct {
	name string
	text []byte
	kind byte
}

func tarOf(t *testing.T, entries ...entry) []byte {
	t.Helper()
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for _, e := range entries {
		if e.kind == 0 {
			e.kind = tar.TypeReg
		}
		h := &tar.Header{Name: e.name, Typeflag: e.kind, Mode: 0o600, Size: int64(len(e.text))}
		if e.kind == tar.TypeSymlink {
			h.Linkname = "/etc/shadow"
		}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(e.text); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// Whatever a log is wrapped in, the same is found in it.
func TestWrappings(t *testing.T) {
	text := plain(t, "testdata/logs/"+openOne)
	utf16, err := unicode.UTF16(unicode.LittleEndian, unicode.UseBOM).NewEncoder().Bytes(text)
	if err != nil {
		t.Fatal(err)
	}
	big, err := unicode.UTF16(unicode.BigEndian, unicode.UseBOM).NewEncoder().Bytes(text)
	if err != nil {
		t.Fatal(err)
	}
	for name, b := range map[string][]byte{
		"plain": text, "gzip": gz(t, text), "zstd": zst(t, text), "gzip in zstd": zst(t, gz(t, text)),
		"utf-16": utf16, "utf-16, the other way": big, "utf-16, packed": gz(t, utf16),
		"windows":       bytes.ReplaceAll(text, []byte("\n"), []byte("\r\n")),
		"tar":           tarOf(t, entry{name: "web1/letsencrypt.log", text: text}),
		"tar.gz":        gz(t, tarOf(t, entry{name: "web1/letsencrypt.log.1.gz", text: gz(t, text)})),
		"tar.zst":       zst(t, tarOf(t, entry{name: "web1/letsencrypt.log", text: text})),
		"two members":   append(gz(t, text[:5000]), gz(t, text[5000:])...),
		"a tar outside": tarOf(t, entry{name: "../../etc/cron.d/web1/x.log", text: text}),
	} {
		t.Run(name, func(t *testing.T) {
			got := scanned(t, write(t, filepath.Join(t.TempDir(), "log"), b))
			if len(got.Open) != 1 || len(got.Doubtful) != 1 || got.Unread() {
				t.Fatalf("open %v, doubtful %v, troubles %v", got.Open, got.Doubtful, got.Troubles)
			}
			if strings.Contains(name, "tar") && !strings.Contains(name, "outside") && got.Open[0].Host != "web1" {
				t.Errorf("of server %q", got.Open[0].Host)
			}
			if said := len(got.Troubles) > 0; said != (strings.HasPrefix(name, "utf") || strings.Contains(name, "outside")) {
				t.Errorf("said: %v", got.Troubles)
			}
		})
	}
}

// A run that certbot rotated in the middle, even of a record, is one run, whatever the order in
// which its files are found.
func TestARunOverSeveralFiles(t *testing.T) {
	text := plain(t, "testdata/logs/debian-killed-challenge.log")
	whole := scanned(t, write(t, filepath.Join(t.TempDir(), "letsencrypt.log"), text))
	for _, cut := range []int{100, 3000, 5000, 7777, len(text) - 700} {
		at := cut + bytes.IndexByte(text[cut:], '\n') + 1
		dir := t.TempDir()
		write(t, dir+"/letsencrypt.log.2", text[:at])
		write(t, dir+"/letsencrypt.log.1.gz", gz(t, text[at:]))
		write(t, dir+"/letsencrypt.log", nil)
		packed := write(t, t.TempDir()+"/all.tar", tarOf(t, entry{name: "letsencrypt.log", text: nil},
			entry{name: "letsencrypt.log.1", text: text[at:]}, entry{name: "letsencrypt.log.2", text: text[:at]}))
		for _, path := range []string{dir, packed} {
			got := scanned(t, path)
			if len(got.Open) != len(whole.Open) || len(got.Doubtful) != len(whole.Doubtful) ||
				got.RunCount != 1 || first(got).Fate != first(whole).Fate || first(got).Step != first(whole).Step {
				t.Errorf("cut at %d: %+v", at, got)
			}
		}
	}
}

// first is the first run of a report.
func first(r *scan.Report) scan.Run {
	for one := range r.Runs {
		return one
	}
	return scan.Run{}
}

// A file that was cut anywhere, even within a character, loses no more than what was cut off: what
// is open at the end, and was found, is found wherever the log is cut behind that.
func TestACutLog(t *testing.T) {
	text := plain(t, "testdata/logs/seed-0.34-nomap.log.gz")
	whole := scanned(t, write(t, filepath.Join(t.TempDir(), "letsencrypt.log"), text))
	found := map[string]bool{}
	for at := 0; at < len(text); at += 499 {
		got := scanned(t, write(t, filepath.Join(t.TempDir(), "letsencrypt.log"), text[:at]))
		now := map[string]bool{}
		for _, row := range slices.Concat(got.Open, got.Doubtful) {
			now[row.URL] = true
		}
		for _, row := range whole.Open {
			if found[row.URL] && !now[row.URL] {
				t.Fatalf("cut at %d: %s is not found any more", at, row.URL)
			}
			found[row.URL] = found[row.URL] || now[row.URL]
		}
	}
	if len(found) != 4 {
		t.Errorf("found %v", found)
	}
}

// The beginning of a log may be gone, also in the middle of a request.
func TestALogWithoutItsBeginning(t *testing.T) {
	text := plain(t, "testdata/logs/"+openOne)
	end := bytes.Index(text, []byte(`"POST /acme/authz-v3/9103952330 HTTP/1.1" 200`))
	end = bytes.LastIndexByte(text[:end], '\n') + 1
	for at := 0; at <= end; at += min(101, max(1, end-at)) {
		got := scanned(t, write(t, filepath.Join(t.TempDir(), "letsencrypt.log"), text[at:]))
		if !slices.ContainsFunc(slices.Concat(got.Open, got.Doubtful), func(r scan.Row) bool {
			return strings.HasSuffix(r.URL, "/9103952330")
		}) {
			t.Fatalf("without its first %d bytes: open %v, doubtful %v", at, got.Open, got.Doubtful)
		}
	}
}

// ACMEv1 asks for the certificate at a URL that only its directory names.
func TestARunOfACMEv1IsKilledAsItAsksForTheCertificate(t *testing.T) {
	text := plain(t, "testdata/logs/v1-0.21-renew.log.gz")
	at := bytes.Index(text, []byte("/acme/new-cert HTTP/1.1"))
	got := scanned(t, write(t, filepath.Join(t.TempDir(), "letsencrypt.log"),
		text[:bytes.LastIndexByte(text[:at], '\n')+1]))
	for run := range got.Runs {
		if run.Fate != client.Killed || run.Step != client.Finalize {
			t.Errorf("%s at %s", run.Fate, run.Step)
		}
	}
}

func TestBadInput(t *testing.T) {
	text := plain(t, "testdata/logs/"+openOne)
	bomb := bombOf(t, boring())
	nuls := bombOf(t, []byte{0})
	for _, c := range []struct {
		name string
		b    []byte
		said string
	}{
		{"binary", append([]byte("\x7fELF\x00\x01"), text...), "binary"},
		{"xz", []byte("\xfd7zXZ\x00\x00"), "xz"},
		{"a torn gzip", gz(t, text)[:3000], "ends in the middle"},
		{"a damaged gzip", append([]byte{0x1f, 0x8b, 8, 0}, bytes.Repeat([]byte{7}, 100)...), "damaged"},
		{"a gzip bomb of lines", bomb, "out of all proportion"},
		{"a gzip bomb of nothing", nuls, "binary"},
		{"gzip in gzip in gzip", gz(t, gz(t, gz(t, gz(t, gz(t, gz(t, text)))))), "too often"},
		{"a torn tar", tarOf(t, entry{name: "x.log", text: text})[:4000], "ends in the middle"},
		{"a link in a tar", tarOf(t, entry{name: "x", kind: tar.TypeSymlink}), "no regular file"},
		{"a torn zstd", zst(t, text)[:3000], "ends in the middle"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			write(t, dir+"/letsencrypt.log", text)
			write(t, dir+"/bad", c.b)
			got := scanned(t, dir)
			if len(got.Open) < 1 || len(got.Doubtful) < 1 || !got.Unread() {
				t.Errorf("open %v, doubtful %v", got.Open, got.Doubtful)
			}
			if len(got.Troubles) != 1 || !strings.Contains(got.Troubles[0].Sentence, c.said) {
				t.Errorf("said %v, want %q", got.Troubles, c.said)
			}
		})
	}
}

func TestWhatIsNoFile(t *testing.T) {
	dir := t.TempDir()
	write(t, dir+"/a/letsencrypt.log", plain(t, "testdata/logs/"+openOne))
	write(t, dir+"/a/empty.log", nil)
	write(t, dir+"/outside/x", nil)
	if err := unix.Mkfifo(dir+"/a/pipe", 0o600); err != nil {
		t.Fatal(err)
	}
	for name, target := range map[string]string{"loop": "loop", "nowhere": "gone", "directory": "../outside",
		"again": "letsencrypt.log", "zero": "/dev/zero"} {
		if err := os.Symlink(target, dir+"/a/"+name); err != nil {
			t.Fatal(err)
		}
	}
	got := scanned(t, dir+"/a", dir+"/missing", dir+"/a/letsencrypt.log", dir+"/a/pipe")
	if len(got.Open) != 1 || len(got.Doubtful) != 1 || got.RunCount != 1 {
		t.Errorf("open %v, doubtful %v, runs %v", got.Open, got.Doubtful, got.RunCount)
	}
	var said []string
	for _, one := range got.Troubles {
		said = append(said, filepath.Base(one.Path))
	}
	slices.Sort(said)
	if want := []string{"directory", "loop", "missing", "nowhere", "pipe", "pipe", "zero"}; !slices.Equal(said, want) {
		t.Errorf("said %v, want %v: %v", said, want, got.Troubles)
	}
}

// A scan that is told to end does so, and says nothing else.
func TestAScanIsStopped(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := scan.Scan(ctx, []string{"testdata/logs"}, scan.Settings{Now: itsTime}); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

// A disk that does not answer holds nobody who was told to end.
func TestAScanIsStoppedWhereADiskHangs(t *testing.T) {
	hangs := make(chan struct{})
	defer close(hangs)
	ctx, cancel := context.WithCancel(t.Context())
	_, err := scan.Scan(ctx, []string{"testdata/logs"}, scan.Settings{Now: itsTime, Workers: 1,
		Progress: func(_, _ int64) { cancel(); <-hangs }})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

// Whatever is packed: told to end in its midst, it ends.
func TestUnpackingIsStopped(t *testing.T) {
	text := plain(t, "testdata/logs/"+openOne)
	many := make([]entry, 300)
	for i := range many {
		many[i] = entry{name: fmt.Sprintf("web%d/letsencrypt.log", i), text: text}
	}
	for name, b := range map[string][]byte{"a.tar": tarOf(t, many...), "a.tgz": gz(t, tarOf(t, many...)),
		"a.gz": gz(t, bytes.Repeat(text, 300))} {
		path := write(t, filepath.Join(t.TempDir(), name), b)
		ctx, cancel := context.WithCancel(t.Context())
		again := 0
		_, err := scan.Scan(ctx, []string{path}, scan.Settings{Now: itsTime, Workers: 1,
			Progress: func(_, _ int64) { again++; cancel() }})
		if !errors.Is(err, context.Canceled) || again != 1 {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Paddings and parts that hold nothing are no damage.
func TestUnusualPacking(t *testing.T) {
	text := plain(t, "testdata/logs/"+openOne)
	skipped := append([]byte{0x5a, 0x2a, 0x4d, 0x18, 5, 0, 0, 0}, "hello"...)
	for _, c := range []struct {
		name, said string
		b          []byte
	}{
		{"zeros behind gzip", "", append(gz(t, text), make([]byte, 1024)...)},
		{"text behind gzip", "damaged", append(gz(t, text), "trailing garbage"...)},
		{"an empty member", "", append(gz(t, nil), gz(t, text)...)},
		{"zstd behind a frame that is skipped", "", append(skipped, zst(t, text)...)},
		{"zstd before one", "", append(zst(t, text), skipped...)},
		{"two frames", "", append(zst(t, text[:4000]), zst(t, text[4000:])...)},
		{"text behind zstd", "damaged", append(zst(t, text), "trailing garbage"...)},
		{"holes before the text", "", append(make([]byte, 100_000), text...)},
	} {
		got := scanned(t, write(t, filepath.Join(t.TempDir(), "log"), c.b))
		if len(got.Open) != 1 || len(got.Doubtful) != 1 {
			t.Errorf("%s: open %v, doubtful %v, troubles %v", c.name, got.Open, got.Doubtful, got.Troubles)
		}
		if (len(got.Troubles) > 0) != (c.said != "") ||
			c.said != "" && !strings.Contains(got.Troubles[0].Sentence, c.said) {
			t.Errorf("%s: said %v", c.name, got.Troubles)
		}
	}
}

// What is packed in another way is refused with what unpacks it.
func TestOtherPackings(t *testing.T) {
	for magic, tool := range map[string]string{"\xfd7zXZ\x00": "unxz", "BZh91AY": "bunzip2",
		"PK\x03\x04": "unzip", "\x04\"M\x18": "unlz4", "\x1f\x9d\x90": "uncompress",
		"LZIP\x01": "lunzip", "7z\xbc\xaf\x27\x1c": "7z x"} {
		got := scanned(t, write(t, filepath.Join(t.TempDir(), "log"), []byte(magic+strings.Repeat("\x01\x00", 300))))
		if len(got.Troubles) != 1 || !strings.Contains(got.Troubles[0].Sentence, "`"+tool+"`") || !got.Unread() {
			t.Errorf("%q: said %v", magic, got.Troubles)
		}
	}
}

// What may not be read is said, and the rest goes on; root may read everything.
func TestWhatMayNotBeRead(t *testing.T) {
	dir := t.TempDir()
	write(t, dir+"/a/letsencrypt.log", plain(t, "testdata/logs/"+openOne))
	write(t, dir+"/b/letsencrypt.log", nil)
	if err := os.Chmod(dir+"/b", 0); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = os.Chmod(dir+"/b", 0o700) }()
	socket, err := net.Listen("unix", dir+"/a/socket")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = socket.Close() }()
	got := scanned(t, dir, "/dev/null", dir+"/a/letsencrypt.log/below")
	want := 3 // the socket, the device, what is below a file
	if os.Geteuid() != 0 {
		want++
	}
	if len(got.Open) != 1 || len(got.Troubles) != want {
		t.Errorf("open %v, troubles %v", got.Open, got.Troubles)
	}
}
