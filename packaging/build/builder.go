package main

// How the program is built. What a person's environment says about Go (GOFLAGS, GOAMD64, `go env -w`)
// would show in the bytes; only where modules come from and are kept is theirs to say.

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// builder builds one release.
type builder struct {
	ctx              context.Context
	goProgram        string
	nameless         bool // may the source be of no commit?
	release          release
	changes          []change // what CHANGELOG.md says
	work             string   // scratch
	env              []string // of every go command
	hostOS, hostArch string
	program          string // built for this machine, to write its own pages
	top              string // of the source
}

// kept are the settings of Go that say where modules come from and where things are kept.
var kept = [...]string{"GOPROXY", "GOSUMDB", "GONOSUMDB", "GONOPROXY", "GOPRIVATE", "GOINSECURE",
	"GOMODCACHE", "GOCACHE", "GOPATH", "GOTOOLCHAIN", "GOAUTH", "GOVCS", "GOHOSTOS", "GOHOSTARCH"}

// begin builds the program for this machine and learns from it what it is.
func (b *builder) begin(top string) (err error) {
	if b.top, err = filepath.Abs(top); err != nil {
		return err
	}
	if err := b.environment(); err != nil {
		return err
	}
	if b.release, err = commitOf(b.top); err != nil {
		if !b.nameless {
			return err
		}
		b.release = release{date: time.Unix(0, 0).UTC()} // what `make install` copies has the time of the copy
	}
	if b.work, err = os.MkdirTemp("", "orderly-build-"); err != nil {
		return err
	}
	if b.program, err = b.binary(b.hostOS, b.hostArch); err != nil {
		return err
	}
	said, err := b.output(b.program, "--version")
	if err != nil {
		return err
	}
	words := strings.Fields(said)
	if len(words) < 2 {
		return fmt.Errorf("orderly --version says %q", said)
	}
	b.release.version = words[1]
	return b.changelog()
}

func (b *builder) close() {
	if b.work != "" {
		_ = os.RemoveAll(b.work)
	}
}

// environment finds what the go commands are run with.
func (b *builder) environment() error {
	command := exec.CommandContext(b.ctx, b.goProgram, append([]string{"env", "-json"}, kept[:]...)...)
	command.Dir = b.top
	out, err := command.Output()
	if err != nil {
		return errors.New("go cannot be run: install Go, and put it on the PATH (sudo resets that)")
	}
	settings := map[string]string{}
	if err := json.Unmarshal(out, &settings); err != nil {
		return err
	}
	b.hostOS, b.hostArch = settings["GOHOSTOS"], settings["GOHOSTARCH"]
	for _, pair := range os.Environ() {
		name, _, _ := strings.Cut(pair, "=")
		if !strings.HasPrefix(name, "GO") && !strings.HasPrefix(name, "CGO_") {
			b.env = append(b.env, pair)
		}
	}
	for name, value := range settings {
		b.env = append(b.env, name+"="+value)
	}
	b.env = append(b.env, "GOENV=off", "GOWORK=off", "CGO_ENABLED=0", "GOAMD64=v1", "GOARM64=v8.0")
	return nil
}

// binary builds the program for a system, once, and returns its path.
func (b *builder) binary(system, arch string) (string, error) {
	path := filepath.Join(b.work, system+"-"+arch, "orderly")
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	args := []string{"build", "-trimpath", "-ldflags", "-s -w", "-buildvcs=false", "-o", path}
	if b.release.commit != "" {
		overlay, err := b.overlay()
		if err != nil {
			return "", err
		}
		args = append(args, "-overlay", overlay)
	}
	return path, b.goCommand([]string{"GOOS=" + system, "GOARCH=" + arch}, io.Discard,
		append(args, "./cmd/orderly")...)
}

// overlay makes the program find its commit where `git archive` would have written it. What Go stamps
// differs between a clone with tags, a shallow one and an archive; to a worktree it stamps nothing.
func (b *builder) overlay() (string, error) {
	told := filepath.Join(b.work, "commit.txt")
	line := b.release.commit + " " + b.release.date.Format(time.RFC3339)
	if b.release.dirty {
		line += " changed"
	}
	if err := os.WriteFile(told, []byte(line+"\n"), 0o644); err != nil {
		return "", err
	}
	replace, err := json.Marshal(map[string]any{
		"Replace": map[string]string{filepath.Join(b.top, commitFile): told}})
	if err != nil {
		return "", err
	}
	path := filepath.Join(b.work, "overlay.json")
	return path, os.WriteFile(path, replace, 0o644)
}

// tool runs a tool of packaging/tools at the top of the source.
func (b *builder) tool(env []string, args ...string) error {
	env = append(env, "GOFLAGS=-trimpath", "SOURCE_DATE_EPOCH="+strconv.FormatInt(b.release.date.Unix(), 10))
	return b.goCommand(env, io.Discard,
		append([]string{"tool", "-modfile=" + filepath.Join(b.top, "packaging/tools/go.mod")}, args...)...)
}

// goCommand runs a go command at the top of the source; what it says is shown if it fails.
func (b *builder) goCommand(env []string, out io.Writer, args ...string) error {
	command := exec.CommandContext(b.ctx, b.goProgram, args...)
	command.Dir = b.top
	command.Env = append(append([]string{}, b.env...), env...)
	var problems strings.Builder
	command.Stdout, command.Stderr = out, &problems
	if err := command.Run(); err != nil {
		return fmt.Errorf("go %s: %w\n%s", args[0], err, problems.String())
	}
	return nil
}

// output runs the program, which must not see whose machine it is on, and returns what it prints.
func (b *builder) output(program string, args ...string) (string, error) {
	command := exec.CommandContext(b.ctx, program, args...)
	command.Dir = b.work
	command.Env = []string{"HOME=/nonexistent", "PATH=/usr/bin:/bin", "LC_ALL=C"}
	var problems strings.Builder
	command.Stderr = &problems
	out, err := command.Output()
	if err != nil {
		return "", fmt.Errorf("orderly %s: %w\n%s", strings.Join(args, " "), err, problems.String())
	}
	return string(out), nil
}
