package cli_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"orderly/certbot/damage"
	"orderly/cli"
	server "orderly/host"
	"orderly/ledger"
	"orderly/ledger/sqlite"
	"orderly/lock"
	"orderly/outside"
)

// Text that terminals, logs and mails would obey. Each stands in every field of the ledger, in renewal files, certificates,
// configuration files and arguments.
var hostile = []string{
	"\x1b[2J\x1b[31mevil \x1b]8;;https://evil.example\x1b\\here\x1b]8;;\x1b\\ bell\a good\rbad \u009b31mc1 \u202egnihton\u2066 " +
		"zero\u200bwidth a\u2028b\u2029c\u0085d del\x7f tag\U000e0041 \ufdd0red",
	"one\ntime=2026-01-01T00:00:00Z level=ERROR msg=forged",
	strings.Repeat("\x1b[31mlong", 10<<10),
}

// Whatever stands in the ledger, on disk and on the command line, and whoever wrote it: no command shows a control character.
func TestNoCommandShowsAControlCharacter(t *testing.T) {
	t.Parallel()
	for i, text := range hostile {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			places := []string{"--config-dir", dir + "/c", "--work-dir", dir + "/w", "--logs-dir", dir + "/l"}
			hostileDisk(t, dir+"/c", text)
			hostileLedger(t, dir+"/c/orderly", text)
			for _, command := range hostileCommands(text[:min(len(text), 2000)]) {
				forms := [][]string{nil, {"--json"}}
				if command[0] == "renew" {
					forms = append(forms, []string{"-v"})
				}
				for _, form := range forms {
					// Outputs are checked for what they show; whether a command succeeds is other tests' business.
					requireHarmless(t, strings.Join(append(command, form...), " "), show(t, append(append(command, places...), form...)))
				}
			}
			log, err := os.ReadFile(dir + "/l/orderly.log")
			if err != nil {
				t.Fatal(err)
			}
			requireHarmless(t, "the log", string(log))
			for line := range strings.Lines(string(log)) {
				if !strings.HasPrefix(line, "time=") || strings.HasPrefix(line, "time=2026-01-01") {
					t.Errorf("a line that the log did not begin: %.200q", line)
				}
			}
		})
	}
}

func hostileCommands(text string) [][]string {
	return [][]string{
		{"certificates"}, {"certificates", "--cert-name", text}, {"certificates", "-d", text},
		{"pending"}, {"order", "list"}, {"order", "show", "1"}, {"order", "show", text}, {"runs"}, {"limits"}, {"ledger", "export"},
		{"ledger", "check"}, {"unpause", text}, {"pending", "release", "--name", text, "-n"}, {"plugins"}, {text}, {"--" + text},
		{"renew", "-n", "--cert-name", "evil"}, {"renew", "-n", "--cert-name", "odd"}, {"renew", "-n", "--cert-name", text},
		{"certonly", "-n", "--webroot", "-w", text, "-d", text}, {"certonly", "-n", "--csr", text},
		{"certonly", "-n", "--standalone", "-d", "a.example", "--key-type", text, "--server", text},
		{"delete", "-n", "--cert-name", text}, {"revoke", "-n", "--cert-path", text}, {"reconfigure", "-n", "--cert-name", "evil"},
		{"show_account", "-n", "--account", text}, {"register", "-n", "-m", text}, {"certificates", "-c", text},
	}
}

// show runs a command and returns what it shows.
func show(t *testing.T, args []string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var out, complaints bytes.Buffer
	cli.Main(ctx, cli.Env{Program: "orderly", Args: args, ConfigFiles: []string{}, Getenv: func(name string) string { return map[string]string{"ORDERLY_HOST": "here"}[name] },
		Stdin: strings.NewReader(""), Stdout: &out, Stderr: &complaints, PID: 1})
	for decoder := json.NewDecoder(bytes.NewReader(out.Bytes())); args[len(args)-1] == "--json"; {
		var value any
		if err := decoder.Decode(&value); err == io.EOF {
			break
		} else if err != nil {
			t.Errorf("%q: %v in %.300q", args, err, out.String())
			break
		}
	}
	return out.String() + complaints.String()
}

func requireHarmless(t *testing.T, what, shown string) {
	t.Helper()
	for line := range strings.Lines(shown) {
		line = strings.TrimSuffix(line, "\n")
		if at := strings.IndexFunc(line, func(r rune) bool { return r != '\t' && outside.Unprintable(r) }); at >= 0 {
			t.Errorf("%.60q shows %q", what, line[max(0, at-60):min(len(line), at+40)])
			return
		}
		if strings.HasPrefix(line, "time=2026-01-01") {
			t.Errorf("%.60q: a forged line: %q", what, line)
		}
	}
}

// hostileDisk makes a lineage whose renewal file says what it likes, and one whose certificate does.
func hostileDisk(t *testing.T, config, text string) {
	t.Helper()
	plain := damage.Dir{Config: config, Name: "evil", Root: "/nowhere", Server: "https://127.0.0.1:1/directory", Account: "x", Left: 24 * time.Hour}
	odd := plain
	odd.Name, odd.Others = "odd", []string{strings.Map(func(r rune) rune { return r & 0x7f }, text)} // IA5String
	for _, d := range []damage.Dir{plain, odd} {
		if err := d.Healthy(); err != nil {
			t.Fatal(err)
		}
	}
	conf, err := os.ReadFile(plain.Conf())
	if err != nil {
		t.Fatal(err)
	}
	one := strings.ReplaceAll(text, "\n", " ")
	conf = bytes.Replace(conf, []byte("authenticator = webroot"), []byte("authenticator = "+one+"\nkey_type = \""+one+"\"\npref_challs = "+one+",\n"+one+" = "+one), 1)
	if err := os.WriteFile(plain.Conf(), conf, 0o644); err != nil {
		t.Fatal(err)
	}
}

// hostileLedger is a ledger that a program which cleaned nothing has written.
func hostileLedger(t *testing.T, dir, text string) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	locks, err := lock.Open(filepath.Join(dir, "lock"))
	if err != nil {
		t.Fatal(err)
	}
	defer locks.Close()
	store, err := sqlite.Open(t.Context(), sqlite.Options{Dir: dir, Host: "here", Now: time.Now,
		Lock: func(ctx context.Context) (func() error, error) { return locks.Lock(ctx, "ledger") }})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	soon := time.Now().Add(time.Hour)
	text = strings.ReplaceAll(text, ",", "")
	account := &ledger.Account{}
	fill(reflect.ValueOf(account).Elem(), text, soon)
	account.ID, account.ShowsProcessing = 0, false
	run := &ledger.Run{Command: text, PID: 1, StartedAt: time.Now(), Outcome: text, Detail: text}
	commit := func(c *ledger.Change) {
		if err := store.Commit(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
	commit(&ledger.Change{Account: account, Run: run})
	for _, state := range []ledger.State{ledger.PendingState, ledger.Phantom, ledger.State(text)} {
		o := &ledger.Order{}
		fill(reflect.ValueOf(o).Elem(), text, soon)
		o.ID, o.Version, o.AccountID, o.State, o.SettledAt, o.Names = 0, 0, account.ID, state, time.Time{}, []string{text}
		o.Authorizations[0].ID, o.Authorizations[0].Status = 0, "pending"
		o.Key, o.CSR = ledger.FileRef{}, ledger.FileRef{}
		commit(&ledger.Change{Orders: []*ledger.Order{o}, Events: []ledger.Event{{At: soon, RunID: run.ID, Of: o, Kind: text, Lineage: text, Detail: text}},
			Holds:     []ledger.Hold{{AccountID: account.ID, Scope: "name:" + text + string(state), Class: text, Detail: text, URL: text, Until: soon}},
			Standings: []ledger.Standing{{Lineage: "evil", Reason: ledger.Reason{Class: text, Sentence: text, Remedy: text}, At: soon}},
			Charges:   []ledger.Charge{{AccountID: account.ID, Name: text, Class: text, At: time.Now()}},
			Spends:    []ledger.Spend{{AccountID: account.ID, Name: text, Key: text, Next: func(time.Time) (time.Time, error) { return soon, nil }}}})
	}
}

// fill puts the text into every string below v, and the moment into every time.
func fill(v reflect.Value, text string, moment time.Time) {
	if v.Type() == reflect.TypeFor[time.Time]() {
		v.Set(reflect.ValueOf(moment))
		return
	}
	if v.Type() == reflect.TypeFor[ledger.Payload]() {
		var wanted server.Request
		fill(reflect.ValueOf(&wanted.Payload).Elem(), text, moment)
		v.SetString(string(wanted.Filed().Host))
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(text)
	case reflect.Struct:
		for i := range v.NumField() {
			fill(v.Field(i), text, moment)
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(v.Index(0), text, moment)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), text, moment)
	}
}

// What a terminal is to do, only Orderly says, and only to a terminal.
func TestOnlyMarksBecomeEscapes(t *testing.T) {
	for terminal, want := range map[bool]string{true: "a \x1b[31mred\x1b[0m [2J\tb\n", false: "a red [2J\tb\n"} {
		var out bytes.Buffer
		if n, err := io.WriteString(cli.Guard(&out, terminal), "a "+cli.Red("red")+"\x1b[2J\tb\xff\n"); n == 0 || err != nil || out.String() != want {
			t.Errorf("terminal %v: %q, %v", terminal, out.String(), err)
		}
	}
}
