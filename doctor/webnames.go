package doctor

// D51: names that are served and not renewed, and certificates of names that nobody serves.

import (
	"context"
	"net/netip"
	"slices"
	"strings"

	"orderly/failure"
	"orderly/webserver"
)

// unpaired are names without a certificate and certificates without a name.
func unpaired(ctx context.Context, e *Exam) ([]Finding, error) {
	s := e.webSites(ctx)
	all := e.unserved(ctx, s)
	if len(e.Wanted.Names) == 0 {
		all = append(all, e.uncovered(ctx, s)...)
	}
	return all, nil
}

// unserved are names of lineages that no host has. Where anything is not understood, it may have
// them.
func (e *Exam) unserved(ctx context.Context, s *sites) []Finding {
	if len(s.Servers) == 0 || s.Servers[0].PID == 0 || len(s.Elsewhere) > 0 || !s.understood() {
		return nil
	}
	var g gathered
	for _, v := range s.visits {
		named := slices.ContainsFunc(slices.Concat(s.Servers, s.Idle), func(server *webserver.Server) bool {
			return len(server.Named(v.name)) > 0
		})
		byDefault := slices.IndexFunc(v.answers, func(a webserver.Answer) bool {
			return a.ByDefault && len(a.Doubts) == 0 && (a.Dir == "" || !e.sameDir(ctx, a.Dir, v.root))
		})
		if named || byDefault < 0 {
			continue // or the default site has the tokens
		}
		f := v.finds("D51", failure.HTTPWrong, failure.Advise("If the site is gone: %s. If not, let a site have "+
			"its names.", failure.Do(failure.Delete, v.Lineage.Name)),
			"no site of %s has %s, and the default one (%s) does not serve its tokens",
			v.answers[byDefault].Host.Kind, v.name, v.answers[byDefault].First.Place)
		f.Cause = "unserved"
		if e.outlived(v.Lineage, v.answers[byDefault].First.File) {
			f.Severity = Doubtful
		}
		g.add("", v.name, f)
	}
	return g.all
}

// understood reports whether all hosts are known.
func (s *sites) understood() bool {
	return !slices.ContainsFunc(s.Servers, func(server *webserver.Server) bool {
		return server.Broken != nil || len(server.Puzzles) > 0 ||
			slices.ContainsFunc(server.Hosts, func(h *webserver.Host) bool { return h.Doubt != "" })
	})
}

// uncovered are names of hosts that no lineage has and that have no certificate from elsewhere.
func (e *Exam) uncovered(ctx context.Context, s *sites) []Finding {
	covered := map[string]bool{}
	for _, all := range [][]*Lineage{e.Lineages, e.Others} {
		for _, x := range all {
			if len(x.Names) == 0 {
				return nil // which names it has is not known
			}
			for _, name := range x.Names {
				covered[strings.ToLower(name)] = true
			}
		}
	}
	bare := func(name string) bool {
		_, parent, _ := strings.Cut(name, ".")
		return public(name) && !covered[name] && !covered["*."+parent] && !s.certified(name)
	}
	var found []Finding
	told := map[string]bool{}
	for _, server := range s.Servers {
		for _, h := range server.Hosts {
			var names []string
			for _, n := range h.Names {
				if !n.Pattern && bare(n.Text) && !told[n.Text] {
					told[n.Text] = true
					names = append(names, n.Text)
				}
			}
			if len(names) > 0 {
				found = append(found, s.bareHost(ctx, e.Web.Port, h, names))
			}
		}
	}
	return found
}

// certified reports whether a host has a name with a certificate from elsewhere.
func (s *sites) certified(name string) bool {
	return slices.ContainsFunc(s.Servers, func(server *webserver.Server) bool {
		return slices.ContainsFunc(server.Named(name), func(h *webserver.Host) bool {
			return len(h.Certificates) > 0
		})
	})
}

// public reports whether a CA may be asked about a name.
func public(name string) bool {
	if _, err := netip.ParseAddr(name); err == nil || !strings.Contains(name, ".") || strings.Contains(name, "*") {
		return false
	}
	last := name[strings.LastIndexByte(name, '.')+1:]
	return !slices.Contains([]string{"local", "localhost", "localdomain", "internal", "lan", "home", "arpa",
		"test", "invalid", "corp", "intranet"}, last)
}

func (s *sites) bareHost(ctx context.Context, port int, h *webserver.Host, names []string) Finding {
	remedy := failure.Do(failure.ObtainAt, append([]string{""}, names...)...)
	if answers := s.Ask(ctx, names[0], port); len(answers) > 0 && !answers[0].ByDefault && answers[0].Fault == nil && len(answers[0].Doubts) == 0 {
		if root, ok := answers[0].Root(); ok {
			remedy = failure.Do(failure.ObtainIn, append([]string{root}, names...)...)
		}
	}
	f := Finding{ID: "D51", Class: failure.Config, Severity: Note, Names: names, File: h.File, Line: h.Line,
		Since: touched(h.File), Fix: FixNo, Cause: "uncovered", Remedy: "Obtain one: " + remedy + "."}
	f.Sentence = failure.Words("%s serves %s without a certificate", h.Kind, names[0])
	if more := len(names) - 1; more > 0 {
		f.Sentence += failure.Words(" and %d more names", more)
	}
	return f
}
