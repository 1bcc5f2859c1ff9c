package webserver

import (
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"

	"orderly/parts"
)

// The servers of this host: those that run, by what runs; where none does, those that are installed.

// Look asks the web servers of this host for their configuration. It takes as long as they do, ten
// seconds at most for each of their programs.
func Look(ctx context.Context) *Survey { return lookIn(ctx, "/proc") }

func lookIn(ctx context.Context, proc string) *Survey {
	s := &Survey{}
	var asked []Process
	for _, p := range running(proc) {
		if p.Foreign != "" {
			s.Elsewhere = append(s.Elsewhere, p)
		} else {
			asked = append(asked, p)
		}
	}
	idle := notRunning(asked)
	if len(asked) == 0 && len(s.Elsewhere) == 0 {
		asked, idle = idle, nil
	}
	s.Servers, s.Idle = make([]*Server, len(asked)), make([]*Server, len(idle))
	var all parts.Group
	for i, p := range asked {
		all.Go(func() {
			s.Servers[i] = read(ctx, p)
			s.Servers[i].Reload = reloading(proc, p)
		})
	}
	for i, p := range idle {
		all.Go(func() { s.Idle[i] = read(ctx, p) })
	}
	all.Wait()
	return s
}

// notRunning are the servers that could be started beside those that run.
func notRunning(running []Process) []Process {
	var all []Process
	runs := func(kind Kind) bool {
		return slices.ContainsFunc(running, func(p Process) bool { return p.Kind == kind })
	}
	if program, ok := installed("nginx", "openresty"); ok && !runs(Nginx) {
		all = append(all, Process{Kind: Nginx, Program: program})
	}
	if program, ok := installed("apache2", "httpd"); ok && !runs(Apache) {
		all = append(all, Process{Kind: Apache, Program: program, Environ: debianEnvironment(envvars)})
	}
	return all
}

func read(ctx context.Context, p Process) *Server {
	s := &Server{}
	switch p.Kind {
	case Nginx:
		s = readNginx(ctx, p)
	case Apache:
		s = readApache(ctx, p)
	}
	s.Kind, s.Program, s.PID, s.Test = p.Kind, p.Program, p.PID, configTest(p)
	return s
}

func readNginx(ctx context.Context, p Process) *Server {
	flags := picked(p.Args, "-c", "-p", "-g", "-e")
	_, built, _ := run(ctx, nil, p.Program, "-V")
	prefix, conf := valueOf(p.Args, "-p"), valueOf(p.Args, "-c")
	if prefix == "" {
		prefix = builtAs(built, "--prefix", "/usr/local/nginx")
	}
	if conf == "" {
		conf = builtAs(built, "--conf-path", "conf/nginx.conf")
	}
	stdout, stderr, err := run(ctx, nil, p.Program, append(flags, "-T")...)
	if err == nil {
		main, files, twice := dump(stdout)
		if twice { // one that is included has such a line in it: the files themselves are no forgery
			return nginxServer(onDisk(filepath.Dir(main)), main, prefix)
		}
		return nginxServer(dumped(main, files), main, prefix)
	}
	// what it would not start with is read all the same: what else is wrong is to be known, too
	conf = from(prefix, conf)
	s := nginxServer(onDisk(filepath.Dir(conf)), conf, prefix)
	if strings.Contains(stderr, `invalid option: "T"`) { // before 1.9.2
		if _, stderr, err = run(ctx, nil, p.Program, append(flags, "-t")...); err == nil {
			return s
		}
	}
	s.fails(err, brokenNginx(stderr, err, conf))
	return s
}

// fails notes that a server would not start, where it said so itself, and to somebody who may start
// it: who was not let wait for it, or may not read its keys, knows nothing.
func (s *Server) fails(err error, why *Note) {
	if _, said := errors.AsType[*exec.ExitError](err); said && os.Geteuid() == 0 {
		s.Broken = why
		return
	}
	s.Puzzles = append(s.Puzzles, *why)
}

// builtAs is what `nginx -V` says of how it was built.
func builtAs(text, flag, or string) string {
	for word := range strings.FieldsSeq(text) {
		if value, ok := strings.CutPrefix(word, flag+"="); ok {
			return value
		}
	}
	return or
}

// largestFile bounds one file of a configuration, in bytes.
const largestFile = 16 << 20

// onDisk are the files themselves.
func onDisk(prefix string) *nginxFiles {
	return &nginxFiles{prefix: prefix, parsed: map[string][]statement{}, read: readFile,
		glob: func(pattern string) []string {
			files, _ := filepath.Glob(pattern) // a pattern that is none fits nothing
			return files
		}}
}

// readFile is a plain file that a web server reads as root.
func readFile(name string) (string, bool) {
	// a pipe would be waited for, for ever, and a file may become one between a look and an open
	file, err := os.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK|syscall.O_NOCTTY, 0)
	if err != nil {
		return "", false
	}
	defer func() { _ = file.Close() }() // it was read
	info, err := file.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return "", false
	}
	text, err := io.ReadAll(io.LimitReader(file, largestFile+1)) // some have no size, and no end
	return string(text), err == nil && len(text) <= largestFile
}

var errNoWords = errors.New("it said nothing")

// emerg is the line in which nginx says why it does not start.
var emerg = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`\[emerg\] (?:\d+#\d+: )?(.*?)(?: in (/.*):(\d+))?$`)
})

// brokenNginx is why nginx would not start.
func brokenNginx(stderr string, err error, conf string) *Note {
	for line := range strings.Lines(stderr) {
		m := emerg().FindStringSubmatch(strings.TrimSpace(line))
		if m == nil {
			continue
		}
		n := &Note{Place: Place{File: conf}, Words: m[1]}
		if m[2] != "" {
			n.File = m[2]
			n.Line, _ = strconv.Atoi(m[3]) // digits
		}
		return n
	}
	return &Note{Place: Place{File: conf}, Words: firstWords(stderr, err)}
}

func firstWords(stderr string, err error) string {
	for line := range strings.Lines(stderr) {
		if line = strings.TrimSpace(line); line != "" {
			return line
		}
	}
	if err == nil {
		err = errNoWords
	}
	return err.Error()
}
