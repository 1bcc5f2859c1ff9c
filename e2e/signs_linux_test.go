package e2e_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// vitals looks at a process and its children (proc(5)). One that has ended is not busy. A child that waits for a disk may wait
// for a file system that hangs, which its parent must not do.
func vitals(pid int) vital {
	var all vital
	threads, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*", pid))
	for _, thread := range threads {
		stat, err := os.ReadFile(filepath.Join(thread, "stat"))
		if err != nil {
			continue // it has ended meanwhile
		}
		// The name stands in brackets and may hold anything; behind it come the state and, eleven fields on, the time spent.
		fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
		if len(fields) > 12 {
			all.busy = all.busy || fields[0] == "R" || fields[0] == "D"
			all.runs = all.runs || fields[0] == "R"
			all.spent += fields[11] + "+" + fields[12] + " "
		}
		children, _ := os.ReadFile(filepath.Join(thread, "children"))
		for _, child := range strings.Fields(string(children)) {
			if number, err := strconv.Atoi(child); err == nil {
				below := vitals(number)
				all.busy, all.spent = all.busy || below.runs, all.spent+below.spent
				all.runs = all.runs || below.runs
			}
		}
	}
	return all
}
