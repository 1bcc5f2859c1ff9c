package webserver

import (
	"slices"
	"strconv"
	"strings"
)

// The flags of rewrite rules and conditions: [L,R=301].

// ruleFlags are flags in lower case, with their values.
type ruleFlags []string

func flagsOf(word string) ruleFlags {
	word = strings.ToLower(strings.TrimSuffix(strings.TrimPrefix(word, "["), "]"))
	var flags ruleFlags
	for flag := range strings.SplitSeq(word, ",") {
		flags = append(flags, strings.TrimSpace(flag))
	}
	return flags
}

// has reports whether one of these is among them, with a value or without.
func (f ruleFlags) has(names ...string) bool {
	return slices.ContainsFunc(f, func(flag string) bool {
		name, _, _ := strings.Cut(flag, "=")
		return slices.Contains(names, name)
	})
}

// value is that of the first of these.
func (f ruleFlags) value(names ...string) string {
	for _, flag := range f {
		if name, value, _ := strings.Cut(flag, "="); slices.Contains(names, name) {
			return value
		}
	}
	return ""
}

// errorCode reports whether a redirect's code is none of a redirect.
func errorCode(code string) bool {
	n, err := strconv.Atoi(code)
	return err == nil && (n < 300 || n >= 400)
}

func portOf(q *query) string { return strconv.Itoa(q.port) }
