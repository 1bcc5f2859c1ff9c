package failure_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"syscall"
	"testing"
	"time"
	"unicode/utf8"

	"orderly/failure"
)

func TestClassAndRemedyAreFoundThroughWrapping(t *testing.T) {
	inner := failure.Wrap(io.EOF, failure.WebrootGone, "create it", "no directory /srv/a")
	outer := fmt.Errorf("renewing a.example: %w", inner)
	if got := failure.ClassOf(outer); got != failure.WebrootGone {
		t.Errorf("ClassOf = %q", got)
	}
	if got := failure.RemedyOf(outer); got != "create it" {
		t.Errorf("RemedyOf = %q", got)
	}
	if !errors.Is(outer, io.EOF) {
		t.Error("the cause is not reachable")
	}
	if got, want := inner.Error(), "no directory /srv/a: EOF"; got != want {
		t.Errorf("Error = %q, want %q", got, want)
	}
	again := failure.Wrap(inner, failure.Config, "", "outer")
	if got := failure.RemedyOf(again); got != "create it" {
		t.Errorf("a remedy below an Error without one is lost: %q", got)
	}
	if failure.ClassOf(fmt.Errorf("reading: %w", context.Canceled)) != failure.Stopped {
		t.Error("what a signal ended is stopped, not a defect")
	}
	if failure.ClassOf(nil) != "" || failure.ClassOf(io.EOF) != failure.Internal {
		t.Error("nil has no class, a foreign error is internal")
	}
}

// Where there is no room, no permission and no repair helps.
func TestAFullDiskIsTheClassOfWhatItKeptFromBeingDone(t *testing.T) {
	for cause, want := range map[error]failure.Class{
		&fs.PathError{Op: "write", Path: "/x", Err: syscall.ENOSPC}: failure.DiskFull,
		fmt.Errorf("x: %w", syscall.EDQUOT):                         failure.DiskFull,
		syscall.EACCES:                                              failure.Config,
	} {
		if got := failure.Wrap(cause, failure.Config, "", "x").Class; got != want {
			t.Errorf("%v is %s, want %s", cause, got, want)
		}
	}
	if got := failure.Wrap(syscall.ENOSPC, failure.Ledger, "", "x").Class; got != failure.Ledger {
		t.Errorf("a ledger that has no room is %s", got)
	}
}

func TestExitCodes(t *testing.T) {
	for class, want := range map[failure.Class]int{failure.Usage: 2, failure.Stopped: 75, failure.Validation: 1, failure.Ledger: 1} {
		if got := class.ExitCode(); got != want {
			t.Errorf("%s exits %d, want %d", class, got, want)
		}
	}
}

func TestCleanDefusesAndCuts(t *testing.T) {
	if got, want := failure.Clean("a\x1b[31mred\r\nb\u202ec\u009bd"), "a [31mred  b c d"; got != want {
		t.Errorf("Clean = %q, want %q", got, want)
	}
	long := failure.Clean(strings.Repeat("ü", 600))
	if len(long) > 500 || !utf8.ValidString(long) || !strings.HasSuffix(long, "…") {
		t.Errorf("cut badly: %d bytes, valid %v", len(long), utf8.ValidString(long))
	}
}

func FuzzClean(f *testing.F) {
	f.Add("plain")
	f.Add("\x1b]0;title\x07")
	f.Fuzz(func(t *testing.T, s string) {
		got := failure.Clean(s)
		if len(got) > 500 || !utf8.ValidString(got) || strings.ContainsFunc(got, func(r rune) bool { return r < ' ' || r == 0x7f }) {
			t.Errorf("Clean(%q) = %q", s, got)
		}
	})
}

func TestWhenItEndsIsFoundThroughWrapping(t *testing.T) {
	until := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	inner := failure.New(failure.RateLimited, "", "nothing left").Lasting(until)
	for _, err := range []error{inner, fmt.Errorf("a.example: %w", inner), failure.Wrap(inner, failure.Config, "", "outer"), errors.Join(errors.New("x"), inner)} {
		if got := failure.UntilOf(err); !got.Equal(until) {
			t.Errorf("%v: until %s", err, got)
		}
	}
	for _, err := range []error{nil, io.EOF, failure.New(failure.Config, "", "for good")} {
		if got := failure.UntilOf(err); !got.IsZero() {
			t.Errorf("%v: until %s", err, got)
		}
	}
}
