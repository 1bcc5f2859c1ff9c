package argparse

// What contradicts itself is settled before cobra sees it, as certbot settles it: of a switch and
// its opposite the last counts, -a PLUGIN is that plugin's own switch, and there is one way to
// prove names. cobra's flags know nothing of each other, and two ways at once would be decided by
// the order of the code.

import (
	"slices"
	"strings"

	"orderly/failure"
)

// agree settles what contradicts itself. proves says that names are proven.
func agree(all []given, proves bool) ([]given, error) {
	takes := map[string]string{}
	for _, r := range flagTable() {
		if r.takes != "" {
			takes[r.spellings()[0]] = r.takes
		}
	}
	var out []given
	for i, g := range all {
		later := func(o given) bool { return takes[o.name] == g.name }
		if slices.ContainsFunc(all[i+1:], later) {
			continue
		}
		if proves {
			var err error
			if g, err = authenticator(g); err != nil {
				return nil, err
			}
		}
		if g.name != "" {
			out = append(out, g)
		}
	}
	if !proves {
		return out, nil
	}
	return out, oneWay(out)
}

// ways are the plugins that have a switch of their own.
func ways() []string { return []string{"webroot", "standalone", "manual", "nginx", "apache"} }

// authenticator turns -a webroot into --webroot, and drops an installer that says there is none.
func authenticator(g given) (given, error) {
	name := strings.ToLower(g.value)
	none := slices.Contains([]string{"", "none", "null"}, name)
	switch g.name {
	case "authenticator", "configurator":
		switch {
		case none:
			return given{}, nil
		case slices.Contains(ways(), name) || strings.HasPrefix(name, "dns-"):
			return given{option: option{name: name}, spelled: "--" + name, place: g.place}, nil
		}
		return g, notInstalled(g.place, g.value)
	case "installer":
		if none {
			return given{}, nil
		}
	}
	return g, nil
}

// notInstalled is certbot's error for a plugin that there is not.
func notInstalled(place, plugin string) error {
	return failure.New(failure.Config, useWebroot,
		"%sThe requested %s plugin does not appear to be installed", before(place),
		failure.Clean(plugin))
}

// before is a place in a file as errors begin with it.
func before(place string) string {
	if place == "" {
		return ""
	}
	return place + ": "
}

func oneWay(all []given) error {
	way := ""
	for _, g := range all {
		if !slices.Contains(ways(), g.name) {
			continue
		}
		if way != "" && way != g.name {
			return failure.New(failure.Config, "Leave one of them out.",
				"%sToo many flags setting configurators/installers/authenticators '%s' -> '%s'",
				before(g.place), way, g.name)
		}
		way = g.name
	}
	return nil
}
