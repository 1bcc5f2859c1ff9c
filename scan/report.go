package scan

// What a scan found.

import (
	"cmp"
	"iter"
	"slices"
	"strconv"
	"strings"
	"time"

	"orderly/scan/client"
	"orderly/scan/source"
)

// Report is what a scan found: results that have nothing in common, and the runs.
type Report struct {
	Open, Doubtful []Row
	// Orders are those of which the logs do not name every authorization: URL is the order's.
	Orders []Row
	Lost   []Lost
	// Runs are by server and time; there may be very many, and none is kept longer than it is looked at.
	Runs     iter.Seq[Run]
	RunCount int
	// Holders are certbots at work on logs that were read.
	Holders []Holder
	// Hosts are the servers that logs are of, "" where none was named.
	Hosts []string
	// Failures are by server, certificate, name and class.
	Failures     iter.Seq[Failure]
	FailureCount int
	// Renewed says when a certificate of a server, or where its lineage is "" one with the name, was
	// obtained last, zero where no log says.
	Renewed  func(host, lineage, name string) time.Time
	Troubles []source.Trouble
	// Closed says whether the logs show an authorization final.
	Closed func(url string) bool
	// Logs are the logs that a client wrote, Others those that none did; Read counts bytes on disk.
	Logs, Others int
	Read         int64
}

// Row is an authorization that may be pending; a doubtful one has a reason.
type Row struct {
	URL, Name, Account, Server, Host string
	Order                            string    // its URL, where a log names it
	Expires                          time.Time // zero where no log says
	File                             string
	Line                             int64
	Reason                           string
	// AtWork says that a run which is at work named it last, and may close it yet.
	AtWork  bool
	runFile string
	runLine int64
}

// Run is where the run begins that named it first.
func (r Row) Run() string { return r.runFile + ":" + strconv.FormatInt(r.runLine, 10) }

// Settle is what becomes of rows by the CA's own word: of those that it said something of, none is
// doubtful, and what it holds pending is open, whatever the logs say.
func (r *Report) Settle(said func(url string) bool, held []Row) {
	known := map[string]Row{}
	for _, row := range slices.Concat(r.Open, r.Doubtful) {
		known[row.URL] = row
	}
	answered := func(row Row) bool { return said(row.URL) }
	r.Open = slices.DeleteFunc(r.Open, answered)
	r.Doubtful = slices.DeleteFunc(r.Doubtful, answered)
	r.Orders = slices.DeleteFunc(r.Orders, answered)
	for _, row := range held {
		if logged, ok := known[row.URL]; ok {
			logged.Name, logged.Expires, logged.Reason = row.Name, row.Expires, ""
			row = logged
		}
		r.Open = append(r.Open, row)
	}
	r.sort()
}

// Holder is a certbot at work: where its logs are, and its process, 0 where that is not known.
type Holder struct {
	Dir string
	PID int
}

// Lost is a newOrder that was sent and never answered.
type Lost struct {
	Names                 []string
	Account, Server, Host string
	At                    time.Time
	File                  string
	Line                  int64
}

// Run is one run of a client.
type Run struct {
	ID, Host     string
	Began, Ended time.Time
	Fate         client.Fate
	Step         client.Step
}

// Seconds is how long it took.
func (r Run) Seconds() float64 { return r.Ended.Sub(r.Began).Seconds() }

// Unread says whether something is missing from the report.
func (r *Report) Unread() bool {
	for _, t := range r.Troubles {
		if t.Unread {
			return true
		}
	}
	return false
}

// orderLifetime is how long an order lives that nobody saw: no public CA keeps one that nobody
// answers for longer.
const orderLifetime = 30 * 24 * time.Hour

// sortRuns sorts runs by server and time. One that stands in several copies of its log is one run:
// a copy may have been made before it ended.
func (s *scan) sortRuns() {
	slices.SortFunc(s.runs, func(a, b compact) int {
		hostA, fileA := s.place(a.place())
		hostB, fileB := s.place(b.place())
		return cmp.Or(strings.Compare(hostA, hostB), cmp.Compare(a.began, b.began),
			cmp.Compare(a.mark, b.mark), cmp.Compare(b.took, a.took), strings.Compare(fileA, fileB),
			cmp.Compare(a.line, b.line))
	})
	s.runs = slices.CompactFunc(s.runs, func(a, b compact) bool {
		return a.began == b.began && a.began != noTime && a.mark == b.mark &&
			s.fileHost[a.file] == s.fileHost[b.file]
	})
}

// rows makes rows of what was found, and lets go of it.
func (s *scan) rows(r *Report, found []*entry) {
	open := 0
	for _, one := range found {
		if one.reason() == "" {
			open++
		}
	}
	r.Open = make([]Row, 0, open)
	r.Doubtful = make([]Row, 0, len(found)-open)
	for i, one := range found {
		row := Row{URL: one.url, Name: one.name, Account: one.account, Server: one.server,
			Order: one.order, Expires: fromUnix(one.expires), Reason: one.reason()}
		if s.atWork[one.lastRun.place()] {
			row.AtWork, row.Reason = true, "the run that named it last is at work"
		}
		row.Host, row.File = s.place(one.place.place())
		row.Line = int64(one.place.line)
		_, row.runFile = s.place(one.run.place())
		row.runLine = int64(one.run.line)
		switch {
		case one.partial:
			r.Orders = append(r.Orders, row)
		case row.Reason == "":
			r.Open = append(r.Open, row)
		default:
			r.Doubtful = append(r.Doubtful, row)
		}
		found[i] = nil
	}
}

// report makes the result.
func (s *scan) report() (*Report, error) {
	r := &Report{Troubles: s.troubles, Logs: s.logs, Others: s.others, Read: s.read.Load(),
		Closed: s.urls.closed, Holders: s.holders}
	found, beyond, err := s.urls.left()
	if err != nil {
		return nil, err
	}
	if beyond {
		r.Troubles = append(r.Troubles, source.Trouble{Sentence: tooMany, Unread: true})
	}
	s.rows(r, found)
	for _, one := range s.lost {
		lost := Lost{Names: one.Names, Account: one.Account, Server: one.Server, At: one.At,
			Line: one.Place.Line}
		lost.Host, lost.File = s.place(one.Place)
		r.Lost = append(r.Lost, lost)
	}
	s.sortRuns()
	r.Failures, r.FailureCount = s.allFailures()
	r.Renewed, r.Hosts = s.failures.renewedAt, slices.Clone(s.hosts)
	if s.failures.beyond {
		r.Troubles = append(r.Troubles, source.Trouble{Sentence: tooManyFailures, Unread: true})
	}
	s.moved = nil // and with it what was found on disk
	r.RunCount = len(s.runs)
	r.Runs = func(yield func(Run) bool) {
		for _, one := range s.runs {
			if !yield(s.run(one)) {
				return
			}
		}
	}
	r.sort()
	r.Lost = slices.CompactFunc(r.Lost, func(a, b Lost) bool {
		return a.Host == b.Host && !a.At.IsZero() && a.At.Equal(b.At) && slices.Equal(a.Names, b.Names)
	})
	return r, nil
}

func (s *scan) place(p client.Place) (host, file string) {
	return s.hosts[s.fileHost[p.File]], s.files[p.File]
}

func fromUnix(n int64) time.Time {
	if n == 0 {
		return time.Time{}
	}
	return time.Unix(n, 0).UTC()
}

func (r *Report) sort() {
	rows := func(a, b Row) int {
		return cmp.Or(strings.Compare(a.Host, b.Host), strings.Compare(a.File, b.File),
			cmp.Compare(a.Line, b.Line), strings.Compare(a.URL, b.URL))
	}
	slices.SortFunc(r.Open, rows)
	slices.SortFunc(r.Doubtful, rows)
	slices.SortFunc(r.Orders, rows)
	slices.SortFunc(r.Lost, func(a, b Lost) int {
		return cmp.Or(strings.Compare(a.Host, b.Host), a.At.Compare(b.At), strings.Compare(a.File, b.File),
			cmp.Compare(a.Line, b.Line))
	})
	slices.SortStableFunc(r.Troubles, func(a, b source.Trouble) int { return strings.Compare(a.Path, b.Path) })
}
