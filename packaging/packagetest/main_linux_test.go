package packagetest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"

	"orderly/e2e/namespace"
)

// builtVariable tells the test program that it runs in namespaces of its own, and where the packages
// are that were built outside, where modules and the compiler are.
const builtVariable = "ORDERLY_PACKAGES_BUILT"

// built is that directory.
var built string

func TestMain(m *testing.M) {
	code, err := buildAndRun(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func buildAndRun(m *testing.M) (int, error) {
	if built = os.Getenv(builtVariable); built != "" {
		return m.Run(), nil
	}
	dir, err := os.MkdirTemp("", "orderly-packages-")
	if err != nil {
		return 1, err
	}
	defer os.RemoveAll(dir)
	built = dir
	build := exec.Command("go", "run", "./packaging/build", "-o", dir, "deb")
	build.Dir = filepath.Join("..", "..")
	if out, err := build.CombinedOutput(); err != nil {
		return 1, fmt.Errorf("building the packages: %w\n%s", err, out)
	}
	return m.Run(), nil
}

// inside runs a test in namespaces of its own; if it is not there, the caller returns.
func inside(t *testing.T) bool {
	t.Helper()
	return namespace.Own(t, builtVariable, built,
		syscall.CLONE_NEWPID|syscall.CLONE_NEWNET|syscall.CLONE_NEWIPC|syscall.CLONE_NEWUTS)
}

// package file finds the one package file of a name and architecture that was built.
func debOf(t *testing.T, name, arch string) string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(built, name+"_*_"+arch+".deb"))
	if err != nil || len(found) != 1 {
		t.Fatalf("%s of %s: %v %v", name, arch, found, err)
	}
	return found[0]
}

// ours are the packages that were built.
func ours(t *testing.T) (orderly, orderlyCertbot string) {
	t.Helper()
	return debOf(t, "orderly", runtime.GOARCH), debOf(t, "orderly-certbot", "all")
}
