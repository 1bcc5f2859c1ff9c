package cli

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"orderly/certbot/damage"
	"orderly/metrics"
)

// Metrics are printed, or written to a file whole; nothing is made of what is looked at, and nothing
// but a file is replaced.
func TestMetricsAreWrittenWholeAndNowhereElse(t *testing.T) {
	dir := t.TempDir()
	config := filepath.Join(dir, "etc")
	healthy := damage.Dir{Config: config, Name: "a.example", Root: t.TempDir(), Server: "https://ca.example/directory",
		Account: "0123", Left: 60 * 24 * time.Hour}
	if err := healthy.Healthy(); err != nil {
		t.Fatal(err)
	}
	code, out, problems := run(t, "orderly", "metrics", "--config-dir", config)
	if code != 0 || problems != "" || !strings.Contains(out, "\norderly_certificates 1\n") || strings.Contains(out, "a.example") {
		t.Errorf("exit %d, %s%s", code, out, problems)
	}
	if _, err := os.Stat(filepath.Join(config, "orderly")); err == nil {
		t.Error("a ledger was made")
	}
	file := filepath.Join(dir, "orderly.prom")
	for range 2 { // over none, and over the last one
		if code, out, problems := run(t, "orderly", "metrics", "--config-dir", config, "--textfile", file); code != 0 || out+problems != "" {
			t.Errorf("exit %d, %s%s", code, out, problems)
		}
		text, err := os.ReadFile(file)
		info, _ := os.Stat(file)
		if err != nil || !strings.Contains(string(text), "\norderly_certificates 1\n") || info.Mode() != 0o644 {
			t.Errorf("%v, %s, %s", err, info.Mode(), text)
		}
	}
	if left, _ := os.ReadDir(dir); len(left) != 2 {
		t.Errorf("left beside it is %v", left)
	}

	broken := filepath.Join(dir, "broken")
	if err := os.MkdirAll(filepath.Join(broken, "orderly"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(broken, "orderly", "ledger.db"), []byte("no ledger at all, whatever it is called"), 0o600); err != nil {
		t.Fatal(err)
	}
	if code, _, problems := run(t, "orderly", "metrics", "--config-dir", broken, "--textfile", file); code != 1 || problems == "" {
		t.Errorf("of a host whose ledger cannot be read: exit %d, %s", code, problems)
	}
	if text, _ := os.ReadFile(file); !strings.Contains(string(text), "\norderly_certificates 1\n") {
		t.Errorf("the last metrics were replaced: %s", text)
	}

	var d struct{ Metrics []metrics.Family }
	_, out, _ = run(t, "orderly", "metrics", "--config-dir", config, "--json")
	if err := json.Unmarshal([]byte(out), &d); err != nil || len(d.Metrics) < 5 {
		t.Errorf("%v, %s", err, out)
	}
	link := filepath.Join(dir, "link.prom")
	if err := os.Symlink("/dev/null", link); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"--textfile", link}, {"--textfile", filepath.Join(dir, "none", "x.prom")},
		{"--config-dir", filepath.Join(dir, "none")}} {
		code, out, problems := run(t, "orderly", append([]string{"metrics", "--config-dir", config}, args...)...)
		if code != 1 || out != "" || !strings.Contains(problems, "remedy: ") {
			t.Errorf("%q: exit %d, %s%s", args, code, out, problems)
		}
	}
	if target, err := os.Readlink(link); err != nil || target != "/dev/null" {
		t.Errorf("the link was replaced: %s, %v", target, err)
	}
	for _, args := range [][]string{{"--textfile", filepath.Join(dir, "metrics.txt")}, {"--rules", "--textfile", file}} {
		if code, _, problems := run(t, "orderly", append([]string{"metrics"}, args...)...); code != 2 {
			t.Errorf("%q: exit %d, %s", args, code, problems)
		}
	}
	if code, out, _ := run(t, "orderly", "metrics", "--rules"); code != 0 || out != metrics.Rules() {
		t.Errorf("exit %d, %s", code, out)
	}
}
