//go:build linux && !amd64

package e2e_test

// olderShapes: on these architectures every system call that changes a directory takes its descriptor.
func olderShapes() map[uint64]shape { return nil }
