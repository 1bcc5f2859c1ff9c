package main

import (
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
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

// garbage is how much of it there may be beside what is used, in percent, while that is little. Most
// runs use some megabytes and are over in seconds; with Go's own 100 they spend a tenth of their time
// on collecting, for memory that nobody misses.
const (
	garbage  = 200
	usual    = 100
	littleMB = 8
)

// collectLater says so to Go, unless a person did, until more than a little is used: a host with
// thousands of certificates would miss the memory.
func collectLater() {
	if os.Getenv("GOGC") != "" {
		return
	}
	debug.SetGCPercent(garbage)
	afterCollection()
}

// afterCollection looks, after each collection, at how much it has left.
func afterCollection() {
	type passing struct{ _ *byte } // with a pointer, since what has none may be kept with others
	runtime.AddCleanup(new(passing), func(int) {
		live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
		metrics.Read(live)
		if live[0].Value.Uint64() > littleMB<<20 {
			debug.SetGCPercent(usual)
			return
		}
		afterCollection()
	}, 0)
}
