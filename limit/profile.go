package limit

import (
	_ "embed" // profiles.toml
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"orderly/failure"
	"orderly/tomlfile"
)

// What an order costs, and what giving one up costs, differs from CA to CA and cannot be asked for:
// it is written down here, and an operator may lay his own words over it.

//go:embed profiles.toml
var builtIn string

// Profile is what is known of one CA.
type Profile struct {
	Name      string
	Directory string // "" for a kind of CA
	// it runs Boulder; of a kind of CA: it is for any that shows Boulder's random entry
	Boulder bool

	ReusesOrders        bool
	HidesProcessing     bool
	ChargesDeactivation bool
	// authorizations of an account that may be pending at once; 0: not counted
	CountsPending     int
	LongestValidation time.Duration
	OrderLifetime     time.Duration
	OrderLifetimes    map[string]time.Duration // of profiles whose orders live shorter
	Limits            map[string]Limit         // by name; none where nothing is known

	written []written // of a CA whose kind is known when its directory was read
}

// Profiles are the CAs that are known.
type Profiles []Profile

// written is a profile as a file has it.
type written struct {
	Name                string            `toml:"name"`
	Directory           string            `toml:"directory"`
	Boulder             *bool             `toml:"boulder"`
	ReusesOrders        *bool             `toml:"reuses_orders"`
	HidesProcessing     *bool             `toml:"hides_processing"`
	ChargesDeactivation *bool             `toml:"charges_deactivation"`
	CountsPending       *int              `toml:"counts_pending"`
	LongestValidation   string            `toml:"longest_validation"`
	OrderLifetime       string            `toml:"order_lifetime"`
	OrderLifetimes      map[string]string `toml:"order_lifetimes"`
	Share               string            `toml:"share"`
	DomainsSpread       *bool             `toml:"domains_spread"`
	Limits              map[string]string `toml:"limits"`
}

// Load returns the built-in profiles with those of an operator's file laid over them; overlay may
// be empty, and name is what errors call it. They are of class Config and name the line or the key.
func Load(overlay, name string) (Profiles, error) {
	profiles, err := Profiles(nil).lay(builtIn, "profiles.toml")
	if err != nil {
		return nil, err
	}
	return profiles.lay(overlay, name)
}

func (p Profiles) lay(text, name string) (Profiles, error) {
	remedy := "Mend that line; " + failure.Do(failure.ShowSettings) + " lists every setting."
	var file struct {
		CA []written `toml:"ca"`
	}
	in := tomlfile.File{Text: text, Name: name, Block: "ca", Table: "limits", Remedy: remedy}
	if err := in.Decode(&file); err != nil {
		return nil, err
	}
	for i, w := range file.CA {
		with, err := p.with(w)
		if err != nil {
			key, _, _ := strings.Cut(err.Error(), " = ")
			if of := failure.Clean(w.Name + w.Directory); of != "" {
				err = fmt.Errorf("ca %s: %w", of, err)
			}
			return nil, in.Wrong(err, i, key)
		}
		p = with
	}
	return p, nil
}

// over lays what is written over a profile.
func (p Profile) over(w written) (Profile, error) {
	if w.Name != "" {
		p.Name = w.Name
	}
	set(&p.Boulder, w.Boulder)
	set(&p.ReusesOrders, w.ReusesOrders)
	set(&p.HidesProcessing, w.HidesProcessing)
	set(&p.ChargesDeactivation, w.ChargesDeactivation)
	set(&p.CountsPending, w.CountsPending)
	if p.CountsPending < 0 {
		return p, fmt.Errorf("counts_pending = %d: not a number of authorizations", p.CountsPending)
	}
	if err := setTime(&p.LongestValidation, "longest_validation", w.LongestValidation); err != nil {
		return p, err
	}
	if err := setTime(&p.OrderLifetime, "order_lifetime", w.OrderLifetime); err != nil {
		return p, err
	}
	p.OrderLifetimes = maps.Clone(p.OrderLifetimes)
	for profile, text := range w.OrderLifetimes {
		var life time.Duration
		if err := setTime(&life, failure.Clean(profile), text); err != nil {
			return p, err
		}
		if p.OrderLifetimes == nil {
			p.OrderLifetimes = map[string]time.Duration{}
		}
		p.OrderLifetimes[profile] = life
	}
	return p.limited(w)
}

func (p Profile) limited(w written) (Profile, error) {
	limits := map[string]Limit{}
	for name, l := range p.Limits {
		limits[name] = l
	}
	for name, text := range w.Limits {
		if !slices.Contains(Names(), name) {
			return p, fmt.Errorf("%s = %q: there is no such limit, only %s", failure.Clean(name), failure.Clean(text),
				strings.Join(Names(), ", "))
		}
		l, err := parseLimit(name, text)
		if err != nil {
			return p, err
		}
		limits[name] = l
	}
	if w.Share != "" {
		part, of, err := parseShare(w.Share)
		if err != nil {
			return p, err
		}
		spread := w.DomainsSpread == nil || *w.DomainsSpread
		for name, l := range limits {
			if Shared(name, spread) {
				limits[name] = l.Share(part, of)
			}
		}
	}
	p.Limits = limits
	return p, nil
}

func set[T any](to *T, from *T) {
	if from != nil {
		*to = *from
	}
}

func setTime(to *time.Duration, key, text string) error {
	if text == "" {
		return nil
	}
	d, err := time.ParseDuration(text)
	if err != nil || d <= 0 {
		return fmt.Errorf("%s = %q: not a time such as 60s", key, failure.Clean(text))
	}
	*to = d
	return nil
}

// parseLimit reads "300/3h"; "off" is no limit.
func parseLimit(name, text string) (Limit, error) {
	if text == "off" {
		return Limit{Name: name}, nil
	}
	count, period, _ := strings.Cut(text, "/")
	n, err := strconv.ParseInt(count, 10, 64)
	d, errPeriod := time.ParseDuration(period)
	if err != nil || errPeriod != nil || n < 1 || d < time.Duration(n) {
		return Limit{}, fmt.Errorf("%s = %q: not a limit such as 300/3h, or off", name, failure.Clean(text))
	}
	return Limit{Name: name, Count: n, Period: d}, nil
}

func parseShare(text string) (part, of int64, err error) {
	a, b, _ := strings.Cut(text, "/")
	part, err = strconv.ParseInt(a, 10, 64)
	of, errOf := strconv.ParseInt(b, 10, 64)
	if err != nil || errOf != nil || part < 1 || of < part {
		return 0, 0, fmt.Errorf("share = %q: not a part such as 1/20", failure.Clean(text))
	}
	return part, of, nil
}

// cautious is what is believed of a CA where no profile was loaded.
func cautious(boulder bool) Profile {
	p := Profile{Name: "generic", LongestValidation: time.Minute, OrderLifetime: 7 * 24 * time.Hour}
	if boulder {
		p.Name, p.Boulder, p.ReusesOrders, p.HidesProcessing, p.ChargesDeactivation = "boulder", true, true, true, true
	}
	return p
}
