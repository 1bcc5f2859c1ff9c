package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// A short form of the benchmark: each report is made, and has its figures. How good they are is for
// the long form.
func TestEachReportIsMadeAndMeasured(t *testing.T) {
	orderly := filepath.Join(t.TempDir(), "orderly")
	build := exec.Command("go", "build", "-o", orderly, "orderly/cmd/orderly")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	b := bench{orderly: orderly, lineages: 10, many: 60, sites: 60, servers: 10, names: 400, runs: 1}
	var out bytes.Buffer
	if err := b.measure(t.Context(), &out); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"doctor, 10 certificates", "doctor --json, 10 certificates", "metrics, 60 certificates",
		"doctor --online, 60 names", "doctor --merge, 10 servers, 400 names", "doctor --merge --json, 10 servers, 400 names",
		"digest --merge --json, 10 servers, 400 names", "10 s, 500 MB"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is missing in\n%s", want, &out)
		}
	}
}

// A program that makes no report is no figure.
func TestAProgramThatFailsIsNotMeasured(t *testing.T) {
	for _, program := range []string{"/bin/false", "/bin/true"} {
		b := bench{orderly: program, lineages: 2, runs: 1}
		if err := b.measure(t.Context(), &bytes.Buffer{}); err == nil || !strings.Contains(err.Error(), "made no report") {
			t.Errorf("%s: %v", program, err)
		}
	}
}
