package certbot

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

// Whatever size a file was seen with, all that stands in it is read: another process may have
// replaced it since.
func TestAFileIsReadWholeWhateverSizeItHad(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	for _, size := range []int{0, 1, 700, usualSize - 1, usualSize, usualSize + 1, 5 * usualSize} {
		want := bytes.Repeat([]byte("x"), size)
		if err := os.WriteFile(path, want, 0o640); err != nil {
			t.Fatal(err)
		}
		for _, seen := range []int{0, 1, size / 2, usualSize, 2 * usualSize, size, size + 1} {
			if got, err := readSized(path, int64(seen)); err != nil || !bytes.Equal(got, want) {
				t.Errorf("%d bytes, seen with %d: %d bytes, %v", size, seen, len(got), err)
			}
		}
		got, mode, err := readWithMode(make([]byte, usualSize), path)
		if err != nil || mode != 0o640 || !bytes.Equal(got, want) {
			t.Errorf("%d bytes: %d, mode %v, %v", size, len(got), mode, err)
		}
	}
}
