package cli_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"golang.org/x/sys/unix"

	"orderly/cli"
	"orderly/ledger"
	"orderly/ledger/sqlite"
	"orderly/lock"
)

// long is a DNS name of some 200 characters, as hosting panels make them.
var long = strings.Repeat("preview-of-a-customers-branch-0123456789.", 4) + "staging.provider.example.com"

// terminal is a pseudo terminal of some columns. What is written to its slave side is returned by closed.
func terminal(t *testing.T, columns int) (slave *os.File, closed func() string) {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	fd := int(master.Fd())
	number, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0)
	}
	if err == nil {
		err = unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: 25, Col: uint16(columns)})
	}
	if err == nil {
		slave, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	}
	if err != nil {
		t.Fatal(err)
	}
	read := make(chan string)
	go func() {
		text, _ := io.ReadAll(master) // ends with EIO when the slave is closed
		read <- strings.ReplaceAll(string(text), "\r\n", "\n")
	}()
	return slave, func() string {
		slave.Close()
		defer master.Close()
		return <-read
	}
}

// listed runs a command on a configuration directory; columns 0 is a pipe.
func listed(t *testing.T, config string, columns int, env map[string]string, args ...string) string {
	t.Helper()
	var pipe bytes.Buffer
	var out io.Writer = &pipe
	text := pipe.String
	if columns > 0 {
		out, text = terminal(t, columns)
	}
	var stderr bytes.Buffer
	code := cli.Main(t.Context(), cli.Env{
		Program: "orderly", Args: append(args, "--config-dir", config), ConfigFiles: []string{},
		Getenv: func(name string) string {
			if name == "ORDERLY_HOST" {
				return "test"
			}
			return env[name]
		},
		Stdin: strings.NewReader(""), Stdout: out, Stderr: &stderr, PID: 1,
	})
	shown := text()
	if code != 0 || stderr.Len() > 0 {
		t.Fatalf("%q ended with %d: %s", args, code, stderr.String())
	}
	return shown
}

// filled is a configuration directory whose ledger has something for every listing.
func filled(t *testing.T) string {
	t.Helper()
	config := t.TempDir()
	dir := filepath.Join(config, "orderly")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	locks, err := lock.Open(filepath.Join(dir, "lock"))
	if err != nil {
		t.Fatal(err)
	}
	defer locks.Close()
	store, err := sqlite.Open(t.Context(), sqlite.Options{Dir: dir, Host: "test", Now: time.Now,
		Lock: func(ctx context.Context) (func() error, error) { return locks.Lock(ctx, "ledger") }})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	now := time.Now().Truncate(time.Second)
	account := &ledger.Account{Server: "https://acme-v02.api.letsencrypt.org/directory", URL: "https://acme-v02.api.letsencrypt.org/acme/acct/123456789"}
	run := &ledger.Run{Command: "certonly " + long + ",www." + long, PID: 7, StartedAt: now.Add(-time.Hour)}
	commit := func(c *ledger.Change) {
		if err := store.Commit(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
	commit(&ledger.Change{Account: account, Run: run, Events: []ledger.Event{{At: now.Add(-time.Hour), Kind: "run started", Detail: run.Command}}})
	names := []string{"short.example", long, "www." + long}
	order := func(state ledger.State, lineage string) *ledger.Order {
		return &ledger.Order{AccountID: account.ID, Lineage: lineage, Names: names, State: state, CreatedAt: now, UpdatedAt: now,
			URL: "https://acme-v02.api.letsencrypt.org/acme/order/123456789/" + lineage[:5], Expires: now.Add(time.Hour),
			Reason: ledger.Reason{Sentence: "the CA could not validate " + long + ": unauthorized: 192.0.2.1: Invalid response from http://" + long + "/.well-known: 日本語日本語日本語日本語日本語日本語",
				Remedy: "Run `orderly certonly --webroot -w /srv/www/" + long + " -d " + long + "`, and look again."}}
	}
	pending := order(ledger.PendingState, long)
	for i, name := range []string{"", long, ""} {
		pending.Authorizations = append(pending.Authorizations, &ledger.Authorization{URL: fmt.Sprint("https://ca.example/authz/", i), Name: name,
			Status: "pending", Expires: now.Add(time.Hour), ErrorType: "connection", ErrorDetail: strings.Repeat("refused ", 20)})
	}
	phantom, failed := order(ledger.Phantom, "short.example"), order(ledger.Invalid, "other.example")
	event := ledger.Event{At: now.Add(-time.Minute), Of: pending, Kind: "new-order intent", Detail: "attempt 1", Lineage: long}
	commit(&ledger.Change{Run: run, Orders: []*ledger.Order{phantom, failed, pending}, Events: []ledger.Event{event},
		Holds: []ledger.Hold{{AccountID: account.ID, Scope: "name:" + long, Class: "paused", Detail: "paused", URL: "https://ca.example/" + strings.Repeat("token", 40)}},
		Spends: []ledger.Spend{
			{AccountID: account.ID, Name: "NewOrdersPerAccount", Next: func(time.Time) (time.Time, error) { return now.Add(time.Minute), nil }},
			{AccountID: account.ID, Name: "FailedAuthorizationsPerDomainPerAccount", Key: long, Next: func(time.Time) (time.Time, error) { return now.Add(time.Hour), nil }},
		}})
	return config
}

var listings = [][]string{{"pending"}, {"order", "list"}, {"order", "show", "3"}, {"runs"}, {"limits"}, {"pending", "drain", "--dry-run"}}

// Every listing stays within the terminal, whatever stands in it.
func TestListingsStayWithinTheTerminal(t *testing.T) {
	t.Parallel()
	config := filled(t)
	for _, args := range listings {
		for _, columns := range []int{80, 100, 132} {
			shown := listed(t, config, columns, nil, args...)
			for line := range strings.Lines(shown) {
				line = strings.TrimSuffix(line, "\n")
				wide := strings.Count(line, "日") + strings.Count(line, "本") + strings.Count(line, "語")
				// A command is not cut in two, nor the page on which a name is unpaused.
				pasted := strings.HasPrefix(strings.TrimSpace(line), "`orderly ") || strings.HasPrefix(strings.TrimSpace(line), "https://ca.example/")
				if n := utf8.RuneCountInString(line) + wide; n > columns && !pasted {
					t.Errorf("%q on %d columns has a line of %d: %s", args, columns, n, line)
				}
			}
			if !strings.Contains(shown, "…") && !strings.Contains(shown, long[:20]) {
				t.Errorf("%q on %d columns does not show the name at all:\n%s", args, columns, shown)
			}
		}
	}
}

// A wide terminal is used, COLUMNS is obeyed, and a script loses nothing: each row is one line with all of its cells.
func TestListingsUseWhatThereIs(t *testing.T) {
	t.Parallel()
	config := filled(t)
	for _, args := range listings {
		for _, columns := range []int{0, 2000} {
			shown := listed(t, config, columns, nil, args...)
			if !strings.Contains(shown, long) || strings.Contains(shown, "…") {
				t.Errorf("%q on %d columns cuts the name:\n%s", args, columns, shown)
			}
			if strings.Contains(shown, "\n    ") {
				t.Errorf("%q on %d columns has a row of two lines:\n%s", args, columns, shown)
			}
		}
		if shown := listed(t, config, 2000, map[string]string{"COLUMNS": "80"}, args...); strings.Contains(shown, long) && args[len(args)-1] != "3" {
			t.Errorf("%q does not obey COLUMNS:\n%s", args, shown)
		}
	}
}

// An authorization that the CA has not shown, since it is reused or the run died, has the names that are left for it.
func TestEveryAuthorizationHasAName(t *testing.T) {
	t.Parallel()
	config := filled(t)
	for _, args := range [][]string{{"pending"}, {"order", "show", "3"}} {
		shown := listed(t, config, 0, nil, args...)
		if want := "short.example,www." + long + " (2 authorizations)"; !strings.Contains(shown, want) {
			t.Errorf("%q lacks %s:\n%s", args, want, shown)
		}
	}
}

// A run that was killed says what it was at, and when it was last seen, instead of how long it may have taken.
func TestAKilledRunSaysWhatItWasAt(t *testing.T) {
	t.Parallel()
	shown := listed(t, filled(t), 0, nil, "runs", "--killed")
	if !strings.Contains(shown, "newOrder sent for "+long+", no answer") || strings.Contains(shown, "≥") {
		t.Errorf("%s", shown)
	}
}
