// Package scan reads the logs of other ACME clients and says which authorizations they left open
// at the CA, which newOrders were never answered, and which runs were killed and where. It reads
// and counts: it must never speak to a CA, never write where a log points, and never believe a line
// more than another. What contradicts itself is doubtful.
package scan

// A scan: logs are found, read several at once, and what they show is kept by URL, whichever run
// named it.

import (
	"cmp"
	"context"
	"errors"
	"path/filepath"
	"regexp"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"orderly/diagnose"
	"orderly/outside"
	"orderly/scan/client"
	"orderly/scan/source"
)

// Settings are what a scan is told.
type Settings struct {
	// Now is the moment against which expiry is judged.
	Now time.Time
	// HostFrom finds a server's name in the path of its log: its first group, or all of it.
	HostFrom *regexp.Regexp
	// Own is a directory that nothing is read of: this program's own files, which it has locks on.
	Own string
	// Here is what is known of the servers, by which an address is told to be elsewhere.
	Here diagnose.Here
	// Workers is how many logs are read at once.
	Workers int
	// Progress is told, now and then, how much of how much was read.
	Progress func(read, all int64)
}

// patience is how long it is waited, once ctx ended, for what is being read.
const patience = time.Second

// Scan reads what is at the paths. An error is ctx's alone: what cannot be read is in the report.
// It ends soon after ctx even where a disk does not answer: nobody can interrupt that, and it is
// left behind.
func Scan(ctx context.Context, paths []string, set Settings) (*Report, error) {
	type result struct {
		report *Report
		err    error
	}
	done := make(chan result, 1)
	go func() {
		report, err := read(ctx, paths, set)
		done <- result{report, err}
	}()
	select {
	case r := <-done:
		return r.report, r.err
	case <-ctx.Done():
	}
	select {
	case r := <-done:
		return r.report, r.err
	case <-time.After(patience):
		return nil, ctx.Err()
	}
}

func read(ctx context.Context, paths []string, set Settings) (*Report, error) {
	s := &scan{set: set, urls: newURLs(set.Now), failures: newFailures(set.Here)}
	defer s.urls.close()
	finder := &source.Finder{Say: s.trouble, Own: set.Own}
	s.moved = func(f source.File) {
		finder.Forget(f)
		s.mu.Lock()
		defer s.mu.Unlock()
		s.gone = append(s.gone, f)
	}
	for {
		found, err := finder.Find(ctx, paths)
		if err != nil {
			return nil, err
		}
		if len(found) == 0 {
			break
		}
		if err := s.all(ctx, found); err != nil {
			return nil, err
		}
		// Once more for what was rotated meanwhile: a file that took another's name was not seen.
		finder.Say = func(source.Trouble) {}
		if s.again++; s.again == maxRounds {
			break
		}
	}
	for _, file := range s.gone {
		if !finder.Found(file) {
			s.trouble(source.Trouble{Path: outside.Clean(file.Name), Sentence: source.ErrMoved.Error(),
				Unread: true})
		}
	}
	return s.report()
}

// maxRounds bounds how often it is looked for what appeared meanwhile.
const maxRounds = 3

type scan struct {
	set      Settings
	urls     *urls
	failures *failures
	again    int
	read     atomic.Int64
	moved    func(source.File)

	mu       sync.Mutex
	files    []string
	hosts    []string
	hostIDs  map[string]uint32
	fileHost []uint32
	runs     []compact
	lost     []client.Lost
	troubles []source.Trouble
	logs     int // files that a client wrote
	others   int
	gone     []source.File // moved away before they were opened
	atWork   map[client.Place]bool
	holders  []Holder
}

func (s *scan) trouble(t source.Trouble) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.troubles = append(s.troubles, t)
}

// all reads series, several at once. The largest come first, so that no worker is left with one.
func (s *scan) all(ctx context.Context, found []source.Series) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var total int64
	for _, one := range found {
		total += one.Size()
	}
	slices.SortStableFunc(found, func(a, b source.Series) int { return cmp.Compare(b.Size(), a.Size()) })
	work := make(chan source.Series)
	var wg sync.WaitGroup
	var failed error
	var once sync.Once
	for range max(1, min(s.set.Workers, len(found))) {
		wg.Go(func() {
			r := &reader{scan: s, log: client.NewLog(sink{s}),
				kit: source.Kit{Say: s.trouble, Count: func(n int64) { s.read.Add(n) }}}
			for one := range work {
				if err := r.series(ctx, one); err != nil {
					once.Do(func() { failed = err; cancel() })
				}
			}
		})
	}
	for i, one := range found {
		if ctx.Err() != nil {
			break
		}
		work <- one
		found[i] = source.Series{} // there may be a hundred thousand files
		if s.set.Progress != nil {
			s.set.Progress(s.read.Load(), total)
		}
	}
	close(work)
	wg.Wait()
	if failed != nil {
		return failed
	}
	return ctx.Err()
}

// reader is what one goroutine reads logs with.
type reader struct {
	*scan
	kit  source.Kit
	log  *client.Log
	used bool // log has something in it
	held bool // certbot is at work on it
}

// series reads one log. Whether certbot is at work on it is asked when its end was read: a run that
// ended before wrote its end.
func (r *reader) series(ctx context.Context, series source.Series) error {
	defer func() {
		if pid, held := series.Held(); held && r.used {
			r.holds(series, pid)
		}
		r.finish()
	}()
	for _, file := range series.Files {
		err := r.kit.Read(ctx, file, func(text source.Text) error {
			r.used = true
			err := r.log.Read(ctx, r.file(text.Name), text)
			if ctx.Err() != nil {
				return source.Fatal{Err: ctx.Err()}
			}
			return err
		}, r.finish)
		if errors.Is(err, source.ErrMoved) {
			r.moved(file)
			continue
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// holds notes that certbot is at work on the log that was read.
func (r *reader) holds(series source.Series, pid int) {
	r.held = true
	name := series.Files[len(series.Files)-1].Name
	r.mu.Lock()
	defer r.mu.Unlock()
	r.holders = append(r.holders, Holder{Dir: outside.Clean(filepath.Dir(name)), PID: pid})
}

// finish ends a log.
func (r *reader) finish() {
	if !r.used {
		return
	}
	known := r.log.Close(r.held)
	r.used, r.held = false, false
	r.mu.Lock()
	defer r.mu.Unlock()
	if known {
		r.logs++
	} else {
		r.others++
	}
}

// file numbers a file.
func (s *scan) file(name string) uint32 {
	host := s.hostOf(name)
	s.mu.Lock()
	defer s.mu.Unlock()
	id, known := s.hostIDs[host]
	if !known {
		if s.hostIDs == nil {
			s.hostIDs = map[string]uint32{}
		}
		id = uint32(len(s.hosts))
		s.hosts = append(s.hosts, host)
		s.hostIDs[host] = id
	}
	s.files = append(s.files, name)
	s.fileHost = append(s.fileHost, id)
	return uint32(len(s.files) - 1)
}

func (s *scan) hostOf(name string) string {
	if s.set.HostFrom == nil {
		return ""
	}
	m := s.set.HostFrom.FindStringSubmatch(filepath.ToSlash(name))
	switch {
	case len(m) > 1:
		return m[1]
	case len(m) == 1:
		return m[0]
	}
	return ""
}

// sink takes what the logs show.
type sink struct{ *scan }

func (s sink) See(one client.Sighting) { s.urls.see(one) }

func (s sink) Lose(one client.Lost) {
	if one.At.Add(orderLifetime).Before(s.set.Now) {
		return // what it may have made is over
	}
	one.Names = slices.Clone(one.Names)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lost = append(s.lost, one)
}

func (s sink) Fail(one client.Failure) {
	s.mu.Lock()
	host := s.fileHost[one.Place.File]
	s.mu.Unlock()
	s.failures.fail(host, one)
}

func (s sink) Renew(one client.Renewal) {
	s.mu.Lock()
	host, _ := s.place(one.Place)
	s.mu.Unlock()
	s.failures.renew(host, one)
}

func (s sink) End(one client.Run) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.runs = append(s.runs, compactOf(one))
	if one.AtWork {
		if s.atWork == nil {
			s.atWork = map[client.Place]bool{}
		}
		s.atWork[one.Place] = true
	}
}
