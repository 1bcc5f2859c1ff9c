package fleet_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode"

	"golang.org/x/sys/unix"

	"orderly/doctor"
	"orderly/doctor/fleet"
	"orderly/failure"
)

// place is a directory of documents.
type place struct {
	t   *testing.T
	dir string
	now time.Time
}

func newPlace(t *testing.T) *place {
	return &place{t, t.TempDir(), time.Date(2026, 11, 28, 6, 0, 0, 0, time.UTC)}
}

// report is that of a server, of which each lineage is its own name.
func (p *place) report(server string, lineages ...string) doctor.Report {
	r := doctor.Report{Server: server, At: p.now.Add(-time.Hour), Lineages: len(lineages), Clean: len(lineages)}
	for _, name := range lineages {
		r.Held = append(r.Held, doctor.DocumentLineage{Name: name, Names: []string{name, "www." + name},
			Issued: p.now.Add(-30 * 24 * time.Hour), Expires: p.now.Add(60 * 24 * time.Hour)})
	}
	return r
}

func (p *place) text(r doctor.Report) []byte {
	p.t.Helper()
	text, err := json.MarshalIndent(r.Document(func(r failure.Remedy) string { return string(r) }), "", "  ")
	if err != nil {
		p.t.Fatal(err)
	}
	return text
}

func (p *place) put(file string, text []byte) {
	p.t.Helper()
	if err := os.WriteFile(filepath.Join(p.dir, file), text, 0o644); err != nil {
		p.t.Fatal(err)
	}
}

func (p *place) read() fleet.Fleet {
	p.t.Helper()
	f, err := fleet.Read(p.t.Context(), p.dir, p.options())
	if err != nil {
		p.t.Fatal(err)
	}
	return f
}

func (p *place) options() fleet.Options {
	return fleet.Options{Now: func() time.Time { return p.now }, Tell: p.t.Logf, MostBytes: 2 << 20}
}

func packed(text []byte) []byte {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	w.Write(text)
	w.Close()
	return b.Bytes()
}

// names are the servers that were read.
func names(f fleet.Fleet) string {
	var all []string
	for _, s := range f.Servers {
		all = append(all, s.Name)
	}
	return strings.Join(all, " ")
}

// What is no report of one server is told in a sentence that shows nothing of it and does nothing to
// a terminal; all others are read.
func TestATornForeignOrHostileDocumentHidesNoOther(t *testing.T) {
	p := newPlace(t)
	good := p.text(p.report("web1", "a.example"))
	p.put("web1.json", good)
	p.put("web2.json.gz", packed(p.text(p.report("web2", "b.example"))))
	secret := filepath.Join(t.TempDir(), "secret.json")
	if err := os.WriteFile(secret, good, 0o600); err != nil {
		t.Fatal(err)
	}
	bad := map[string]string{ // file: part of its sentence
		"half.json":          "half a report",
		"empty.json":         "half a report",
		"half.json.gz":       "half a report",
		"plain.json.gz":      "cannot be read to its end",
		"bomb.json.gz":       "larger than 2 MB",
		"blanks.json.gz":     "blanks in a row",
		"huge.json":          "larger than 2 MB",
		"list.json":          "not a report",
		"certificates.json":  "not a report",
		"newer.json":         "version 2",
		"number.json":        "of another kind",
		"float.json":         "of another kind",
		"text.json":          "no JSON from byte 1 on",
		"behind.json":        "stands behind it",
		"deep.json":          "nested too deep",
		"deeper.json":        "nested too deep",
		"sums.json":          "its numbers cannot be",
		"longname.json":      "longer than 253 bytes",
		"part.json":          "not all that there is of its server",
		"new.json":           "not all that there is of its server",
		"merged.json":        "of several servers",
		"moment.json":        "one of its times is none",
		"link.json":          "a link",
		"pipe.json":          "no file",
		"dir.json":           "a directory",
		"README":             "not called *.json",
		"\x1b[2Jescape.json": "half a report",
	}
	p.put("half.json", good[:len(good)/2])
	p.put("empty.json", nil)
	whole := packed(good)
	p.put("half.json.gz", whole[:len(whole)/2])
	p.put("plain.json.gz", good)
	p.put("bomb.json.gz", packed(append([]byte(`{"x":"`), bytes.Repeat([]byte("x"), 3<<20)...)))
	p.put("blanks.json.gz", packed(bytes.Repeat([]byte(" "), 1<<20)))
	p.put("huge.json", nil)
	if err := os.Truncate(filepath.Join(p.dir, "huge.json"), 10<<30); err != nil {
		t.Fatal(err)
	}
	p.put("list.json", []byte(`[1,2]`))
	p.put("certificates.json", []byte(`{"version":1,"certificates":[]}`))
	frame := func(head string) []byte {
		return []byte(`{` + head + `"version":1,"findings":[],"summary":{"lineages":1,"clean":1,"findings":0}}`)
	}
	p.put("newer.json", bytes.Replace(frame(""), []byte(`"version":1`), []byte(`"version":2`), 1))
	p.put("number.json", bytes.Replace(frame(""), []byte(`:1,"clean"`), []byte(`:1e999,"clean"`), 1))
	p.put("float.json", bytes.Replace(frame(""), []byte(`"findings":[]`), []byte(`"findings":[{"line":99999999999999999999}]`), 1))
	p.put("text.json", []byte("root:secret\x1b[31m"))
	p.put("behind.json", append(frame(""), []byte(` {"more":1}`)...))
	p.put("deep.json", frame(`"x":`+strings.Repeat("[", 100)+strings.Repeat("]", 100)+`,`))
	p.put("deeper.json", bytes.Replace(frame(""), []byte(`"findings":[]`),
		[]byte(`"findings":[{"names":`+strings.Repeat("[", 20_000)), 1))
	p.put("sums.json", bytes.Replace(frame(""), []byte(`"clean":1`), []byte(`"clean":-1`), 1))
	p.put("longname.json", frame(`"server":"`+strings.Repeat("x", 1<<20)+`",`))
	p.put("part.json", frame(`"partial":true,`))
	p.put("new.json", frame(`"new_since":"2026-11-27T06:00:00Z",`))
	p.put("merged.json", bytes.Replace(frame(""), []byte(`"findings":0`), []byte(`"findings":0,"servers":3`), 1))
	p.put("moment.json", frame(`"at":"yesterday",`))
	p.put("README", []byte("hello"))
	p.put("\x1b[2Jescape.json", []byte("{"))
	p.put(".web3.json.part", good[:9])
	link, pipe := filepath.Join(p.dir, "link.json"), filepath.Join(p.dir, "pipe.json")
	if err := os.Symlink(secret, link); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(p.dir, "dir.json"), 0o700); err != nil {
		t.Fatal(err)
	}

	f := p.read()
	if names(f) != "web1 web2" {
		t.Errorf("read are %q", names(f))
	}
	told := map[string]string{}
	for _, u := range f.Unread {
		told[u.File] = u.Sentence
		if u.Sentence == "" || strings.ContainsFunc(u.File+u.Sentence, unicode.IsControl) || strings.Contains(u.Sentence, "secret") {
			t.Errorf("%q is told as %q", u.File, u.Sentence)
		}
	}
	for file, want := range bad {
		if got := told[failure.Clean(file)]; !strings.Contains(got, want) {
			t.Errorf("%q: %q, wanted %q", file, got, want)
		}
	}
	if len(told) != len(bad) {
		t.Errorf("%d are told, %d are bad: %q", len(told), len(bad), told)
	}
	if r := f.Report(); r.Exit() != 3 || r.Lineages != 2 || r.Servers != 2 {
		t.Errorf("exit %d, %d lineages of %d servers", r.Exit(), r.Lineages, r.Servers)
	}
}

// A directory without any report must not look like a healthy fleet.
func TestADirectoryWithoutAReportIsAnError(t *testing.T) {
	p := newPlace(t)
	for _, dir := range []string{p.dir, filepath.Join(p.dir, "none"), "/dev/null"} {
		if f, err := fleet.Read(t.Context(), dir, p.options()); failure.ClassOf(err) != failure.Config || failure.RemedyOf(err) == "" {
			t.Errorf("%s: %+v, %v", dir, f, err)
		}
	}
	p.put("web1.json", []byte("{"))
	if _, err := fleet.Read(t.Context(), p.dir, p.options()); err == nil || !strings.Contains(err.Error(), "half a report") {
		t.Errorf("%v", err)
	}
}

// Of several documents of a server the newest counts, unless its clock is wrong; an old one is the
// last word of a server that is silent.
func TestTheNewestReportOfAServerCounts(t *testing.T) {
	p := newPlace(t)
	for file, age := range map[string]time.Duration{"1.json": 26 * time.Hour, "2.json": time.Hour, "3.json": 24 * time.Hour, "4.json": -1000 * time.Hour} {
		r := p.report("Web1", file)
		if file == "1.json" {
			r.Server = "web1"
		}
		r.At = p.now.Add(-age)
		p.put(file, p.text(r))
	}
	silent := p.report("web2", "b.example")
	silent.At = p.now.Add(-49 * time.Hour)
	p.put("web2.json", p.text(silent))
	f := p.read()
	if names(f) != "Web1 web2" || f.Servers[0].File != "2.json" {
		t.Fatalf("%+v", f.Servers)
	}
	var told []string
	for _, u := range f.Unread {
		told = append(told, u.File+" "+u.Sentence)
	}
	if len(told) != 4 || !strings.Contains(told[0], "an older report of web1: 2.json counts") ||
		!strings.Contains(told[3], "web2.json web2 is silent: its last report is of 2026-11-26 05:00") {
		t.Errorf("%q", told)
	}
}

// A document without its server's name, as an earlier version writes it, is of the server that its
// file is called by, and as old as the file.
func TestADocumentWithoutANameIsCalledByItsFile(t *testing.T) {
	p := newPlace(t)
	r := p.report("", "a.example")
	r.At = time.Time{}
	p.put("web7.example.json.gz", packed(p.text(r)))
	made := p.now.Add(-72 * time.Hour)
	if err := os.Chtimes(filepath.Join(p.dir, "web7.example.json.gz"), made, made); err != nil {
		t.Fatal(err)
	}
	f := p.read()
	if names(f) != "web7.example" || !f.Servers[0].At.Equal(made) || len(f.Unread) != 1 {
		t.Errorf("%+v", f)
	}
}

// What findings say is kept, clean; what cannot be a finding is counted.
func TestFindingsAreKeptClean(t *testing.T) {
	p := newPlace(t)
	r := p.report("web1\x1b[31m", "a.example")
	due := p.now.Add(-time.Minute)
	for _, id := range []string{"D21", "D9999", "D12345", "14", "D", "D-1", "D14\n"} {
		r.Findings = append(r.Findings, doctor.Finding{ID: id, Severity: doctor.WillFail, Lineage: "a\x00b",
			Names: []string{"\u202ea.example"}, File: "/srv\x1b[2J", Line: -4, Sentence: "gone\r\x1b[2Jfine",
			Remedy: "\x02delete\x1fx\x03", Fix: "rm -rf /", HurtsAt: due, Class: "dns-\x9bmissing"})
	}
	r.Findings[1].Severity = "catastrophic"
	p.put("web1.json", p.text(r))
	f := p.read()
	merged := f.Report()
	if len(merged.Findings) != 2 || len(f.Unread) != 1 || !strings.Contains(f.Unread[0].Sentence, "6 of its findings") {
		t.Fatalf("%+v, %+v", merged.Findings, f.Unread)
	}
	got := merged.Findings[0]
	if got.Server != "web1 [31m" || got.ID != "D21" || got.Severity != doctor.Fails || got.Fix != doctor.FixNo || got.Line != 0 {
		t.Errorf("%+v", got)
	}
	if merged.Findings[1].Severity != doctor.Note {
		t.Errorf("%+v", merged.Findings[1])
	}
	if text := fmt.Sprintf("%+v", merged); strings.ContainsFunc(text, unicode.IsControl) {
		t.Errorf("%q", text)
	}
}

// A name that is live on two servers is told of the one with the older certificate; certificates
// that are over and several of one server are none of it.
func TestANameLiveOnTwoServersIsFound(t *testing.T) {
	p := newPlace(t)
	day := func(r *doctor.Report, i, issued, expires int) {
		r.Held[i].Issued = p.now.Add(time.Duration(issued) * 24 * time.Hour)
		r.Held[i].Expires = p.now.Add(time.Duration(expires) * 24 * time.Hour)
	}
	web1 := p.report("web1", "moved.example", "over.example", "twice.example", "twice.example-0001")
	web1.Held[3].Names = web1.Held[2].Names
	day(&web1, 0, -70, 20)
	day(&web1, 1, -100, -10)
	web2 := p.report("web2", "MOVED.example.", "over.example")
	day(&web2, 0, -3, 87)
	web3 := p.report("web3", "moved.example")
	day(&web3, 0, -40, 50)
	for _, r := range []doctor.Report{web1, web2, web3} {
		p.put(r.Server+".json", p.text(r))
	}
	f := p.read()
	r := f.Report()
	var got []string
	for _, one := range r.Findings {
		got = append(got, fmt.Sprintf("%s %s %s %s %s %s", one.ID, one.Severity, one.Server, one.Lineage,
			strings.Join(one.Names, ","), one.Since.Format(time.DateOnly)))
	}
	want := "D52 note web1 moved.example moved.example,www.moved.example 2026-11-25\n" +
		"D52 note web3 moved.example moved.example,www.moved.example 2026-11-25"
	if strings.Join(got, "\n") != want {
		t.Fatalf("%s", strings.Join(got, "\n"))
	}
	said := r.Findings[0].Sentence
	for _, part := range []string{"web1", "web2", "2026-11-25", "2026-09-19", "on web2; the certificate there"} {
		if !strings.Contains(said, part) {
			t.Errorf("%q lacks %q", said, part)
		}
	}
	if groups := r.Groups(); len(groups) != 1 || r.Exit() != 3 {
		t.Errorf("%d groups, exit %d", len(groups), r.Exit())
	}
}

// A cluster with copies of its certificates is told of once for each certificate; an old copy that was
// left on a server is told of beside it.
func TestTheCopiesOfAClusterAreOneFinding(t *testing.T) {
	p := newPlace(t)
	for i := range 7 {
		r := p.report(fmt.Sprintf("web%d", i), "shop.example", "blog.example")
		if i == 6 {
			r.Held[0].Issued, r.Held[0].Expires = r.Held[0].Issued.AddDate(0, 0, -60), p.now.AddDate(0, 0, 10)
		}
		p.put(r.Server+".json", p.text(r))
	}
	f := p.read()
	r := f.Report()
	var got []string
	for _, one := range r.Findings {
		got = append(got, fmt.Sprintf("%s %s %s", one.Server, one.Lineage, one.Sentence))
	}
	if len(got) != 3 {
		t.Fatalf("%d findings:\n%s", len(got), strings.Join(got, "\n"))
	}
	all := strings.Join(got, "\n")
	for _, want := range []string{"web0 shop.example shop.example, www.shop.example are live with the same certificate (shop.example of ",
		"on 6 servers: web0, web1, web2, web3, web4 and 1 more", "on 7 servers: web0, web1, web2, web3, web4 and 2 more",
		"web6 shop.example shop.example, www.shop.example are live on web6 and on web0; the certificate there"} {
		if !strings.Contains(all, want) {
			t.Errorf("no %q in\n%s", want, all)
		}
	}
	if groups := r.Groups(); len(groups) != 2 {
		t.Errorf("%d groups", len(groups))
	}
}

// Who is told to end says so, and makes no half report.
func TestAReadingThatIsStoppedIsNoReport(t *testing.T) {
	p := newPlace(t)
	for i := range 20 {
		p.put(fmt.Sprintf("web%d.json", i), p.text(p.report(fmt.Sprintf("web%d", i), "a.example")))
	}
	ctx, cancel := context.WithCancel(t.Context())
	o := p.options()
	o.Progress = func(done, _ int) {
		if done == 3 {
			cancel()
		}
	}
	if f, err := fleet.Read(ctx, p.dir, o); !errors.Is(err, context.Canceled) || len(f.Servers) != 0 {
		t.Errorf("%d servers, %v", len(f.Servers), err)
	}
}
