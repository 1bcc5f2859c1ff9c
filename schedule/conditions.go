package schedule

// A timer that is enabled is not started where a condition of its unit forbids that; orderly-certbot
// keeps certbot's timer still in this way. Of systemd's conditions those that a package states of
// files are looked at; what depends on the moment is left.

import (
	"os"
	"strings"
)

// forbidden reports whether a condition of a unit keeps it from being started.
func (h Host) forbidden(lines []string) bool {
	any, met := false, false // of those that begin with a bar one is enough
	for _, condition := range settings(lines, "ConditionPathExists") {
		rest, triggers := strings.CutPrefix(condition, "|")
		path, not := strings.CutPrefix(strings.TrimSpace(rest), "!")
		_, err := os.Stat(h.path(strings.TrimSpace(path)))
		holds := (err == nil) != not
		if !triggers && !holds {
			return true
		}
		any, met = any || triggers, met || triggers && holds
	}
	return any && !met
}
