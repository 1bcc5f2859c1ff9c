// Package tomlfile reads files that an operator writes by hand: a mistake is told with file and
// line, in words that need no knowledge of TOML, and nothing of a file that has one is used. It must
// never guess what a key was meant to be, and knows nothing of what the settings are.
package tomlfile

import (
	"errors"
	"fmt"
	"strings"

	"github.com/BurntSushi/toml"

	"orderly/failure"
)

// File is a file whose entries stand below headings [[Block]].
type File struct {
	Text   string
	Name   string // what errors call it
	Block  string
	Table  string // of a block, [Block.Table]; "" where blocks have none
	Remedy failure.Remedy
}

// Decode reads the file into a struct. Errors are of class Config, also for a key that it has not.
func (f File) Decode(into any) error {
	meta, err := toml.Decode(f.Text, into)
	if parse, ok := errors.AsType[toml.ParseError](err); ok {
		return failure.New(failure.Config, f.Remedy, "%s, line %d: %s", f.Name, parse.Position.Line,
			f.inWords(parse.Message))
	}
	if err != nil { // of a wrong type: the text has the line
		return failure.New(failure.Config, f.Remedy, "%s, %s", f.Name,
			f.wrongType(strings.TrimPrefix(err.Error(), "toml: ")))
	}
	if unknown := meta.Undecoded(); len(unknown) > 0 {
		key := unknown[0][len(unknown[0])-1]
		return failure.New(failure.Config, f.Remedy, "%s%s: there is no setting %s", f.Name,
			f.line(-1, key), failure.Clean(unknown[0].String()))
	}
	return nil
}

// Wrong is what is wrong with the value of a key of the block'th heading, -1 for what stands before
// the first or for any.
func (f File) Wrong(err error, block int, key string) error {
	return failure.Wrap(err, failure.Config, f.Remedy, "%s%s", f.Name, f.line(block, key))
}

// line names the line that gives a key in the block'th [[Block]], -1 for any, and the block's own
// where none does; "" where the file is written in a way (inline tables) that only a parser finds
// its way through.
func (f File) line(block int, key string) string {
	now, heading := -1, 0
	for n, written := range strings.Split(f.Text, "\n") {
		written = strings.TrimSpace(written)
		if strings.HasPrefix(strings.ReplaceAll(written, " ", ""), "[["+f.Block+"]]") {
			if now++; now == block {
				heading = n + 1
			}
		}
		name, _, is := strings.Cut(written, "=")
		name = strings.Trim(name[strings.LastIndexByte(name, '.')+1:], " \t\"'")
		table := strings.Trim(written, "[] ")
		if is && name == key || !is && strings.HasSuffix(table, "."+key) {
			if block < 0 || now == block {
				return fmt.Sprintf(", line %d", n+1)
			}
		}
	}
	if heading > 0 {
		return fmt.Sprintf(", line %d", heading)
	}
	return ""
}
