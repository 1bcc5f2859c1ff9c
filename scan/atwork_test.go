package scan_test

// A run that is at work was not killed, and what it has open may be closed yet.

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"orderly/lock"
	"orderly/scan"
	"orderly/scan/client"
)

// TestMain is also the process that holds certbot's lock, as certbot does: exclusively.
func TestMain(m *testing.M) {
	path := os.Getenv("SCAN_TEST_HOLDS")
	if path == "" {
		os.Exit(m.Run())
	}
	held, err := lock.Telling(context.Background(), path, true, nil)
	fmt.Println("held", err)
	_, _ = io.Copy(io.Discard, os.Stdin)
	_ = held.Close()
}

// certbotIn is a process that holds certbot's lock in a directory, until end is called.
func certbotIn(t *testing.T, dir string) (pid int, end func()) {
	t.Helper()
	c := exec.Command(os.Args[0])
	c.Env = append(os.Environ(), "SCAN_TEST_HOLDS="+filepath.Join(dir, ".certbot.lock"))
	in, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	end = func() { _ = in.Close(); _ = c.Wait() }
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || line != "held <nil>\n" {
		end()
		t.Fatalf("the holder says %q, %v", line, err)
	}
	return c.Process.Pid, end
}

func fates(r *scan.Report) []client.Fate {
	var all []client.Fate
	for run := range r.Runs {
		all = append(all, run.Fate)
	}
	return all
}

func TestARunAtWorkWasNotKilled(t *testing.T) {
	dir := t.TempDir()
	text := plain(t, "testdata/logs/"+openOne)
	write(t, filepath.Join(dir, "letsencrypt.log"), text)
	write(t, filepath.Join(dir, "copy", "letsencrypt.log"), text)
	before := scanned(t, filepath.Join(dir, "letsencrypt.log"))
	if len(before.Holders) != 0 || len(before.Open) != 1 || len(before.Doubtful) != 1 {
		t.Fatalf("nothing is at work: %+v", before)
	}
	pid, end := certbotIn(t, dir)
	defer end()

	got := scanned(t, filepath.Join(dir, "letsencrypt.log"))
	if want := []scan.Holder{{Dir: dir, PID: pid}}; !slices.Equal(got.Holders, want) {
		t.Errorf("at work %v, want %v", got.Holders, want)
	}
	if len(got.Open) != 0 || len(got.Doubtful) != 2 || !got.Doubtful[0].AtWork ||
		!got.Doubtful[1].AtWork {
		t.Errorf("open %v, doubtful %v", got.Open, got.Doubtful)
	}
	was := fates(before)
	was[len(was)-1] = client.Running
	if !slices.Equal(fates(got), was) || scan.DeathsOf(got.Runs).Running != 1 {
		t.Errorf("fates %v, want %v", fates(got), was)
	}
	// The lock says nothing of a copy that lies elsewhere.
	if got := scanned(t, filepath.Join(dir, "copy")); len(got.Holders) != 0 || len(got.Open) != 1 {
		t.Errorf("a copy is at work: %+v", got)
	}
}

// What a run at work asked and was not answered is not lost yet.
func TestWhatARunAtWorkAskedIsNotLost(t *testing.T) {
	dir := t.TempDir()
	text := plain(t, "testdata/logs/2.11-lost-neworder.log.gz")
	at := strings.Index(string(text), "acme/new-order:\n")
	at += strings.Index(string(text[at:]), "\n}\n") + len("\n}\n")
	log := write(t, filepath.Join(dir, "letsencrypt.log"), text[:at])
	if got := scanned(t, log); len(got.Lost) != 1 {
		t.Fatalf("lost %v", got.Lost)
	}
	_, end := certbotIn(t, dir)
	defer end()
	if got := scanned(t, log); len(got.Lost) != 0 || len(got.Holders) != 1 {
		t.Errorf("lost %v, at work %v", got.Lost, got.Holders)
	}
}

// A log that was copied while it grew ends in the middle of a line.
func TestARunWhoseLogWasCutWasNotKilled(t *testing.T) {
	text := plain(t, "testdata/logs/"+openOne)
	whole := scanned(t, write(t, filepath.Join(t.TempDir(), "letsencrypt.log"), text))
	got := scanned(t, write(t, filepath.Join(t.TempDir(), "letsencrypt.log"), text[:len(text)-3]))
	was := fates(whole)
	was[len(was)-1] = client.Running
	if !slices.Equal(fates(got), was) || len(got.Open) != len(whole.Open) {
		t.Errorf("fates %v, want %v; open %v", fates(got), was, got.Open)
	}
}
