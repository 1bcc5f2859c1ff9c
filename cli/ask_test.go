package cli

import (
	"bytes"
	"context"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"orderly/failure"
	"orderly/renewal"
)

// conversation makes a dialogue with answers and what a person saw of it.
func conversation(stdin io.Reader, watched bool, f *places) (*dialogue, *bytes.Buffer) {
	var out bytes.Buffer
	p := &printer{out: &out, err: io.Discard, caller: caller{certbot: true}, getenv: func(string) string { return "" }}
	d := f.talk(Env{Stdin: stdin}, p)
	d.watched = watched
	return d, &out
}

func TestQuestionsAreAskedAsCertbotAsksThem(t *testing.T) {
	yesNo := renewal.Question{Text: "Do you agree?", Yes: "Yes", No: "No"}
	menu := renewal.Question{Text: "What would you like to do?", Choices: []string{"Keep", "Renew"}}
	const once, choose = "(Y)es/(N)o: ", "Select the appropriate number [1-2] then [enter] (press 'c' to cancel): "
	for _, c := range []struct {
		name     string
		question renewal.Question
		answers  string
		watched  bool
		want     int
		err      error
		seen     string // the end of what is printed
	}{
		{"yes", yesNo, "yes\n", false, 0, nil, frame + "\nDo you agree?\n" + frame + "\n" + once},
		{"no, without a line's end", yesNo, "N", false, 1, nil, once},
		{"with carriage returns", yesNo, "n\r\n", false, 1, nil, once},
		{"nonsense first", yesNo, "\nwhat\nY\n", false, 0, nil, once + once + once},
		{"nothing comes", yesNo, "", false, 0, renewal.ErrNobody, once + "\n"},
		{"the second", menu, "2\n", false, 1, nil, "\nWhat would you like to do?\n" + frame + "\n1: Keep\n2: Renew\n" + frame + "\n" + choose},
		{"numbers that are none", menu, "0\n3\nx\n1\n", false, 0, nil, choose + "\n** Invalid input **\n" + choose},
		{"canceled", menu, "c\n", false, 0, errCanceled, choose},
		{"for a terminal alone", renewal.Question{Text: "x", Yes: "Yes", No: "No", AtTerminal: true}, "n\n", false, 0, renewal.ErrNobody, ""},
		{"at one", renewal.Question{Text: "x", Yes: "Yes", No: "No", AtTerminal: true}, "n\n", true, 1, nil, once},
	} {
		t.Run(c.name, func(t *testing.T) {
			d, out := conversation(strings.NewReader(c.answers), c.watched, &places{})
			got, err := d.put(t.Context(), c.question)
			if err != c.err || err == nil && got != c.want || !strings.HasSuffix(out.String(), c.seen) || c.seen == "" && out.Len() > 0 {
				t.Errorf("%d, %v; printed %q", got, err, out)
			}
		})
	}
}

func TestNobodyIsAskedWhereNobodyAnswers(t *testing.T) {
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	for name, c := range map[string]struct {
		stdin io.Reader
		f     places
	}{
		"-n": {strings.NewReader("y\n"), places{noninteractive: true}}, "-q": {strings.NewReader("y\n"), places{quiet: true}},
		"--json": {strings.NewReader("y\n"), places{json: true}}, "/dev/null": {null, places{}}, "nothing": {nil, places{}},
	} {
		d, out := conversation(c.stdin, true, &c.f)
		if _, err := d.put(t.Context(), renewal.Question{Text: "x", Yes: "Yes", No: "No"}); err != renewal.ErrNobody || out.Len() > 0 {
			t.Errorf("%s: %v, %q", name, err, out)
		}
		if yes, err := d.confirm(t.Context(), renewal.Question{Text: "x", Yes: "Yes", No: "No"}); !yes || err != nil {
			t.Errorf("%s: what was asked for by name is not done: %v", name, err)
		}
	}
}

// A signal is obeyed while an answer is waited for.
func TestASignalEndsAQuestion(t *testing.T) {
	silent, writer := io.Pipe()
	defer writer.Close()
	d, _ := conversation(silent, true, &places{})
	ctx, cancel := context.WithCancel(t.Context())
	timer := time.AfterFunc(10*time.Millisecond, cancel)
	defer timer.Stop()
	if _, err := d.put(ctx, renewal.Question{Text: "x", Yes: "Yes", No: "No"}); failure.ClassOf(err) != failure.Stopped {
		t.Errorf("%v", err)
	}
}

func TestLinesAreBrokenAsCertbotBreaksThem(t *testing.T) {
	word := strings.Repeat("x", 100)
	for given, want := range map[string]string{
		"short":                             "short",
		strings.Repeat("seven  ", 12) + "x": "seven  seven  seven  seven  seven  seven  seven  seven  seven  seven  seven\nseven  x",
		"a " + word + " b":                  "a\n" + word + "\nb",
		word:                                word,
		"one\n\ntwo":                        "one\n\ntwo",
	} {
		if got := fold(given); got != want {
			t.Errorf("%q", got)
		}
	}
}
