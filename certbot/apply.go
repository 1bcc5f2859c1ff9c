package certbot

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"orderly/certbot/configobj"
)

// A renewal file is a person's as well: what is written into it leaves every line that was not
// asked for as it was.

// apply writes the Params that are not zero into the file, after putting settings that stand behind
// [[webroot_map]] where they belong.
func (r *Renewal) apply(p Params) error {
	root := r.file.Root()
	section, err := root.AddSection("renewalparams", "", "Options used in the renewal process")
	if err != nil {
		return err
	}
	p = p.unmended(root, section)
	for _, key := range p.Remove {
		if !alreadyOff(section, key) {
			removeSetting(root, section, key)
		}
	}
	if err := tidy(root, section); err != nil {
		return err
	}
	current := (&reader{path: r.Path}).params(root, section)
	for _, step := range []func() error{
		func() error { return applyTexts(section, current, p) },
		func() error { return applyNumbers(section, current, p) },
		func() error { return applyFlags(section, current, p) },
		func() error { return applyLists(section, current, p) },
		func() error { return applyWebroots(section, current, p) },
		func() error { return applyVerbatim(section, p) },
		func() error { return applyInterval(root, current, p) },
		func() error { return applyWebrootFrom(root, current, p) },
		func() error { return applyRetryAfter(root, current.RetryAfter, p.RetryAfter) },
	} {
		if err := step(); err != nil {
			return err
		}
	}
	if p.Exactly {
		keepOnly(section, p)
	}
	return nil
}

// alreadyOff reports whether a switch says False: it need not be removed, and whoever wrote it
// wants to read it.
func alreadyOff(section *configobj.Section, key string) bool {
	var p Params
	for _, f := range p.flags() {
		if f.key != key || f.on != "True" {
			continue
		}
		v, ok := section.Get(key)
		return ok && v.Err == nil && strings.EqualFold(v.String(), "False")
	}
	return false
}

// removeSetting takes a setting away wherever it may stand: one that was left behind
// [[webroot_map]] would come back.
func removeSetting(root, section *configobj.Section, key string) {
	switch key {
	case "renew_before_expiry", webrootFromKey:
		root.Delete(key)
	case ariKey:
		if sub, ok := root.Subsection(ariSection); ok {
			if sub.Delete(key); len(sub.Keys())+len(sub.Sections()) == 0 {
				root.DeleteSection(ariSection) // what is appended to the file would land in it
			}
		}
	}
	strays := placesOf(root, section).strays
	for _, spelling := range spellings(key) {
		section.Delete(spelling)
		section.DeleteSection(spelling)
		if strays != nil && stray(spelling) {
			strays.Delete(spelling)
		}
	}
}

// tidy makes certbot read the file as it is read here: settings leave [[webroot_map]] for
// [renewalparams], a [webroot_map] with too few brackets becomes one with enough, what a comma made
// a list of becomes a string again, and a None that certbot does not understand goes. What cannot
// be understood stays where it is.
func tidy(root, section *configobj.Section) error {
	at := placesOf(root, section)
	for _, key := range knownKeys() {
		if at.strays == nil {
			break
		}
		v, there := at.strays.Get(key)
		if !there || v.Err != nil {
			continue
		}
		if s, _ := at.of(key); s == at.strays {
			if err := moveSetting(at, key, v); err != nil {
				return err
			}
		} else if isHook(key) {
			at.strays.Disable(key) // somebody may look for the command
			continue
		}
		at.strays.Delete(key)
	}
	if err := nest(root, section); err != nil {
		return err
	}
	dropNone(section)
	return straighten(section)
}

// dropNone takes away the settings that are None and that certbot does not read as unset: today's
// wants a list, a number or a truth value there (certbot/_internal/renewal.py, _restore_int and its
// kin). Of http01_port it knows better.
func dropNone(section *configobj.Section) {
	var p Params
	keys := []string{"pref_challs", "webroot_path", "rsa_key_size"}
	for _, f := range p.flags() {
		keys = append(keys, f.key)
	}
	for _, key := range keys {
		if v, ok := section.Get(key); ok && v.Err == nil && v.String() == "None" {
			section.Delete(key)
		}
	}
}

// nest moves a [webroot_map] into [renewalparams].
func nest(root, section *configobj.Section) error {
	outer, ok := root.Subsection("webroot_map")
	if !ok {
		return nil
	}
	entries := entriesOf(outer)
	root.DeleteSection("webroot_map")
	if _, there := section.Subsection("webroot_map"); there {
		return nil // certbot never saw the other
	}
	section.Delete("webroot_map")
	sub, err := section.AddSection("webroot_map")
	if err != nil {
		return err
	}
	return setWebroots(sub, entries)
}

func moveSetting(at places, key string, v configobj.Value) error {
	if key == "webroot_path" || key == "pref_challs" {
		return at.own.SetList(key, v.List())
	}
	quiet := &reader{}
	if text := quiet.text(at.strays, key); quiet.err == nil && text != "" {
		return at.own.Set(spellings(key)[0], text)
	}
	return nil
}

// straighten makes strings of the lists that are meant as such.
func straighten(section *configobj.Section) error {
	var p Params
	for _, t := range p.texts() {
		for _, key := range spellings(t.key) {
			v, ok := section.Get(key)
			if !ok || !v.IsList || v.Err != nil {
				continue
			}
			quiet := &reader{}
			text := quiet.text(section, key)
			if quiet.err != nil {
				continue
			}
			if err := section.Set(key, text); err != nil {
				return err
			}
		}
	}
	return nil
}

func applyTexts(section *configobj.Section, current, p Params) error {
	for i, t := range p.texts() {
		_, there := section.Get(t.key)
		same := *t.field == *current.texts()[i].field
		if *t.field == "" || (there && same) {
			continue // a value that reads the same may be written in another way, and keeps it
		}
		if err := section.Set(t.key, *t.field); err != nil {
			return err
		}
		for _, other := range spellings(t.key)[1:] {
			section.Delete(other)
		}
	}
	return nil
}

func applyNumbers(section *configobj.Section, current, p Params) error {
	for i, n := range p.numbers() {
		if *n.field == 0 || *n.field == *current.numbers()[i].field {
			continue
		}
		if err := section.Set(n.key, strconv.Itoa(*n.field)); err != nil {
			return err
		}
	}
	return nil
}

func applyFlags(section *configobj.Section, current, p Params) error {
	for i, f := range p.flags() {
		if !*f.field || *current.flags()[i].field {
			continue
		}
		if err := section.Set(f.key, f.on); err != nil {
			return err
		}
	}
	return nil
}

func applyLists(section *configobj.Section, current, p Params) error {
	if len(p.Challenges) == 0 || slices.Equal(p.Challenges, current.Challenges) {
		return nil
	}
	return section.SetList("pref_challs", p.Challenges)
}

// applyVerbatim writes what plugins have and what is to be set as it is.
func applyVerbatim(section *configobj.Section, p Params) error {
	for _, setting := range slices.Concat(p.Plugin, p.Set) {
		key := spellings(setting.Key)[0]
		if key == "webroot_map" || key == "" {
			return fmt.Errorf("%q cannot be set as one value", key)
		}
		var err error
		if setting.List != nil {
			err = section.SetList(key, setting.List)
		} else {
			err = section.Set(key, setting.Value)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func applyInterval(root *configobj.Section, current, p Params) error {
	if p.RenewBeforeExpiry == "" || p.RenewBeforeExpiry == current.RenewBeforeExpiry {
		return nil
	}
	return root.Set("renew_before_expiry", p.RenewBeforeExpiry)
}

// keepOnly deletes what the Params do not give.
func keepOnly(section *configobj.Section, p Params) {
	given := map[string]bool{"webroot_path": len(p.WebrootPath) > 0,
		"webroot_map": len(p.WebrootMap) > 0, "pref_challs": len(p.Challenges) > 0}
	for _, t := range p.texts() {
		given[t.key] = *t.field != ""
	}
	for _, n := range p.numbers() {
		given[n.key] = *n.field != 0
	}
	for _, f := range p.flags() {
		given[f.key] = *f.field
	}
	for _, setting := range slices.Concat(p.Plugin, p.Set) {
		given[spellings(setting.Key)[0]] = true
	}
	for _, key := range section.Keys() {
		if !given[key] {
			section.Delete(key)
		}
	}
	for _, name := range section.Sections() {
		if !given[name] {
			section.DeleteSection(name)
		}
	}
}
