package main

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// built builds the programs as they are, without the race detector.
func built(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	build := exec.Command("go", "build", "-o", dir, "orderly/cmd/orderly", "orderly/cmd/testca")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return dir
}

// A short form of the benchmark: both programs find nothing to do among the certificates it makes,
// and the figures come out in both forms. How good they are is for the long form.
func TestBothProgramsFindNothingToDo(t *testing.T) {
	b := bench{orderly: filepath.Join(built(t), "orderly"), certbot: "certbot", lineages: 20, runs: 1}
	rows, err := b.measure(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(rows) != 4 {
		t.Fatalf("%d rows", len(rows))
	}
	for _, r := range rows {
		compared := r.Command != "renew, the CA is asked"
		if (r.Certbot != nil) != compared || compared && (r.WallRatio <= 0 || r.CPURatio <= 0) || r.Orderly.Wall <= 0 || r.Orderly.CPU <= 0 || r.Orderly.Memory <= 0 {
			t.Errorf("%+v", r)
		}
	}
	var table, machine bytes.Buffer
	if err := show(&table, b, results{idle: rows}, false); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"20 certificates, none due", "\nrenew ", "\ncertificates ", "\ncertonly ", "certbot "} {
		if !strings.Contains(table.String(), want) {
			t.Errorf("the table lacks %q:\n%s", want, &table)
		}
	}
	if err := show(&machine, b, results{idle: rows}, true); err != nil {
		t.Fatal(err)
	}
	var back struct {
		Lineages int   `json:"lineages"`
		Rows     []row `json:"rows"`
	}
	if err := json.Unmarshal(machine.Bytes(), &back); err != nil || back.Lineages != 20 || len(back.Rows) != 4 {
		t.Errorf("%v: %s", err, &machine)
	}
}

// A program that is not what it should be is no figure.
func TestAProgramThatFailsIsNotMeasured(t *testing.T) {
	for program, want := range map[string]string{"/bin/false": "exit status 1", "/bin/true": "did not say"} {
		b := bench{orderly: program, certbot: "no-such-program", lineages: 2, runs: 1}
		if _, err := b.measure(t.Context()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", program, err)
		}
	}
}
