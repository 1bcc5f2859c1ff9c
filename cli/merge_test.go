package cli

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"orderly/certbot"
	"orderly/certbot/damage"
	"orderly/doctor"
)

// asServer runs a command on a host that is called so.
func asServer(t *testing.T, server string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, problems bytes.Buffer
	code = Main(context.Background(), Env{Program: "orderly", Args: args, ConfigFiles: []string{},
		Getenv: func(name string) string { return map[string]string{"ORDERLY_HOST": server}[name] },
		Stdin:  strings.NewReader(""), Stdout: &out, Stderr: &problems, PID: os.Getpid()})
	return code, out.String(), problems.String()
}

// What `doctor --json` prints on each of several servers becomes one report: by cause, with the
// servers; what is missing in it is told.
func TestReportsOfSeveralServersBecomeOne(t *testing.T) {
	dir := t.TempDir()
	for i, server := range []string{"web1.example", "web2.example"} {
		config := t.TempDir()
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		account, err := (&certbot.Store{Dirs: certbot.Dirs{Config: config}}).Accounts().Save(certbot.Account{
			Server: "https://ca.example/directory", URL: "https://ca.example/1", Key: key, Created: time.Now()})
		if err != nil {
			t.Fatal(err)
		}
		at := func(name string, left time.Duration) damage.Dir {
			return damage.Dir{Config: config, Name: name, Root: t.TempDir(), Server: "https://ca.example/directory",
				Account: account.ID, Left: left}
		}
		if err := at("shared.example", time.Duration(50+i)*24*time.Hour).Healthy(); err != nil {
			t.Fatal(err)
		}
		broken := at(fmt.Sprintf("broken%d.example", i), 9*24*time.Hour)
		if err := broken.Healthy(); err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(config, "renewal", broken.Name+".conf")
		if err := os.WriteFile(file, []byte("[nothing"), 0o644); err != nil {
			t.Fatal(err)
		}
		code, out, problems := asServer(t, server, "doctor", "--config-dir", config, "--json")
		if code != 1 || problems != "" || !strings.Contains(out, `"server": "`+server+`"`) {
			t.Fatalf("exit %d, %s%s", code, out, problems)
		}
		if err := os.WriteFile(filepath.Join(dir, server+".json"), []byte(out), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "web3.json"), []byte(`{"version":1,"find`), 0o644); err != nil {
		t.Fatal(err)
	}

	code, out, problems := asServer(t, "here", "doctor", "--merge", dir)
	for _, want := range []string{"D1  The renewal file cannot be used", "2 on 2 servers", "  web1.example: broken0.example: ", "  web2.example: broken1.example: ",
		"D52  A name is live on two servers", "Most of what fails is on web1.example (1), web2.example (1).", "2 servers; 4 certificates, "} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is missing in %s", want, out)
		}
	}
	if code != 1 || problems != "warning: web3.json: half a report: it ends in the middle\n" {
		t.Errorf("exit %d, %q", code, problems)
	}

	code, out, problems = asServer(t, "here", "doctor", "--merge", dir, "--json")
	var d doctor.Document
	if err := json.Unmarshal([]byte(out), &d); err != nil || code != 1 || problems != "" {
		t.Fatalf("exit %d, %v, %s%s", code, err, out, problems)
	}
	if d.Version != 1 || d.Summary != (doctor.Summary{Lineages: 4, Clean: 2, Findings: len(d.Findings), Servers: 2}) ||
		len(d.Unread) != 1 || !strings.HasPrefix(d.Findings[0].Server, "web") {
		t.Errorf("%+v", d)
	}
	if code, _, problems := asServer(t, "here", "doctor", "--merge", dir, "a.example"); code != 2 || problems == "" {
		t.Errorf("with a name: exit %d, %s", code, problems)
	}
	if code, _, problems := asServer(t, "here", "doctor", "--merge", filepath.Join(dir, "none")); code != 1 || problems == "" {
		t.Errorf("no directory: exit %d, %s", code, problems)
	}
}
