package source

// Archives. The members of a tar are read log by log, the oldest file of each first, in whatever
// order they lie in it. One that lies somewhere as it is, is read where it lies. A packed one can
// only be read from its beginning: its members are kept in a file without a name until all that
// belongs to their logs is there. That file is bounded, and nobody's disk is filled for it.

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"

	"orderly/outside"
)

// isTar says whether an archive begins here: a header names its kind, or, from before it did, has a
// sum of its own bytes.
func isTar(head []byte) bool {
	const block, sumAt, sumLen = 512, 148, 8
	if len(head) > 262 && string(head[257:262]) == "ustar" {
		return true
	}
	if len(head) < block || head[0] == 0 {
		return false
	}
	sum := int64(0)
	for i, c := range head[:block] {
		if i >= sumAt && i < sumAt+sumLen {
			c = ' '
		}
		sum += int64(c)
	}
	var said int64
	_, err := fmt.Sscanf(string(bytes.Trim(head[sumAt:sumAt+sumLen], " \x00")), "%o", &said)
	return err == nil && said == sum
}

// tar hands on the members of an archive, series by series.
func (o *opener) tar(r io.Reader, deep int) error {
	if o.at != nil {
		return o.tarInPlace(deep)
	}
	return o.tarPacked(r, deep)
}

func (o *opener) tarInPlace(deep int) error {
	in := io.NewSectionReader(o.at, 0, o.size)
	archive := tar.NewReader(in)
	var files []File
	for {
		if err := o.ctx.Err(); err != nil {
			return Fatal{err}
		}
		h, err := archive.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			_ = o.failed(err)
			break
		}
		name, wanted := o.member(h)
		at, err := in.Seek(0, io.SeekCurrent)
		if err != nil {
			return o.failed(err)
		}
		if wanted {
			files = append(files, File{Name: name, Size: h.Size, archive: o.at, offset: at,
				spooled: !o.onDisk})
		}
	}
	return o.members(files, deep)
}

// members reads what an archive holds.
func (o *opener) members(files []File, deep int) error {
	for _, series := range inSeries(files) {
		o.next()
		for _, file := range series.Files {
			if err := o.read(o.ctx, file, deep+1, o.text, o.next); err != nil {
				return err
			}
		}
	}
	return nil
}

func (o *opener) tarPacked(r io.Reader, deep int) error {
	archive := tar.NewReader(r)
	s := newSpool()
	defer s.close()
	for {
		h, err := archive.Next()
		if err != nil {
			last := o.flush(s, deep)
			if last == nil && !errors.Is(err, io.EOF) {
				last = o.failed(err)
			}
			return last
		}
		name, wanted := o.member(h)
		if !wanted || h.Size == 0 {
			continue // certbot leaves empty files at each start
		}
		if err := o.spooled(s, name, h.Size, archive, deep); err != nil {
			if _, fatal := errors.AsType[Fatal](err); fatal {
				return err
			} // the archive says the same again
		}
	}
}

// spooled keeps a member, or reads it at once, after what came before it, where there is no room.
func (o *opener) spooled(s *spool, name string, size int64, r io.Reader, deep int) error {
	if s.full(name, size) {
		if err := o.flush(s, deep); err != nil {
			return err
		}
	}
	rest, err := s.add(name, size, r)
	if err != nil || rest == nil {
		return err
	}
	if err := o.flush(s, deep); err != nil {
		return err
	}
	s.apart(o, name)
	o.next()
	inner := &opener{Kit: o.Kit, ctx: o.ctx, name: name, text: o.text, next: o.next}
	return inner.unwrap(o.buffered(rest, deep+1), deep+1)
}

// flush reads what was spooled.
func (o *opener) flush(s *spool, deep int) error {
	for _, file := range s.members {
		s.apart(o, file.Name)
	}
	err := o.members(s.members, deep)
	s.members, s.end = nil, 0
	s.part++
	return err
}

// member is the name of a member of an archive, and whether it is read. Nothing is ever written
// where a name points, so that one that leads outside does no harm; it is said all the same.
func (o *opener) member(h *tar.Header) (string, bool) {
	name := o.name + ":" + path.Clean("/" + h.Name)[1:]
	say := func(sentence string, unread bool) {
		o.Say(Trouble{outside.Clean(name), sentence, unread})
	}
	switch h.Typeflag {
	case tar.TypeReg:
	case tar.TypeDir, tar.TypeXGlobalHeader, tar.TypeXHeader:
		return "", false
	case tar.TypeLink:
		say("is another name of "+outside.Clean(h.Linkname)+" in its archive, and not read again", false)
		return "", false
	case tar.TypeGNUSparse:
		say("has holes in its archive, and is not read: unpack the archive first", true)
		return "", false
	default:
		say("is no regular file in its archive, and not read", true)
		return "", false
	}
	for key := range h.PAXRecords {
		if strings.HasPrefix(key, "GNU.sparse.") {
			say("has holes in its archive, and is not read: unpack the archive first", true)
			return "", false
		}
	}
	if strings.HasPrefix(h.Name, "/") || strings.HasPrefix(path.Clean(h.Name), "..") {
		say(fmt.Sprintf("is called %s in its archive, which leads outside; it is read, and written "+
			"nowhere", outside.Clean(h.Name)), false)
	}
	return name, true
}
