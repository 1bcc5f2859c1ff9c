package tomlfile

// What is wrong with a line, in words that need no knowledge of the parser: its own speak of Go's
// types and of single characters.

import (
	"regexp"
	"strings"

	"orderly/failure"
)

// inWords is the parser's message about a line that is no TOML.
func (f File) inWords(message string) string {
	if key, ok := strings.CutSuffix(message, " has already been defined."); ok {
		return failure.Clean(strings.Trim(strings.TrimPrefix(key, "Key "), "'")) + " is set twice"
	}
	const assignment = "a setting is written as name = value"
	heading := "a heading is written as [[" + f.Block + "]]"
	if f.Table != "" {
		heading += " or [" + f.Block + "." + f.Table + "]"
	}
	for _, known := range []struct{ begins, means string }{
		{"expected '.' or '='", assignment},
		{"unexpected EOF; expected key separator", assignment},
		{"unexpected '='", assignment},
		{"unexpected '.'", assignment},
		{`expected value but found '\n'`, "nothing stands behind ="},
		{"expected value", "what stands behind = is no value: texts have quotation marks"},
		{"unexpected EOF; expected value", "nothing stands behind ="},
		{"strings cannot contain newlines", "a quotation mark is missing at the end of a text"},
		{"unexpected EOF; expected '\"", "a quotation mark is missing at the end of a text"},
		{"unexpected EOF; expected \"'", "a quotation mark is missing at the end of a text"},
		{"expected a top-level item to end", "something stands behind what is complete"},
		{"expected end of table", heading},
		{"expected '.' or ']'", heading},
		{"unexpected end of table", heading},
		{"unexpected table separator", heading},
		{"expected a comma", "what begins with { or [ is not ended, or lacks a comma"},
	} {
		if strings.HasPrefix(message, known.begins) {
			return known.means
		}
	}
	return "this is no TOML: " + failure.Clean(message)
}

// mismatch is how the parser tells a value of a wrong type.
const mismatch = `^(line \d+) \(last key "(.*)"\): incompatible types: .* has type (\w+)$`

// wrongType is the parser's error about a value of a wrong type, with its line.
func (f File) wrongType(text string) string {
	parts := regexp.MustCompile(mismatch).FindStringSubmatch(text)
	if parts == nil {
		return failure.Clean(text)
	}
	wanted := map[string]string{
		"string": "a text in quotation marks", "integer": "a whole number without quotation marks",
		"boolean": "true or false, without quotation marks",
		"slice":   "a heading of its own, [[" + f.Block + "]]",
		"map":     "a heading of its own, or { name = \"value\" }",
		"struct":  "a heading of its own, [[" + f.Block + "]]",
	}[parts[3]]
	if wanted == "" {
		return failure.Clean(text)
	}
	return parts[1] + ": " + failure.Clean(parts[2]) + " must be " + wanted
}
