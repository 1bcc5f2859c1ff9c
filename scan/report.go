package scan

// What a scan found.

import (
	"iter"
	"strconv"
	"time"

	"orderly/scan/client"
	"orderly/scan/source"
)

// Report is what a scan found: three results that have nothing in common, and the runs.
type Report struct {
	Open, Doubtful []Row
	Lost           []Lost
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
	Run                              string
	Reason                           string
	// AtWork says that a run which is at work named it last, and may close it yet.
	AtWork bool
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

// runID is where a run begins.
func (s *scan) runID(p client.Place) string {
	return s.files[p.File] + ":" + strconv.FormatInt(p.Line, 10)
}
