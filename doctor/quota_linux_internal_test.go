package doctor

import (
	"bytes"
	"encoding/binary"
	"os"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// What the kernel says is read as linux/quota.h has it: limits of space in KiB, use in bytes.
func TestAQuotaIsReadAsTheKernelWritesIt(t *testing.T) {
	var text bytes.Buffer // struct if_dqblk, in its order
	for _, word := range []uint64{2048, 1024, 1 << 20, 30, 20, 10, 1_800_000_000, 0, 63} {
		if err := binary.Write(&text, binary.NativeEndian, word); err != nil {
			t.Fatal(err)
		}
	}
	var raw rawQuota
	if size := int(unsafe.Sizeof(raw)); size != text.Len() {
		t.Fatalf("%d bytes, not %d", size, text.Len())
	}
	copy(unsafe.Slice((*byte)(unsafe.Pointer(&raw)), text.Len()), text.Bytes())
	want := Quota{Bytes: Allowance{1 << 20, 1 << 20, 2 << 20, time.Unix(1_800_000_000, 0)}, Files: Allowance{Used: 10, Soft: 20, Hard: 30}}
	if got := raw.quota(); got != want {
		t.Errorf("%+v", got)
	}
}

// The kernel is asked about a device: where that is none, or keeps no quotas, it says so.
func TestTheKernelIsAskedForAQuota(t *testing.T) {
	for device, want := range map[string]error{"/dev/null": unix.ENOTBLK, t.TempDir() + "/none": unix.ENOENT, "": unix.ENOENT} {
		if _, err := UserQuota(device, uint32(os.Geteuid())); err != want {
			t.Errorf("%q: %v, not %v", device, err, want)
		}
	}
}
