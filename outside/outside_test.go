package outside_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"unicode/utf8"

	"orderly/outside"
)

// hostile are texts that do something to a terminal, a log or a mail. FuzzText begins with them, too.
var hostile = []string{
	"\x1b[2J\x1b[31mred", "\x1b]8;;https://evil.example\x1b\\link\x1b]8;;\x1b\\", "\x1b]0;title\x07", "bell\x07",
	"good\rbad", "a\u009b31mb", "\u009d8;;x\u009c", "safe\u202egnihton", "\u2066x\u2069", "zero\u200bwidth\ufeff",
	"line\nlevel=ERROR msg=forged", "line\u2028two\u2029three\u0085four", "\x00nul", "\x7f", "\xff\xfe\x9b31m", "\U000e0041tag",
	strings.Repeat("x", 100<<10), strings.Repeat("\x1b[31mü", 20<<10), strings.Repeat(" ", 100<<10) + "end",
}

// Whatever prints a Text, and however, what comes out is clean and short.
func TestATextCannotBePrintedUncleaned(t *testing.T) {
	for _, arrived := range hostile {
		text := outside.Of(arrived)
		if text.Arrived() != arrived {
			t.Errorf("what arrived is lost: %.40q", arrived)
		}
		for _, printed := range prints(text) {
			if !harmless(printed) {
				t.Errorf("%.40q is printed as %.80q", arrived, printed)
			}
		}
	}
}

// prints is a text printed in every way there is.
func prints(text outside.Text) []string {
	type around struct {
		Detail outside.Text            `json:"detail"`
		ByName map[outside.Text]string `json:"by_name"`
		inside outside.Text
	}
	wrapped := around{Detail: text, ByName: map[outside.Text]string{text: ""}, inside: text}
	encoded, _ := json.Marshal(wrapped)
	var decoded around2
	json.Unmarshal(encoded, &decoded)
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).Info("m", "text", text, "group", []any{text})
	slog.New(slog.NewJSONHandler(&log, nil)).Info("m", "text", text)
	out := []string{text.String(), decoded.Detail, fmt.Sprint(text), fmt.Sprintln(text)[:len(fmt.Sprintln(text))-1],
		fmt.Errorf("%w: %v", fmt.Errorf("x"), text).Error()}
	for line := range strings.Lines(log.String()) {
		out = append(out, strings.TrimSuffix(line, "\n"))
	}
	for _, verb := range []string{"%v", "%s", "%+v", "%#v", "%q", "%-20s", "%.30s", "%d", "%x"} {
		out = append(out, fmt.Sprintf(verb, text))
	}
	for name := range decoded.ByName {
		out = append(out, name)
	}
	return out
}

type around2 struct {
	Detail string            `json:"detail"`
	ByName map[string]string `json:"by_name"`
}

func harmless(s string) bool {
	return utf8.ValidString(s) && len(s) < 2000 && !strings.ContainsFunc(s, outside.Unprintable)
}

// What a program printed keeps its lines and nothing else, whatever prints it.
func TestWhatAProgramPrintedKeepsItsLinesAlone(t *testing.T) {
	for _, arrived := range hostile {
		printed := outside.PrintedBy(arrived + "\n" + arrived)
		encoded, _ := json.Marshal(map[string]outside.Printed{"x": printed})
		if printed.Arrived() != arrived+"\n"+arrived || bytes.ContainsFunc(encoded, outside.Unprintable) {
			t.Errorf("%.40q is %.80q", arrived, encoded)
		}
		for line := range strings.SplitSeq(fmt.Sprintf("%s\n%v", printed, printed), "\n") {
			if line != "" && line[0] != ' ' || !harmless(line) {
				t.Errorf("%.40q is printed as %.80q", arrived, line)
			}
		}
	}
	if !outside.PrintedBy(" \n").Empty() || outside.PrintedBy("x").Empty() {
		t.Error("what is empty?")
	}
}

func TestWhatIsInnocentStaysAsItIs(t *testing.T) {
	for _, text := range []string{"", "plain", "bücher.example", "日本語", "a  b", "«quoted» — dash … €", strings.Repeat("a", 500)} {
		if got := outside.Clean(text); got != text {
			t.Errorf("%q became %q", text, got)
		}
		if got := outside.Lines(text); got != text {
			t.Errorf("%q became %q in lines", text, got)
		}
	}
	if got, want := outside.Lines("a\n\tb\x1b[2Jc\r\u202ed\xff"), "a\n\tb [2Jc  d"; got != want {
		t.Errorf("Lines = %q, want %q", got, want)
	}
}

// A cut is seen, also where what is cut away would have been blanks.
func TestACutIsSeen(t *testing.T) {
	for _, text := range []string{strings.Repeat("ü", 600), strings.Repeat("a", 501), strings.Repeat("\x1b ", 50<<10) + strings.Repeat("b", 501),
		"a" + strings.Repeat("\x1b", 10<<10) + "b"} {
		got := outside.Clean(text)
		if len(got) > 500 || !utf8.ValidString(got) || !strings.HasSuffix(got, "…") {
			t.Errorf("cut badly: %d bytes, %.20q", len(got), got)
		}
	}
}

func TestAnOddWordIsShownInASCII(t *testing.T) {
	if got, want := outside.Odd("status", "\x1b[2J\u202e"), `not a status: "\x1b[2J\u202e"`; got != want {
		t.Errorf("Odd = %s, want %s", got, want)
	}
	for _, arrived := range hostile {
		got := outside.Odd("name", arrived)
		if len(got) > 500 || strings.ContainsFunc(got, func(r rune) bool { return r < ' ' || r > '~' }) {
			t.Errorf("%.40q is shown as %q", arrived, got)
		}
	}
}

func FuzzText(f *testing.F) {
	for _, text := range hostile[:len(hostile)-3] {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, arrived string) {
		once := outside.Clean(arrived)
		if len(once) > 500 || !harmless(once) || outside.Clean(once) != once {
			t.Errorf("Clean(%q) = %q", arrived, once)
		}
		if got := outside.Lines(arrived); !utf8.ValidString(got) || strings.ContainsFunc(strings.NewReplacer("\n", "", "\t", "").Replace(got), outside.Unprintable) {
			t.Errorf("Lines(%q) = %q", arrived, got)
		}
		for _, printed := range prints(outside.Of(arrived)) {
			if !harmless(printed) && len(arrived) < 1000 {
				t.Errorf("%q is printed as %q", arrived, printed)
			}
		}
	})
}
