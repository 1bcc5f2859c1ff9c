package main

import (
	"fmt"
	"os"
	"runtime/debug"
	"syscall"
)

// fewestFiles is how many open files a run needs at the least: Go's runtime alone takes a handful,
// and ends the process with a stack trace where it gets none.
const fewestFiles = 64

// enoughFiles ends the process with a sentence where too few files may be open. It must come before
// anything that waits: timers and pipes start the runtime's poller, which needs files itself.
func enoughFiles() {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil || uint64(limit.Cur) >= fewestFiles {
		return
	}
	text := fmt.Sprintf("error: this process may open %d files, and needs %d\nremedy: Raise the limit: ulimit -n 1024, or LimitNOFILE= in the systemd unit.\n",
		limit.Cur, fewestFiles)
	_, _ = syscall.Write(2, []byte(text)) // os.Stderr would ask the poller
	os.Exit(1)
}

// garbage is how much of it there may be beside what is used, in percent. A run uses some megabytes
// and is over in seconds; with Go's own 100 it spends a tenth of its time on collecting, for memory
// that nobody misses.
const garbage = 200

// collectLater says so to Go, unless a person did.
func collectLater() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(garbage)
	}
}
