package cli

// Which Orderly this is: the version, and the commit that the program was built from with its date,
// so that a report about a defect says what is to be looked at. Nothing is handed in by the linker:
// go build stamps what git knows, and for a source archive, which has no git, `git archive` itself
// writes the commit into commit.txt (.gitattributes). A program that knows neither says its version.

import (
	_ "embed" // commit.txt
	"runtime/debug"
	"strconv"
	"strings"
	"time"
)

// unreleased is the version that CHANGELOG.md speaks of.
const unreleased = "0.1.0"

// commitText is commit.txt: "COMMIT DATE" in a source archive, git's placeholders elsewhere. In place of
// the latter packaging/build puts "COMMIT DATE", and "changed" behind it where the source is not the commit's.
//
//go:embed commit.txt
var commitText string

// origin is what a program knows of the source that it was built from.
type origin struct {
	version string
	commit  string    // "" where nothing tells it
	at      time.Time // the commit's
	changed bool      // by something that is not committed
}

// built is the origin of this program.
func built() origin {
	info, _ := debug.ReadBuildInfo()
	return originOf(info, commitText)
}

// originOf reads what go build stamped and what a source archive brought. The archive's word counts:
// unpacked in somebody else's repository, as packagers do, the stamp is of that one.
func originOf(info *debug.BuildInfo, archived string) origin {
	s := origin{version: unreleased}
	commit, rest, _ := strings.Cut(strings.TrimSpace(archived), " ")
	at, changed, _ := strings.Cut(rest, " ")
	if moment, err := time.Parse(time.RFC3339, at); err == nil {
		s.commit, s.at, s.changed = commit, moment.UTC(), changed == "changed"
		return s
	}
	if info == nil {
		return s
	}
	for _, stamp := range info.Settings {
		switch stamp.Key {
		case "vcs.revision":
			s.commit = stamp.Value
		case "vcs.time":
			s.at, _ = time.Parse(time.RFC3339, stamp.Value) // a commit without a date is one as well
		case "vcs.modified":
			s.changed = stamp.Value == "true"
		}
	}
	// A release's tag; of any other commit go build makes a version up, of its date and name.
	tag, _, _ := strings.Cut(info.Main.Version, "+")
	if v, tagged := strings.CutPrefix(tag, "v"); tagged && !strings.HasSuffix(tag, "-"+s.short()) {
		s.version = v
	}
	return s
}

// short is the commit as Go shortens it.
func (s origin) short() string { return s.commit[:min(12, len(s.commit))] }

// String is what --version says behind the program's name.
func (s origin) String() string {
	if s.commit == "" {
		return s.version
	}
	text := s.version + " (commit " + s.short()
	if s.changed {
		text += " with changes"
	}
	if !s.at.IsZero() {
		text += ", " + s.at.UTC().Format(time.DateOnly)
	}
	return text + ")"
}

// Version is the version alone, for those whom the commit does not concern.
func Version() string { return built().version }

// pagesDate is the month on the manual pages, of which two builds must make the same bytes: the
// commit's, or what a packager says (reproducible-builds.org), never today's. "" where neither is
// known.
func pagesDate(s origin, getenv func(string) string) string {
	if seconds, err := strconv.ParseInt(getenv("SOURCE_DATE_EPOCH"), 10, 64); err == nil {
		s.at = time.Unix(seconds, 0)
	}
	if s.at.IsZero() {
		return ""
	}
	return s.at.UTC().Format(time.DateOnly)
}
