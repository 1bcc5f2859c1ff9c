package certbot

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"orderly/certbot/configobj"
	"orderly/failure"
)

// A renewal file is read as certbot would read it, and where it could not, as far as possible: what
// cannot be used is complained of when it is needed.

// Note is something odd about a renewal file that keeps nobody from renewing: what is read in
// another way than it is written, or has no effect.
type Note struct {
	Path     string
	Line     int    // 1-based; 0 if it is about no line
	Sentence string // without a full stop
	Due      bool   // it is about when the lineage is due
	Fault    Fault
}

// String returns file, line and sentence.
func (n Note) String() string {
	if n.Line == 0 {
		return fmt.Sprintf("the renewal file %s: %s", n.Path, n.Sentence)
	}
	return fmt.Sprintf("the renewal file %s, line %d: %s", n.Path, n.Line, n.Sentence)
}

// reader reads the values of a renewal file. It keeps the first error and goes on.
type reader struct {
	path  string
	err   error
	notes []Note
}

func (r *reader) fail(s *configobj.Section, key, sentence string) {
	r.failWith(s, key, FaultValue, "Correct the line.", sentence)
}

func (r *reader) failWith(s *configobj.Section, key string, fault Fault, remedy, sentence string) {
	if r.err == nil {
		r.err = marked(failure.New(failure.RenewalFile, CorrectLine(r.path, s.Line(key), remedy),
			"the renewal file %s, line %d: %s", r.path, s.Line(key), sentence), fault, s.Line(key))
	}
}

func (r *reader) note(s *configobj.Section, key string, fault Fault, format string, args ...any) {
	r.notes = append(r.notes, Note{Path: r.path, Line: s.Line(key), Fault: fault,
		Sentence: failure.Words(format, args...)})
}

func (r *reader) get(s *configobj.Section, key string) (configobj.Value, bool) {
	v, ok := s.Get(key)
	if v.Err != nil {
		r.failWith(s, key, FaultInterpolation, "Write the value without %(…)s, for example as a script of its own; certbot cannot read it either.",
			failure.Clean("the value of "+key+" holds an interpolation: "+v.Err.Error()))
		return v, false
	}
	return v, ok
}

// text reads a string; an absent one and certbot's None are "". A list of one is what a stray comma
// at the end made of a string. More elements can only be a hook, whose commas the shell is to see:
// certbot would run the part before the first.
func (r *reader) text(s *configobj.Section, key string) string {
	v, ok := r.get(s, key)
	if !ok {
		return ""
	}
	text := v.String()
	if v.IsList && len(v.List()) != 1 {
		if !isHook(key) || len(v.List()) == 0 {
			r.failWith(s, key, FaultComma, "Put the whole value in double quotes; certbot cannot use it either.", "the comma makes a list of the value of "+key)
			return ""
		}
		text, _ = s.Raw(key)
		r.note(s, key, FaultComma, "the value of %s has a comma and is not quoted, so certbot runs only what is before it; here all of it is the command", key)
	}
	if text == "None" {
		return ""
	}
	return text
}

func (r *reader) flag(s *configobj.Section, f flag) bool {
	text := r.text(s, f.key)
	if text == "" {
		return false
	}
	value, ok := boolean(text)
	if !ok {
		r.fail(s, f.key, fmt.Sprintf("expected True or False for %s but found %q", f.key, failure.Clean(text)))
	}
	return value == (f.on == "True")
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

func (r *reader) number(s *configobj.Section, key string) int {
	text := strings.TrimSpace(r.text(s, key))
	if text == "" {
		return 0
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 {
		r.fail(s, key, "expected a number for "+key)
		return 0
	}
	return n
}

// places are where a setting is looked for: in [renewalparams], where certbot does, and behind
// [[webroot_map]], where it lands when somebody appends it to the end of the file. certbot takes it
// for a document root there and breaks off, after the order was made.
type places struct{ own, strays *configobj.Section }

func (p places) of(key string) (*configobj.Section, string) {
	for _, section := range []*configobj.Section{p.own, p.strays} {
		if section == nil {
			continue
		}
		for _, spelling := range spellings(key) {
			if _, ok := section.Get(spelling); ok {
				return section, spelling
			}
		}
	}
	return p.own, key
}

// stray tells whether a key in [[webroot_map]] is a setting and no name.
func stray(key string) bool { return slices.Contains(knownKeys(), key) }

func placesOf(root, section *configobj.Section) places {
	return places{section, mapSection(root, section)}
}

// params reads all settings. Only keys that certbot restores are looked at: what stands behind
// others is nobody's business.
func (r *reader) params(root, section *configobj.Section) Params {
	var p Params
	at := placesOf(root, section)
	for _, t := range p.texts() {
		*t.field = r.text(at.of(t.key))
	}
	for _, f := range p.flags() {
		s, key := at.of(f.key)
		*f.field = r.flag(s, flag{key, f.field, f.on})
	}
	for _, n := range p.numbers() {
		*n.field = r.number(at.of(n.key))
	}
	if p.KeyType == "" {
		p.KeyType = "rsa" // certbot before 1.25 did not write it
	}
	if p.Server == retiredServer {
		p.Server = defaultServer
	}
	r.keys(at, p)
	p.Challenges = r.challenges(at.of("pref_challs"))
	s, key := at.of("webroot_path")
	if v, ok := r.get(s, key); ok && v.String() != "None" {
		p.WebrootPath = v.List() // certbot before 0.1 wrote a plain string
	}
	p.WebrootMap = webrootMap(root, section)
	p.Plugin = r.plugin(section, &p)
	p.RenewBeforeExpiry = r.interval(root)
	p.RetryAfter = r.retryAfter(root)
	p.WebrootFrom = webrootFrom(root)
	r.oddities(root, at)
	return p
}

// keys refuses what no key can be made of, before a certificate is ordered for it.
func (r *reader) keys(at places, p Params) {
	const least = 2048 // CA/Browser Forum Baseline Requirements, 6.1.5
	switch p.KeyType {
	case "rsa":
		if p.RSAKeySize != 0 && p.RSAKeySize < least {
			s, key := at.of("rsa_key_size")
			r.failWith(s, key, FaultValue, "Write rsa_key_size = 2048, or remove the line.",
				fmt.Sprintf("no CA accepts an RSA key of %d bits", p.RSAKeySize))
		}
	case "ecdsa":
		curve := strings.ToLower(p.EllipticCurve)
		if curve != "" && !slices.Contains([]string{"secp256r1", "secp384r1", "secp521r1"}, curve) {
			s, key := at.of("elliptic_curve")
			r.failWith(s, key, FaultValue, "Write secp256r1 or secp384r1.",
				fmt.Sprintf("Unsupported elliptic curve: %s", failure.Clean(p.EllipticCurve)))
		}
	default:
		s, key := at.of("key_type")
		r.failWith(s, key, FaultValue, "Write rsa or ecdsa.",
			fmt.Sprintf("Invalid key_type specified: %s", failure.Clean(p.KeyType)))
	}
}

// challenges reads pref_challs with certbot's short forms (cli_utils.py,
// parse_preferred_challenges). What is no challenge any more is an error in certbot too.
func (r *reader) challenges(s *configobj.Section, key string) []string {
	v, ok := r.get(s, key)
	if !ok || v.String() == "None" {
		return nil
	}
	var all []string
	for _, name := range v.List() {
		name = strings.TrimSpace(name)
		switch name {
		case "http", "dns":
			name += "-01"
		case "http-01", "dns-01", "tls-alpn-01":
		default:
			r.failWith(s, key, FaultChallenge, "Write pref_challs = http-01, with the comma at the end, or remove the line.", "Unrecognized challenges: "+failure.Clean(name))
			continue
		}
		all = append(all, name)
	}
	return all
}

func (r *reader) plugin(section *configobj.Section, p *Params) []Setting {
	var all []Setting
	for _, key := range section.Keys() {
		if !p.isPlugin(key) {
			continue
		}
		v, ok := r.get(section, key)
		if !ok {
			continue
		}
		setting := Setting{Key: key, Value: v.String()}
		switch {
		case v.IsList && isHook(key):
			setting.Value = r.text(section, key)
		case v.IsList:
			setting = Setting{Key: key, List: v.List()}
		}
		all = append(all, setting)
	}
	return all
}

// interval reads renew_before_expiry. certbot takes what it does not understand for nought, and
// lets the certificate expire; here the rule for files that say nothing holds.
func (r *reader) interval(root *configobj.Section) string {
	v, ok := r.get(root, "renew_before_expiry")
	text := v.String()
	if !ok || text == "None" {
		return ""
	}
	if _, err := AddInterval(time.Time{}, text); err != nil {
		r.note(root, "renew_before_expiry", FaultValue,
			"renew_before_expiry is not understood and has no effect: %v", err)
		r.notes[len(r.notes)-1].Due = true
		return ""
	}
	return text
}

// oddities notes what stands where it has no effect.
func (r *reader) oddities(root *configobj.Section, at places) {
	if at.strays != nil {
		for _, key := range at.strays.Keys() {
			r.strayNote(at, key)
		}
	}
	if _, ok := root.Subsection("webroot_map"); ok {
		r.note(root, "webroot_map", FaultMisplaced, "[webroot_map] lacks its second pair of brackets; it is read as [[webroot_map]]")
	}
	if _, ok := at.own.Get("renew_before_expiry"); ok {
		r.note(at.own, "renew_before_expiry", FaultMisplaced,
			"renew_before_expiry has no effect in [renewalparams]; it belongs above that line")
	}
	if sub, ok := root.Subsection(ariSection); ok {
		for _, key := range sub.Keys() {
			if stray(key) {
				r.note(sub, key, FaultMisplaced, "the setting %s has no effect in [%s]; it belongs into [renewalparams]", key, ariSection)
			}
		}
	}
}

func (r *reader) strayNote(at places, key string) {
	if !stray(key) {
		return
	}
	if s, _ := at.of(key); s == at.own {
		r.note(at.strays, key, FaultMisplaced, "the setting %s stands behind [[webroot_map]] and has no effect: [renewalparams] has its own", key)
		return
	}
	r.note(at.strays, key, FaultMisplaced, "the setting %s stands behind [[webroot_map]], where certbot takes it for a name; it is read as the setting", key)
}
