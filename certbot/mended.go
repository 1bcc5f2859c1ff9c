package certbot

import (
	"slices"

	"orderly/certbot/configobj"
)

// Between an order and its certificate a person may have changed the renewal file. What was changed
// stays; only what the order was asked to change is changed.

// Text is the content of the renewal file, for Params.Since; "" of a Renewal that was read from
// none.
func (r *Renewal) Text() string {
	if r.file == nil {
		return ""
	}
	return string(r.file.Bytes())
}

// Settings reads the settings of such a text; false if there are none.
func Settings(text string) (Params, bool) {
	if text == "" {
		return Params{}, false
	}
	r, err := (&Store{}).parseRenewal("", []byte(text))
	if err != nil || r.Unusable != nil {
		return Params{}, false
	}
	return r.Params, true
}

// unmended leaves out of p what somebody changed in the file since p was decided (Since): between
// an order and its installation lie hours where the CA is away, and a person who mends a setting
// meanwhile is not to find the old one back.
func (p Params) unmended(root, section *configobj.Section) Params {
	file, err := configobj.Parse([]byte(p.Since))
	if p.Since == "" || err != nil {
		return p
	}
	formerSection, ok := file.Section("renewalparams")
	if !ok {
		return p
	}
	now, former := placesOf(root, section), placesOf(file.Root(), formerSection)
	mended := func(key string) bool { return now.raw(key) != former.raw(key) }
	for _, t := range p.texts() {
		if mended(t.key) {
			*t.field = ""
		}
	}
	for _, n := range p.numbers() {
		if mended(n.key) {
			*n.field = 0
		}
	}
	for _, f := range p.flags() {
		if mended(f.key) {
			*f.field = false
		}
	}
	if mended("pref_challs") {
		p.Challenges = nil
	}
	if mended("webroot_path") || !slices.Equal(webrootMap(root, section), webrootMap(file.Root(), formerSection)) {
		p.WebrootPath, p.WebrootMap = nil, nil
	}
	for key, field := range map[string]*string{"renew_before_expiry": &p.RenewBeforeExpiry, webrootFromKey: &p.WebrootFrom} {
		if rawOf(root, key) != rawOf(file.Root(), key) {
			*field = ""
			p.Remove = slices.DeleteFunc(slices.Clone(p.Remove),
				func(k string) bool { return k == key })
		}
	}
	p.Remove = slices.DeleteFunc(slices.Clone(p.Remove), mended)
	isMended := func(s Setting) bool { return mended(s.Key) }
	p.Plugin = slices.DeleteFunc(slices.Clone(p.Plugin), isMended)
	p.Set = slices.DeleteFunc(slices.Clone(p.Set), isMended)
	return p
}

// raw is a setting as it is written, wherever it stands; "" where it does not.
func (p places) raw(key string) string { return rawOf(p.of(key)) }

func rawOf(s *configobj.Section, key string) string {
	text, _ := s.Raw(key)
	return text
}
