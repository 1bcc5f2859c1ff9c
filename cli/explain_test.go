package cli

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"time"
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
