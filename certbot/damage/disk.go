package damage

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Links, archives and files that are not what they should be, each in a way that was seen.

// tornAccount names an account of whose files one was cut short.
func tornAccount(d Dir) error {
	const id = "11111111111111111111111111111111"
	u, err := url.Parse(d.Server)
	if err != nil {
		return err
	}
	dir := filepath.Join(d.Config, "accounts", u.Host+u.Path, id)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	for name, text := range map[string]string{
		"meta.json": `{"creation_dt": "2019-11-23T20:53:52Z", "creation_host": "localhost"}`, "regr.json": `{"body": {}, "u`, "private_key.json": `{}`,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			return err
		}
	}
	return edited(func(d Dir, text string) string {
		return strings.Replace(text, "account = "+d.Account, "account = "+id, 1)
	})(d)
}

// files are whole renewal files that are not what they should be.
func files() []Case {
	return []Case{
		{Name: "zero-bytes", Sentence: "certbot was killed after it made the renewal file and before it made anything else",
			Make: func(d Dir) error {
				if err := os.MkdirAll(filepath.Dir(d.Conf()), 0o755); err != nil {
					return err
				}
				return os.WriteFile(d.Conf(), nil, 0o644)
			}, Want: "is empty"},
		{Name: "zero-bytes-beside-a-certificate", Sentence: "certbot was killed between the certificate and its settings",
			Make: harmed(func(d Dir) error { return os.Truncate(d.Conf(), 0) }), Want: "is empty (0 bytes): a certbot that was to make the lineage was killed"},
		{Name: "nul-bytes", Sentence: "the power failed, and the file system kept the length but not the content",
			Make: harmed(func(d Dir) error { return os.WriteFile(d.Conf(), make([]byte, 600), 0o644) }), Want: "blanks or NUL bytes"},
		{Name: "only-a-comment", Sentence: "a configuration tool rendered a template without values",
			Make: harmed(func(d Dir) error { return os.WriteFile(d.Conf(), []byte("# managed\n"), 0o644) }), Want: "missing a required file reference"},
		{Name: "dangling-link", Sentence: "the renewal file is a link into a configuration tool's tree that is gone",
			Make: harmed(func(d Dir) error { return errors.Join(os.Remove(d.Conf()), os.Symlink("/nowhere/conf", d.Conf())) }), Want: "leads nowhere"},
		{Name: "directory", Sentence: "a directory has the name of a renewal file",
			Make: harmed(func(d Dir) error { return errors.Join(os.Remove(d.Conf()), os.Mkdir(d.Conf(), 0o755)) }), Want: "cannot be read"},
		{Name: "torn-rewrite-beside", Sentence: "certbot was killed while it wrote NAME.conf.new",
			Make: harmed(func(d Dir) error {
				return os.WriteFile(d.Conf()+".new", []byte("version = 2.1.0\narchive_dir = /etc/lets"), 0o644)
			}), Serves: true},
		{Name: "backups-beside", Sentence: "editors and package managers left copies with other endings",
			Make: harmed(func(d Dir) error {
				var all error
				for _, ending := range []string{"~", ".bak", ".rpmsave", ".dpkg-old"} {
					all = errors.Join(all, os.WriteFile(d.Conf()+ending, []byte("torn"), 0o644))
				}
				return all
			}), Serves: true},
		{Name: "twin", Sentence: "certbot made NAME-0001 for the same names, and both are renewed since",
			Make: func(d Dir) error {
				twin := d
				twin.Name += "-0001"
				// The twin's certificate has the same names: it is made under the lineage's name
				// and moved.
				if err := d.Healthy(); err != nil {
					return err
				}
				return d.copyTo(twin)
			}, Serves: true},
		{Name: "from-another-directory", Sentence: "the directory was moved, and the files name the old place",
			Make: edited(func(d Dir, text string) string { return strings.ReplaceAll(text, d.Config, d.Config+"-old") }), Serves: true},
	}
}

// copyTo makes a lineage of another name with the same files.
func (d Dir) copyTo(other Dir) error {
	for _, dir := range []string{filepath.Dir(other.Archived("", 0)), filepath.Dir(other.Live(""))} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
	}
	for _, kind := range kinds {
		text, err := os.ReadFile(d.Archived(kind, 2))
		if err != nil {
			return err
		}
		if err := os.WriteFile(other.Archived(kind, 1), text, 0o600); err != nil {
			return err
		}
	}
	text, err := os.ReadFile(d.Conf())
	if err != nil {
		return err
	}
	moved := strings.NewReplacer("live/"+d.Name+"/", "live/"+other.Name+"/", "archive/"+d.Name+"\n", "archive/"+other.Name+"\n").Replace(string(text))
	return errors.Join(other.Lead(1), os.WriteFile(other.Conf(), []byte(moved), 0o644))
}

// links are what becomes of live/NAME.
func links() []Case {
	return []Case{
		{Name: "copied-without-links", Sentence: "/etc/letsencrypt was copied by a tool that follows links",
			Make: harmed(func(d Dir) error { return d.flatten(kinds[:]...) }), Serves: true},
		{Name: "copied-without-archive", Sentence: "only live/ was copied, and the links became files",
			Make: harmed(func(d Dir) error {
				return errors.Join(d.flatten(kinds[:]...), os.RemoveAll(filepath.Dir(d.Archived("", 0))))
			}), Want: "to be a symlink"},
		{Name: "own-certificate-put-in", Sentence: "a bought certificate was copied over the links",
			Make: harmed(func(d Dir) error {
				return errors.Join(d.flatten("cert", "fullchain"), os.WriteFile(d.Live("cert"), []byte("bought"), 0o644))
			}), Want: "to be a symlink"},
		{Name: "live-gone", Sentence: "live/NAME was removed, the archive was not",
			Make: harmed(func(d Dir) error { return os.RemoveAll(filepath.Dir(d.Live(""))) }), Serves: true},
		{Name: "archive-gone", Sentence: "the archive was removed to make room",
			Make: harmed(func(d Dir) error { return os.RemoveAll(filepath.Dir(d.Archived("", 0))) }), Want: "does not exist"},
		{Name: "one-link-gone", Sentence: "certbot was killed between two links, and did not keep the former ones yet",
			Make: harmed(func(d Dir) error { return os.Remove(d.Live("chain")) }), Serves: true},
		{Name: "killed-between-links", Sentence: "certbot was killed between two links and kept the former ones",
			Make: harmed(func(d Dir) error {
				var all error
				for _, kind := range kinds {
					all = errors.Join(all, os.Symlink(d.Archived(kind, 1), filepath.Join(filepath.Dir(d.Live("")), "previous_"+kind+".pem")))
				}
				return errors.Join(all, d.Lead(1, "chain", "fullchain"), os.Remove(d.Live("fullchain")))
			}), Serves: true},
		{Name: "kept-links-left", Sentence: "certbot was killed while it removed the kept links",
			Make: harmed(func(d Dir) error {
				return os.Symlink(d.Archived("fullchain", 1), filepath.Join(filepath.Dir(d.Live("")), "previous_fullchain.pem"))
			}), Serves: true},
		{Name: "mixed-links", Sentence: "certificate and key of different versions are linked",
			Make: harmed(func(d Dir) error { return d.Lead(1, "privkey") }), Serves: true},
		{Name: "newest-not-linked", Sentence: "certbot was killed between the archive and the links",
			Make: harmed(func(d Dir) error { return d.Lead(1) }), Serves: true},
		{Name: "live-is-a-link", Sentence: "live/NAME lies on another disk",
			Make: harmed(func(d Dir) error {
				dir := filepath.Dir(d.Live(""))
				elsewhere := filepath.Join(d.Config, "disk2", "live", d.Name)
				if err := errors.Join(os.MkdirAll(filepath.Dir(elsewhere), 0o755), os.Rename(dir, elsewhere), os.Symlink(elsewhere, dir)); err != nil {
					return err
				}
				var all error
				for _, kind := range kinds {
					all = errors.Join(all, os.Remove(d.Live(kind)), os.Symlink(d.Archived(kind, 2), d.Live(kind)))
				}
				return all
			}), Serves: true},
		{Name: "links-of-another-lineage", Sentence: "a script with the wrong name in a variable linked another lineage's files",
			Make: harmed(func(d Dir) error {
				other := d
				other.Name, other.Others = "other."+d.Name, nil
				all := os.MkdirAll(filepath.Dir(other.Archived("", 1)), 0o755)
				all = errors.Join(all, other.Add(1, 70*24*time.Hour))
				for _, kind := range kinds {
					all = errors.Join(all, os.Remove(d.Live(kind)), os.Symlink(other.Archived(kind, 1), d.Live(kind)))
				}
				return all
			}), Serves: true},
		{Name: "own-files-in-live", Sentence: "a deploy hook keeps a combined file beside the links",
			Make: harmed(func(d Dir) error {
				return os.WriteFile(filepath.Join(filepath.Dir(d.Live("")), "haproxy.pem"), []byte("combined"), 0o640)
			}), Serves: true},
	}
}

// flatten makes copies of links.
func (d Dir) flatten(which ...string) error {
	for _, kind := range which {
		text, err := os.ReadFile(d.Live(kind))
		if err != nil {
			return err
		}
		if err := errors.Join(os.Remove(d.Live(kind)), os.WriteFile(d.Live(kind), text, 0o600)); err != nil {
			return err
		}
	}
	return nil
}

// archives are what becomes of archive/NAME.
func archives() []Case {
	return []Case{
		{Name: "newest-incomplete", Sentence: "certbot was killed after it wrote the next key",
			Make: harmed(func(d Dir) error { return os.WriteFile(d.Archived("privkey", 3), []byte("torn"), 0o600) }), Serves: true},
		{Name: "newest-torn", Sentence: "the machine went down after the next version was written, and half of it was on the disk",
			Make: harmed(func(d Dir) error {
				return errors.Join(d.Add(3, time.Hour), os.Truncate(d.Archived("fullchain", 3), 100))
			}), Serves: true},
		{Name: "current-torn", Sentence: "the machine went down after the links were changed; certificate and chain have no content",
			Make: harmed(func(d Dir) error {
				return errors.Join(os.Truncate(d.Archived("cert", 2), 0), os.Truncate(d.Archived("fullchain", 2), 0))
			}), Serves: true},
		{Name: "certificate-torn", Sentence: "cert.pem alone has no content",
			Make: harmed(func(d Dir) error { return os.Truncate(d.Archived("cert", 2), 0) }), Serves: true},
		{Name: "newer-ends-sooner", Sentence: "somebody put a pair of their own into the archive as the next version",
			Make: harmed(func(d Dir) error { return d.Add(3, time.Hour) }), Serves: true},
		{Name: "newer-not-valid-yet", Sentence: "the clock was wrong when the next version was made",
			Make: harmed(func(d Dir) error { return d.Add(3, life+24*time.Hour) }), Serves: true},
		{Name: "newer-of-other-names", Sentence: "certbot was killed while it added a name to the certificate",
			Make: harmed(func(d Dir) error {
				more := d
				more.Others = append(d.Names()[1:], "more."+d.Name)
				return more.Add(3, 80*24*time.Hour)
			}), Serves: true},
		{Name: "all-torn", Sentence: "no version is whole",
			Make: harmed(func(d Dir) error {
				var all error
				for version := 1; version <= 2; version++ {
					all = errors.Join(all, os.Truncate(d.Archived("cert", version), 0), os.Truncate(d.Archived("fullchain", version), 0))
				}
				return all
			}), Want: "is damaged"},
		{Name: "current-key-removed", Sentence: "a cleaning job removed old files, and the key was among them",
			Make: harmed(func(d Dir) error { return os.Remove(d.Archived("privkey", 2)) }), Serves: true},
		{Name: "current-certificate-removed", Sentence: "the same job removed cert2.pem alone",
			Make: harmed(func(d Dir) error { return os.Remove(d.Archived("cert", 2)) }), Serves: true},
		{Name: "foreign-key", Sentence: "the only key was overwritten, and belongs to no certificate",
			Make: harmed(func(d Dir) error {
				if err := d.Add(9, time.Hour); err != nil {
					return err
				}
				var all error
				for _, kind := range kinds {
					if kind == "privkey" {
						all = errors.Join(all, os.Rename(d.Archived(kind, 9), d.Archived(kind, 2)))
					} else {
						all = errors.Join(all, os.Remove(d.Archived(kind, 9)))
					}
					all = errors.Join(all, os.Remove(d.Archived(kind, 1)))
				}
				return all
			}), Serves: true},
		{Name: "every-key-removed", Sentence: "a cleaning job removed what may not be read by all, and every key was among that",
			Make: harmed(func(d Dir) error {
				return errors.Join(os.Remove(d.Archived("privkey", 1)), os.Remove(d.Archived("privkey", 2)))
			}), Serves: true},
		{Name: "keys-emptied", Sentence: "the disk was full when the keys were restored",
			Make: harmed(func(d Dir) error {
				return errors.Join(os.Truncate(d.Archived("privkey", 1), 0), os.Truncate(d.Archived("privkey", 2), 0))
			}), Serves: true},
		{Name: "reused-key-lost", Sentence: "the key that was to stay the same was removed",
			Make: func(d Dir) error {
				err := edited(param("reuse_key = True"))(d)
				return errors.Join(err, os.Remove(d.Archived("privkey", 1)), os.Remove(d.Archived("privkey", 2)))
			}, Want: "is to stay the same and is lost"},
		{Name: "reused-key-linked", Sentence: "an old certbot with --reuse-key linked the key to the one before",
			Make: func(d Dir) error { return errors.Join(edited(param("reuse_key = True"))(d), reuseKey(d)) }, Serves: true},
		{Name: "reused-key-pruned", Sentence: "the key that later versions link to was pruned",
			Make: harmed(reuseKey, func(d Dir) error { return os.Remove(d.Archived("privkey", 1)) }), Serves: true},
		{Name: "versions-removed", Sentence: "somebody tidied the archive and kept the newest",
			Make: harmed(func(d Dir) error {
				var all error
				for _, kind := range kinds {
					all = errors.Join(all, os.Remove(d.Archived(kind, 1)))
				}
				return all
			}), Serves: true},
		{Name: "archive-is-a-link", Sentence: "the archive lies on another disk",
			Make: harmed(func(d Dir) error {
				dir := filepath.Dir(d.Archived("", 0))
				elsewhere := filepath.Join(d.Config, "disk2", d.Name)
				return errors.Join(os.MkdirAll(filepath.Dir(elsewhere), 0o755), os.Rename(dir, elsewhere), os.Symlink(elsewhere, dir))
			}), Serves: true},
		{Name: "strange-files-in-archive", Sentence: "copies with other names lie in the archive",
			Make: harmed(func(d Dir) error {
				var all error
				for _, name := range []string{"cert2.pem.bak", "cert-2.pem", "privkey.pem", "cert99999999999.pem"} {
					all = errors.Join(all, os.WriteFile(filepath.Join(filepath.Dir(d.Archived("", 0)), name), []byte("torn"), 0o600))
				}
				return all
			}), Serves: true},
		{Name: "expired-for-long", Sentence: "nobody looked for a year",
			Make: func(d Dir) error { d.Left = -365 * 24 * time.Hour; return d.Healthy() }, Serves: true},
		{Name: "key-for-a-group", Sentence: "the key was given to a group that serves it",
			Make: harmed(func(d Dir) error { return os.Chmod(d.Archived("privkey", 2), 0o640) }), Serves: true},
	}
}

// reuseKey makes version 2 one of version 1's key, linked to as certbot once did.
func reuseKey(d Dir) error {
	var all error
	for _, kind := range kinds {
		to := fmt.Sprintf("%s1.pem", kind)
		if kind != "privkey" {
			text, err := os.ReadFile(d.Archived(kind, 1))
			all = errors.Join(all, err, os.WriteFile(d.Archived(kind, 2), text, 0o644))
			continue
		}
		all = errors.Join(all, os.Remove(d.Archived(kind, 2)), os.Symlink(to, d.Archived(kind, 2)))
	}
	return all
}
