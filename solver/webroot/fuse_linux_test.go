package webroot_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

// The requests of FUSE's protocol that this file system answers (linux/fuse.h).
const (
	fuseLookup    = 1
	fuseForget    = 2
	fuseGetattr   = 3
	fuseReadlink  = 5
	fuseMkdir     = 9
	fuseStatfs    = 17
	fuseInit      = 26
	fuseAccess    = 34
	fuseInterrupt = 36
	fuseForgets   = 42
)

// told is what a hostile file system says of an entry.
type told struct {
	uid    uint32
	target string // of a link; "" for a directory
}

// abroadFS is a FUSE file system that says of its entries what it likes, and writes nothing. It keeps who asked for what.
type abroadFS struct {
	t       *testing.T
	device  int
	dir     string
	entries []string // paths, by inode number - 1; the first is the root
	says    map[string]told

	mu     sync.Mutex
	asked  []asked
	heard  chan struct{} // gets something whenever a question has come
	silent bool          // it reads questions and answers none
}

type asked struct {
	op   uint32
	uid  uint32
	name string
}

// mountAbroad mounts a file system as a program of user would, with allow_other.
func (g *ground) mountAbroad(dir string, user int, says map[string]told) *abroadFS {
	g.t.Helper()
	f := &abroadFS{t: g.t, dir: dir, says: says, entries: []string{"."}, heard: make(chan struct{}, 1000)}
	f.device = g.openFuse()
	options := fmt.Sprintf("fd=%d,rootmode=40000,user_id=%d,group_id=%d,allow_other", f.device, user, user)
	g.must(unix.Mount("abroad", dir, "fuse", unix.MS_NOSUID|unix.MS_NODEV, options))
	end := make([]int, 2)
	g.must(unix.Pipe2(end, unix.O_CLOEXEC))
	served := make(chan struct{})
	go func() {
		defer close(served)
		f.serve(end[0])
	}()
	g.t.Cleanup(func() {
		_ = unix.Unmount(dir, unix.MNT_DETACH) // a test may have done it
		g.must(unix.Close(end[1]))
		<-served
		g.must(unix.Close(f.device)) // sets those free that wait for an answer
		g.must(unix.Close(end[0]))
	})
	return f
}

// openFuse opens the device, which need not be there in a container.
func (g *ground) openFuse() int {
	g.t.Helper()
	fd, err := unix.Open("/dev/fuse", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		node := filepath.Join(g.base, "fuse")
		g.must(unix.Mknod(node, unix.S_IFCHR|0o600, int(unix.Mkdev(10, 229))))
		fd, err = unix.Open(node, unix.O_RDWR|unix.O_CLOEXEC, 0)
	}
	g.must(err)
	return fd
}

// serve answers until the other end of the pipe is closed.
func (f *abroadFS) serve(end int) {
	buf := make([]byte, 1<<20)
	for {
		polled := []unix.PollFd{{Fd: int32(f.device), Events: unix.POLLIN}, {Fd: int32(end), Events: unix.POLLIN}}
		if _, err := unix.Poll(polled, -1); err == unix.EINTR {
			continue
		}
		if polled[1].Revents != 0 || polled[0].Revents&unix.POLLIN == 0 {
			return
		}
		n, err := unix.Read(f.device, buf)
		if err == unix.EINTR || err == unix.ENOENT || err == unix.EAGAIN {
			continue // the question was taken back
		}
		if err != nil || n < 40 {
			return
		}
		f.handle(slices.Clone(buf[:n]))
	}
}

func (f *abroadFS) handle(request []byte) {
	order := binary.NativeEndian
	op, unique, node, uid := order.Uint32(request[4:]), order.Uint64(request[8:]), order.Uint64(request[16:]), order.Uint32(request[24:])
	name, _, _ := strings.Cut(string(request[40:]), "\x00")
	if op == fuseMkdir {
		name, _, _ = strings.Cut(string(request[48:]), "\x00")
	}
	if op == fuseInterrupt {
		return // whoever waits has been ended
	}
	f.mu.Lock()
	f.asked = append(f.asked, asked{op, uid, name})
	silent := f.silent
	f.mu.Unlock()
	select {
	case f.heard <- struct{}{}:
	default:
	}
	if op == fuseForget || op == fuseForgets || silent && op != fuseInit {
		return
	}
	body, errno := f.answer(op, node, name)
	var out bytes.Buffer
	_ = binary.Write(&out, order, uint32(16+len(body)))
	_ = binary.Write(&out, order, -int32(errno))
	_ = binary.Write(&out, order, unique)
	out.Write(body)
	_, _ = unix.Write(f.device, out.Bytes()) // nobody waits for it any more
}

func (f *abroadFS) answer(op uint32, node uint64, name string) ([]byte, unix.Errno) {
	var out bytes.Buffer
	put := func(values ...any) {
		for _, v := range values {
			_ = binary.Write(&out, binary.NativeEndian, v)
		}
	}
	switch op {
	case fuseInit:
		put(uint32(7), uint32(31), uint32(4096), uint32(0), uint16(1), uint16(1), uint32(4096), uint32(1), make([]byte, 36))
	case fuseLookup:
		child := filepath.Join(f.entries[node-1], name)
		if _, ok := f.says[child]; !ok {
			return nil, unix.ENOENT
		}
		if !slices.Contains(f.entries, child) {
			f.entries = append(f.entries, child)
		}
		number := uint64(slices.Index(f.entries, child) + 1)
		put(number, uint64(0), uint64(0), uint64(0), uint64(0), f.attributes(number))
	case fuseGetattr:
		put(uint64(0), uint64(0), f.attributes(node))
	case fuseReadlink:
		put([]byte(f.says[f.entries[node-1]].target))
	case fuseStatfs:
		put(make([]byte, 80))
	case fuseAccess:
	default:
		return nil, unix.EACCES
	}
	return out.Bytes(), 0
}

func (f *abroadFS) attributes(number uint64) []byte {
	says := f.says[f.entries[number-1]]
	mode := uint32(unix.S_IFDIR | 0o755)
	if says.target != "" {
		mode = unix.S_IFLNK | 0o777
	}
	var out bytes.Buffer
	for _, v := range []any{number, uint64(0), uint64(0), make([]byte, 24), make([]byte, 12), mode, uint32(2), says.uid, says.uid, uint32(0), uint32(4096), uint32(0)} {
		_ = binary.Write(&out, binary.NativeEndian, v)
	}
	return out.Bytes()
}

// fallSilent lets questions be read and not answered any more.
func (f *abroadFS) fallSilent() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.silent = true
}

// questions returns what was asked, of one kind or, for 0, of all.
func (f *abroadFS) questions(op uint32) []asked {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(f.asked), func(a asked) bool { return op != 0 && a.op != op })
}
