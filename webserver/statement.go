package webserver

import "strings"

// Both servers' configurations are statements, of which some hold others. What they mean differs;
// how they are kept does not.

// statement is one directive with its words, its own name first, in lower case for Apache.
type statement struct {
	Place
	words []string
	text  string      // of Apache's, as it stands
	block []statement // of a section
	open  int         // the line in which that begins
	end   int         // of Apache's, the line that ends it
	// foggy says that a variable in it has no known value.
	foggy bool
}

// said is the statement for a person.
func (s statement) said() string {
	if s.text != "" {
		return s.text
	}
	return strings.Join(s.words, " ")
}

func (s statement) name() string {
	if len(s.words) == 0 {
		return ""
	}
	return s.words[0]
}

// arg is its nth argument, counted from 1; empty where it has none.
func (s statement) arg(n int) string {
	if n < len(s.words) {
		return s.words[n]
	}
	return ""
}

func (s statement) args() []string {
	if len(s.words) == 0 {
		return nil
	}
	return s.words[1:]
}

// last is the last statement of a name in a block.
func last(block []statement, name string) (statement, bool) {
	for i := len(block) - 1; i >= 0; i-- {
		if block[i].name() == name {
			return block[i], true
		}
	}
	return statement{}, false
}

// mostDepth bounds sections within sections, and files that include files.
const mostDepth = 32

// mostIncludes bounds how many files are included, counted each time.
const mostIncludes = 100_000
