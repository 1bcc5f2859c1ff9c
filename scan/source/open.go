package source

// Taking the wrappings off: what a file is, is told by its first bytes and never by its name.

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/transform"

	"orderly/outside"
)

const (
	maxWrappings = 5
	// A log of certbot's is a tenth of itself in gzip, a fiftieth where nothing but the same was
	// logged. What grows more, and to more than this, was made to.
	bombRatio, bombSize = 300, 64 << 20
	// zstd with a longer window than this needs its whole size in memory.
	maxZstdWindow = 16 << 20
	// A log that is written faster than it is read has no end: so much beyond its size is read.
	maxGrowth = 64 << 20
	peek      = 4096
)

// Text is a log, opened.
type Text struct {
	Name string
	io.Reader
}

// errBomb ends the reading of what grows out of all proportion.
var errBomb = errors.New("it grows out of all proportion when unpacked: the rest is left unread")

// Read opens one file and hands on the texts in it: one, or those of an archive, series by series.
// next is told before the first file of each further series. The error is ErrMoved, ctx's, or what
// text wrapped as Fatal; everything else is said.
func (k *Kit) Read(ctx context.Context, f File, text func(Text) error, next func()) error {
	return k.read(ctx, f, 0, text, next)
}

func (k *Kit) read(ctx context.Context, f File, deep int, text func(Text) error, next func()) error {
	r, done, err := f.open()
	if errors.Is(err, ErrMoved) {
		return err
	}
	if err != nil {
		k.Say(Trouble{outside.Clean(f.Name), reasonOf(err), true})
		return nil
	}
	defer done()
	o := &opener{Kit: k, ctx: ctx, name: f.Name, at: r, size: f.Size + maxGrowth, onDisk: f.onDisk(),
		text: text, next: next}
	in := &counted{Reader: io.NewSectionReader(r, 0, o.size), ctx: ctx}
	if o.onDisk {
		in.count = k.Count
	}
	err = o.unwrap(k.buffered(in, deep), deep)
	switch {
	case err != nil || f.archive != nil:
	case in.ended && in.n < f.Size:
		_ = o.trouble("became shorter while it was read: what it held before may be missing")
	case in.n >= o.size:
		_ = o.trouble("grows faster than it is read: the rest is left unread")
	}
	return err
}

// Kit is what one goroutine opens files with; what unpacking takes is used again and again.
type Kit struct {
	Say     func(Trouble)
	Count   func(int64) // bytes read on disk
	buffers [maxWrappings + 3]*bufio.Reader
	gzips   [maxWrappings + 3]*gzip.Reader
}

// buffered is the buffer of one depth of wrappings, before r.
func (k *Kit) buffered(r io.Reader, deep int) *bufio.Reader {
	if k.buffers[deep] == nil {
		k.buffers[deep] = bufio.NewReaderSize(r, 64<<10)
	}
	k.buffers[deep].Reset(r)
	return k.buffers[deep]
}

type opener struct {
	*Kit
	ctx    context.Context // of one call of Read
	name   string
	at     io.ReaderAt // what is read, where it lies somewhere as it is
	size   int64       // of at
	onDisk bool        // at is a file, or a part of one
	text   func(Text) error
	next   func()
}

// Fatal wraps what the reader of a text said, which ends everything.
type Fatal struct{ Err error }

func (f Fatal) Error() string { return f.Err.Error() }

// Unwrap is the reader's own error.
func (f Fatal) Unwrap() error { return f.Err }

func (o *opener) trouble(sentence string) error {
	o.Say(Trouble{outside.Clean(o.name), sentence, true})
	return nil
}

// failed says what ended the reading of a text.
func (o *opener) failed(err error) error {
	if _, fatal := errors.AsType[Fatal](err); err == nil || fatal {
		return err
	}
	if errors.Is(err, errBomb) {
		return o.trouble(errBomb.Error())
	}
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return o.trouble("ends in the middle: what stands before is read")
	}
	return o.trouble("is damaged: what stands before is read (" + outside.Clean(err.Error()) + ")")
}

func (o *opener) unwrap(r *bufio.Reader, deep int) error {
	head := beginning(r)
	switch {
	case len(head) == 0:
		return nil // certbot leaves empty files at each start
	case deep > maxWrappings:
		return o.trouble("is wrapped too often: it is left unread")
	case bytes.HasPrefix(head, []byte{0x1f, 0x8b}):
		return o.gzip(r, deep)
	case bytes.HasPrefix(head, []byte{0x28, 0xb5, 0x2f, 0xfd}), isSkippable(head):
		return o.zstd(r, deep)
	case isTar(head):
		return o.tar(r, deep)
	}
	for magic, tool := range map[string]string{"\xfd7zXZ\x00": "unxz", "BZh": "bunzip2",
		"PK\x03\x04": "unzip", "\x04\"M\x18": "unlz4", "\x1f\x9d": "uncompress", "LZIP": "lunzip",
		"7z\xbc\xaf\x27\x1c": "7z x"} {
		if bytes.HasPrefix(head, []byte(magic)) {
			return o.trouble("is packed in a way that is not read here: unpack it first, with `" + tool + "`")
		}
	}
	switch {
	case bytes.HasPrefix(head, []byte{0xff, 0xfe}), bytes.HasPrefix(head, []byte{0xfe, 0xff}):
		o.Say(Trouble{outside.Clean(o.name), "is UTF-16, and read as such", false})
		decoder := unicode.UTF16(unicode.LittleEndian, unicode.UseBOM).NewDecoder()
		return o.failed(o.text(Text{o.name, transform.NewReader(r, decoder)}))
	case bytes.IndexByte(bytes.TrimRight(head, "\x00"), 0) >= 0 || head[0] == 0:
		return o.trouble("is binary, and no log")
	}
	return o.failed(o.text(Text{o.name, r}))
}

func (o *opener) gzip(r *bufio.Reader, deep int) error {
	in := &tally{Reader: r}
	z := o.gzips[deep]
	if z == nil {
		z = new(gzip.Reader)
		o.gzips[deep] = z
	}
	if err := z.Reset(in); err != nil {
		return o.failed(err)
	}
	z.Multistream(false)
	return o.unpacked(&gunzip{z, in}, in, deep)
}

func (o *opener) zstd(r *bufio.Reader, deep int) error {
	in := &tally{Reader: r}
	z, err := zstd.NewReader(in, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
		zstd.WithDecoderMaxWindow(maxZstdWindow))
	if err != nil {
		return o.failed(err)
	}
	defer z.Close()
	err = o.unpacked(z, in, deep)
	if errors.Is(err, zstd.ErrWindowSizeExceeded) {
		return o.trouble("needs too much memory to unpack: unpack it with `zstd -d --long=31` first")
	}
	return err
}

// unpacked goes on with what was unpacked, as long as it grows as logs do. Damage that shows at its
// very beginning is an error of the reader, which peeked.
func (o *opener) unpacked(z io.Reader, in *tally, deep int) error {
	out := &bounded{Reader: z, in: in}
	b := o.buffered(out, deep+1)
	if _, err := b.Peek(1); err != nil && !errors.Is(err, io.EOF) {
		if errors.Is(err, zstd.ErrWindowSizeExceeded) {
			return err
		}
		return o.failed(err)
	}
	at := o.at
	o.at = nil
	defer func() { o.at = at }()
	return o.unwrap(b, deep+1)
}

// isSkippable says whether what begins here is a frame of zstd's that holds nothing.
func isSkippable(head []byte) bool {
	return len(head) > 4 && head[0]&0xf0 == 0x50 && bytes.HasPrefix(head[1:], []byte{0x2a, 0x4d, 0x18})
}

// counted counts what is read, until it is told to end.
type counted struct {
	io.Reader
	ctx   context.Context
	count func(int64)
	n     int64
	ended bool
}

func (c *counted) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, Fatal{err}
	}
	n, err := c.Reader.Read(p)
	c.n += int64(n)
	c.ended = c.ended || errors.Is(err, io.EOF)
	if c.count != nil {
		c.count(int64(n))
	}
	return n, err
}

// tally counts what an unpacker takes, which it does byte by byte as well.
type tally struct {
	*bufio.Reader
	n int64
}

func (t *tally) Read(p []byte) (int, error) {
	n, err := t.Reader.Read(p)
	t.n += int64(n)
	return n, err
}

func (t *tally) ReadByte() (byte, error) {
	b, err := t.Reader.ReadByte()
	if err == nil {
		t.n++
	}
	return b, err
}

// bounded ends what grows out of all proportion.
type bounded struct {
	io.Reader
	in *tally
	n  int64
}

func (b *bounded) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	b.n += int64(n)
	if b.n > bombSize && b.n > b.in.n*bombRatio {
		return n, errBomb
	}
	return n, err
}
