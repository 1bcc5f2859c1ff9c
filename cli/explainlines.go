package cli

// explain --lines: millions of texts, one a line, on all cores and in order. A reader that waits for
// the answer to each line gets it; one that sends many is not answered one by one.

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"

	"orderly/diagnose"
	"orderly/failure"
	"orderly/parts"
)

// The sizes of what is worked on at once.
const (
	mostLines   = 1024     // texts in a batch
	longestLine = 64 << 10 // of a text, in bytes: what goes on is dropped
)

// explainLines explains each line of in.
func explainLines(ctx context.Context, in io.Reader, p *printer, here diagnose.Here) error {
	if in == nil {
		return nil
	}
	r := bufio.NewReaderSize(in, 1<<20)
	for number := 1; ; {
		batch, err := someLines(r)
		if len(batch) > 0 {
			out := explainBatch(p, batch, number, here)
			if !p.quiet || p.json {
				if _, failed := (escaper{p.out}).Write(out); failed != nil {
					return nil // said at the end, or the reader wanted no more
				}
			}
			number += len(batch)
		}
		switch {
		case ctx.Err() != nil:
			return failure.Wrap(context.Cause(ctx), failure.Stopped, "Run the same command again.",
				"stopped after %d texts", number-1)
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return failure.Wrap(err, failure.Config, "Give the texts once more from a file.",
				"standard input cannot be read behind %d texts", number-1)
		}
	}
}

// someLines reads the lines that are there, at least one.
func someLines(r *bufio.Reader) (batch []string, err error) {
	for len(batch) < mostLines {
		line, err := oneLine(r)
		if err == nil || line != "" {
			batch = append(batch, line)
		}
		if err != nil {
			return batch, err
		}
		if ahead, _ := r.Peek(r.Buffered()); bytes.IndexByte(ahead, '\n') < 0 {
			return batch, nil // whoever writes may wait for the answer
		}
	}
	return batch, nil
}

// oneLine reads a line. Of a longer one than anybody looks at, the rest is dropped.
func oneLine(r *bufio.Reader) (string, error) {
	var kept []byte
	for {
		piece, err := r.ReadSlice('\n')
		if room := longestLine - len(kept); room > 0 {
			kept = append(kept, piece[:min(room, len(piece))]...)
		}
		if err == nil || !errors.Is(err, bufio.ErrBufferFull) {
			return strings.TrimRight(string(kept), "\r\n"), err
		}
	}
}

// lineEscapes are what stands for a line break, a tab and a backslash in a line.
var lineEscapes = strings.NewReplacer(`\\`, `\`, `\n`, "\n", `\t`, "\t")

// explainBatch explains texts on all cores. What it returns is in their order.
func explainBatch(p *printer, batch []string, first int, here diagnose.Here) []byte {
	workers := min(runtime.GOMAXPROCS(0), (len(batch)+63)/64)
	outs := make([]bytes.Buffer, workers)
	var wait parts.Group
	for w := range workers {
		from, to := len(batch)*w/workers, len(batch)*(w+1)/workers
		wait.Go(func() {
			views := newFindings(p)
			for i := from; i < to; i++ {
				views.line(&outs[w], first+i, diagnose.Text(lineEscapes.Replace(batch[i]), here))
			}
		})
	}
	wait.Wait()
	var all []byte
	for w := range outs {
		all = append(all, outs[w].Bytes()...)
	}
	return all
}

// findings makes views of findings. Remedies repeat, and are put into words once.
type findings struct {
	p    *printer
	said map[failure.Remedy]string
}

func newFindings(p *printer) *findings {
	return &findings{p: p, said: map[failure.Remedy]string{}}
}

// views are findings as programs read them.
func (f *findings) views(found []diagnose.Finding) []findingView {
	views := make([]findingView, 0, len(found))
	for _, one := range found {
		remedy, there := f.said[one.Remedy]
		if !there {
			remedy = f.p.remedy(one.Remedy)
			f.said[one.Remedy] = remedy
		}
		views = append(views, findingView{Name: one.Name, Class: one.Class, Who: one.Class.Who(),
			Retry: one.Class.Retry(), Charged: one.Charged, Limit: one.Limit, Until: known(one.Until),
			Sentence: one.Sentence, Customer: one.Customer, Remedy: remedy})
	}
	return views
}

// line writes what is said of one text, in one line.
func (f *findings) line(out *bytes.Buffer, number int, found []diagnose.Finding) {
	if f.p.json {
		e := json.NewEncoder(out)
		e.SetEscapeHTML(false)
		_ = e.Encode(struct { // into memory
			Version  int           `json:"version"`
			Line     int           `json:"line"`
			Findings []findingView `json:"findings"`
		}{1, number, f.views(found)})
		return
	}
	for _, one := range found {
		fmt.Fprintf(out, "%d: %s: %s\n", number, strings.TrimSpace(one.Name+" "+string(one.Class)),
			one.Sentence)
	}
}
