package cli

// What a command that may order needs open, in the order in which it must be: certbot is kept away
// before the ledger is read.

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"

	"orderly/acme"
	"orderly/certbot"
	"orderly/host"
	"orderly/renewal"
	"orderly/solver/webroot"
)

// work opens everything for a command that may order something: certbot's directories and locks,
// the log, the ledger.
func (f *places) work(ctx context.Context, env Env, p *printer, w *working) (*session, error) {
	settings, err := w.settings(env.Getenv)
	if err != nil {
		return nil, err
	}
	s, err := f.begin(env, p)
	if err != nil {
		return nil, err
	}
	s.alone, s.beside = w.alone, w.beside
	if err := s.prepare(ctx, f, settings); err != nil {
		return nil, errors.Join(err, s.close())
	}
	return s, nil
}

func (s *session) prepare(ctx context.Context, f *places, settings renewal.Settings) error {
	if err := s.dirs.Prepare(); err != nil {
		return err
	}
	s.openLog(f)
	if !s.beside {
		if err := s.lockOutCertbot(ctx); err != nil {
			return err
		}
	}
	if err := s.openLedger(ctx, false); err != nil {
		return err
	}
	return s.openServer(ctx, settings)
}

// openServer puts the server together; the ledger and the log are open.
func (s *session) openServer(ctx context.Context, settings renewal.Settings) error {
	client, err := acme.HTTPClient(s.env.Getenv)
	if err != nil {
		return err
	}
	profiles, err := s.profiles()
	if err != nil {
		return err
	}
	writer := &webroot.Writer{Tell: s.p.Tell}
	s.onClose(func() error {
		writer.Close()
		return nil
	})
	s.server = renewal.New(ctx, renewal.Parts{
		Writer:   writer,
		Profiles: profiles,
		Disk:     &certbot.Store{Dirs: s.dirs}, Ledger: s.ledger, Locks: s.locks, HTTP: client,
		Agent: userAgent(),
		Clock: host.Clock{}, Log: s.p.logger, Report: reporter{p: s.p}, Settings: settings,
		KeyDir: filepath.Join(s.ledgerDir(), "keys"), Resuming: s.p.roundBar("Resuming"),
	})
	return nil
}

func userAgent() string {
	return fmt.Sprintf("orderly/%s (%s; %s)", Version(), runtime.GOOS, runtime.GOARCH)
}
