package cli

// doctor --nagios speaks as plugins of Nagios do (monitoring-plugins.org, development guidelines):
// a first line with the state and performance data, details behind it, and the state as exit code.
// What is critical is what fails, or will within a week; all else is a warning. Nothing of the state
// depends on how often it is asked.

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"orderly/doctor"
	"orderly/failure"
)

// The states of a plugin, which are its exit codes.
const (
	nagiosOK = iota
	nagiosWarning
	nagiosCritical
	nagiosUnknown
)

func nagiosWord(state int) string {
	return []string{"OK", "WARNING", "CRITICAL", "UNKNOWN"}[state]
}

// criticalWithin is how long before it a renewal that will fail is critical.
const criticalWithin = 7 * 24 * time.Hour

// mostNagios bounds the details, in bytes: Nagios cuts what is longer than 8 KB, in the middle of a
// word.
const mostNagios = 4000

// nagiosState is the state of a report.
func nagiosState(r doctor.Report, now time.Time) int {
	state := nagiosOK
	for _, f := range r.Findings {
		soon := f.Severity == doctor.WillFail && !f.HurtsAt.IsZero() && f.HurtsAt.Sub(now) <= criticalWithin
		if f.Severity == doctor.Fails || soon {
			return nagiosCritical
		}
		state = nagiosWarning
	}
	return state
}

// printNagios prints a report for Nagios.
func printNagios(p *printer, r doctor.Report, now time.Time) int {
	state := nagiosState(r, now)
	counts := map[doctor.Severity]int{}
	for _, f := range r.Findings {
		counts[f.Severity]++
	}
	lines := []string{fmt.Sprintf("DOCTOR %s - %s | %s", nagiosWord(state), strings.TrimSuffix(verdict(r), "."), perfdata(r, counts, now))}
	length := 0
	for i, g := range r.Groups() {
		line := nagiosText(nagiosGroup(g))
		if length += len(line) + 1; length > mostNagios {
			lines = append(lines, fmt.Sprintf("and %d more causes: orderly doctor has all of them", len(r.Groups())-i))
			break
		}
		lines = append(lines, line)
	}
	_, _ = fmt.Fprintln(p.out, strings.Join(lines, "\n")) // a full disk is seen at the end
	return state
}

// perfdata is what is drawn over time: label=value;warn;crit;min.
func perfdata(r doctor.Report, counts map[doctor.Severity]int, now time.Time) string {
	data := []string{
		fmt.Sprintf("certificates=%d;;;0", r.Lineages), fmt.Sprintf("clean=%d;;;0", r.Clean),
		fmt.Sprintf("fails=%d;;0;0", counts[doctor.Fails]), fmt.Sprintf("will_fail=%d;0;;0", counts[doctor.WillFail]),
		fmt.Sprintf("doubtful=%d;0;;0", counts[doctor.Doubtful]), fmt.Sprintf("notes=%d;0;;0", counts[doctor.Note]),
	}
	var first time.Time
	for _, held := range r.Held {
		if first.IsZero() || held.Expires.Before(first) {
			first = held.Expires
		}
	}
	if !first.IsZero() {
		data = append(data, fmt.Sprintf("first_expiry=%ds", int64(first.Sub(now).Seconds())))
	}
	return strings.Join(data, " ")
}

// nagiosGroup is one cause with the certificates that have it.
func nagiosGroup(g doctor.Group) string {
	const most = 10
	line := fmt.Sprintf("%s %s%s: ", g.Check.ID, g.Check.Title, hurting(g))
	for i, f := range g.Findings {
		if i == most {
			return fmt.Sprintf("%s and %d more", line, len(g.Findings)-most)
		}
		if i > 0 {
			line += "; "
		}
		if f.Lineage != "" && len(g.Findings) > 1 {
			line += f.Lineage
			continue
		}
		line += findingLine(f)
	}
	return line
}

// nagiosText is a line without what would be taken for performance data.
func nagiosText(line string) string { return strings.ReplaceAll(failure.Clean(line), "|", "/") }

// nagiosUnknownLine is what is said where nothing could be looked at.
func nagiosUnknownLine(p *printer, err error) {
	text := p.inOwnWords(p.pasted(err.Error()))
	_, _ = fmt.Fprintln(p.out, "DOCTOR UNKNOWN - "+nagiosText(strings.ReplaceAll(text, "\n", " ")))
	if remedy := failure.RemedyOf(err); remedy != "" {
		_, _ = fmt.Fprintln(p.out, nagiosText(p.remedy(remedy)))
	}
}

// asNagios prints what could not be looked at as Nagios wants it.
func (f *doctoring) asNagios(ctx context.Context, p *printer, err error) error {
	if _, said := errors.AsType[*exitError](err); said || err == nil {
		return err
	}
	if failure.ClassOf(err) == failure.Stopped && ctx.Err() != nil {
		err = failure.Wrap(err, failure.Stopped, "", "stopped in time")
	}
	nagiosUnknownLine(p, err)
	return &exitError{nagiosUnknown}
}
