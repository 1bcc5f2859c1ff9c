package certbot

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"orderly/certbot/configobj"
	"orderly/failure"
)

// Errors about lineages share few classes, and whoever sorts them needs more: what kind of thing is
// wrong, and on which line it stands.

// Fault is what kind of thing is wrong with a lineage's files.
type Fault string

// The kinds of fault.
const (
	FaultUnknown       Fault = ""
	FaultSyntax        Fault = "syntax"        // the renewal file does not parse, or lacks a part
	FaultTwice         Fault = "twice"         // a key or a section stands in it twice
	FaultValue         Fault = "value"         // a value cannot be used
	FaultComma         Fault = "comma"         // an unquoted comma makes a list of a value
	FaultInterpolation Fault = "interpolation" // a value holds %(…)s
	FaultChallenge     Fault = "challenge"     // a preferred challenge is gone
	FaultAuthenticator Fault = "authenticator" // no authenticator is named
	FaultRoot          Fault = "root"          // a name has no document root
	FaultMisplaced     Fault = "misplaced"     // a setting stands where certbot does not look for it
	FaultStale         Fault = "stale"         // an entry of [[webroot_map]] belongs to no name
	FaultMoved         Fault = "moved"         // the files name a directory that is gone
	FaultLink          Fault = "link"          // a link in live/ is none, or leads nowhere
	FaultCertificate   Fault = "certificate"   // the current certificate cannot be read
	FaultKey           Fault = "key"           // the private key that is to stay is lost
)

// faulty is an error whose kind is known. What it says is its cause's.
type faulty struct {
	error
	fault Fault
	line  int
}

// Unwrap returns the error itself.
func (f *faulty) Unwrap() error { return f.error }

// marked says of an error of which kind it is, and about which line of the renewal file; 0 for none.
func marked(err error, fault Fault, line int) error {
	if err == nil {
		return nil
	}
	return &faulty{err, fault, line}
}

// CorrectLine is what to do about a line of a renewal file that a person has to correct: how it is
// looked at, and how it is known that it is right.
func CorrectLine(path string, line int, how string) failure.Remedy {
	again := failure.Do(failure.Examine, strings.TrimSuffix(filepath.Base(path), ".conf"))
	if line == 0 {
		return failure.Advise("%s %s says whether it can be used then.", how, again)
	}
	return failure.Advise("%s `%s` shows the line, and %s says whether it is right then.", how,
		failure.Shell("sed", "-n", fmt.Sprint(line, "p"), path), again)
}

// FaultOf tells of which kind an error about a lineage is, and about which line of the renewal file;
// 0 for none.
func FaultOf(err error) (fault Fault, line int) {
	if f, ok := errors.AsType[*faulty](err); ok {
		return f.fault, f.line
	}
	if p, ok := errors.AsType[*configobj.ParseError](err); ok {
		return FaultSyntax, p.Line
	}
	return FaultUnknown, 0
}
