package doctor

import "time"

// ProcessOf is since when a process runs, and as what.
func ProcessOf(root string, pid int) (since time.Time, name string) {
	e := &Exam{Host: Host{Root: root}}
	return e.startOf(pid), e.nameOf(pid)
}
