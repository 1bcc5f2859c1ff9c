package doctor

import "golang.org/x/sys/unix"

// Unsynchronised reports whether the kernel says that nothing keeps its clock right (adjtimex(2)).
func Unsynchronised() bool {
	var t unix.Timex
	_, err := unix.Adjtimex(&t) // modes 0: it is asked, and nothing is set
	return err == nil && t.Status&unix.STA_UNSYNC != 0
}
