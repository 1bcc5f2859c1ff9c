package doctor

// D35: whether the web server starts, and answers on the port that the CA asks.

import (
	"context"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"orderly/failure"
	"orderly/webserver"
)

// notAnswering are web servers that would not start, and a port that nobody or somebody else has.
func notAnswering(ctx context.Context, e *Exam) ([]Finding, error) {
	s := e.webSites(ctx)
	var all []Finding
	for _, server := range s.Servers {
		if server.Broken != nil {
			all = append(all, e.wouldNotStart(server))
		}
	}
	if len(s.visits) == 0 {
		return all, nil // nobody here is asked by a CA
	}
	listeners, known := webserver.Listeners(e.Web.Port)
	switch {
	case !known:
	case len(listeners) == 0:
		all = append(all, e.nobodyListens(s))
	default:
		if f, ok := e.takenPort(s, listeners); ok {
			all = append(all, f)
		}
		all = append(all, e.idle(s)...)
	}
	return all, nil
}

// idle are servers that have names which nobody else has, and do not run.
func (e *Exam) idle(s *sites) []Finding {
	var g gathered
	for _, v := range s.visits {
		if slices.ContainsFunc(v.answers, func(a webserver.Answer) bool { return !a.ByDefault }) {
			continue
		}
		for _, server := range s.Idle {
			if len(server.Named(v.name)) == 0 {
				continue
			}
			f := v.finds("D35", failure.HTTPUnreached, failure.Remedy("Start it: `"+string(failure.Shell("systemctl",
				"start", filepath.Base(server.Program)))+"`."), "%s, which has %s, does not run", server.Kind, v.name)
			f.File, f.Line, f.Cause = server.Named(v.name)[0].File, server.Named(v.name)[0].Line, "idle"
			g.add(string(server.Kind), v.name, f)
		}
	}
	return g.all
}

// onHost is a finding about the host: it hurts with the first renewal of all.
func (e *Exam) onHost(id string, class failure.Class, remedy failure.Remedy, format string, args ...any) Finding {
	var first time.Time
	for _, v := range e.sites.visits {
		first = earlier(first, v.hurtsAt())
	}
	return Finding{ID: id, Class: class, Severity: WillFail, HurtsAt: first, Remedy: remedy, Fix: FixNo,
		Sentence: failure.Words(format, args...)}
}

// wouldNotStart is a web server whose configuration is broken: it runs on, until it is told to
// reload, which a deploy hook does, or until the host is started anew.
func (e *Exam) wouldNotStart(server *webserver.Server) Finding {
	place := server.Broken.Place
	for _, h := range server.Hosts {
		for _, c := range h.Certificates {
			if place.Line == 0 && strings.Contains(server.Broken.Words, `"`+c.File+`"`) {
				place = c.Place
			}
		}
	}
	f := e.onHost("D35", failure.Config, failure.Remedy("Correct it there; `"+string(failure.Shell(server.Test...))+
		"` says whether it is right."), "%s would not start or reload with its configuration: %s", server.Kind,
		server.Broken.Words)
	f.File, f.Line, f.Since, f.Cause = place.File, place.Line, touched(place.File), "broken"
	return f
}

func (e *Exam) nobodyListens(s *sites) Finding {
	f := e.onHost("D35", failure.HTTPUnreached, "Start the web server, or let it listen there.",
		"nothing listens on port %d of this host, where the CA asks for %s", e.Web.Port, count(s))
	if len(s.Servers) == 1 && s.Servers[0].PID == 0 {
		server := s.Servers[0]
		f.Remedy = failure.Remedy("Start " + string(server.Kind) + ": `" +
			string(failure.Shell("systemctl", "start", filepath.Base(server.Program))) + "`.")
	}
	// where the router maps another port, that one may be what the CA comes to
	if s.elsewhere(e.Web.Port) {
		f.Severity = Doubtful
	}
	f.Cause = "nobody"
	return f
}

func count(s *sites) string {
	names := map[string]bool{}
	for _, v := range s.visits {
		names[v.name] = true
	}
	if len(names) == 1 {
		return s.visits[0].name
	}
	return failure.Words("%d names", len(names))
}

// elsewhere reports whether a running server answers in clear for one of the names on another port.
func (s *sites) elsewhere(port int) bool {
	for _, v := range s.visits {
		for _, server := range s.Servers {
			for _, h := range server.Named(v.name) {
				if server.PID != 0 && slices.ContainsFunc(h.Listens, func(l webserver.Listen) bool {
					return !l.TLS && l.Port != port
				}) {
					return true
				}
			}
		}
	}
	return false
}

// takenPort is a port that another program has than the server that is configured for it.
func (e *Exam) takenPort(s *sites, listeners []webserver.Listener) (Finding, bool) {
	meant := map[webserver.Kind]bool{}
	for _, v := range s.visits {
		for _, a := range v.answers {
			if !a.ByDefault {
				meant[a.First.Kind] = true
			}
		}
	}
	for _, l := range listeners {
		if l.PID == 0 || meant[webserver.KindOf(l.Program)] {
			return Finding{}, false // it has it, or nobody knows who has
		}
	}
	if len(meant) != 1 {
		return Finding{}, false
	}
	l := listeners[0]
	for kind := range meant {
		f := e.onHost("D35", failure.PortTaken, failure.Advise("Let one of both have it: look at `%s`, and give "+
			"the port to %s.", failure.Shell("ps", "-fp", failure.Words("%d", l.PID)), kind),
			"port %d belongs to %s (process %d), and %s, which is configured for it with %s, does not have it",
			e.Web.Port, l.Program, l.PID, kind, count(s))
		f.Cause = "taken"
		return f, true
	}
	return Finding{}, false
}
