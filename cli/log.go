package cli

// The log has everything that a person was told, and every step. It is set aside by its size, since
// nobody rotates what they do not know of.

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"

	"orderly/failure"
	"orderly/host"
	"orderly/ownfile"
)

// logName is the file in --logs-dir that Orderly writes.
const logName = "orderly.log"

// saving says, as certbot does at once, where the log is.
func (p *printer) saving(path string) {
	p.logPath = path
	if p.certbot && !p.quiet && !p.json {
		fmt.Fprintf(p.err, "Saving debug log to %s\n", path)
	}
}

// logLimit is the size at which orderly.log is set aside as orderly.log.1.
const logLimit = 8 << 20

// logged puts the steps of what the log is to hold into words.
func (p *printer) logged(_ []string, a slog.Attr) slog.Attr {
	switch value := a.Value.Any().(type) {
	case string:
		a.Value = slog.StringValue(p.pasted(value))
	case failure.Remedy:
		a.Value = slog.StringValue(p.remedy(value))
	case error:
		a.Value = slog.StringValue(p.pasted(value.Error()))
	}
	return a
}

// openLog opens LOGS/orderly.log for everything, and stderr for --verbose.
func (s *session) openLog(verbose bool) error {
	path := filepath.Join(s.dirs.Logs, logName)
	if info, err := os.Stat(path); err == nil && info.Size() > logLimit {
		if err := ownfile.Rename(path, logName+".1"); err != nil {
			return failure.Wrap(err, failure.Config,
				"Make the directory writable, or name another with --logs-dir.",
				"the log cannot be set aside")
		}
	}
	file, err := ownfile.Open(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return failure.Wrap(err, failure.Config, remedyOr(err,
			"Make the directory writable, or name another with --logs-dir."),
			"the log cannot be opened")
	}
	s.onClose(file.Close)
	s.p.saving(path)
	s.p.verbose = verbose
	options := &slog.HandlerOptions{Level: slog.LevelDebug, ReplaceAttr: s.p.logged}
	var handler slog.Handler = slog.NewTextHandler(file, options)
	s.p.file = slog.New(handler).With("pid", s.env.PID)
	if verbose {
		handler = slog.NewMultiHandler(handler, slog.NewTextHandler(s.p.err, options))
	}
	s.p.logger = slog.New(about{handler}).With("pid", s.env.PID)
	return nil
}

// about adds which certificate a line is about, where the context says so: of many at once the lines
// stand mixed.
type about struct{ slog.Handler }

// Handle implements slog.Handler.
func (h about) Handle(ctx context.Context, r slog.Record) error {
	if lineage := host.LineageIn(ctx); lineage != "" {
		r = r.Clone()
		r.AddAttrs(slog.String("lineage", lineage))
	}
	return h.Handler.Handle(ctx, r)
}

// WithAttrs implements slog.Handler.
func (h about) WithAttrs(attrs []slog.Attr) slog.Handler { return about{h.Handler.WithAttrs(attrs)} }

// WithGroup implements slog.Handler.
func (h about) WithGroup(name string) slog.Handler { return about{h.Handler.WithGroup(name)} }
