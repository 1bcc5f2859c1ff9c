package cli_test

// What programs read: JSON of each command, quiet ones, and outputs that end early.

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"orderly/cli"
	"orderly/ledger"
	"orderly/ledger/sqlite"
	"orderly/lock"
	"orderly/testca"
)

// Whatever a command comes to, with --json its stdout is one JSON value with a version, and stderr
// needs no reading.
func TestEveryCommandSpeaksJSON(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testca.Config{DeadNames: []string{"dead.example.com"}})
	h := w.host("one")
	root := w.site("a.example.com", "dead.example.com")
	for _, c := range []struct {
		code int
		args []string
	}{
		{0, []string{"pending"}}, {0, []string{"runs"}}, {0, []string{"order", "list"}}, {0, []string{"certificates"}}, {0, []string{"limits"}}, // on an empty host
		{1, []string{"order", "show", "1"}},
		{0, []string{"renew"}},
		{0, h.certonly(root, "a.example.com")},
		{0, h.certonly(root, "a.example.com")},
		{1, h.certonly(root, "dead.example.com")},
		{1, h.certonly(root, "a_b")},
		{2, []string{"certonly"}},
		{0, []string{"renew", "--force-renewal"}},
		{1, []string{"renew", "--cert-name", "none"}},
		{0, []string{"resume"}}, {0, []string{"pending"}}, {0, []string{"runs"}}, {0, []string{"runs", "--killed"}},
		{0, []string{"order", "list"}}, {0, []string{"order", "show", "1"}}, {0, []string{"certificates"}}, {0, []string{"ledger", "adopt"}},
	} {
		r := h.orderly(append(c.args, "--json")...)
		if r.code != c.code {
			t.Errorf("%q: %s", c.args, r)
		}
		value := decode[map[string]any](w, r.stdout)
		plain(t, strings.Join(c.args[:min(2, len(c.args))], " "), value)
		if c.code != 0 && value["class"] == "" {
			t.Errorf("%q: a failure without a class: %s", c.args, r)
		}
		if c.code != 2 && r.stderr != "" {
			t.Errorf("%q: stderr has %q", c.args, r.stderr)
		}
	}
}

// numberLike is what ought to be a number, or a time: "26 ms", "≥ 3", "300/3h", "1h0m0s", "50 %".
var numberLike = regexp.MustCompile(`^[≥≤<>~≈+-]?\s*\d+([.,]\d+)?(/\d+)?\s*(µs|[a-z%]{0,7})?$|^(\d+(\.\d+)?(h|m|s|ms|µs|ns))+$|≥`)

// identifiers are strings by nature, though they may consist of digits.
var identifiers = []string{"serial", "id", "account", "sha256", "token", "thumbprint", "detail",
	"last_detail"}

// plain refuses what a program would have to take apart: numbers and lengths of time in strings,
// times that are not RFC 3339, and the sentence about a failure under another name than error.
func plain(t *testing.T, path string, value any) {
	t.Helper()
	switch v := value.(type) {
	case map[string]any:
		for key, member := range v {
			_, revoked := v["serial"] // of which RFC 5280 calls it the reason
			if key == "sentence" || key == "reason" && !revoked {
				t.Errorf("%s has %s beside error", path, key)
			}
			if text, ok := member.(string); ok && isTime(key) {
				if _, err := time.Parse(time.RFC3339Nano, text); err != nil {
					t.Errorf("%s.%s is no time: %q", path, key, text)
				}
			} else if !slices.Contains(identifiers, key) {
				plain(t, path+"."+key, member)
			}
		}
	case []any:
		for _, member := range v {
			plain(t, path, member)
		}
	case string:
		if numberLike.MatchString(v) {
			t.Errorf("%s is a string: %q", path, v)
		}
	}
}

func isTime(key string) bool {
	return strings.HasSuffix(key, "_at") ||
		slices.Contains([]string{"at", "since", "until", "expires", "not_before", "not_after"}, key)
}

// Each document of the commands that look, and of those that change something.
func TestNumbersAndTimesAreOnesInJSON(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testca.Config{DeadNames: []string{"dead.example.com"}})
	h := w.host("one")
	root := w.site("a.example.com", "b.example.com", "dead.example.com")
	h.orderly(h.certonly(root, "dead.example.com")...)
	h.must(h.certonly(root, "a.example.com")...)
	h.stoppedAt("challenge", h.certonly(root, "b.example.com")...)
	h.vanished()
	server := []string{"--server", w.ca.DirectoryURL()}
	for _, args := range [][]string{
		{"pending"}, {"pending", "drain", "--dry-run"}, {"pending", "release", "--all", "--dry-run"}, {"runs"}, {"runs", "--killed"},
		{"order", "list"}, {"order", "show", "2"}, {"limits"}, {"certificates"}, {"plugins"}, {"ledger", "check"},
		{"ledger", "backup", filepath.Join(t.TempDir(), "copy")}, {"ledger", "rebuild"}, append([]string{"show_account"}, server...),
		append([]string{"update_account", "-m", "a@example.com"}, server...),
		{"reconfigure", "--cert-name", "a.example.com", "--deploy-hook", "true"},
		{"resume"}, {"pending", "drain"}, {"renew"}, {"revoke", "--cert-name", "a.example.com", "--no-delete-after-revoke"},
		{"delete", "--cert-name", "a.example.com"}, {"unpause", "--all"}, append([]string{"unregister"}, server...),
	} {
		r := h.orderly(append(args, "--json", "-n")...)
		if r.code != 0 && !strings.Contains(r.stdout, "dead.example.com") {
			t.Errorf("%s", r)
		}
		plain(t, strings.Join(args[:min(2, len(args))], " "), decode[map[string]any](w, r.stdout))
	}
	for line := range strings.Lines(h.must("ledger", "export").stdout) {
		plain(t, "export", decode[map[string]any](w, line))
	}
}

// A renewal file is no certificate: what reads fullchain must not be handed one.
func TestARenewalFileThatCannotBeUsedIsNoFullChain(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testca.Config{})
	h := w.host("one")
	h.lineages("a.example.com")
	h.write(h.conf("g.example.com"), "no renewal file\n")
	r := h.orderly("renew", "--json")
	found := decode[struct{ Results []map[string]any }](w, r.stdout)
	if r.code != 1 || len(found.Results) != 2 {
		t.Fatalf("%s", r)
	}
	for _, one := range found.Results {
		chain, said := one["fullchain"]
		want := [2]any{h.live("a.example.com", "fullchain.pem"), nil}
		if one["outcome"] == "invalid" {
			want = [2]any{nil, h.conf("g.example.com")}
		}
		if !said || [2]any{chain, one["renewal_file"]} != want {
			t.Errorf("%v", one)
		}
	}
}

func TestQuietSaysNothingButErrors(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testca.Config{DeadNames: []string{"dead.example.com"}})
	h := w.host("one")
	root := w.site("a.example.com", "dead.example.com")
	for _, args := range [][]string{h.certonly(root, "a.example.com"),
		h.certonly(root, "a.example.com"), {"renew"}, {"renew", "--force-renewal"}} {
		if r := h.must(append(args, "-q")...); r.stdout+r.stderr != "" {
			t.Errorf("%q is not quiet: %s", args, r)
		}
	}
	r := h.orderly(append(h.certonly(root, "dead.example.com"), "-q")...)
	if r.code != 1 || r.stdout != "" || !strings.Contains(r.stderr, "dead.example.com") {
		t.Errorf("%s", r)
	}
}

// Nothing is coloured that is not read at a terminal, and nothing at all with NO_COLOR; what a CA
// quotes is not obeyed.
func TestNoControlCharactersReachTheReader(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testca.Config{})
	h := w.host("one")
	h.env["NO_COLOR"] = "1"
	w.ca.Inject(testca.Fault{Kind: "new-order", Nth: 1, Action: testca.Respond, Status: 403,
		Problem: "rejectedIdentifier",
		Detail:  "\x1b[2J\x1b[31mevil\u202e\r\n" + strings.Repeat("long ", 400)})
	r := h.orderly(h.certonly(w.site("a.example.com"), "a.example.com")...)
	if r.code != 1 || !strings.Contains(r.stderr, "evil") {
		t.Errorf("%s", r)
	}
	shown := r.stdout + r.stderr + h.must("order", "list").stdout + h.must("order", "show",
		"1").stdout + h.must("runs").stdout
	if i := strings.IndexFunc(shown, func(r rune) bool {
		return (r < ' ' && r != '\n') || r == 0x7f ||
			r == '\u202e'
	}); i >= 0 {
		t.Errorf("a control character: %q", shown[max(0, i-20):min(len(shown), i+20)])
	}
	for line := range strings.Lines(shown) {
		if len(line) > 800 {
			t.Errorf("a line of %d bytes: %s", len(line), line)
		}
	}
}

// vanished records a run of which nobody knows how it ended, as one that was killed leaves it.
func (h *host) vanished() {
	h.t.Helper()
	dir := filepath.Join(h.config, "orderly")
	locks, err := lock.Open(filepath.Join(dir, "lock"))
	if err != nil {
		h.t.Fatal(err)
	}
	defer locks.Close()
	store, err := sqlite.Open(h.t.Context(), sqlite.Options{Dir: dir, Host: h.env["ORDERLY_HOST"],
		Now:  time.Now,
		Lock: func(ctx context.Context) (func() error, error) { return locks.Lock(ctx, "ledger") }})
	if err != nil {
		h.t.Fatal(err)
	}
	defer store.Close()
	run := &ledger.Run{Command: "renew", PID: 1, StartedAt: time.Now()}
	if err := store.Commit(h.t.Context(), &ledger.Change{Run: run}); err != nil {
		h.t.Fatal(err)
	}
}

// A list that could not be written whole must not look like one that was.
func TestAnOutputThatIsCutShortIsAFailure(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testca.Config{})
	h := w.host("one")
	h.lineages("a.example.com")
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer full.Close()
	for _, command := range [][]string{{"ledger", "export"}, {"order", "list"},
		{"pending", "--json"}} {
		var problems bytes.Buffer
		env := h.call(command...)
		env.Stdout, env.Stderr = full, &problems
		if code := cli.Main(t.Context(), env); code != 1 {
			t.Errorf("%v ended with %d: %s", command, code, &problems)
		}
	}
}
