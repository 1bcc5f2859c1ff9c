package certbot

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"orderly/certbot/configobj"
	"orderly/failure"
)

// Which document root is a name's: the table where webroots stand has been typed into by hand in
// every way there is.

// mapSection finds [[webroot_map]], or the [webroot_map] that somebody typed in its stead; nil if
// there is neither.
func mapSection(root, section *configobj.Section) *configobj.Section {
	for _, parent := range []*configobj.Section{section, root} {
		if sub, ok := parent.Subsection("webroot_map"); ok {
			return sub
		}
	}
	return nil
}

// webrootMap reads [[webroot_map]] whole. Settings that someone appended to the end of the file
// land in it and are no entries. An entry that is no path is kept, unusable, and complained of only
// when its name is asked for.
func webrootMap(root, section *configobj.Section) []Webroot {
	if sub := mapSection(root, section); sub != nil {
		return entriesOf(sub)
	}
	return nil
}

func entriesOf(sub *configobj.Section) []Webroot {
	var entries []Webroot
	for _, name := range sub.Keys() {
		if stray(name) {
			continue
		}
		entries = append(entries, Webroot{name, pathOf(sub, name)})
	}
	return entries
}

// pathOf returns an entry's path, "" if it is none. A list of one is a path with a comma behind it,
// which webroot_path needs and the map does not.
func pathOf(sub *configobj.Section, name string) string {
	v, _ := sub.Get(name)
	if v.Err != nil || (v.IsList && len(v.List()) != 1) {
		return ""
	}
	return v.String()
}

// Webroot returns the document root for a name as certbot's webroot plugin does: the map's entry,
// otherwise the last webroot_path. None, and one that is no absolute path, is an error of class
// WebrootUnset that names the command which repairs it.
func (r *Renewal) Webroot(name string) (string, error) {
	at, root, line := "", "", 0
	if i := r.entry(name); i >= 0 {
		line, root = r.mapLine(r.Params.WebrootMap[i].Name), r.Params.WebrootMap[i].Path
		at = fmt.Sprintf(", line %d", line)
		if root == "" {
			return "", r.unset(line, "the renewal file %s%s: the document root of %s is empty or no path", r.Path, at, failure.Clean(name))
		}
	} else if paths := r.Params.WebrootPath; len(paths) > 0 {
		root = paths[len(paths)-1]
	}
	switch {
	case root == "":
		return "", r.unset(0, "no document root is configured for %s: the renewal file %s has neither an entry in [[webroot_map]] nor a webroot_path", failure.Clean(name), r.Path)
	case !filepath.IsAbs(root):
		return "", r.unset(line, "the renewal file %s%s: the document root of %s is no absolute path: %q", r.Path, at, failure.Clean(name), failure.Clean(root))
	}
	return root, nil
}

func (r *Renewal) unset(line int, format string, args ...any) error {
	remedy := "Name it: " + failure.Do(failure.NameRoot, r.Name) + ", or with " +
		failure.Do(failure.Obtain) +
		", where names have different ones: " + failure.Do(failure.DocumentRoot, "DIR") +
		" before the " +
		failure.Do(failure.GiveNames) + " of each."
	return marked(failure.New(failure.WebrootUnset, remedy, format, args...), FaultRoot, line)
}

// HidesPath reports whether an empty [[webroot_map]] stands beside a webroot_path, which certbot 0.31
// to 0.34 do not look at then, and on which line.
func (r *Renewal) HidesPath() (line int, hides bool) {
	section, ok := r.file.Section("renewalparams")
	if !ok || len(r.Params.WebrootPath) == 0 || len(r.Params.WebrootMap) > 0 {
		return 0, false
	}
	_, there := section.Subsection("webroot_map")
	return section.Line("webroot_map"), there
}

// Line is the line on which a key above [renewalparams] stands, 0 where it does not.
func (r *Renewal) Line(key string) int { return r.file.Root().Line(key) }

// Written is a setting of [renewalparams] as it stands in the file, and on which line; "" and 0 where
// it does not.
func (r *Renewal) Written(key string) (value string, line int) {
	section, ok := r.file.Section("renewalparams")
	if !ok {
		return "", 0
	}
	at, spelling := placesOf(r.file.Root(), section).of(key)
	v, there := at.Get(spelling)
	if !there {
		return "", 0
	}
	return v.String(), at.Line(spelling)
}

// entry finds a name in the map, -1 if it is not there. Somebody who edited the file may have
// written it in capitals.
func (r *Renewal) entry(name string) int {
	for _, same := range []func(a, b string) bool{func(a, b string) bool { return a == b }, strings.EqualFold} {
		if i := slices.IndexFunc(r.Params.WebrootMap, func(w Webroot) bool { return same(w.Name, name) }); i >= 0 {
			return i
		}
	}
	return -1
}

// Mapped reports whether somebody wrote something behind a name in the map, usable or not.
func (r *Renewal) Mapped(name string) bool {
	i := r.entry(name)
	if i < 0 || r.file == nil {
		return false
	}
	for _, path := range [][]string{{"renewalparams", "webroot_map"}, {"webroot_map"}} {
		if s, ok := r.file.Section(path...); ok {
			raw, _ := s.Raw(r.Params.WebrootMap[i].Name)
			return strings.Trim(raw, " \t'\"") != ""
		}
	}
	return false
}

func (r *Renewal) mapLine(name string) int {
	if r.file == nil {
		return 0 // made in memory, not read
	}
	for _, path := range [][]string{{"renewalparams", "webroot_map"}, {"webroot_map"}} {
		if s, ok := r.file.Section(path...); ok {
			return s.Line(name)
		}
	}
	return 0
}

// staleNotes notes entries that belong to no name of the certificate: certbot makes directories for
// them all the same, and breaks off where it cannot, after the order was made.
func (r *Renewal) staleNotes(names []string) []Note {
	var notes []Note
	for _, w := range r.Params.WebrootMap {
		if !slices.ContainsFunc(names, func(name string) bool { return strings.EqualFold(name, w.Name) }) {
			notes = append(notes, Note{Path: r.Path, Line: r.mapLine(w.Name), Fault: FaultStale, Sentence: fmt.Sprintf("the entry %s in [[webroot_map]] belongs to no name of the certificate", failure.Clean(w.Name))})
		}
	}
	return notes
}

func applyWebroots(section *configobj.Section, current, p Params) error {
	if len(p.WebrootPath) == 0 && len(p.WebrootMap) == 0 {
		return nil
	}
	if len(p.WebrootPath) == 0 {
		section.Delete("webroot_path")
	} else if !slices.Equal(p.WebrootPath, current.WebrootPath) {
		if err := section.SetList("webroot_path", p.WebrootPath); err != nil {
			return err
		}
	}
	if len(p.WebrootMap) == 0 {
		section.DeleteSection("webroot_map")
		return nil
	}
	section.Delete("webroot_map") // a plain value of this name would be in the section's way
	sub, err := section.AddSection("webroot_map")
	if err != nil {
		return err
	}
	return setWebroots(sub, p.WebrootMap)
}

func setWebroots(sub *configobj.Section, wanted []Webroot) error {
	for _, name := range sub.Keys() {
		if !slices.ContainsFunc(wanted, func(w Webroot) bool { return w.Name == name }) {
			sub.Delete(name)
		}
	}
	for _, w := range wanted {
		if old, ok := sub.Get(w.Name); ok && (w.Path == "" || (!old.IsList && old.Err == nil && old.String() == w.Path)) {
			continue
		}
		if err := sub.Set(w.Name, w.Path); err != nil {
			return err
		}
	}
	return nil
}
