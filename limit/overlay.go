package limit

import (
	"errors"
	"net/url"
	"slices"
	"strings"

	"orderly/failure"
)

// What an operator writes of a CA is laid over what is known of it, and that is known in full only
// when its directory was read: a private Boulder is one whether or not he says so. Taken for a CA
// of which nothing is known, it would be believed to reuse no orders and to charge nothing for a
// deactivation. So an entry for a directory is kept as written, and laid over the profile of the
// CA's kind when that is asked for.

// with lays one written profile over the one for the same directory, or over that of its name.
func (p Profiles) with(w written) (Profiles, error) {
	if w.Name == "" && w.Directory == "" {
		return nil, errors.New("a [[ca]] needs a name or a directory")
	}
	at := slices.IndexFunc(p, func(o Profile) bool {
		if w.Directory != "" {
			return o.Directory != "" && sameDirectory(o.Directory, w.Directory)
		}
		return o.Name == w.Name
	})
	base := Profile{Name: w.Name, Directory: w.Directory}
	if at >= 0 {
		base = p[at]
	}
	laid, err := base.over(w)
	if err != nil {
		return nil, err
	}
	if w.Directory != "" && at < 0 || len(base.written) > 0 {
		laid = base
		laid.written = append(slices.Clone(base.written), w)
	}
	if at < 0 {
		return append(slices.Clone(p), laid), nil
	}
	p = slices.Clone(p)
	p[at] = laid
	return p, nil
}

// sameDirectory compares the URLs of two directories as a client does: host in any case, a default
// port left out or not, a slash at the end or not.
func sameDirectory(a, b string) bool { return a == b || plain(a) == plain(b) }

func plain(directory string) string {
	u, err := url.Parse(directory)
	if err != nil {
		return directory
	}
	host := strings.ToLower(u.Host)
	if strings.EqualFold(u.Scheme, "https") {
		host = strings.TrimSuffix(host, ":443")
	}
	path := strings.TrimSuffix(u.EscapedPath(), "/")
	return strings.ToLower(u.Scheme) + "://" + host + path + "?" + u.RawQuery
}

// For returns the profile of a CA: that of its directory, laid over the one of its kind, which is
// Boulder's where it runs one.
func (p Profiles) For(directory string, boulder bool) Profile {
	for _, known := range p {
		if known.Directory == "" || !sameDirectory(known.Directory, directory) {
			continue
		}
		if len(known.written) == 0 {
			return known
		}
		return p.resolved(known, boulder)
	}
	return p.kind(boulder)
}

// resolved lays what is written of a CA over the profile of its kind.
func (p Profiles) resolved(known Profile, boulder bool) Profile {
	for _, w := range known.written {
		if w.Boulder != nil {
			boulder = *w.Boulder
		}
	}
	laid := p.kind(boulder)
	laid.Name = hostOf(known.Directory) // the kind's would be that of others as well
	for _, w := range known.written {
		laid, _ = laid.over(w) // with has tried it
	}
	laid.Directory = known.Directory
	return laid
}

// NameAt is what the CA of a directory is called: one that nobody has named, by its host.
func (p Profile) NameAt(directory string) string {
	if p.Directory != "" && p.Name != "" {
		return p.Name
	}
	return hostOf(directory)
}

// hostOf is the host of a directory, with the port where that is another than usual.
func hostOf(directory string) string {
	u, err := url.Parse(directory)
	if err != nil || u.Host == "" {
		return failure.Clean(directory)
	}
	return failure.Clean(strings.TrimSuffix(strings.ToLower(u.Host), ":443"))
}

// kind is the profile of a kind of CA.
func (p Profiles) kind(boulder bool) Profile {
	for _, known := range p {
		if known.Directory == "" && known.Boulder == boulder {
			return known
		}
	}
	return cautious(boulder)
}
