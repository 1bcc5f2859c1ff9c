package e2e_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// What follows watches a program's system calls as strace does, and kills it at exactly one of them: before it, so that it
// is never done, or after it, so that the program never learns of it. The test program starts itself once more to be the
// watcher, since whoever traces must be the tracees' one parent and one thread.

// watchVariable holds a watch for the test program that is to be the watcher.
const watchVariable = "ORDERLY_E2E_WATCH"

// watch is what a watcher is told.
type watch struct {
	World string // the directory below which effects count
	Diary string // file for every effect, one JSON document a line
	Kill  *kill  // nil: watch only
}

// kill is the moment at which the program dies.
type kill struct {
	Effect string // the name of an effect
	Call   string // one of its system calls
	Nth    int    // counted within the effect, from 1
	After  bool
}

// deed is a system call that changes something on disk, or the run of a hook.
type deed struct {
	Effect string
	Call   string
	Nth    int
	Path   string
}

// watcher follows the threads and children of a program.
type watcher struct {
	watch
	program int // its process
	diary   *json.Encoder
	known   map[int]bool   // threads that have reported
	under   map[int]*deed  // the deed each thread is about to do, or does
	hooks   map[int]string // effects of processes that run a hook
	names   *effects
	shapes  map[uint64]shape
	count   map[string]int
	ended   syscall.WaitStatus
}

// watchProgram is the watcher's main function: it runs a command line, and ends as that did.
func watchProgram(order string, command []string) error {
	w := &watcher{known: map[int]bool{}, under: map[int]*deed{}, hooks: map[int]string{}, count: map[string]int{}}
	if err := json.Unmarshal([]byte(order), &w.watch); err != nil {
		return err
	}
	w.names, w.shapes = newEffects(w.World), shapes()
	diary, err := os.Create(w.Diary)
	if err != nil {
		return err
	}
	w.diary = json.NewEncoder(diary)
	runtime.LockOSThread()
	if err := w.begin(command); err != nil {
		return err
	}
	if err := w.follow(); err != nil {
		return err
	}
	if w.ended.Signaled() {
		return syscall.Kill(os.Getpid(), w.ended.Signal())
	}
	os.Exit(w.ended.ExitStatus())
	return nil
}

// begin starts the program, which stops at once.
func (w *watcher) begin(command []string) error {
	var env []string
	for _, entry := range os.Environ() {
		if !strings.HasPrefix(entry, watchVariable+"=") {
			env = append(env, entry)
		}
	}
	attributes := &syscall.ProcAttr{Env: env, Files: []uintptr{0, 1, 2}, Sys: &syscall.SysProcAttr{Ptrace: true}}
	pid, err := syscall.ForkExec(command[0], command, attributes)
	if err != nil {
		return err
	}
	w.program, w.known[pid] = pid, true
	if _, err := syscall.Wait4(pid, nil, syscall.WALL, nil); err != nil {
		return err
	}
	const options = unix.PTRACE_O_TRACESYSGOOD | unix.PTRACE_O_TRACECLONE | unix.PTRACE_O_TRACEFORK |
		unix.PTRACE_O_TRACEVFORK | unix.PTRACE_O_TRACEEXEC | unix.PTRACE_O_TRACEEXIT | unix.PTRACE_O_EXITKILL
	if err := syscall.PtraceSetOptions(pid, options); err != nil {
		return err
	}
	return syscall.PtraceSyscall(pid, 0)
}

// follow watches the program until it and all its children are gone.
func (w *watcher) follow() error {
	for {
		var status syscall.WaitStatus
		thread, err := syscall.Wait4(-1, &status, syscall.WALL, nil)
		switch {
		case err == syscall.EINTR:
		case err == syscall.ECHILD:
			return nil
		case err != nil:
			return fmt.Errorf("waiting for the program: %w", err)
		case status.Stopped():
			signal, err := w.stopped(thread, status)
			if err != nil {
				return err
			}
			_ = syscall.PtraceSyscall(thread, signal) // it fails for what was killed, whose end is waited for
		case thread == w.program:
			w.ended = status
		}
	}
}

// stopped looks at a thread that has stopped, and returns the signal it goes on with.
func (w *watcher) stopped(thread int, status syscall.WaitStatus) (int, error) {
	signal := status.StopSignal()
	switch {
	case signal == syscall.SIGTRAP && status.TrapCause() == unix.PTRACE_EVENT_EXIT:
		if effect, ok := w.hooks[thread]; ok {
			delete(w.hooks, thread)
			return 0, w.done(&deed{Effect: effect, Call: "exit"}, thread)
		}
		return 0, nil
	case signal == syscall.SIGTRAP && status.TrapCause() > 0: // a new thread or child, or another program in one
		return 0, nil
	case signal == syscall.SIGTRAP|0x80:
		return 0, w.called(thread)
	case signal == syscall.SIGSTOP && !w.known[thread]:
		w.known[thread] = true
		return 0, nil
	}
	return int(signal), nil
}

// callInfo is struct ptrace_syscall_info (ptrace(2), PTRACE_GET_SYSCALL_INFO).
type callInfo struct {
	op     uint8
	_      [3]uint8
	arch   uint32
	_, _   uint64
	number uint64
	args   [6]uint64
	_      [4]uint64
}

const (
	atEntry = 1
	atExit  = 2
)

// called looks at a thread at the beginning or the end of a system call.
func (w *watcher) called(thread int) error {
	var info callInfo
	_, _, errno := unix.Syscall6(unix.SYS_PTRACE, unix.PTRACE_GET_SYSCALL_INFO, uintptr(thread), unsafe.Sizeof(info),
		uintptr(unsafe.Pointer(&info)), 0, 0)
	switch {
	case errno == unix.ESRCH:
		return nil // killed meanwhile
	case errno != 0:
		return fmt.Errorf("asking for a system call: %w", errno)
	case info.op == atExit:
		d := w.under[thread]
		delete(w.under, thread)
		if d == nil || int64(info.number) < 0 { // the result stands where the number does
			return nil
		}
		return w.done(d, thread)
	}
	d, err := w.deedOf(thread, info)
	if err != nil || d == nil {
		return err
	}
	w.under[thread] = d
	return w.about(d, thread)
}

// about is told of a deed that is about to be done.
func (w *watcher) about(d *deed, thread int) error {
	key := d.Effect + "\n" + d.Call
	w.count[key]++
	d.Nth = w.count[key]
	if d.Call == "exec" {
		w.hooks[thread] = d.Effect
	}
	if k := w.Kill; k != nil && *k == (kill{d.Effect, d.Call, d.Nth, false}) {
		w.strike(thread)
	}
	return nil
}

// done is told of a deed that was done.
func (w *watcher) done(d *deed, thread int) error {
	d.Nth = max(d.Nth, 1)
	if k := w.Kill; k != nil && *k == (kill{d.Effect, d.Call, d.Nth, true}) {
		w.strike(thread)
	}
	w.names.done(d)
	return w.diary.Encode(d)
}

// strike kills the program. A hook that is only about to begin dies with it; one that has ended has done its work.
func (w *watcher) strike(thread int) {
	w.Kill = nil
	_ = syscall.Kill(w.program, syscall.SIGKILL)
	if _, hook := w.hooks[thread]; hook {
		_ = syscall.Kill(thread, syscall.SIGKILL)
	}
}

// shape says where the arguments of a system call name what it changes.
type shape struct {
	call string
	// directory is the argument with the directory's descriptor, none if there is none, and path that with the path. Where
	// path is none, directory is the descriptor of the file itself.
	directory, path int
}

const none = -1

// shapes are those of the system calls that change something below a directory.
func shapes() map[uint64]shape {
	all := map[uint64]shape{
		unix.SYS_OPENAT: {"create", 0, 1}, unix.SYS_MKDIRAT: {"mkdir", 0, 1}, unix.SYS_UNLINKAT: {"remove", 0, 1},
		unix.SYS_SYMLINKAT: {"link", 1, 2}, unix.SYS_LINKAT: {"link", 2, 3},
		unix.SYS_RENAMEAT: {"rename", 2, 3}, unix.SYS_RENAMEAT2: {"rename", 2, 3},
		unix.SYS_FCHMODAT: {"attributes", 0, 1}, unix.SYS_FCHOWNAT: {"attributes", 0, 1},
		unix.SYS_FCHMOD: {"attributes", 0, none}, unix.SYS_FCHOWN: {"attributes", 0, none},
		unix.SYS_WRITE: {"write", 0, none}, unix.SYS_PWRITE64: {"write", 0, none}, unix.SYS_WRITEV: {"write", 0, none},
		unix.SYS_PWRITEV: {"write", 0, none}, unix.SYS_FTRUNCATE: {"write", 0, none},
		unix.SYS_FSYNC: {"sync", 0, none}, unix.SYS_FDATASYNC: {"sync", 0, none},
		unix.SYS_EXECVE: {"exec", none, 0},
	}
	maps.Copy(all, olderShapes())
	return all
}

// deedOf says what a system call is about to change below the world's directory; nil is nothing.
func (w *watcher) deedOf(thread int, info callInfo) (*deed, error) {
	s, known := w.shapes[info.number]
	if !known || s.call == "create" && info.args[2]&unix.O_CREAT == 0 {
		return nil, nil
	}
	path, err := s.read(thread, info)
	if err != nil || !filepath.IsAbs(path) {
		return nil, err // a socket, a pipe
	}
	if s.call == "create" && standing(path) || s.call == "remove" && !standing(path) {
		return nil, nil
	}
	return w.names.deed(s.call, path)
}

// read is the path that a system call is about.
func (s shape) read(thread int, info callInfo) (string, error) {
	if s.path == none {
		return descriptor(thread, int32(info.args[s.directory])), nil
	}
	name, err := readText(thread, uintptr(info.args[s.path]))
	if err != nil || filepath.IsAbs(name) {
		return name, err
	}
	directory := int32(unix.AT_FDCWD)
	if s.directory != none {
		directory = int32(info.args[s.directory])
	}
	return filepath.Join(descriptor(thread, directory), name), nil
}

func descriptor(thread int, fd int32) string {
	if fd == unix.AT_FDCWD {
		to, _ := os.Readlink(fmt.Sprintf("/proc/%d/cwd", thread))
		return to
	}
	to, _ := os.Readlink(fmt.Sprintf("/proc/%d/fd/%d", thread, fd)) // what is closed or no file has no path that counts
	return strings.TrimSuffix(to, " (deleted)")
}

func standing(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// readText reads a string of another process, which ends with a zero byte.
func readText(thread int, address uintptr) (string, error) {
	var text []byte
	for len(text) < 4096 {
		// Not across the end of a page: the next one may not be there.
		chunk := make([]byte, 256-address%256)
		local := unix.Iovec{Base: &chunk[0], Len: uint64(len(chunk))}
		n, err := unix.ProcessVMReadv(thread, []unix.Iovec{local}, []unix.RemoteIovec{{Base: address, Len: len(chunk)}}, 0)
		if err == unix.ESRCH {
			return "", nil // killed meanwhile
		}
		if err != nil {
			return "", fmt.Errorf("reading the program's memory: %w", err)
		}
		if i := bytes.IndexByte(chunk[:n], 0); i >= 0 {
			return string(append(text, chunk[:i]...)), nil
		}
		text, address = append(text, chunk[:n]...), address+uintptr(n)
	}
	return string(text), nil
}

// watched runs orderly under a watcher, and returns how it ended and what it did.
func (h *host) watched(k *kill, args ...string) (result, []deed) {
	h.t.Helper()
	order := watch{World: h.dir, Diary: filepath.Join(h.t.TempDir(), "diary"), Kill: k}
	text, err := json.Marshal(order)
	if err != nil {
		h.t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		h.t.Fatal(err)
	}
	watching := *h
	watching.env = append(append([]string{}, h.env...), watchVariable+"="+string(text))
	r := watching.spawn(self, append(append([]string{program}, args...), h.dirs()...)...).wait()
	return r, deeds(h.t, order.Diary)
}

func deeds(t *testing.T, diary string) []deed {
	t.Helper()
	text, err := os.ReadFile(diary)
	if err != nil {
		t.Fatal(err)
	}
	var all []deed
	for line := range bytes.Lines(text) {
		var d deed
		if err := json.Unmarshal(line, &d); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		all = append(all, d)
	}
	return all
}
