package certbot

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"orderly/failure"
)

// A certificate is put in place in steps of which each may be the last. After any of them servers
// find a matching pair, and the next run finds the rest.

// Installed says where a certificate is.
type Installed struct {
	Name       string
	Version    int    // N of archive/NAME/certN.pem
	Dir        string // live/NAME: a deploy hook's RENEWED_LINEAGE
	Renewal    *Renewal
	Notes      []string // what could not be done as before, and keeps nothing from working here
	Superseded bool     // a later certificate was put in place since, and stays
}

// Install puts a certificate and its key in place, as a new lineage or as the successor in one,
// with the settings for its renewal. Cut short at any instruction and called again with the same
// material, it ends in the same good state; called once more after that, it changes nothing.
// live/NAME holds a matching pair at every instant (where neither directories can be exchanged nor
// that can be avoided, as on FreeBSD, all but the instants between four renames, which certbot and
// Repair can undo). An existing archive or live directory without a renewal file is an error of
// class LineageTaken; with a blank one, what a killed certbot left there is taken over. Settings in
// the renewal file that cannot be used, and links that are broken, do not keep a certificate that
// is paid for from its place. Material that does not belong together of class Internal; a disk that
// cannot be written of class Config. The caller holds the lineage's lock.
func (s *Store) Install(name string, m Material, p Params) (Installed, error) {
	if err := checkName(name); err != nil {
		return Installed{}, err
	}
	if !filepath.IsAbs(s.Dirs.Config) {
		return Installed{}, failure.New(failure.Internal, "", "the configuration directory %q is no absolute path", s.Dirs.Config)
	}
	v, err := m.version()
	if err != nil {
		return Installed{}, failure.Wrap(err, failure.Internal, "", "the new certificate for %s is not put in place", name)
	}
	if p.KeyType == "" {
		p.KeyType = v.keyType()
	}
	var done Installed
	there, err := present(s.Dirs.Renewal(name))
	switch {
	case err != nil:
	case !there:
		done, err = s.installFirst(name, v, p)
	case blankFile(s.Dirs.Renewal(name)):
		done, err = s.installOver(name, v, p)
	default:
		done, err = s.installSuccessor(name, v, p)
	}
	var classed *failure.Error
	if err != nil && !errors.As(err, &classed) {
		err = failure.Wrap(err, failure.Config,
			"Repair what the error names, then run the same command again: the certificate is kept and put in place then.", "the certificate for %s cannot be put in place", name)
	}
	return done, err
}

// installFirst makes a lineage: archive, live, renewal file. In this order nothing points to what
// is not there, and no program takes the lineage for one before it is whole.
func (s *Store) installFirst(name string, v version, p Params) (Installed, error) {
	r, err := s.newRenewal(name)
	if err != nil {
		return Installed{}, failure.Wrap(err, failure.Config, "Choose a configuration directory with a plain path.", "the path of %s cannot stand in a renewal file", s.Dirs.Config)
	}
	for _, step := range []func() error{
		s.makeTops,
		func() error { return s.firstArchive(archive{r.ArchiveDir}, v) },
		func() error { return s.firstLive(r, 1) },
		func() error { return s.WriteRenewal(r, p) },
	} {
		if err := step(); err != nil {
			return Installed{}, err
		}
	}
	return Installed{Name: name, Version: 1, Dir: s.Dirs.live(name), Renewal: r}, nil
}

// makeTops makes the directories that all lineages share.
func (s *Store) makeTops() error {
	for _, dir := range []struct {
		name string
		mode fs.FileMode
	}{{"", 0o755}, {"renewal", 0o755}, {"archive", 0o700}, {"live", 0o700}} {
		path := filepath.Join(s.Dirs.Config, dir.name)
		if err := s.do("make config "+dir.name, func() error { return makeDirs(path, dir.mode) }); err != nil {
			return err
		}
	}
	path := filepath.Join(s.Dirs.Config, "live", "README")
	if _, err := os.Lstat(path); err == nil {
		return nil
	}
	// Not through a file aside: other lineages, under other locks, may be doing the same now.
	err := s.do("write top README",
		func() error { return writeSynced(path, readme("[cert name]/"), 0o666, nil) })
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	return err
}

// firstArchive makes an archive directory with version 1, aside, and gives it its name when it is
// durable.
func (s *Store) firstArchive(a archive, v version) error {
	taken, err := occupied(a.dir)
	if err != nil {
		return err
	}
	if taken {
		return a.isOnly(v)
	}
	unfinished := archive{asideOf(a.dir)}
	if err := s.freshDir(unfinished.dir); err != nil {
		return err
	}
	for _, kind := range unfinished.missing(1) {
		mode := fs.FileMode(0o666)
		if kind == "privkey" {
			mode = 0o600
		}
		path := unfinished.path(kind, 1)
		err := s.do("write first "+kind,
			func() error { return writeSynced(path, v[kind], mode, nil) })
		if err != nil {
			return err
		}
	}
	if err := s.do("sync archive aside", func() error { return syncDir(unfinished.dir) }); err != nil {
		return err
	}
	return s.do("name archive", func() error { return moveDir(unfinished.dir, a.dir) })
}

// isOnly returns nil if the archive holds v as version 1 and nothing else: then a killed Install
// left it.
func (a archive) isOnly(v version) error {
	entries, err := os.ReadDir(a.dir)
	if err != nil || len(entries) != len(kinds) || len(a.missing(1)) != 0 || !a.holds(v, 1, kinds[:]) {
		return leftOver(a.dir)
	}
	return nil
}

// freshDir makes an empty directory where a killed run may have left an unfinished one.
func (s *Store) freshDir(path string) error {
	if err := s.do("remove unfinished", func() error { return os.RemoveAll(path) }); err != nil {
		return err
	}
	return s.do("make directory aside", func() error { return os.Mkdir(path, 0o755) })
}

// firstLive makes live/NAME with its four links, aside, and gives it its name when it is durable.
func (s *Store) firstLive(r *Renewal, number int) error {
	dir := s.Dirs.live(r.Name)
	a := archive{r.ArchiveDir}
	taken, err := occupied(dir)
	if err != nil {
		return err
	}
	if taken {
		return r.leadsTo(a, number, dir)
	}
	unfinished := asideOf(dir)
	if err := s.freshDir(unfinished); err != nil {
		return err
	}
	for _, kind := range kinds {
		text, err := linkText(unfinished, a.path(kind, number), "")
		if err != nil {
			return err
		}
		link := filepath.Join(unfinished, kind+".pem")
		if err := s.do("link "+kind, func() error { return os.Symlink(text, link) }); err != nil {
			return err
		}
	}
	err = s.do("write README", func() error {
		return writeSynced(filepath.Join(unfinished, "README"), readme(""), 0o666, nil)
	})
	if err != nil {
		return err
	}
	if err := s.do("sync live aside", func() error { return syncDir(unfinished) }); err != nil {
		return err
	}
	return s.do("name live", func() error { return moveDir(unfinished, dir) })
}

// leadsTo returns nil if the live directory's links lead to that version in the archive: then a
// killed Install left it.
func (r *Renewal) leadsTo(a archive, number int, dir string) error {
	for _, l := range r.links() {
		if !sameFile(*l.path, a.path(l.kind, number)) {
			return leftOver(dir)
		}
	}
	return nil
}

func sameFile(a, b string) bool {
	infoA, errA := os.Stat(a)
	infoB, errB := os.Stat(b)
	return errA == nil && errB == nil && os.SameFile(infoA, infoB)
}

// installOver makes a lineage of a blank renewal file and of what a killed certbot left for it:
// nothing, empty directories, links that lead nowhere, or a whole version that only the settings
// are missing for. The certificate becomes the next version; nothing that is there goes.
func (s *Store) installOver(name string, v version, p Params) (Installed, error) {
	if err := s.adoptable(name); err != nil {
		return Installed{}, err
	}
	r, err := s.newRenewal(name)
	if err != nil {
		return Installed{}, err
	}
	if err := s.makeTops(); err != nil {
		return Installed{}, err
	}
	a := archive{r.ArchiveDir}
	if err := s.do("make archive", func() error { return makeDirs(a.dir, 0o755) }); err != nil {
		return Installed{}, err
	}
	number, err := a.place(v)
	if err != nil {
		return Installed{}, err
	}
	done := Installed{Name: name, Version: number, Dir: s.Dirs.live(name), Renewal: r}
	for _, step := range []func() error{
		func() error { return done.writeSuccessor(s, a, v) },
		func() error { return s.connect(r, a, number) },
		func() error { return s.WriteRenewal(r, p) },
	} {
		if err := step(); err != nil {
			return done, err
		}
	}
	return done, nil
}

// writeSuccessor is Store.writeSuccessor for the version that is being installed.
func (i *Installed) writeSuccessor(s *Store, a archive, v version) error {
	note, err := s.writeSuccessor(a, i.Version, v, i.Renewal.PrivKey)
	if note != "" {
		i.Notes = append(i.Notes, note)
	}
	return err
}

// connect makes the links lead to a version, whatever is left of them.
func (s *Store) connect(r *Renewal, a archive, number int) error {
	if err := s.settle(r); err != nil {
		return err
	}
	if _, err := r.linkState(); err == nil {
		return s.lead(r, a, number)
	}
	dir := s.Dirs.live(r.Name)
	taken, err := occupied(dir)
	if err != nil {
		return err
	}
	if !taken && together(r, dir) {
		return s.firstLive(r, number)
	}
	return s.relink(r, a, number)
}

// installSuccessor adds a version to a lineage: archive, renewal file, links. This is certbot's
// order; whoever finds it cut short, certbot or Repair, can finish it from the archive alone.
func (s *Store) installSuccessor(name string, v version, p Params) (Installed, error) {
	r, err := s.lookRenewal(s.Dirs.Renewal(name))
	if err != nil {
		return Installed{}, err
	}
	if err := s.settle(r); err != nil {
		return Installed{}, err
	}
	a := archive{r.ArchiveDir}
	state, err := s.mended(r, a)
	if err != nil {
		return Installed{}, err
	}
	number, err := a.place(v)
	if err != nil {
		return Installed{}, err
	}
	done := Installed{Name: name, Version: number, Dir: filepath.Dir(r.Cert), Renewal: r}
	if done.Superseded = number < state["cert"].version && a.good(state["cert"].version); done.Superseded {
		return done, nil
	}
	if err := done.writeSuccessor(s, a, v); err != nil {
		return done, err
	}
	if err := s.WriteRenewal(r, p); err != nil {
		return done, err
	}
	if err := s.connect(r, a, number); err != nil {
		return done, err
	}
	s.prune(a, number)
	return done, nil
}

// mended returns where the links lead. Where they are broken in a way that new ones lose nothing,
// it makes what a new version needs, and they are made when that is there.
func (s *Store) mended(r *Renewal, a archive) (map[string]target, error) {
	state, err := r.linkState()
	if err == nil {
		return state, nil
	}
	if !s.replaceable(r, a) {
		return nil, err
	}
	if err := s.do("make archive", func() error { return makeDirs(a.dir, 0o755) }); err != nil {
		return nil, err
	}
	return nil, nil
}
