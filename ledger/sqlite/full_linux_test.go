package sqlite_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"orderly/failure"
	"orderly/ledger"
	"orderly/ledger/sqlite"
	"orderly/ledger/sqlstore"
)

func init() { parts["full"], parts["full-many"] = playFull, playFullMany }

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
	var r fullReport
	playOnTmpfs(t, "full", dir, &r)
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

// playOnTmpfs plays a part that mounts a tmpfs on dir, and decodes its report.
func playOnTmpfs(t *testing.T, part, dir string, report any) {
	t.Helper()
	p := player(t, part, dir)
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
	if err := json.Unmarshal(out, report); err != nil {
		t.Fatal(err)
	}
}

func mountSmall(dir string) error {
	if err := unix.Mount("", "/", "", unix.MS_PRIVATE|unix.MS_REC, ""); err != nil {
		return fmt.Errorf("making mounts private: %w", err)
	}
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=1m"); err != nil {
		return fmt.Errorf("mounting a tmpfs: %w", err)
	}
	return nil
}

func playFull(dir string) int {
	if err := mountSmall(dir); err != nil {
		return complain(err)
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

// manyReport is what many goroutines on the full file system saw.
type manyReport struct {
	Large       complaint // of the change that does not fit, which others were in a batch with
	Beside      []string  // what these were told
	Full        []complaint
	Told, There int    // orders told durable once the rest of the room is filled up, and those that are
	Wrong       string // the first thing that is not as it should be
}

// One order that the disk has no room for takes nobody with it, and where there is none for anybody,
// each is told so and nothing that was told durable is lost.
func TestAFullDiskAmongManyIsToldToWhomItConcerns(t *testing.T) {
	dir := t.TempDir()
	var r manyReport
	playOnTmpfs(t, "full-many", dir, &r)
	for _, said := range append(r.Full, r.Large) {
		checkComplaint(t, said, failure.Ledger, dir)
		if !strings.Contains(said.Sentence, "no space left") {
			t.Errorf("told %q", said.Sentence)
		}
	}
	if len(r.Beside) > 0 || len(r.Full) != many || r.Told == 0 || r.Told != r.There || r.Wrong != "" {
		t.Errorf("%+v", r)
	}
}

func playFullMany(dir string) int {
	if err := mountSmall(dir); err != nil {
		return complain(err)
	}
	var r manyReport
	return complainIf(errors.Join(r.fill(context.Background(), dir), json.NewEncoder(os.Stdout).Encode(&r)))
}

func (r *manyReport) fill(ctx context.Context, dir string) error {
	s, err := sqlite.Open(ctx, options(dir))
	if err != nil {
		return err
	}
	told := map[int64]bool{}
	r.besideALargeOne(ctx, s, told)
	r.untilFull(ctx, s, told)
	for _, again := range []bool{false, true} {
		if again {
			if err := s.Close(); err != nil {
				return err
			}
			if s, err = sqlite.Open(ctx, options(dir)); err != nil {
				return err
			}
		}
		orders, err := s.Orders(ctx, ledger.OrderFilter{})
		if err != nil {
			return err
		}
		r.Told, r.There = len(told), len(orders)
		for _, o := range orders {
			if !told[o.ID] || len(o.Authorizations) != 2 {
				r.Wrong = fmt.Sprint("order of ", o.Lineage, " with ", len(o.Authorizations))
			}
		}
	}
	return s.Close()
}

// besideALargeOne commits small orders, and among them one that does not fit. Few, since each by
// itself takes thirteen pages.
func (r *manyReport) besideALargeOne(ctx context.Context, s *sqlstore.Store, told map[int64]bool) {
	for round := range 2 {
		var changes []*ledger.Change
		for i := range 5 {
			changes = append(changes, oneOrder(fmt.Sprint("l", round, " ", i)))
		}
		large := changes[2*round]
		large.Orders[0].Chain = make([]byte, 2<<20)
		errs := behind(ctx, s, changes)
		r.Large = complaintOf(errs[2*round])
		for i, c := range changes {
			switch {
			case c != large && errs[i] != nil:
				r.Beside = append(r.Beside, errs[i].Error())
			case c != large:
				told[c.Orders[0].ID] = true
			case c.Orders[0].ID != 0 || c.Events[0].ID != 0:
				r.Wrong = "what did not fit has an id"
			}
		}
	}
}

// untilFull lets many goroutines commit until each was told that there is no room.
func (r *manyReport) untilFull(ctx context.Context, s *sqlstore.Store, told map[int64]bool) {
	var noting sync.Mutex
	var all sync.WaitGroup
	for i := range many {
		all.Go(func() {
			for n, full := 0, false; !full; n++ {
				c := oneOrder(fmt.Sprint("goroutine ", i, " order ", n))
				c.Orders[0].Chain = make([]byte, 8<<10)
				err := s.Commit(ctx, c)
				noting.Lock()
				if full = err != nil; full {
					r.Full = append(r.Full, complaintOf(err))
				} else {
					told[c.Orders[0].ID] = true
				}
				noting.Unlock()
			}
		})
	}
	all.Wait()
}
