package cli

// Remedies are pasted. They name the program as it was called, with the directories and the account
// of this run: else what is pasted works somewhere else.

import (
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"orderly/failure"
)

// ownCommand is a command of this program within a remedy or a note: in backquotes, orderly first.
const ownCommand = "`orderly ([a-z_]+)([^`]*)`"

// caller is how the program was called.
type caller struct {
	certbot bool           // by a name of certbot's
	given   *pflag.FlagSet // the flags of the command that runs; nil before it is known
}

// remedy is a remedy as it can be pasted: the packages that make remedies know what is to be done,
// and this is the one place that knows how the program was called. A command gets the program's
// name, and the directories, the server and the account that this run was given: without them it
// would do its work somewhere else.
func (c *caller) remedy(r failure.Remedy) string { return c.pasted(string(r)) }

// pasted is a text, of which each step is in words, and each command can be pasted.
func (c *caller) pasted(text string) string {
	text = failure.Remedy(text).Say(commandLine)
	if !strings.Contains(text, "`orderly ") {
		return text
	}
	own := regexp.MustCompile(ownCommand)
	return own.ReplaceAllStringFunc(text, func(found string) string {
		parts := own.FindStringSubmatch(found)
		return "`" + c.name() + " " + parts[1] + parts[2] + c.beside(parts[1], parts[2]) + "`"
	})
}

// carries reports whether a command in a remedy takes a flag over from this run: the directories
// always, what says which CA and account where the verb asks for it (renew and the others know it
// from their renewal files).
func carries(flag, verb string) bool {
	switch flag {
	case "config-dir":
		return true
	case "work-dir", "logs-dir":
		// they look at the ledger or at files alone
		return !slices.Contains([]string{"order", "limits", "runs", "certificates"}, verb)
	case "account":
		return verb != "register" && carries("server", verb)
	}
	return slices.Contains([]string{"certonly", "register", "unregister", "show_account",
		"update_account", "revoke"}, verb)
}

// beside are the flags to be added to a verb with its own flags.
func (c *caller) beside(verb, flags string) string {
	if c.given == nil || strings.Contains(flags+" ", " --help ") { // help looks at no directory
		return ""
	}
	var all strings.Builder
	for _, flag := range []string{"config-dir", "work-dir", "logs-dir", "server", "account",
		"staging"} {
		f := c.given.Lookup(flag)
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

func (c *caller) name() string {
	if c.certbot {
		return "certbot"
	}
	return "orderly"
}

// inOwnWords takes off a sentence what certbot puts there to name a command of its own: the remedy
// below it names that command as the program was called.
func (c *caller) inOwnWords(text string) string {
	if c.certbot {
		return text
	}
	return strings.Replace(text,
		" Run `certbot certificates` to list available certificates.", "", 1)
}

// asCalled names the program in a remedy as it was called.
func (c *caller) asCalled(text string) string {
	if c.certbot {
		return text
	}
	return strings.ReplaceAll(text, "Use certonly", "Use orderly certonly")
}
