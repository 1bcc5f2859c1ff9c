package doctor

// What the web servers of this host say of their configuration is asked once for all checks that
// need it. What they do not say clearly is never called a fault.

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"time"

	"orderly/failure"
	"orderly/solver/webroot"
	"orderly/webserver"
)

// Web is how the web servers are asked.
type Web struct {
	Look   func(context.Context) *webserver.Survey
	Writer *webroot.Writer // looks at document roots
	Port   int             // stands in for 80
}

// webChecks are those of the web servers' configuration.
func webChecks() []Check {
	all := []Check{
		{ID: "D33", Title: "Another certificate is in use than the one that is renewed", Host: inUse},
		{ID: "D34", Title: "The web server's document root is not the configured one", Host: otherRoots},
		{ID: "D35", Title: "The web server does not answer where the CA asks", Host: notAnswering},
		{ID: "D36", Title: "A rule of the web server's is in a token's way", Host: inTheWay},
		{ID: "D51", Title: "Names and certificates do not fit together", Host: unpaired},
	}
	for i := range all {
		all[i].Needs = WebServer
	}
	return all
}

// sites is what the web servers have to do with the lineages.
type sites struct {
	*webserver.Survey
	visits []visit
}

// visit is what becomes of a token for a name of a lineage.
type visit struct {
	*Lineage
	name, root string
	answers    []webserver.Answer
}

// webSites asks the web servers, when the first check needs it.
func (e *Exam) webSites(ctx context.Context) *sites {
	if e.sites != nil {
		return e.sites
	}
	if e.Tell != nil {
		slow := time.AfterFunc(time.Second, func() {
			e.Tell("Waiting for the web servers of this host to show their configuration.")
		})
		defer slow.Stop()
	}
	s := &sites{Survey: e.Web.Look(ctx)}
	s.Read = e.customersFile()
	for _, x := range e.renewing() {
		for _, name := range x.Names {
			if root := x.Roots[name]; root != "" && !isWildcard(name) {
				s.visits = append(s.visits, visit{Lineage: x, name: name, root: path.Clean(root),
					answers: s.Ask(ctx, name, e.Web.Port)})
			}
		}
	}
	e.sites = s
	return s
}

// customersFile reads files of customers, each once: thousands of names share directories.
func (e *Exam) customersFile() func(context.Context, string, string) (string, bool) {
	type answer struct {
		text  string
		found bool
	}
	known := map[string]answer{}
	return func(ctx context.Context, dir, name string) (string, bool) {
		a, asked := known[path.Join(dir, name)]
		if !asked {
			text, found := e.Web.Writer.ReadFile(ctx, dir, name, webserver.MostRules)
			a = answer{string(text), found}
			known[path.Join(dir, name)] = a
		}
		return a.text, a.found
	}
}

// customers reports whether a file is a customer's, which is not looked at in this process.
func customers(file string) bool { return path.Base(file) == ".htaccess" }

// touched is when a file of the web server's was changed; zero where that is not known.
func touched(file string) time.Time {
	if file == "" || customers(file) {
		return time.Time{}
	}
	info, err := os.Stat(file)
	if err != nil {
		return time.Time{}
	}
	return info.ModTime()
}

// backdated is by how much CAs let a certificate begin before it was issued.
const backdated = 2 * time.Hour

// outlived reports whether the lineage was renewed since these files are as they are: what they say
// was no hindrance then.
func (e *Exam) outlived(x *Lineage, files ...string) bool {
	if x.NotBefore.IsZero() || e.At.Sub(x.NotBefore) > lately {
		return false
	}
	for _, file := range files {
		when := touched(file)
		if when.IsZero() || when.After(x.NotBefore) {
			return false
		}
	}
	settings, err := os.Stat(x.Path)
	return err == nil && !settings.ModTime().After(x.NotBefore.Add(backdated))
}

// gathered are findings of which those of one lineage and one cause become one, with all its names.
type gathered struct {
	at  map[string]int
	all []Finding
}

// add adds a finding about a name; key is what makes two of them one.
func (g *gathered) add(key, name string, f Finding) {
	if g.at == nil {
		g.at = map[string]int{}
	}
	key = f.ID + "\x00" + f.Lineage + "\x00" + key
	if i, ok := g.at[key]; ok {
		if !slices.Contains(g.all[i].Names, name) {
			g.all[i].Names = append(g.all[i].Names, name)
		}
		return
	}
	f.Names = []string{name}
	g.at[key] = len(g.all)
	g.all = append(g.all, f)
}

// fullstop ends a remedy of which a part is left out.
func fullstop(parts ...failure.Remedy) failure.Remedy {
	var all []string
	for _, part := range parts {
		if part != "" {
			all = append(all, string(part))
		}
	}
	return failure.Remedy(strings.Join(all, " "))
}

// inPlace changes a line of a server's file, and lets it read that.
func inPlace(server *webserver.Server, script, file string) failure.Remedy {
	words := failure.Shell("sed", "-i", script, file)
	if server != nil && len(server.Reload) > 0 {
		words += " && " + reloading(server)
	}
	return failure.Remedy("Run `" + string(words) + "`.")
}

// reloading is the command that lets a running server read its configuration again.
func reloading(server *webserver.Server) failure.Remedy {
	var all []string
	for _, words := range server.Reload {
		all = append(all, string(failure.Shell(words...)))
	}
	return failure.Remedy(strings.Join(all, " && "))
}

// serverOf is the server of a host.
func (s *sites) serverOf(h *webserver.Host) *webserver.Server {
	for _, server := range s.Servers {
		if slices.Contains(server.Hosts, h) {
			return server
		}
	}
	return nil
}

// missing reports whether a file is not there.
func missing(file string) bool {
	_, err := os.Stat(file)
	return errors.Is(err, fs.ErrNotExist)
}
