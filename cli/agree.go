package cli

import (
	"slices"
	"strings"

	"orderly/failure"
)

// agree settles what contradicts itself: of a switch and its opposite the last counts, and where names are proven there is
// one way to do so.
func agree(settings []setting, proves bool) ([]setting, error) {
	takes := map[string]string{}
	for _, r := range flagTable() {
		if r.takes != "" {
			takes[r.spellings()[0]] = r.takes
		}
	}
	var out []setting
	for i, s := range settings {
		later := func(o setting) bool { return takes[o.name] == s.name }
		if slices.ContainsFunc(settings[i+1:], later) {
			continue
		}
		if proves {
			var err error
			if s, err = authenticator(s); err != nil {
				return nil, err
			}
		}
		if s.name != "" {
			out = append(out, s)
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
func authenticator(s setting) (setting, error) {
	name := strings.ToLower(s.text)
	none := slices.Contains([]string{"", "none", "null"}, name)
	switch s.name {
	case "authenticator", "configurator":
		switch {
		case none:
			return setting{}, nil
		case slices.Contains(ways(), name) || strings.HasPrefix(name, "dns-"):
			return setting{argFlag: argFlag{name: name}, spelled: "--" + name, place: s.place}, nil
		}
		return s, failure.New(failure.Config, useWebroot, "%sThe requested %s plugin does not appear to be installed", before(s.place), failure.Clean(s.text))
	case "installer":
		if none {
			return setting{}, nil
		}
	}
	return s, nil
}

func before(place string) string {
	if place == "" {
		return ""
	}
	return place + ": "
}

func oneWay(settings []setting) error {
	way := ""
	for _, s := range settings {
		if !slices.Contains(ways(), s.name) {
			continue
		}
		if way != "" && way != s.name {
			return failure.New(failure.Config, "Leave one of them out.", "%sToo many flags setting configurators/installers/authenticators '%s' -> '%s'", before(s.place), way, s.name)
		}
		way = s.name
	}
	return nil
}
