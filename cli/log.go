package cli

// The log has everything that a person was told, and every step. It is set aside by its size, since
// nobody rotates what they do not know of. No run waits for it, and none fails for it.

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"orderly/failure"
	"orderly/host"
	"orderly/logfile"
	"orderly/order"
)

// logName is the file in --logs-dir that Orderly writes.
const logName = "orderly.log"

// saving says, as certbot does at once, where the log is.
func (p *printer) saving(path string) {
	p.logPath = path
	if p.certbot && !p.quiet && !p.json {
		fmt.Fprintf(p.as(priorityInfo), "Saving debug log to %s\n", path)
	}
}

// The log's bounds.
const (
	// logLimit is the size at which orderly.log is set aside as orderly.log.1.
	logLimit = 8 << 20
	// defaultBackups is how many of these are kept where nobody says: 88 MiB in all, a year of a
	// thousand certificates. certbot's 1000 would be 8 GiB.
	defaultBackups = 10
	// logPatience is how long a line is waited for: longer than a disk mostly takes, and short beside
	// the two seconds in which a run that is told to end has to.
	logPatience = 250 * time.Millisecond
	// logOpening and logClosing are how long the file is waited for before and after all work.
	logOpening, logClosing = time.Second, 5 * time.Second
	// slogTime is how package slog writes a moment.
	slogTime = "2006-01-02T15:04:05.000Z07:00"
)

// backupsFlag is --max-log-backups, as certbot reads it.
type backupsFlag int

// Set implements pflag.Value.
func (f *backupsFlag) Set(text string) error {
	n, err := strconv.Atoi(strings.TrimSpace(text))
	if n < 0 {
		return failure.New(failure.Usage, "Give the number of files, or 0 to let orderly.log grow.",
			"argument --max-log-backups: value must be non-negative")
	}
	*f = backupsFlag(n)
	if errors.Is(err, strconv.ErrRange) {
		return nil // more than anybody has
	}
	return err
}

// String implements pflag.Value.
func (f *backupsFlag) String() string { return strconv.Itoa(int(*f)) }

// Type implements pflag.Value.
func (*backupsFlag) Type() string { return "int" }

// logged puts the steps of what the log is to hold into words.
func (p *printer) logged(_ []string, a slog.Attr) slog.Attr {
	switch value := a.Value.Any().(type) {
	case string:
		a.Value = slog.StringValue(bounded(p.pasted(value)))
	case failure.Remedy:
		a.Value = slog.StringValue(bounded(p.remedy(value)))
	case error:
		a.Value = slog.StringValue(bounded(p.pasted(value.Error())))
	}
	return a
}

// mostOfAText is how many bytes of one text stand in a line: what a hook or a CA says may be long.
const mostOfAText = 16 << 10

// bounded is a text that is cut where it is too long for a line.
func bounded(text string) string {
	if len(text) <= mostOfAText {
		return text
	}
	kept := strings.ToValidUTF8(text[:mostOfAText], "")
	return fmt.Sprintf("%s … (%d bytes more)", kept, len(text)-len(kept))
}

// openLog opens LOGS/orderly.log for everything, and stderr for --verbose. A log that cannot be
// written is said, and no reason to lose an order or to leave a certificate to its end.
func (s *session) openLog(f *places) {
	s.p.verbose = f.verbose
	options := &slog.HandlerOptions{Level: slog.LevelDebug, ReplaceAttr: s.p.logged}
	var handlers []slog.Handler
	if file := s.logFile(f.backups); file != nil {
		handler := slog.NewTextHandler(file, options)
		handlers = append(handlers, handler)
		s.p.file = slog.New(handler).With("pid", s.env.PID)
	}
	if f.verbose {
		handlers = append(handlers, slog.NewTextHandler(s.p.as(priorityDebug), options))
	}
	s.p.logger = slog.New(about{slog.NewMultiHandler(handlers...)}).With("pid", s.env.PID)
}

// logFile opens the file; nil where there is none.
func (s *session) logFile(backups int) *logfile.File {
	path := filepath.Join(s.dirs.Logs, logName)
	none := func(err error) {
		s.p.Warn("the run goes on without a whole log: %s: %v. %s", path, err, remedyOr(err,
			"Make room, or make the directory writable, or name another one with "+
				failure.Do(failure.LogsDir)+"."))
	}
	file, err := logfile.Open(logfile.Options{Path: path, Prepare: s.dirs.PrepareLogs,
		Limit: logLimit, Keep: backups, Patience: logPatience, Opening: logOpening,
		Closing: logClosing, Ending: s.env.ending, Gap: missing})
	if err != nil {
		none(err)
		return nil
	}
	s.p.saving(path)
	s.onClose(func() error {
		slow := time.AfterFunc(time.Second, func() { s.p.Tell("Waiting for %s to be written.", path) })
		defer slow.Stop()
		if err := file.Close(s.env.ending); err != nil {
			none(err)
		}
		return nil
	})
	return file
}

// missing is the line that stands for lines that are missing.
func missing(lines int, why error) []byte {
	return fmt.Appendf(nil, "time=%s level=WARN msg=%q\n", time.Now().Format(slogTime),
		fmt.Sprintf("%d lines are missing here: %v", lines, why))
}

// about adds which certificate a line is about, and which order, where the context says so: of many
// at once the lines stand mixed. What failed is told by its class as well, for whoever counts.
type about struct{ slog.Handler }

// Handle implements slog.Handler.
func (h about) Handle(ctx context.Context, r slog.Record) error {
	var more []slog.Attr
	r.Attrs(func(a slog.Attr) bool {
		err, ok := a.Value.Any().(error)
		if known, isOurs := errors.AsType[*failure.Error](err); ok && isOurs {
			more = append(more, slog.Any("class", known.Class))
		}
		return len(more) == 0
	})
	if more = append(more, aboutOf(ctx)...); len(more) > 0 {
		r = r.Clone()
		r.AddAttrs(more...)
	}
	return h.Handler.Handle(ctx, r)
}

// aboutOf is what the context says of a line, the lineage last.
func aboutOf(ctx context.Context) (all []slog.Attr) {
	id, lineage := order.In(ctx)
	if id != 0 {
		all = append(all, slog.Int64("order", id))
	}
	if known := host.LineageIn(ctx); known != "" {
		lineage = known
	}
	if lineage != "" {
		all = append(all, slog.String("lineage", lineage))
	}
	return all
}

// WithAttrs implements slog.Handler.
func (h about) WithAttrs(attrs []slog.Attr) slog.Handler { return about{h.Handler.WithAttrs(attrs)} }

// WithGroup implements slog.Handler.
func (h about) WithGroup(name string) slog.Handler { return about{h.Handler.WithGroup(name)} }
