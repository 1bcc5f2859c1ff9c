//go:build !linux

package doctor

// Unsynchronised reports whether the kernel says that nothing keeps its clock right; this one is not
// asked.
func Unsynchronised() bool { return false }
