package sqlite_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"testing"
	"time"

	"orderly/failure"
	"orderly/ledger"
	"orderly/ledger/sqlite"
)

// The test binary stands in for orderly's processes: with parts set in its environment it plays one instead of testing.
const (
	partVariable = "ORDERLY_LEDGER_PART"
	dirVariable  = "ORDERLY_LEDGER_DIR"
)

// parts are what a process of this binary can play; each returns its exit code.
var parts = map[string]func(dir string) int{
	"first": playFirst, "loop": playLoop, "many": playMany, "some": playSome, "stranger": playStranger,
	"reader": playReader,
}

func TestMain(m *testing.M) {
	if part, ok := parts[os.Getenv(partVariable)]; ok {
		os.Exit(part(os.Getenv(dirVariable)))
	}
	os.Exit(m.Run())
}

// player is this binary as a process that plays part on the ledger in dir.
func player(t *testing.T, part, dir string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.CommandContext(t.Context(), self)
	c.Env = append(os.Environ(), partVariable+"="+part, dirVariable+"="+dir)
	return c
}

func complain(err error) int {
	fmt.Fprintln(os.Stderr, err)
	return 1
}

// playFirst waits for the end of its input, opens the ledger and commits one order.
func playFirst(dir string) int {
	_, _ = io.Copy(io.Discard, os.Stdin)
	s, err := sqlite.Open(context.Background(), options(dir))
	if err != nil {
		return complain(err)
	}
	return complainIf(errors.Join(s.Commit(context.Background(), oneOrder(fmt.Sprint("process ", os.Getpid()))), s.Close()))
}

func complainIf(err error) int {
	if err != nil {
		return complain(err)
	}
	return 0
}

// playLoop commits orders until it is killed, and prints the id of each once Commit has returned.
func playLoop(dir string) int {
	s, err := sqlite.Open(context.Background(), options(dir))
	for i := 0; err == nil; i++ {
		c := oneOrder(fmt.Sprint("process ", os.Getpid(), " order ", i))
		if err = s.Commit(context.Background(), c); err == nil {
			_, err = fmt.Println(c.Orders[0].ID)
		}
	}
	return complain(err)
}

// oneOrder is a change that inserts an account, and an order with two authorizations and an event.
func oneOrder(lineage string) *ledger.Change {
	o := &ledger.Order{Lineage: lineage, Names: []string{"a.example", "b.example"}, State: ledger.PendingState, CreatedAt: time.Now(),
		Authorizations: []*ledger.Authorization{{URL: "a", Status: "pending"}, {URL: "b", Status: "pending"}}}
	return &ledger.Change{
		Account: &ledger.Account{Server: "https://ca.example/directory", URL: "https://ca.example/acct/1"},
		Orders:  []*ledger.Order{o},
		Events:  []ledger.Event{{Kind: "created", Of: o, At: time.Now()}},
	}
}

// complaint is what a person and a machine are told of an error.
type complaint struct {
	Class            failure.Class
	Sentence, Remedy string
}

func complaintOf(err error) complaint {
	if err == nil {
		return complaint{}
	}
	return complaint{failure.ClassOf(err), err.Error(), string(failure.RemedyOf(err))}
}

// playStranger opens the ledger as a user who may not, and prints what it is told.
func playStranger(dir string) int {
	if err := dropPrivileges(); err != nil {
		return complain(err)
	}
	o := options(dir)
	o.Lock = func(context.Context) (func() error, error) { return func() error { return nil }, nil }
	s, err := sqlite.Open(context.Background(), o)
	if err == nil {
		err = errors.Join(s.Commit(context.Background(), oneOrder("a")), s.Close())
	}
	return complainIf(json.NewEncoder(os.Stdout).Encode(complaintOf(err)))
}

// told runs a player and decodes the complaint it prints.
func told(t *testing.T, c *exec.Cmd) complaint {
	t.Helper()
	var stderr bytes.Buffer
	c.Stderr = &stderr
	out, err := c.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, stderr.String())
	}
	var said complaint
	if err := json.Unmarshal(out, &said); err != nil {
		t.Fatalf("%v in %q", err, out)
	}
	return said
}
