package certbot

import (
	"slices"
	"strconv"
	"strings"

	"orderly/certbot/configobj"
)

// The ACMEv1 directory that old renewal files name, and what certbot reads in its place.
const (
	retiredServer = "https://acme-v01.api.letsencrypt.org/directory"
	defaultServer = "https://acme-v02.api.letsencrypt.org/directory"
)

// Webroot is one entry of [[webroot_map]].
type Webroot struct{ Name, Path string }

// Params are the settings with which a lineage is renewed. Read from a file, an absent one is zero, except KeyType,
// which is then "rsa" as certbot has it. Applied to a file, a zero one leaves what the file says; to take a setting
// away, name its key in Remove.
type Params struct {
	Account           string // id
	Server            string // directory URL
	Authenticator     string
	WebrootPath       []string  // if this or WebrootMap is given, both are replaced
	WebrootMap        []Webroot // in the file's order; a Path of "" is an entry that cannot be used
	KeyType           string    // "rsa" or "ecdsa"
	RSAKeySize        int       // bits
	EllipticCurve     string    // "secp256r1", "secp384r1"
	PreHook           string
	PostHook          string
	DeployHook        string // the key is renew_hook
	PreferredChain    string
	PreferredProfile  string
	RequiredProfile   string
	ReuseKey          bool
	MustStaple        bool
	AllowSubset       bool   // allow_subset_of_names
	AutorenewOff      bool   // autorenew = False
	RenewBeforeExpiry string // as written: "30 days"; "" if the file says nothing. See AddInterval

	Remove []string // keys of [renewalparams] to delete when the Params are applied; never read
}

// setting ties a key of [renewalparams] to its field.
type setting struct {
	key   string
	field *string
}

// settings lists the fields that are plain strings, in the order in which a new file has them.
func (p *Params) settings() []setting {
	return []setting{
		{"account", &p.Account},
		{"pre_hook", &p.PreHook},
		{"post_hook", &p.PostHook},
		{"renew_hook", &p.DeployHook},
		{"authenticator", &p.Authenticator},
		{"server", &p.Server},
		{"key_type", &p.KeyType},
		{"elliptic_curve", &p.EllipticCurve},
		{"preferred_chain", &p.PreferredChain},
		{"preferred_profile", &p.PreferredProfile},
		{"required_profile", &p.RequiredProfile},
	}
}

// flag ties a boolean key to its field; on is what the file says when the field is true.
type flag struct {
	key   string
	field *bool
	on    string
}

func (p *Params) flags() []flag {
	return []flag{
		{"reuse_key", &p.ReuseKey, "True"},
		{"must_staple", &p.MustStaple, "True"},
		{"allow_subset_of_names", &p.AllowSubset, "True"},
		{"autorenew", &p.AutorenewOff, "False"},
	}
}

// readParams fills the Params from the file. Only keys that are used are looked at: what stands behind others is
// nobody's business.
func (r *reader) params(root, section *configobj.Section) Params {
	p := Params{RenewBeforeExpiry: r.text(root, "renew_before_expiry")}
	for _, s := range p.settings() {
		*s.field = r.text(section, s.key)
	}
	for _, f := range p.flags() {
		*f.field = r.flag(section, f)
	}
	if p.KeyType == "" {
		p.KeyType = "rsa" // certbot before 1.25 did not write it
	}
	if p.Server == retiredServer {
		p.Server = defaultServer
	}
	if size := r.text(section, "rsa_key_size"); size != "" {
		var err error
		if p.RSAKeySize, err = strconv.Atoi(size); err != nil {
			r.fail(section, "rsa_key_size", "expected a number for rsa_key_size")
		}
	}
	if v, ok := r.get(section, "webroot_path"); ok {
		p.WebrootPath = v.List() // certbot before 0.1 wrote a plain string
	}
	p.WebrootMap = webrootMap(section)
	return p
}

// webrootMap reads [[webroot_map]] whole. Settings that someone appended to the end of the file land in it, so an entry
// that is no path is kept, unusable, and complained of only when its name is asked for.
func webrootMap(section *configobj.Section) []Webroot {
	sub, ok := section.Subsection("webroot_map")
	if !ok {
		return nil
	}
	var entries []Webroot
	for _, name := range sub.Keys() {
		w := Webroot{Name: name}
		if v, _ := sub.Get(name); !v.IsList && v.Err == nil {
			w.Path = v.String()
		}
		entries = append(entries, w)
	}
	return entries
}

// apply writes the Params that are not zero into the file.
func (r *Renewal) apply(p Params) error {
	section, err := r.file.Root().AddSection("renewalparams", "", "Options used in the renewal process")
	if err != nil {
		return err
	}
	for _, key := range p.Remove {
		section.Delete(key)
		section.DeleteSection(key)
	}
	current := (&reader{path: r.Path}).params(r.file.Root(), section)
	if err := applyStrings(section, current, p); err != nil {
		return err
	}
	if p.RenewBeforeExpiry != "" && p.RenewBeforeExpiry != current.RenewBeforeExpiry {
		if err := r.file.Root().Set("renew_before_expiry", p.RenewBeforeExpiry); err != nil {
			return err
		}
	}
	for i, f := range p.flags() {
		if !*f.field || *current.flags()[i].field {
			continue
		}
		if err := section.Set(f.key, f.on); err != nil {
			return err
		}
	}
	return applyWebroots(section, current, p)
}

func applyStrings(section *configobj.Section, current, p Params) error {
	if p.RSAKeySize != 0 && p.RSAKeySize != current.RSAKeySize {
		if err := section.Set("rsa_key_size", strconv.Itoa(p.RSAKeySize)); err != nil {
			return err
		}
	}
	for i, s := range p.settings() {
		_, there := section.Get(s.key)
		same := *s.field == *current.settings()[i].field
		if *s.field == "" || (there && same) {
			continue // a value that reads the same may be written in another way, and keeps it
		}
		if err := section.Set(s.key, *s.field); err != nil {
			return err
		}
	}
	return nil
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

// boolean reads a value as certbot does.
func boolean(text string) (value, ok bool) {
	switch strings.ToLower(text) {
	case "true":
		return true, true
	case "false":
		return false, true
	}
	return false, false
}
