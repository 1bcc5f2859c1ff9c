package testca_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"orderly/testca"
)

// program is the built cmd/testca, running.
type program struct {
	t     *testing.T
	cmd   *exec.Cmd
	where map[string]string
}

func build(t *testing.T) string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "testca")
	build := exec.Command("go", "build", "-o", binary, "orderly/cmd/testca")
	build.Env = append(os.Environ(), "CGO_ENABLED=0") // as everything is built that is not tested for races
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return binary
}

func launch(t *testing.T, binary string, arguments ...string) *program {
	t.Helper()
	p := &program{t: t, cmd: exec.Command(binary, arguments...), where: map[string]string{}}
	p.cmd.Stderr = os.Stderr
	out, err := p.cmd.StdoutPipe()
	if err == nil {
		err = p.cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.cmd.Process.Kill() })
	lines := bufio.NewScanner(out)
	for len(p.where) < 5 && lines.Scan() {
		key, value, _ := strings.Cut(lines.Text(), "=")
		p.where[key] = value
	}
	for _, key := range []string{"directory", "root", "resolver", "control", "pid"} {
		if p.where[key] == "" {
			t.Fatalf("it printed no %s: %v", key, p.where)
		}
	}
	return p
}

func (p *program) control(method, path, body string) (int, []byte) {
	p.t.Helper()
	request, err := http.NewRequest(method, p.where["control"]+path, strings.NewReader(body))
	if err != nil {
		p.t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		p.t.Fatal(err)
	}
	defer response.Body.Close()
	var text bytes.Buffer
	if _, err := text.ReadFrom(response.Body); err != nil {
		p.t.Fatal(err)
	}
	return response.StatusCode, text.Bytes()
}

func (p *program) truth() (truth testca.Truth) {
	p.t.Helper()
	if _, text := p.control(http.MethodGet, "/truth", ""); json.Unmarshal(text, &truth) != nil {
		p.t.Fatalf("no truth in %s", text)
	}
	return truth
}

// ended waits for the end of a program that was asked to stop.
func (p *program) ended() {
	p.t.Helper()
	done := make(chan error, 1)
	go func() { done <- p.cmd.Wait() }()
	select {
	case err := <-done:
		if err != nil {
			p.t.Errorf("it ended with %v", err)
		}
	case <-time.After(patience):
		p.t.Error("hung: it does not obey SIGTERM")
	}
}

func TestTheProgramIsUsedFromAnotherProcess(t *testing.T) {
	web := newWebsite(t)
	rootFile := filepath.Join(t.TempDir(), "root.pem")
	p := launch(t, build(t), "--http-port", strconv.Itoa(web.port), "--root-file", rootFile, "--boulder-like",
		"--authz-reuse=false", "--limit-new-orders", "3/3h", "--dead-name", "dead.example.com", "--profile", "short=160h,order=8h,authz=1h,valid-authz=7h")
	if p.where["root"] != rootFile || p.where["pid"] != strconv.Itoa(p.cmd.Process.Pid) {
		t.Errorf("it printed %v", p.where)
	}
	root, err := os.ReadFile(rootFile)
	if err != nil {
		t.Fatal(err)
	}
	c := remote(t, root, p.where["directory"])
	if !strings.Contains(c.send(http.MethodGet, p.where["directory"], nil).text, "adding-random-entries") {
		t.Error("--boulder-like shows no random entry")
	}
	first := c.order("a.example.com").want(t, 201, "")
	if c.order("a.example.com").want(t, 201, "").url() != first.url() {
		t.Error("--boulder-like does not reuse")
	}
	p.hold(c)
	c.order("c.example.com").want(t, 429, "rateLimited")
	if truth := p.truth(); len(truth.Orders) != 2 || truth.Pending() != 2 || truth.RateLimited != 1 {
		t.Errorf("the truth is %+v", truth)
	}
	p.control(http.MethodPost, "/advance?by=169h", "")
	if truth := p.truth(); truth.Pending() != 0 {
		t.Error("the clock was not put forward")
	}
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	p.ended()
}

// hold holds a newOrder over the control endpoint and releases it.
func (p *program) hold(c *client) {
	t := p.t
	t.Helper()
	if status, _ := p.control(http.MethodGet, "/held?timeout=1ms", ""); status != http.StatusNoContent {
		t.Errorf("nothing is held, but /held answered %d", status)
	}
	if status, text := p.control(http.MethodPost, "/faults", `{"kind":"new-order","nth":1,"action":"hold","after":true}`); status != 200 {
		t.Fatalf("/faults answered %d %s", status, text)
	}
	answers := make(chan answer, 1)
	go func() { answers <- c.order("b.example.com") }()
	var held testca.Held
	if _, text := p.control(http.MethodGet, "/held?timeout=10s", ""); json.Unmarshal(text, &held) != nil || held.Kind != "new-order" || !held.Processed {
		t.Fatalf("held: %s", text)
	}
	p.control(http.MethodPost, "/release?id="+strconv.Itoa(held.ID), "")
	(<-answers).want(t, 201, "")
	for body, want := range map[string]int{
		`{"kind":"order","action":"delay","delay":"1ms"}`: 200,
		`{"kind":"order","action":"delay","delay":"1"}`:   400,
		`{"kind":"order","action":"none"}`:                400,
		`{"knid":"order","action":"drop"}`:                400,
		`nothing`:                                         400,
	} {
		if status, _ := p.control(http.MethodPost, "/faults", body); status != want {
			t.Errorf("%s: %d, want %d", body, status, want)
		}
	}
	p.control(http.MethodDelete, "/faults", "")
	for path, want := range map[string]int{"/release": 200, "/release?id=x": 400, "/advance?by=x": 400, "/dead?name=x.example.com": 200} {
		if status, _ := p.control(http.MethodPost, path, ""); status != want {
			t.Errorf("%s: %d, want %d", path, status, want)
		}
	}
}

func remote(t *testing.T, root []byte, directory string) *client {
	t.Helper()
	c := trusting(t, root)
	c.dir = c.send(http.MethodGet, directory, nil).want(t, 200, "").json
	c.register().want(t, 201, "")
	return c
}

func TestAWrongCommandLineEndsWithTwo(t *testing.T) {
	for _, arguments := range [][]string{
		{"--no-such-flag"}, {"--limit-new-orders", "many"}, {"extra"}, {"--profile", "short"}, {"--profile", "short=1h,life=2h"}, {"--boulder-like=perhaps"},
	} {
		var out, complaint bytes.Buffer
		if code := testca.Main(t.Context(), arguments, &out, &complaint); code != 2 || complaint.Len() == 0 {
			t.Errorf("%q: exit %d, %q", arguments, code, complaint.String())
		}
	}
	var out, complaint bytes.Buffer
	if code := testca.Main(t.Context(), []string{"--nonce-reject", "100"}, &out, &complaint); code != 1 || complaint.Len() == 0 {
		t.Errorf("an impossible CA: exit %d, %q", code, complaint.String())
	}
	if code := testca.Main(t.Context(), []string{"--help"}, &out, &complaint); code != 0 {
		t.Errorf("--help: exit %d", code)
	}
}

func TestTheTemporaryRootGoesWithTheProgram(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var out, complaint bytes.Buffer
	t.Setenv("TMPDIR", t.TempDir())
	stop()
	if code := testca.Main(ctx, []string{"--http-port", "1"}, &out, &complaint); code != 0 {
		t.Errorf("exit %d, %s", code, complaint.String())
	}
	_, after, _ := strings.Cut(out.String(), "root=")
	file, _, _ := strings.Cut(after, "\n")
	if _, err := os.Stat(file); file == "" || !os.IsNotExist(err) {
		t.Errorf("%s is still there (%v)", file, err)
	}
}
