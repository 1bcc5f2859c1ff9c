// Package fleet puts the reports of many servers together: a directory with one document a server,
// as `doctor --json` and `digest --export` write it. What a document says is its server's own word:
// it is cleaned and counted, and checked against nothing. It must never follow what a document or a
// file's name says to another file, never run, fetch or write anything, and never let one document,
// however broken or huge, hide another.
package fleet

import (
	"cmp"
	"context"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"orderly/doctor"
	"orderly/failure"
)

// Server is the newest document of one server, cleaned.
type Server struct {
	Name     string // the document's own word; the file's name where it has none
	At       time.Time
	File     string // in which it stands, without the directory
	Findings []doctor.Finding
	Held     []doctor.DocumentLineage
	Summary  doctor.Summary
}

// Fleet is what a directory of documents says.
type Fleet struct {
	At      time.Time // when it was read
	Servers []Server  // by name
	// Unread is what is missing: documents that could not be read, older ones of a server, servers
	// that are silent. By file.
	Unread []doctor.Unread
}

// Options are what Read is given by its caller.
type Options struct {
	Now  func() time.Time
	Tell func(format string, args ...any) // told what is waited for
	// Progress is called as documents are read, from one goroutine at a time; nil for nobody.
	Progress func(done, all int)
	// MostBytes is how much of a document is read, unpacked; 0 for what is usual.
	MostBytes int64
}

// usualMost is how much of a document is usually read: twenty thousand certificates take 20 MB.
const usualMost = 64 << 20

func (o Options) most() int64 { return cmp.Or(o.MostBytes, usualMost) }

// silentAfter is how old a report is that says its server is silent: two nights were missed.
const silentAfter = 48 * time.Hour

// mostAhead is how far another server's clock may be ahead of this one's.
const mostAhead = time.Hour

// Read reads a directory of documents, one a server, each in a file called *.json or *.json.gz.
// Each is read as it streams by, and little of it is kept: documents of 1,500 servers with 300,000
// names take some tens of megabytes. Of several of one server the newest counts. What cannot be read
// is told in Unread, with a sentence each, and the rest goes on; an error is one that leaves nothing
// to go on with.
func Read(ctx context.Context, dir string, o Options) (Fleet, error) {
	slow := time.AfterFunc(time.Second, func() { o.Tell("Reading the reports in %s.", dir) })
	defer slow.Stop()
	listed, err := within(ctx, func(ctx context.Context) (listing, error) { return list(ctx, dir) })
	if err != nil {
		return Fleet{}, err
	}
	r := reading{Options: o, dir: dir, files: listed.files, unread: listed.unread}
	if err := r.all(ctx); err != nil {
		return Fleet{}, err
	}
	f := Fleet{At: o.Now(), Servers: r.servers, Unread: r.unread}
	f.newestOfEach()
	f.silent()
	slices.SortStableFunc(f.Unread, func(a, b doctor.Unread) int {
		return cmp.Compare(a.File, b.File)
	})
	if len(f.Servers) == 0 {
		return f, nothing(dir, f.Unread)
	}
	return f, nil
}

// nothing is the error that no document could be read: a mistyped directory must not look healthy.
func nothing(dir string, unread []doctor.Unread) error {
	const remedy = "Name a directory that has one report a server, each in a file called NAME.json " +
		"or NAME.json.gz."
	if len(unread) == 0 {
		return failure.New(failure.Config, remedy, "there is no report in %s", dir)
	}
	return failure.New(failure.Config, remedy,
		"none of the %d files in %s can be used; the first is %s: %s", len(unread), dir,
		unread[0].File, unread[0].Sentence)
}

// reading is one directory being read.
type reading struct {
	Options
	dir     string
	files   []file
	mu      sync.Mutex
	done    int
	kept    amount // of all documents together
	servers []Server
	unread  []doctor.Unread
}

// all reads each file, several at once.
func (r *reading) all(ctx context.Context) error {
	next := make(chan file)
	var workers sync.WaitGroup
	for range min(len(r.files), runtime.GOMAXPROCS(0)) {
		workers.Go(func() {
			for f := range next {
				d, err := within(ctx, func(ctx context.Context) (document, error) {
					return read(ctx, r.dir, f, r.most())
				})
				r.add(f, d.server, d.kept, err)
			}
		})
	}
	for _, f := range r.files {
		if ctx.Err() != nil {
			break
		}
		next <- f
	}
	close(next)
	workers.Wait()
	if ctx.Err() != nil { // half a fleet must not look like a whole one
		return context.Cause(ctx)
	}
	return nil
}

// patience is how long a file, or the directory, is waited for.
const patience = time.Minute

// within does something that may hang on a file system, and goes on without it where that takes too
// long or ctx ends. Nothing can call back who hangs in the kernel: he ends with the process.
func within[T any](ctx context.Context, do func(context.Context) (T, error)) (T, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, patience, failure.New(failure.Config,
		"See whether its file system hangs.", "it could not be read within %s", patience))
	defer cancel()
	type answer struct {
		of  T
		err error
	}
	answers := make(chan answer, 1)
	go func() {
		of, err := do(ctx)
		answers <- answer{of, err}
	}()
	select {
	case a := <-answers:
		return a.of, a.err
	case <-ctx.Done():
		var none T
		return none, context.Cause(ctx)
	}
}

// add keeps what was read.
func (r *reading) add(f file, s Server, n amount, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.done++
	if r.Progress != nil {
		r.Progress(r.done, len(r.files))
	}
	if all := r.kept.plus(n); err == nil && all.over(mostOfAll) {
		err = fmt.Errorf("not used: with the reports of the other servers it is more than %d "+
			"findings or %d names", mostOfAll.findings, mostOfAll.names)
	} else if err == nil {
		r.kept = all
		r.servers = append(r.servers, s)
	}
	if err != nil {
		r.unread = append(r.unread, doctor.Unread{File: failure.Clean(f.name),
			Sentence: failure.Clean(err.Error())})
		return
	}
	if n.odd > 0 {
		r.unread = append(r.unread, doctor.Unread{File: failure.Clean(f.name), Server: s.Name,
			Sentence: fmt.Sprintf("%d of its findings are of no check or severity that is known here",
				n.odd)})
	}
}

// newestOfEach leaves the newest document of each server, and tells of the others.
func (f *Fleet) newestOfEach() {
	slices.SortFunc(f.Servers, func(a, b Server) int {
		return cmp.Or(strings.Compare(strings.ToLower(a.Name), strings.ToLower(b.Name)),
			f.trusted(b).Compare(f.trusted(a)), strings.Compare(b.File, a.File))
	})
	kept := f.Servers[:0]
	for _, s := range f.Servers {
		if len(kept) == 0 || !strings.EqualFold(kept[len(kept)-1].Name, s.Name) {
			kept = append(kept, s)
			continue
		}
		f.Unread = append(f.Unread, doctor.Unread{File: s.File, Server: s.Name,
			Sentence: failure.Words("an older report of %s: %s counts. If these are two servers, "+
				"name one of them otherwise", s.Name, kept[len(kept)-1].File)})
	}
	f.Servers = kept
}

// trusted is when a report was made, as far as that can be: no report is from the future, and a
// clock that is wrong must not win over one that is right.
func (f *Fleet) trusted(s Server) time.Time {
	if s.At.After(f.At.Add(mostAhead)) {
		return time.Time{}
	}
	return s.At
}

// silent tells of servers whose last report is old: nobody knows how they are.
func (f *Fleet) silent() {
	for _, s := range f.Servers {
		var said string
		switch age := f.At.Sub(s.At); {
		case age > silentAfter:
			said = failure.Words("%s is silent: its last report is of %s. See there whether its report "+
				"is still written, and sent", s.Name, s.At.UTC().Format("2006-01-02 15:04"))
		case age < -mostAhead:
			said = failure.Words("%s says that it is %s: see to its clock", s.Name,
				s.At.UTC().Format("2006-01-02 15:04"))
		default:
			continue
		}
		f.Unread = append(f.Unread, doctor.Unread{File: s.File, Server: s.Name, Sentence: said})
	}
}

// Report is one report of all servers. Each finding says of which it is.
func (f *Fleet) Report() doctor.Report {
	r := doctor.Report{At: f.At, Servers: len(f.Servers), Unread: f.Unread}
	for _, s := range f.Servers {
		r.Findings = append(r.Findings, s.Findings...)
		r.Lineages += s.Summary.Lineages
		r.Clean += s.Summary.Clean
	}
	for i := range r.Findings {
		r.Findings[i].Comes(f.At)
	}
	r.Findings = append(r.Findings, f.twice()...)
	doctor.Arrange(r.Findings)
	return r
}
