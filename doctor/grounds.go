package doctor

// Document roots: whether a token could be put there. They are customers' ground, and may lie on a
// file server that is away: helper processes look, each for a bounded time, and nothing is written.

import (
	"context"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"orderly/failure"
	"orderly/parts"
	"orderly/solver/webroot"
)

func groundChecks() []Check {
	return []Check{
		{ID: "D21", Title: "A document root is gone, or cannot be written", Host: lostRoots},
		{ID: "D22", Title: "Something is in the way of tokens, or was left by them", Host: obstructed},
	}
}

const (
	// groundPatience is how long a file system may keep a look at a document root.
	groundPatience = 5 * time.Second
	// lookers is how many document roots are looked at together.
	lookers = 4
)

// grounds is what was found of document roots, each looked at once.
type grounds struct {
	writer *webroot.Writer
	once   sync.Once
	found  map[string]looking // by root
}

// looking is what a look at a document root came to.
type looking struct {
	webroot.Ground
	root string
	err  error // it could not be looked at
}

// ground looks at a document root.
func (g *grounds) ground(ctx context.Context, root string) looking {
	is, err := g.writer.Look(ctx, root)
	return looking{is, root, err}
}

// users are the lineages that are renewed by a document root, by root.
func (e *Exam) users() map[string][]*Lineage {
	users := map[string][]*Lineage{}
	for _, x := range e.Lineages {
		if x.off() {
			continue
		}
		for name, root := range x.Roots {
			if last := users[root]; (len(last) == 0 || last[len(last)-1] != x) && name != "" {
				users[root] = append(last, x)
			}
		}
	}
	return users
}

// grounds looks at all document roots, several together.
func (e *Exam) grounds(ctx context.Context) map[string]looking {
	g := &e.memo.grounds
	g.once.Do(func() {
		g.found = map[string]looking{}
		if !e.speaksForRuns() {
			return
		}
		todo := make(chan string)
		var mu sync.Mutex
		var group parts.Group
		for range lookers {
			group.Go(func() {
				for root := range todo {
					is := g.ground(ctx, root)
					mu.Lock()
					g.found[root] = is
					mu.Unlock()
				}
			})
		}
		for _, root := range slices.Sorted(maps.Keys(e.users())) {
			if ctx.Err() != nil {
				break
			}
			todo <- root
		}
		close(todo)
		group.Wait()
	})
	return g.found
}

// speaksForRuns reports whether what this user may do is what a run may do: root, or whose the
// configuration directory is.
func (e *Exam) speaksForRuns() bool {
	if os.Geteuid() == 0 {
		return true
	}
	info, err := os.Stat(e.Disk.Dirs.Config)
	return err == nil && ownerOf(info) == os.Geteuid()
}

// lostRoots tells of document roots that are gone, that nobody may go to, or that cannot be written.
func lostRoots(ctx context.Context, e *Exam) ([]Finding, error) {
	var all []Finding
	found, users, mounts := e.grounds(ctx), e.users(), e.mounts()
	ends := map[string]int{} // how many document roots something is missing for
	for _, is := range found {
		ends[is.Absent]++
	}
	for _, root := range slices.Sorted(maps.Keys(found)) {
		is := found[root]
		if err := is.trouble(); err == nil || is.Reached {
			continue
		}
		for _, x := range users[root] {
			f := x.lostRoot(root, is, mounts)
			if f.Cause == string(failure.WebrootGone) && is.Absent != "" && ends[is.Absent] > 1 {
				f.Cause, f.Remedy = is.Absent, failure.Advise("Put %s back, which they are all in: `%s`.",
					is.Absent, failure.Shell("ls", "-la", filepath.Dir(is.Absent)))
			}
			all = append(all, f)
		}
	}
	return all, nil
}

// trouble is what is wrong with a document root, or why nobody knows.
func (is looking) trouble() error {
	if is.err != nil {
		return is.err
	}
	return is.Err
}

// lostRoot is a finding about one lineage's use of a document root.
func (x *Lineage) lostRoot(root string, is looking, mounts mounts) Finding {
	err := is.trouble()
	f := x.findsError("D21", err)
	f.Cause = string(f.Class)
	if is.Absent != "" {
		f.Since = is.Changed
		if point := mounts.missing(root); point != "" {
			f.Sentence += failure.Words("; %s, which /etc/fstab lists, is not mounted", point)
			f.Remedy = "Mount it: `" + failure.Shell("mount", point) + "`."
			f.Since, f.Cause = time.Time{}, "mount "+point
		}
	}
	x.concerns(&f, root)
	return f
}

// concerns fills in whose document root it is. Where a command is asked for it with each renewal, what
// was said the last time need not be what is said the next time.
func (x *Lineage) concerns(f *Finding, root string) {
	f.File = root
	for name, its := range x.Roots {
		if its == root {
			f.Names = append(f.Names, name)
		}
	}
	if x.Asks {
		f.Severity, f.HurtsAt = Note, time.Time{}
	}
}

// obstructed tells of what stands in the way below document roots, and of tokens that killed runs
// left there.
func obstructed(ctx context.Context, e *Exam) ([]Finding, error) {
	var all []Finding
	found, users := e.grounds(ctx), e.users()
	mine, err := e.tokens(ctx)
	if err != nil {
		return nil, err
	}
	for _, root := range slices.Sorted(maps.Keys(found)) {
		is := found[root]
		if is.err == nil && is.Err != nil && is.Reached {
			for _, x := range users[root] {
				f := x.findsError("D22", is.Err)
				f.Cause, f.Since = "way", is.Changed
				x.concerns(&f, root)
				all = append(all, f)
			}
		}
		if left := mine.stale(is, e.At); len(left) > 0 {
			all = append(all, leftTokens(users[root][0], is, left))
		}
	}
	return all, nil
}
