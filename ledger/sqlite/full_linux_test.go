package sqlite_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"orderly/failure"
	"orderly/ledger"
	"orderly/ledger/sqlite"
	"orderly/ledger/sqlstore"
)

func init() { parts["full"] = playFull }

// fullReport is what the process on the full file system saw.
type fullReport struct {
	Commit    complaint // of the commit that did not fit
	Twice     complaint // of the next one, through the same handle
	Committed int
	Readable  int       // orders read through the same handle afterwards
	Reopened  int       // orders read through a new handle
	Open      complaint // of opening it anew while not one page is left
	Again     int       // orders there once room was made and one more was committed
}

// A tmpfs of one megabyte in a mount namespace of the player's own runs full without touching anything else. It needs the
// right to mount, which a container may deny even to root.
func TestAFullDiskIsNamedAndLosesNothing(t *testing.T) {
	dir := t.TempDir()
	p := player(t, "full", dir)
	p.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS}
	if os.Geteuid() != 0 {
		p.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
		p.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}}
		p.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}}
	}
	p.Stderr = os.Stderr
	out, err := p.Output()
	if err != nil {
		t.Fatalf("the process that mounts a small file system (is mounting allowed here?): %v", err)
	}
	var r fullReport
	if err := json.Unmarshal(out, &r); err != nil {
		t.Fatal(err)
	}
	for what, said := range map[string]complaint{"Commit": r.Commit, "second Commit": r.Twice, "Open": r.Open} {
		checkComplaint(t, said, failure.Ledger, dir)
		if !strings.Contains(said.Sentence, "no space left") || !strings.Contains(said.Remedy, "room") {
			t.Errorf("%s: sentence %q, remedy %q", what, said.Sentence, said.Remedy)
		}
	}
	if r.Committed == 0 || r.Readable != r.Committed || r.Reopened != r.Committed || r.Again != r.Committed+1 {
		t.Errorf("%d committed, %d and %d readable when full, %d after one more", r.Committed, r.Readable, r.Reopened, r.Again)
	}
}

func playFull(dir string) int {
	if err := unix.Mount("", "/", "", unix.MS_PRIVATE|unix.MS_REC, ""); err != nil {
		return complain(fmt.Errorf("making mounts private: %w", err))
	}
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=1m"); err != nil {
		return complain(fmt.Errorf("mounting a tmpfs: %w", err))
	}
	r, err := fillUp(context.Background(), dir)
	return complainIf(errors.Join(err, json.NewEncoder(os.Stdout).Encode(r)))
}

func fillUp(ctx context.Context, dir string) (fullReport, error) {
	var r fullReport
	ballast := filepath.Join(dir, "ballast")
	if err := os.WriteFile(ballast, make([]byte, 300<<10), 0o600); err != nil {
		return r, err
	}
	s, err := sqlite.Open(ctx, options(dir))
	if err != nil {
		return r, err
	}
	for err == nil {
		c := oneOrder(fmt.Sprint("l", r.Committed))
		c.Orders[0].Chain = make([]byte, 10<<10)
		if err = s.Commit(ctx, c); err == nil {
			r.Committed++
		} else if c.Orders[0].ID != 0 {
			return r, errors.New("an order that does not fit has an id")
		}
	}
	r.Commit = complaintOf(err)
	if r.Readable, err = count(ctx, s); err != nil {
		return r, err
	}
	large := oneOrder("again")
	large.Orders[0].Chain = make([]byte, 100<<10)
	r.Twice = complaintOf(s.Commit(ctx, large))
	if err := s.Close(); err != nil { // its checkpoint does not fit either
		return r, err
	}
	if r.Reopened, err = reopened(ctx, dir, nil); err != nil {
		return r, err
	}
	if err := os.Remove(ballast); err != nil {
		return r, err
	}
	if _, err := reopened(ctx, dir, nil); err != nil { // now it does
		return r, err
	}
	if r.Open, err = openWithoutRoom(ctx, dir, ballast); err != nil {
		return r, err
	}
	r.Again, err = reopened(ctx, dir, oneOrder("after"))
	return r, err
}

// reopened opens the ledger, commits c if there is one, and counts the orders.
func reopened(ctx context.Context, dir string, c *ledger.Change) (int, error) {
	s, err := sqlite.Open(ctx, options(dir))
	if err != nil {
		return 0, err
	}
	if c != nil {
		err = s.Commit(ctx, c)
	}
	n, counting := count(ctx, s)
	return n, errors.Join(err, counting, s.Close())
}

// openWithoutRoom takes every free page and opens the ledger, which needs some for its shared memory.
func openWithoutRoom(ctx context.Context, dir, ballast string) (complaint, error) {
	f, err := os.Create(ballast)
	for err == nil {
		_, err = f.Write(make([]byte, 4096))
	}
	if !errors.Is(err, unix.ENOSPC) {
		return complaint{}, err
	}
	_, err = reopened(ctx, dir, nil)
	return complaintOf(err), errors.Join(f.Close(), os.Remove(ballast))
}

func count(ctx context.Context, s *sqlstore.Store) (int, error) {
	orders, err := s.Orders(ctx, ledger.OrderFilter{})
	return len(orders), err
}
