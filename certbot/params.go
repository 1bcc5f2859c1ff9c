package certbot

import (
	"slices"
	"strings"
	"sync"
	"time"
)

// The settings of a renewal file as certbot has them: one field for each, so that a setting that is
// not known here is kept and never guessed at.

// The ACMEv1 directory that old renewal files name, and what certbot reads in its place.
const (
	retiredServer = "https://acme-v01.api.letsencrypt.org/directory"
	defaultServer = "https://acme-v02.api.letsencrypt.org/directory"
)

// Webroot is one entry of [[webroot_map]].
type Webroot struct{ Name, Path string }

// Setting is one key of [renewalparams] with what stands behind it.
type Setting struct {
	Key   string
	Value string
	List  []string // instead of Value where it is not nil
}

// Params are the settings with which a lineage is renewed: all that certbot restores from a renewal
// file (certbot/_internal/renewal.py). Read from a file, an absent one and one that says None are
// zero, except KeyType, which is then "rsa" as certbot has it. Applied to a file, a zero one leaves
// what the file says; to take a setting away, name its key in Remove; to give it a value that is
// zero here (False, for instance), name it in Set.
type Params struct {
	Account          string // id
	Server           string // directory URL; certbot's retired default is read as today's
	Authenticator    string
	Installer        string
	WebrootPath      []string  // if this or WebrootMap is given, both are replaced
	WebrootMap       []Webroot // in the file's order; a Path of "" is an entry that cannot be used
	KeyType          string    // "rsa" or "ecdsa"
	RSAKeySize       int       // bits
	EllipticCurve    string    // "secp256r1", "secp384r1", "secp521r1"
	PreHook          string
	PostHook         string
	DeployHook       string // the key is renew_hook
	PreferredChain   string
	PreferredProfile string
	RequiredProfile  string
	Challenges       []string // pref_challs, in order of preference: "http-01", "dns-01"
	HTTP01Port       int
	HTTP01Address    string
	UserAgent        string
	ConfigDir        string
	WorkDir          string
	LogsDir          string
	ReuseKey         bool
	MustStaple       bool
	AllowSubset      bool // allow_subset_of_names
	AutorenewOff     bool // autorenew = False
	// as written: "30 days"; "" if the file says nothing that can be understood. See AddInterval
	RenewBeforeExpiry string
	// ari_retry_after of [acme_renewal_info]: no renewal information is asked for before; local
	// time, whole seconds
	RetryAfter time.Time
	// whom to ask for the document root of a name that WebrootMap lacks: Orderly's own, above
	// [renewalparams]
	WebrootFrom string
	// keys of the authenticator and the installer: manual_auth_hook, standalone_…, dns_…
	Plugin []Setting

	Set []Setting // keys of [renewalparams] to write as they are, after all others; never read
	// keys of [renewalparams] (and renew_before_expiry, ari_retry_after) to delete first; never
	// read
	Remove []string
	// Since is the renewal file as it was when the Params were decided (Renewal.Text), "" if that
	// does not matter: settings that somebody changed since then stay as they are now. Never read.
	Since string
	// Exactly deletes every key of [renewalparams] that the Params do not give, as certbot's
	// certonly does: what it was not told this time does not stay. Never read.
	Exactly bool
}

// textKey ties a key of [renewalparams] to its field.
type textKey struct {
	key   string
	field *string
}

// texts lists the fields that are plain strings, in the order in which a new file has them.
func (p *Params) texts() []textKey {
	return []textKey{
		{"account", &p.Account},
		{"pre_hook", &p.PreHook},
		{"post_hook", &p.PostHook},
		{"renew_hook", &p.DeployHook},
		{"authenticator", &p.Authenticator},
		{"installer", &p.Installer},
		{"server", &p.Server},
		{"key_type", &p.KeyType},
		{"elliptic_curve", &p.EllipticCurve},
		{"preferred_chain", &p.PreferredChain},
		{"preferred_profile", &p.PreferredProfile},
		{"required_profile", &p.RequiredProfile},
		{"http01_address", &p.HTTP01Address},
		{"user_agent", &p.UserAgent},
		{"config_dir", &p.ConfigDir},
		{"work_dir", &p.WorkDir},
		{"logs_dir", &p.LogsDir},
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

// numberKey ties a numeric key to its field.
type numberKey struct {
	key   string
	field *int
}

func (p *Params) numbers() []numberKey {
	return []numberKey{{"rsa_key_size", &p.RSAKeySize}, {"http01_port", &p.HTTP01Port}}
}

// isHook tells hooks from other settings: a comma in one is a part of the command.
func isHook(key string) bool { return strings.HasSuffix(key, "_hook") }

// spellings are the names by which a setting goes in files. certbot writes renew_hook; deploy_hook
// is what it calls the same setting on its command line and, since 5, reads as well.
func spellings(key string) []string {
	if key == "renew_hook" || key == "deploy_hook" {
		return []string{"renew_hook", "deploy_hook"}
	}
	return []string{key}
}

// knownKeys are those of known; every line of every renewal file is compared with them.
var knownKeys = sync.OnceValue(known)

// known lists every key of [renewalparams] that certbot restores, under all its spellings, but
// webroot_map.
func known() []string {
	var p Params
	var keys []string
	for _, t := range p.texts() {
		keys = append(keys, spellings(t.key)...)
	}
	for _, f := range p.flags() {
		keys = append(keys, f.key)
	}
	for _, n := range p.numbers() {
		keys = append(keys, n.key)
	}
	return append(keys, "pref_challs", "webroot_path")
}

// plugins lists the prefixes of the keys that belong to the authenticator and the installer.
func (p *Params) plugins() []string {
	var prefixes []string
	for _, name := range []string{p.Authenticator, p.Installer} {
		if name != "" {
			prefixes = append(prefixes, strings.ReplaceAll(name, "-", "_")+"_")
		}
	}
	return prefixes
}

// isPlugin tells whether a key is a plugin's and none of those that have a field.
func (p *Params) isPlugin(key string) bool {
	if key == "webroot_map" || slices.Contains(knownKeys(), key) {
		return false
	}
	return slices.ContainsFunc(p.plugins(),
		func(prefix string) bool { return strings.HasPrefix(key, prefix) })
}
