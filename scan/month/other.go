package month

// Logs of other shapes than a month: one without an end, and very many small ones. What is open at
// their end is not counted.

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// Huge writes runs into one plain log until it has so many bytes.
func Huge(path string, samples []Sample, size int64) (Made, error) {
	return oneLog(path, size, func(out *bytes.Buffer, n int64) {
		// As many runs of a day as a thousand servers have.
		day := End().AddDate(0, 0, -int(n/1000%Days))
		samples[n%int64(len(samples))].Write(out, n, day)
	})
}

// Repeat writes one text again and again into one plain log.
func Repeat(path, sample string, size int64) (Made, error) {
	text, err := read(sample)
	if err != nil {
		return Made{}, err
	}
	return oneLog(path, size, func(out *bytes.Buffer, _ int64) { out.Write(text) })
}

func oneLog(path string, size int64, run func(out *bytes.Buffer, n int64)) (Made, error) {
	made := Made{Servers: 1, Files: 1, Open: -1}
	f, err := os.Create(path)
	if err != nil {
		return made, err
	}
	out := bufio.NewWriterSize(f, 1<<20)
	var text bytes.Buffer
	for n := int64(0); made.Plain < size && err == nil; n++ {
		text.Reset()
		run(&text, n)
		made.Plain += int64(text.Len())
		_, err = out.Write(text.Bytes())
	}
	made.Packed = made.Plain
	return made, errors.Join(err, out.Flush(), f.Close())
}

// smallLen is how much of a run a small log has.
const smallLen = 4 << 10

// Small writes so many logs of a few kilobytes, each of another server.
func Small(dir string, samples []Sample, n int) (Made, error) {
	made := Made{Servers: n, Files: n, Open: -1}
	var text bytes.Buffer
	for server := range n {
		text.Reset()
		samples[server%len(samples)].Write(&text, int64(server), End())
		b := text.Bytes()[:min(smallLen, text.Len())]
		at := filepath.Join(dir, fmt.Sprintf("web%06d", server))
		if err := os.Mkdir(at, 0o700); err != nil {
			return made, err
		}
		if err := os.WriteFile(filepath.Join(at, "letsencrypt.log"), b, 0o600); err != nil {
			return made, err
		}
		made.Plain += int64(len(b))
	}
	made.Packed = made.Plain
	return made, nil
}
