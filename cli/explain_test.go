package cli

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"orderly/failure"
)

// explained runs explain with a standard input.
func explained(t *testing.T, in io.Reader, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, problems bytes.Buffer
	code = Main(context.Background(), Env{Program: "orderly", Args: append([]string{"explain"}, args...),
		ConfigFiles: []string{}, Getenv: func(string) string { return "" }, Stdin: in, Stdout: &out,
		Stderr: &problems, PID: os.Getpid()})
	return code, out.String(), problems.String()
}

// lineView is what a program reads of one line.
type lineView struct {
	Version, Line int
	Findings      []map[string]any
}

// One line out for each line in, in order and never empty, whatever the lines hold.
func TestExplainAnswersEachLine(t *testing.T) {
	var in strings.Builder
	var want []string
	for i := range 3000 {
		switch i % 4 {
		case 0:
			fmt.Fprintf(&in, "DNS problem: NXDOMAIN looking up A for n%d.example\n", i)
			want = append(want, fmt.Sprintf("n%d.example dns-missing", i))
		case 1:
			in.WriteString("\n")
			want = append(want, " unclassified")
		case 2:
			in.WriteString(`Domain: a.example\nType:\tcaa\nDetail: C:\\x` + "\r\n")
			want = append(want, "a.example caa-forbids")
		case 3:
			in.WriteString("\x1b[2J\u202e" + strings.Repeat("x", i*40) + "\x00\n")
			want = append(want, " unclassified")
		}
	}
	code, out, problems := explained(t, strings.NewReader(strings.TrimSuffix(in.String(), "\n")), "--lines", "--json")
	lines := strings.Split(strings.TrimSuffix(out, "\n"), "\n")
	if code != 0 || problems != "" || len(lines) != len(want) {
		t.Fatalf("exit %d, %d lines, want %d: %s", code, len(lines), len(want), problems)
	}
	for i, line := range lines {
		var v lineView
		if err := json.Unmarshal([]byte(line), &v); err != nil || v.Version != 1 || v.Line != i+1 || len(v.Findings) != 1 {
			t.Fatalf("line %d: %v %.300s", i+1, err, line)
		}
		if got := fmt.Sprintf("%s %s", v.Findings[0]["name"], v.Findings[0]["class"]); got != want[i] {
			t.Errorf("line %d is %q, want %q", i+1, got, want[i])
		}
		if strings.ContainsAny(line, "\x1b\u202e\x00") {
			t.Errorf("line %d does something: %q", i+1, line)
		}
		for _, key := range []string{"name", "class", "who", "retry", "charged", "limit", "until", "sentence", "customer", "remedy"} {
			if _, there := v.Findings[0][key]; !there {
				t.Errorf("line %d lacks %s", i+1, key)
			}
		}
	}
}

// Whoever waits for the answer to a line before it writes the next one is answered.
func TestExplainAnswersAtOnce(t *testing.T) {
	in, send := io.Pipe()
	receive, out := io.Pipe()
	go func() {
		Main(context.Background(), Env{Program: "orderly", Args: []string{"explain", "--lines", "--json"}, ConfigFiles: []string{},
			Getenv: func(string) string { return "" }, Stdin: in, Stdout: out, Stderr: io.Discard, PID: os.Getpid()})
		out.Close()
	}()
	answers := bufio.NewScanner(receive)
	for _, text := range []string{"hook timed out", "Another instance of Certbot is already running."} {
		if _, err := fmt.Fprintln(send, text); err != nil || !answers.Scan() {
			t.Fatalf("no answer to %q: %v", text, err)
		}
	}
	send.Close()
	if answers.Scan() {
		t.Errorf("another answer: %s", answers.Text())
	}
}

// What is pasted is explained in words, and a signal ends the wait for it.
func TestExplainSpeaksToPeople(t *testing.T) {
	text := "Failed to renew certificate a.example with error: urn:ietf:params:acme:error:rateLimited :: There were too many requests of a given type :: too many new orders (300) from this account in the last 3h0m0s, retry after 2026-11-23 21:00:00 UTC: see https://letsencrypt.org/docs/rate-limits/#new-orders-per-account"
	for _, args := range [][]string{{text}, strings.Fields(text), nil} {
		in := ""
		if args == nil {
			in = text
		}
		code, out, problems := explained(t, strings.NewReader(in), args...)
		for _, want := range []string{"a.example  rate-limited", "NewOrdersPerAccount is used up until 2026-11-23 21:00:00 UTC", "helps after 2026-11-23 21:00:00 UTC", "nobody has to", "`orderly limits`"} {
			if code != 0 || problems != "" || !strings.Contains(out, want) {
				t.Errorf("exit %d, no %q in %s%s", code, want, out, problems)
			}
		}
	}
	for _, args := range [][]string{{"--address", "a.example", "x"}, {"--lines", "x"}} {
		if code, _, problems := explained(t, strings.NewReader(""), args...); code != 2 || problems == "" {
			t.Errorf("%q: exit %d, %s", args, code, problems)
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	in, _ := io.Pipe()
	for _, args := range [][]string{{"explain"}, {"explain", "--lines"}} {
		if code := Main(ctx, Env{Program: "orderly", Args: args, ConfigFiles: []string{}, Getenv: func(string) string { return "" },
			Stdin: in, Stdout: io.Discard, Stderr: io.Discard, PID: os.Getpid()}); code != 75 {
			t.Errorf("%q ended by a signal: exit %d", args, code)
		}
	}
}

// aLog is a log of a real run, unpacked.
func aLog(t *testing.T, name string) string {
	t.Helper()
	f, err := os.Open("../scan/testdata/logs/" + name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// foundIn are the names and classes that explain finds.
func foundIn(t *testing.T, text string) (found []string) {
	t.Helper()
	code, out, problems := explained(t, strings.NewReader(text), "--json")
	var v lineView
	if err := json.Unmarshal([]byte(out), &v); err != nil || code != 0 {
		t.Fatalf("exit %d, %v: %s %s", code, err, out, problems)
	}
	for _, f := range v.Findings {
		found = append(found, fmt.Sprintf("%s %s", f["name"], f["class"]))
	}
	slices.Sort(found)
	return found
}

// What failed stands anywhere in a log, and most of a log is of what went well.
func TestExplainReadsAWholeLog(t *testing.T) {
	loop := aLog(t, "loop-1.21.log.gz")
	ok := aLog(t, "rotated-1.9.log.1.gz")
	failing := []string{"b.example http-wrong-answer", "c.example webroot-unset"}
	for name, c := range map[string]struct {
		text string
		want []string
	}{
		"some failed":   {loop, failing},
		"a long one":    {strings.Repeat(ok, 4) + loop, failing},
		"all went well": {ok, []string{" unclassified"}},
		"line ends":     {strings.ReplaceAll(loop, "\n", "\r\n"), failing},
		"errors alone": {"2026-11-28 03:00:00,123:ERROR:certbot._internal.renewal:Failed to renew " +
			"certificate x.example with error: [Errno 28] No space left on device\n2026-11-28 " +
			"03:00:01,123:ERROR:certbot._internal.renewal:All renewals failed.\n",
			[]string{"x.example disk-full"}},
		"a piece, whole": {ok[strings.IndexByte(ok, '\n')+1:], []string{" unclassified"}},
	} {
		if got := foundIn(t, c.text); !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
	_, out, hint := explained(t, strings.NewReader(ok))
	_, cut, _ := explained(t, strings.NewReader(strings.Repeat(ok, mostPasted/len(ok)+1)))
	if !strings.Contains(cut, "no more of it was read") {
		t.Errorf("a log that was read in part: %q", cut)
	}
	if out != "The log tells of no failure.\n" || !strings.Contains(hint, "orderly pending scan") {
		t.Errorf("a log without a failure: %q %q", out, hint)
	}
}

// A file of certbot's own that cannot be read is no document root; nothing is nothing to report.
func TestExplainTellsWhoseFileItIs(t *testing.T) {
	for text, want := range map[string]string{
		"open /etc/letsencrypt/live/x.example/fullchain.pem: permission denied":                                        "x.example lineage-broken",
		"open /etc/letsencrypt/archive/x.example/privkey3.pem: permission denied":                                      "x.example lineage-broken",
		"open /etc/letsencrypt/renewal/x.example.conf: permission denied":                                              "x.example renewal-file",
		"open /etc/letsencrypt/accounts/acme-v02.api.letsencrypt.org/directory/0a/private_key.json: permission denied": " account",
		"open /srv/www/x.example/.well-known/acme-challenge/x: permission denied":                                      " webroot-unwritable",
	} {
		if got := foundIn(t, text); len(got) != 1 || got[0] != want {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
	_, out, _ := explained(t, strings.NewReader(" \n"))
	if !strings.Contains(out, "the text is empty") || strings.Contains(out, "report") {
		t.Errorf("an empty text: %s", out)
	}
	_, out, _ = explained(t, nil, "requests.exceptions.ReadTimeout: Read timed out. (new order)")
	if !strings.Contains(out, "answer-lost") || strings.Contains(out, "resume") {
		t.Errorf("a lost answer: %s", out)
	}
}

// An error's text is nothing to do.
func TestWhatToDoIsNoErrorText(t *testing.T) {
	p := &printer{}
	long := strings.Repeat("some error ", 20)
	if got := p.toDo(failure.Unclassified, "", long); got == "" || strings.Contains(got, "some error") {
		t.Errorf("long: %q", got)
	}
	if got := p.toDo(failure.Unclassified, "", "odd"); got != "Look at the text: odd" {
		t.Errorf("short: %q", got)
	}
}

// What ends by itself is said to be nobody's to mend, in words that make a sentence.
func TestWhoeverIsToMendItIsSaidInASentence(t *testing.T) {
	for who, want := range map[failure.Who]string{
		failure.Nobody: "which nobody has to mend",
		failure.CA:     "to be mended by the CA",
	} {
		if got := mendedBy(who); got != want {
			t.Errorf("%s: %q, not %q", who, got, want)
		}
	}
}
