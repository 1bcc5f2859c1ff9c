package webserver

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// A panel's own build of nginx, or one with a configuration of its own, is found by what runs: the
// executable and the arguments of the first process, as /proc has them. Who may name a process is
// everybody; executed is only what root runs from a file that root alone can write.

// Process is a web server's first process.
type Process struct {
	PID     int
	Kind    Kind
	Program string   // its executable
	Args    []string // without the program's name
	Environ []string // what its configuration may refer to
	// Foreign says why it is not asked: it runs in a container, or not as root.
	Foreign string
}

// kindOf is the web server that an executable is.
func kindOf(program string) (Kind, bool) {
	switch filepath.Base(program) {
	case "nginx", "openresty", "angie", "tengine", "nginx-rc":
		return Nginx, true
	case "apache2", "httpd", "httpd.worker", "httpd.event", "apache2-mpm-itk":
		return Apache, true
	}
	return "", false
}

// running are the web servers that run, each by its first process. proc is /proc.
func running(proc string) []Process {
	entries, err := os.ReadDir(proc)
	if err != nil {
		return nil // FreeBSD has none
	}
	programs, parents := map[int]string{}, map[int]int{}
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		exe := program(filepath.Join(proc, e.Name()))
		if _, ok := kindOf(exe); ok {
			programs[pid], parents[pid] = exe, parentOf(proc, pid)
		}
	}
	var all []Process
	for pid, exe := range programs {
		if programs[parents[pid]] != exe { // a worker belongs to its master
			all = append(all, look(proc, pid, exe))
		}
	}
	slices.SortFunc(all, func(a, b Process) int { return a.PID - b.PID })
	return all
}

func parentOf(proc string, pid int) int {
	text, err := os.ReadFile(filepath.Join(proc, strconv.Itoa(pid), "stat"))
	if err != nil {
		return 0
	}
	// the name in brackets may hold anything
	fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
	if len(fields) < 2 {
		return 0
	}
	parent, _ := strconv.Atoi(fields[1]) // 0 is nobody's
	return parent
}

func look(proc string, pid int, exe string) Process {
	dir := filepath.Join(proc, strconv.Itoa(pid))
	p := Process{PID: pid, Program: exe}
	// before and after what it says of itself: a number may be given to another meanwhile
	before := runsAs(dir, os.Geteuid())
	p.Kind, _ = kindOf(exe)
	text, _ := os.ReadFile(filepath.Join(dir, "cmdline"))
	p.Args = argsOf(string(text))
	text, _ = os.ReadFile(filepath.Join(dir, "environ"))
	for entry := range strings.SplitSeq(string(text), "\x00") {
		if strings.HasPrefix(entry, "APACHE_") {
			p.Environ = append(p.Environ, entry)
		}
	}
	own, errOwn := os.Readlink(filepath.Join(proc, "self/ns/mnt"))
	its, errIts := os.Readlink(filepath.Join(dir, "ns/mnt"))
	switch {
	case errOwn != nil || errIts != nil:
		p.Foreign = "it cannot be looked at"
	case own != its:
		p.Foreign = "it sees other files, as in a container"
	case !before || !runsAs(dir, os.Geteuid()):
		p.Foreign = "it runs as another user"
	case program(dir) != exe:
		p.Foreign = "it became another program meanwhile"
	case !executable(exe):
		p.Foreign = "another user could have written its program"
	}
	return p
}

// program is the executable of a process; "" where that is not to be known.
func program(dir string) string {
	exe, _ := os.Readlink(filepath.Join(dir, "exe"))
	return strings.TrimSuffix(exe, " (deleted)") // replaced by an update
}

// runsAs reports whether all of a process's user ids are this one. The owner of its directory in
// /proc does not say so: that is root for every process that may not be dumped, and anybody can make
// his own one of those. What he started it with would be executed by root.
func runsAs(dir string, uid int) bool {
	text, err := os.ReadFile(filepath.Join(dir, "status"))
	if err != nil {
		return false
	}
	for line := range strings.Lines(string(text)) {
		ids, ok := strings.CutPrefix(line, "Uid:")
		if !ok {
			continue
		}
		all := strings.Fields(ids)
		return len(all) == 4 && !slices.ContainsFunc(all,
			func(id string) bool { return id != strconv.Itoa(uid) })
	}
	return false
}

// argsOf are the arguments in a command line; nginx writes its own over it.
func argsOf(cmdline string) []string {
	if _, title, ok := strings.Cut(strings.TrimRight(cmdline, "\x00 "), ": master process "); ok {
		words := strings.Fields(title)
		return words[min(1, len(words)):]
	}
	words := strings.Split(strings.TrimRight(cmdline, "\x00"), "\x00")
	return words[1:]
}

// executable reports whether a program is one that nobody but root and this user could have put
// where it is.
func executable(program string) bool {
	for path := program; ; path = filepath.Dir(path) {
		info, err := os.Lstat(path)
		if err != nil {
			return false
		}
		st, ok := info.Sys().(*syscall.Stat_t)
		if !ok || st.Uid != 0 && int64(st.Uid) != int64(os.Geteuid()) {
			return false
		}
		link := info.Mode()&os.ModeSymlink != 0
		if !link && (info.Mode().Perm()&0o002 != 0 && info.Mode()&os.ModeSticky == 0 ||
			info.Mode().Perm()&0o020 != 0 && st.Gid != 0) {
			return false
		}
		if path == filepath.Dir(path) {
			return true
		}
	}
}

// installed is a program of one of these names, where systems have them.
func installed(names ...string) (string, bool) {
	for _, dir := range []string{"/usr/sbin", "/usr/local/sbin", "/usr/bin", "/usr/local/bin",
		"/usr/local/nginx/sbin", "/usr/local/apache/bin", "/opt/nginx/sbin"} {
		for _, name := range names {
			program, err := filepath.EvalSymlinks(filepath.Join(dir, name))
			if err == nil && executable(program) {
				return filepath.Join(dir, name), true
			}
		}
	}
	return "", false
}

// picked are the arguments that say which configuration a server has, out of all it was started
// with: those in flags, each with its value.
func picked(args []string, flags ...string) []string {
	var kept []string
	for i := 0; i < len(args); i++ {
		arg := args[i]
		if len(arg) < 2 || !slices.Contains(flags, arg[:2]) {
			continue
		}
		kept = append(kept, arg)
		if len(arg) == 2 && i+1 < len(args) {
			i++
			kept = append(kept, args[i])
		}
	}
	return kept
}

// valueOf is what stands behind a flag among args.
func valueOf(args []string, flag string) string {
	for i, arg := range args {
		if arg == flag && i+1 < len(args) {
			return args[i+1]
		}
		if value, ok := strings.CutPrefix(arg, flag); ok && value != "" {
			return value
		}
	}
	return ""
}

// KindOf is the web server that a program is; none where it is another program.
func KindOf(program string) Kind {
	kind, _ := kindOf(program)
	return kind
}
