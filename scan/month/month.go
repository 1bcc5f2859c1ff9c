// Package month makes the logs of a month of many servers out of samples of real ones, for
// benchmarks and tests: the same for the same seed, and with what is open at its end known. It is
// never linked into orderly.
package month

// A sample becomes another run by its date, by the numbers that the CA gave its objects, and by
// what was signed over them; everything else stays as certbot wrote it.

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"time"
)

// Sample is the text of one run, and how many of its authorizations stay open.
type Sample struct {
	Name     string
	Open     int
	template template
}

// samples that are one file each, of which every object has a number.
var chosen = [...]string{"loop-1.21", "5.6-renew", "debian-killed-authz", "debian-killed-poll"}

// Load reads the samples below a directory.
func Load(dir string) ([]Sample, error) {
	var all []Sample
	for _, name := range chosen {
		b, err := os.ReadFile(filepath.Join(dir, name+".expect"))
		if err != nil {
			return nil, err
		}
		var want struct {
			Files    []string   `json:"files_oldest_first"`
			Open     []struct{} `json:"open"`
			Doubtful []struct {
				Pending bool `json:"pending_at_the_CA"`
			} `json:"doubtful"`
		}
		if err := json.Unmarshal(b, &want); err != nil {
			return nil, err
		}
		text, err := read(filepath.Join(dir, want.Files[0]))
		if err != nil {
			return nil, err
		}
		all = append(all, Sample{name, len(want.Open) - len(want.Doubtful), parse(text)})
	}
	return all, nil
}

func read(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	if !strings.HasSuffix(path, ".gz") {
		return io.ReadAll(f)
	}
	z, err := gzip.NewReader(f)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(z)
}

// template is a text with holes.
type template []piece

type piece struct {
	text   []byte
	number int64    // a number of this many digits, moved on; 0 for none
	digits int      // of number
	date   string   // a day in this form, days after the run's
	after  int      // days
	inside template // base64 of it
}

// holes are what is another in each run. The samples are of 28 November 2026.
var holes = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`"(?:protected|payload)": "([A-Za-z0-9_-]*)"|2026-11-28|2026-12-05|Sat, 28 Nov 2026|/[0-9]{7,18}\b`)
})

func parse(text []byte) template {
	var t template
	last := 0
	add := func(to int) {
		if to > last {
			t = append(t, piece{text: text[last:to]})
		}
	}
	for _, m := range holes().FindAllSubmatchIndex(text, -1) {
		found := string(text[m[0]:m[1]])
		switch {
		case m[2] >= 0:
			inner, err := base64.RawURLEncoding.DecodeString(string(text[m[2]:m[3]]))
			if err != nil {
				continue
			}
			add(m[2])
			t = append(t, piece{inside: parse(inner)})
			last = m[3]
			continue
		case found[0] == '/':
			add(m[0] + 1)
			p := piece{digits: len(found) - 1}
			_, _ = fmt.Sscan(found[1:], &p.number) // digits alone
			t = append(t, p)
		case found == "2026-11-28":
			add(m[0])
			t = append(t, piece{date: time.DateOnly})
		case found == "2026-12-05":
			add(m[0])
			t = append(t, piece{date: time.DateOnly, after: 7})
		default:
			add(m[0])
			t = append(t, piece{date: "Mon, 02 Jan 2006"})
		}
		last = m[1]
	}
	add(len(text))
	return t
}

// Write writes the sample as the n-th run, of a day.
func (s Sample) Write(out *bytes.Buffer, n int64, day time.Time) { s.template.write(out, n, day) }

func (t template) write(out *bytes.Buffer, n int64, day time.Time) {
	for _, p := range t {
		switch {
		case p.text != nil:
			out.Write(p.text)
		case p.date != "":
			out.WriteString(day.AddDate(0, 0, p.after).Format(p.date))
		case p.digits > 0:
			limit := int64(1)
			for range p.digits {
				limit *= 10
			}
			fmt.Fprintf(out, "%0*d", p.digits, (p.number+n*7919)%limit)
		default:
			var inner bytes.Buffer
			p.inside.write(&inner, n, day)
			out.WriteString(base64.RawURLEncoding.EncodeToString(inner.Bytes()))
		}
	}
}

// Days is how long the month is, Runs how many logs a day has, and PerLog how many runs are in one.
const (
	Days   = 30
	Runs   = 2
	PerLog = 2
)

// End is when the month is over.
func End() time.Time { return time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC) }

// Made is what was made.
type Made struct {
	Servers, Files int
	Packed, Plain  int64
	Open           int // at End
}

// Make writes the logs of servers first to last-1 below a directory, each server's in one of its
// own: the newest plain, the others packed.
func Make(dir string, samples []Sample, first, last int) (Made, error) {
	made := Made{Servers: last - first}
	var text bytes.Buffer
	packer, err := gzip.NewWriterLevel(io.Discard, gzip.BestSpeed)
	if err != nil {
		return made, err
	}
	for server := first; server < last; server++ {
		logs := filepath.Join(dir, fmt.Sprintf("web%04d", server), "letsencrypt")
		if err := os.MkdirAll(logs, 0o700); err != nil {
			return made, err
		}
		for age := range Days * Runs {
			day := End().AddDate(0, 0, -(age / Runs))
			text.Reset()
			for i := range PerLog {
				sample := samples[(server+age+i)%len(samples)]
				sample.Write(&text, (int64(server)*Days*Runs+int64(age))*PerLog+int64(i), day)
				if age/Runs < 7 {
					made.Open += sample.Open
				}
			}
			packed, err := save(logs, age, text.Bytes(), packer)
			if err != nil {
				return made, err
			}
			made.Files++
			made.Plain += int64(text.Len())
			made.Packed += packed
		}
	}
	return made, nil
}

func save(dir string, age int, text []byte, packer *gzip.Writer) (int64, error) {
	if age == 0 {
		return int64(len(text)), os.WriteFile(filepath.Join(dir, "letsencrypt.log"), text, 0o600)
	}
	var packed bytes.Buffer
	packer.Reset(&packed)
	if _, err := packer.Write(text); err != nil {
		return 0, err
	}
	if err := packer.Close(); err != nil {
		return 0, err
	}
	path := filepath.Join(dir, fmt.Sprintf("letsencrypt.log.%d.gz", age))
	return int64(packed.Len()), os.WriteFile(path, packed.Bytes(), 0o600)
}
