package cli

// Document roots and names keep the order in which they stand on the command line: as with certbot,
// -d belongs to the -w before it, and another order is another certificate.

import (
	"encoding/json"
	"errors"
	"io"
	"net/netip"
	"path/filepath"
	"strings"

	"github.com/spf13/pflag"

	"orderly/failure"
)

// roots collects -w and -d in the order in which they stand: as with certbot, -d belongs to the -w
// before it.
type roots struct {
	paths  []string
	names  []string        // as typed
	ips    map[string]bool // those of names that came as --ip-address
	mapped map[string]string
	early  bool // a -d stood before the first -w
}

type pathValue struct{ r *roots }

// Set implements pflag.Value. certbot checks the directory here, before anything else happens. A
// comma belongs to the path: only -d takes lists.
func (v pathValue) Set(text string) error { return v.r.addPath(text) }

func (r *roots) addPath(text string) error {
	// a script's variable that is not set; it would mean the directory where the script runs
	if text == "" {
		return failure.New(failure.Usage, "Give it the directory that the web server serves.",
			"--webroot-path is empty")
	}
	path, err := filepath.Abs(text)
	if err != nil {
		return err
	}
	if len(r.paths) > 0 && r.early {
		return failure.New(failure.Usage, "",
			"If you specify multiple webroot paths, one of them must precede all domain flags")
	}
	r.settle()
	r.paths = append(r.paths, path)
	return nil
}

// settle gives the names so far the last -w before them.
func (r *roots) settle() {
	if len(r.paths) == 0 {
		r.early = len(r.names) > 0
		return
	}
	for _, name := range r.names {
		if _, ok := r.mapped[name]; !ok {
			r.mapped[name] = r.paths[len(r.paths)-1]
		}
	}
}

// String implements pflag.Value.
func (v pathValue) String() string {
	if v.r == nil {
		return ""
	}
	return strings.Join(v.r.paths, ",")
}

// Type implements pflag.Value.
func (v pathValue) Type() string { return "directory" }

type addressValue struct{ r *roots }

// Set implements pflag.Value.
func (v addressValue) Set(text string) error {
	for part := range strings.SplitSeq(text, ",") {
		address, err := netip.ParseAddr(strings.TrimSpace(part))
		if err != nil || address.Zone() != "" {
			return failure.New(failure.BadName, "Give an address such as 192.0.2.1 or 2001:db8::1.",
				"--ip-address %s: not an IP address", failure.Clean(part))
		}
		address = address.Unmap() // ::ffff:192.0.2.1 is 192.0.2.1, as CAs show it
		v.r.ips[address.String()] = true
		v.r.names = append(v.r.names, address.String())
	}
	return nil
}

// String implements pflag.Value.
func (addressValue) String() string { return "" }

// Type implements pflag.Value.
func (addressValue) Type() string { return "address" }

// name is a name as it is ordered.
func (r *roots) name(typed string) (string, error) {
	if r.ips[typed] {
		return typed, nil
	}
	return dnsName(typed)
}

type nameValue struct{ r *roots }

// Set implements pflag.Value.
func (v nameValue) Set(text string) error {
	for part := range strings.SplitSeq(text, ",") {
		if part = strings.TrimSpace(part); part != "" {
			v.r.names = append(v.r.names, part)
		}
	}
	return nil
}

// String implements pflag.Value.
func (v nameValue) String() string {
	if v.r == nil {
		return ""
	}
	return strings.Join(v.r.names, ",")
}

// Type implements pflag.Value.
func (v nameValue) Type() string { return "name" }

func (r *roots) add(set *pflag.FlagSet) {
	r.addPaths(set, "document root of the names that follow; repeat for others")
	set.VarP(nameValue{r}, "domain", "d",
		"DNS `name`; repeat, or separate by commas; the first one names the certificate")
	alias(set, "domains", "domain")
	set.Var(addressValue{r}, "ip-address",
		"IP `address` to be in the certificate; repeat, or separate by commas")
}

// addPaths adds the flags for document roots.
func (r *roots) addPaths(set *pflag.FlagSet, usage string) {
	r.mapped, r.ips = map[string]string{}, map[string]bool{}
	set.VarP(pathValue{r}, "webroot-path", "w", usage)
	set.Var(mapValue{r}, "webroot-map",
		"document roots as `JSON`, {\"NAME,NAME\": \"DIR\"}; it counts more than -w, and its names "+
			"need no -d")
}

// webroots gives every name its document root; nothing for a name that has none.
func (r *roots) webroots(names map[string]string) map[string]string {
	r.settle()
	out := map[string]string{}
	for _, typed := range r.names {
		if root := r.mapped[typed]; root != "" {
			out[names[typed]] = root
		}
	}
	return out
}

// mapValue is certbot's --webroot-map: document roots by names, which counts more than what -w and
// -d say.
type mapValue struct{ r *roots }

// Set implements pflag.Value.
func (v mapValue) Set(text string) error {
	bad := func() error {
		return failure.New(failure.Usage, "",
			`--webroot-map: not JSON such as {"a.example,www.a.example": "/var/www/a"}`)
	}
	d := json.NewDecoder(strings.NewReader(text))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return bad()
	}
	for d.More() { // in the order of the text, which names the certificate
		key, err := d.Token()
		var dir string
		if err != nil || d.Decode(&dir) != nil {
			return bad()
		}
		if err := v.r.addMapped(key.(string), dir); err != nil {
			return err
		}
	}
	if _, err := d.Token(); err != nil {
		return bad()
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return bad()
	}
	return nil
}

// String implements pflag.Value.
func (v mapValue) String() string { return "" }

// Type implements pflag.Value.
func (v mapValue) Type() string { return "JSON" }

func (r *roots) addMapped(names, dir string) error {
	path, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	for name := range strings.SplitSeq(names, ",") {
		if name = strings.TrimSpace(name); name != "" {
			r.names = append(r.names, name)
			r.mapped[name] = path
		}
	}
	return nil
}
