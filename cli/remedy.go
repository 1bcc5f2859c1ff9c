package cli

import (
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"orderly/failure"
)

// ownCommand is a command of this program within a remedy or a note: in backquotes, orderly first.
const ownCommand = "`orderly ([a-z_]+)([^`]*)`"

// remedy is a remedy as it can be pasted: the packages that make remedies know what is to be done, and this is the one place
// that knows how the program was called. A command gets the program's name, and the directories, the server and the account
// that this run was given: without them it would do its work somewhere else.
func (p *printer) remedy(text string) string {
	if !strings.Contains(text, "`orderly ") {
		return text
	}
	own := regexp.MustCompile(ownCommand)
	return own.ReplaceAllStringFunc(text, func(found string) string {
		parts := own.FindStringSubmatch(found)
		return "`" + p.name() + " " + parts[1] + parts[2] + p.beside(parts[1], parts[2]) + "`"
	})
}

// carries reports whether a command in a remedy takes a flag over from this run: the directories always, what says which CA
// and account where the verb asks for it (renew and the others know it from their renewal files).
func carries(flag, verb string) bool {
	switch flag {
	case "config-dir":
		return true
	case "work-dir", "logs-dir":
		return !slices.Contains([]string{"order", "limits", "runs", "certificates"}, verb) // they look at the ledger or at files alone
	case "account":
		return verb != "register" && carries("server", verb)
	}
	return slices.Contains([]string{"certonly", "register", "unregister", "show_account", "update_account", "revoke"}, verb)
}

// beside are the flags to be added to a verb with its own flags.
func (p *printer) beside(verb, flags string) string {
	if p.given == nil {
		return ""
	}
	var all strings.Builder
	for _, flag := range []string{"config-dir", "work-dir", "logs-dir", "server", "account", "staging"} {
		f := p.given.Lookup(flag)
		if f == nil || !f.Changed || !carries(flag, verb) || strings.Contains(flags, " --"+flag) {
			continue
		}
		all.WriteString(" --" + flag)
		if f.Value.Type() == "bool" {
			continue
		}
		value := f.Value.String()
		if strings.HasSuffix(flag, "-dir") {
			value = absolute(value)
		}
		all.WriteString(" " + failure.Quote(value))
	}
	return all.String()
}

// absolute is a path that means the same from wherever the command is pasted.
func absolute(path string) string {
	if abs, err := filepath.Abs(path); err == nil {
		return abs
	}
	return path
}
