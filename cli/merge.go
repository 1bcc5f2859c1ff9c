package cli

// doctor --merge makes one report of those of many servers. It is read by whoever looks after all of
// them: by cause, with the servers that have most of it, since a list of thousands is read by nobody.

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"orderly/doctor"
	"orderly/doctor/fleet"
	"orderly/failure"
)

// The most that a person reads of a fleet: the worst come first.
const (
	screenCauses = 40
	screenWorst  = 5  // servers of a cause
	screenUnread = 20 // of what is missing
)

// mergeReports makes the report of a directory. Neither a ledger nor a configuration is opened for it:
// it is about other hosts.
func mergeReports(ctx context.Context, p *printer, dir string) error {
	all, err := fleet.Read(ctx, dir, fleet.Options{Now: time.Now, Tell: p.Tell,
		Progress: p.bar("Reading reports")})
	p.endBar()
	if err != nil {
		return err
	}
	r := all.Report()
	if p.json {
		if err := writeMerged(escaper{p.out}, r, p.remedy); err != nil {
			return err
		}
		p.printed = true
	} else {
		printMerged(p, r)
	}
	if code := r.Exit(); code != 0 {
		return &exitError{code}
	}
	return nil
}

// writeMerged writes a report as programs read it, finding by finding: there may be hundreds of
// thousands.
func writeMerged(w io.Writer, r doctor.Report, say func(failure.Remedy) string) error {
	frame := r.Frame()
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	fmt.Fprintf(w, "{\"version\": %d, \"at\": %q, \"findings\": [\n", frame.Version,
		r.At.UTC().Format(time.RFC3339))
	for i, f := range r.Findings {
		if i > 0 {
			fmt.Fprint(w, ",")
		}
		if err := e.Encode(f.Document(say)); err != nil {
			return nil // a closed pipe is the reader's wish; what else there is the witness tells
		}
	}
	unread := frame.Unread
	if unread == nil {
		unread = []doctor.Unread{}
	}
	fmt.Fprint(w, "],\n\"unread\": ")
	_ = e.Encode(unread)
	fmt.Fprint(w, ",\n\"summary\": ")
	_ = e.Encode(frame.Summary)
	fmt.Fprintln(w, "}")
	return nil
}

// printMerged prints a report of many servers by cause.
func printMerged(p *printer, r doctor.Report) {
	groups := r.Groups()
	for _, g := range groups[:min(len(groups), screenCauses)] {
		printCause(p, g)
	}
	if more := len(groups) - screenCauses; more > 0 {
		p.Say("and %d more causes: --json has all of them.\n", more)
	}
	for _, u := range r.Unread[:min(len(r.Unread), screenUnread)] {
		p.Warn("%s: %s", u.File, u.Sentence)
	}
	if more := len(r.Unread) - screenUnread; more > 0 {
		p.Warn("and %d more files: --json has all of them.", more)
	}
	if line := worst(r); line != "" {
		p.hanging("", line)
	}
	p.hanging("", counted(r.Servers, "server")+"; "+verdict(r))
}

// worst are the servers on which most certificates fail or will.
func worst(r doctor.Report) string {
	var hurting []doctor.Finding
	for _, f := range r.Findings {
		if f.Severity == doctor.Fails || f.Severity == doctor.WillFail {
			hurting = append(hurting, f)
		}
	}
	servers := byServer(hurting)
	if len(servers) < 2 {
		return "" // which stands above
	}
	var most []string
	for _, s := range servers[:min(len(servers), screenWorst)] {
		most = append(most, fmt.Sprintf("%s (%d)", s.server, len(s.findings)))
	}
	return "Most of what fails is on " + strings.Join(most, ", ") + "."
}

// onServer is what one server has of a cause.
type onServer struct {
	server   string
	findings []doctor.Finding
}

// printCause prints a cause, and the servers that have most of it.
func printCause(p *printer, g doctor.Group) {
	servers := byServer(g.Findings)
	p.cause(g, fmt.Sprintf("%s: %d on %s", hurting(g), len(g.Findings), counted(len(servers), "server")))
	for _, s := range servers[:min(len(servers), screenWorst)] {
		more := ""
		if n := len(s.findings) - 1; n > 0 {
			more = fmt.Sprintf(" (and %d more there)", n)
		}
		p.hanging("  "+s.server+": ", findingLine(s.findings[0])+more)
	}
	if more := len(servers) - screenWorst; more > 0 {
		p.Say("  and %s: --json has all of them.", counted(more, "more server"))
	}
	first := servers[0].findings[0]
	switch {
	case first.Remedy == "":
	case sameRemedy(g.Findings):
		p.hanging("    remedy: ", p.remedy(first.Remedy))
	default:
		p.hanging("    remedy for the first: ", p.remedy(first.Remedy))
	}
	p.Say("")
}

// byServer are findings by server, those with the most first.
func byServer(all []doctor.Finding) []onServer {
	at := map[string]int{}
	var servers []onServer
	for _, f := range all {
		i, known := at[f.Server]
		if !known {
			i = len(servers)
			at[f.Server] = i
			servers = append(servers, onServer{server: f.Server})
		}
		servers[i].findings = append(servers[i].findings, f)
	}
	slices.SortStableFunc(servers, func(a, b onServer) int {
		return cmp.Or(cmp.Compare(len(b.findings), len(a.findings)), cmp.Compare(a.server, b.server))
	})
	return servers
}
