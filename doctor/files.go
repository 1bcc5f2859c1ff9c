package doctor

// What a renewal file says, and whether a renewal could go by it. Faults that share a class are told
// apart by certbot.FaultOf, since what is to be done about them differs.

import (
	"errors"
	"io/fs"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"orderly/certbot"
	"orderly/failure"
	"orderly/host"
)

func fileChecks() []Check {
	return []Check{
		{ID: "D1", Title: "The renewal file cannot be used", Lineage: unusableFile},
		{ID: "D2", Title: "The renewal file is empty", Lineage: emptyFile},
		{ID: "D4", Title: "No document root is configured", Lineage: rootUnset},
		{ID: "D5", Title: "A setting stands where certbot does not look for it",
			Lineage: misplaced},
		{ID: "D6", Title: "An entry of [[webroot_map]] belongs to no name", Lineage: staleEntries},
		{ID: "D7", Title: "An empty [[webroot_map]] hides the document root", Lineage: hiddenPath},
		{ID: "D8", Title: "A value is read as something else than it was meant", Lineage: misread},
		{ID: "D9", Title: "The way in which names are proven is not there any more",
			Lineage: unproven},
		{ID: "D10", Title: "The CA is retired, or a test environment", Lineage: oddServer},
		{ID: "D18", Title: "The files name another directory", Lineage: elsewhere},
	}
}

// unprovable is an error about how names are proven.
type unprovable struct{ error }

// Unwrap returns the error itself.
func (u *unprovable) Unwrap() error { return u.error }

// refusal is what keeps a lineage from being renewed with its own settings, nil for nothing.
func refusal(l *certbot.Lineage) error {
	if err := l.Usable(); err != nil {
		return err
	}
	if err := host.Unprovable(l); err != nil {
		return &unprovable{err}
	}
	return nil
}

// idOf is the check that tells of what keeps a lineage from being renewed; "" where it is told of the
// host as a whole.
func idOf(err error) string {
	if errors.Is(err, fs.ErrPermission) {
		return ""
	}
	if errors.Is(err, certbot.ErrBlank) {
		return "D2"
	}
	fault, _ := certbot.FaultOf(err)
	switch fault {
	case certbot.FaultTwice, certbot.FaultInterpolation, certbot.FaultComma:
		return "D8"
	case certbot.FaultChallenge, certbot.FaultAuthenticator:
		return "D9"
	case certbot.FaultRoot:
		return "D4"
	case certbot.FaultMoved:
		return "D18"
	case certbot.FaultCertificate:
		return "D16"
	case certbot.FaultKey:
		return "D15"
	}
	if _, ok := errors.AsType[*unprovable](err); ok {
		return "D9"
	}
	if failure.ClassOf(err) == failure.LineageBroken {
		return "D14"
	}
	return "D1"
}

// refusals are the findings of a check about what keeps a lineage from being renewed.
func (x *Lineage) refusals(id string) []Finding {
	var all []Finding
	for _, err := range x.Refusals {
		if idOf(err) != id {
			continue
		}
		f := x.findsError(id, err)
		_, f.Line = certbot.FaultOf(err)
		f.Since = changed(x.Path)
		if x.off() {
			f.Severity, f.HurtsAt = Note, time.Time{}
		}
		all = append(all, f)
	}
	return all
}

// changed is when what stands at a path was last written; zero where nothing does.
func changed(path string) time.Time {
	info, err := os.Lstat(path)
	if err != nil {
		return time.Time{}
	}
	return info.ModTime()
}

// notes is a finding for each note of a kind.
func (x *Lineage) notes(id string, l *certbot.Lineage, kind certbot.Fault) []Finding {
	if l == nil {
		return nil
	}
	var all []Finding
	for _, n := range l.Renewal.Notes {
		if n.Fault == kind {
			f := x.notesThat(id, certbot.CorrectLine(n.Path, n.Line, "Correct the line."), "%s", n.Sentence)
			f.Line, f.File = n.Line, n.Path
			all = append(all, f)
		}
	}
	return all
}

// notesThat is a finding about a lineage of which nothing fails.
func (x *Lineage) notesThat(id string, remedy failure.Remedy, format string, args ...any) Finding {
	f := x.finds(id, failure.RenewalFile, remedy, format, args...)
	f.Severity, f.HurtsAt = Note, time.Time{}
	return f
}

func unusableFile(_ *Exam, x *Lineage, l *certbot.Lineage) []Finding {
	return append(x.refusals("D1"), x.notes("D1", l, certbot.FaultValue)...)
}

// emptyFile tells of what a killed certbot left. Where nothing stands behind it, the next run takes
// it away.
func emptyFile(e *Exam, x *Lineage, _ *certbot.Lineage) []Finding {
	all := x.refusals("D2")
	for i := range all {
		if e.Disk.NothingBehind(x.Name) {
			all[i].Severity, all[i].HurtsAt = Note, time.Time{}
		}
	}
	return all
}

// rootUnset tells which names have no document root: one finding a lineage, since one command mends
// them.
func rootUnset(_ *Exam, x *Lineage, _ *certbot.Lineage) []Finding {
	all := x.refusals("D4")
	for i := range all {
		f, others := &all[i], map[string]int{}
		for _, name := range x.Names {
			if root := x.Roots[name]; root != "" {
				others[root]++
			} else {
				f.Names = append(f.Names, name)
			}
		}
		if len(f.Names) > 1 {
			f.Sentence += failure.Words("; nor for %d more", len(f.Names)-1)
		}
		for root, n := range others {
			if len(others) == 1 {
				f.Sentence += failure.Words("; the root of %d more is %s", n, root)
			}
		}
	}
	return all
}

// staleEntries tells of names that were taken out of the certificate; where that is another's, it
// says nothing of them.
func staleEntries(_ *Exam, x *Lineage, l *certbot.Lineage) []Finding {
	if l == nil || l.Astray {
		return nil
	}
	all := x.notes("D6", l, certbot.FaultStale)
	for i := range all {
		all[i].Sentence += "; certbot breaks off where its directory is gone"
		all[i].Remedy = certbot.CorrectLine(all[i].File, all[i].Line, "Remove the line.")
	}
	return all
}

// misplaced tells of settings that stand elsewhere than certbot looks for them.
func misplaced(_ *Exam, x *Lineage, l *certbot.Lineage) []Finding {
	all := x.notes("D5", l, certbot.FaultMisplaced)
	for i := range all {
		all[i].Remedy = certbot.CorrectLine(all[i].File, all[i].Line,
			"Move the line below [renewalparams], or remove it.")
	}
	return all
}

func hiddenPath(_ *Exam, x *Lineage, l *certbot.Lineage) []Finding {
	if l == nil || x.Authenticator != "webroot" || x.off() {
		return nil
	}
	line, hides := l.Renewal.HidesPath()
	if !hides {
		return nil
	}
	f := x.notesThat("D7", "Write an entry for each name into it.",
		"[[webroot_map]] is empty: certbot 0.31 to 0.34 look at nothing else, and fail; here "+
			"webroot_path counts")
	f.Line = line
	return []Finding{f}
}

// misread tells of values that are no longer what somebody wrote. What a comma tore apart can be
// quoted; what else it is, a person has to say.
func misread(_ *Exam, x *Lineage, l *certbot.Lineage) []Finding {
	notes := x.notes("D8", l, certbot.FaultComma)
	for i := range notes {
		notes[i].Remedy = certbot.CorrectLine(notes[i].File, notes[i].Line, "Put the whole value in double quotes.")
	}
	return append(x.refusals("D8"), notes...)
}

// unproven tells of authenticators, challenges and installers that nothing here can do.
func unproven(e *Exam, x *Lineage, l *certbot.Lineage) []Finding {
	all := x.refusals("D9")
	if l == nil || x.off() {
		return all
	}
	if installer := l.Renewal.Params.Installer; installer != "" && host.WithoutInstaller(e.Disk, l, true) != "" {
		_, line := l.Renewal.Written("installer")
		f := x.notesThat("D9", "Use a deploy hook once: "+reload(x.Name, installer)+".",
			"the installer %s is not run: the web server goes on with the old certificate",
			installer)
		f.Line, f.Cause = line, "installer"
		all = append(all, f)
	}
	return all
}

// reload is the deploy hook that does what an installer of certbot's did.
func reload(lineage, installer string) failure.Remedy {
	service := installer
	if service == "apache" {
		service = "apache2"
	}
	return failure.Do(failure.SetDeployHook, lineage, "systemctl reload "+service)
}

// The CA's directories that are gone, and what took their place.
func successors() map[string]string {
	return map[string]string{
		"https://acme-v01.api.letsencrypt.org/directory":     "https://acme-v02.api.letsencrypt.org/directory",
		"https://acme-staging.api.letsencrypt.org/directory": "https://acme-staging-v02.api.letsencrypt.org/directory",
	}
}

// oddServer tells of CAs that are gone, that nobody trusts, or that are none.
func oddServer(_ *Exam, x *Lineage, l *certbot.Lineage) []Finding {
	if l == nil || x.off() {
		return nil
	}
	written, line := l.Renewal.Written("server")
	u, err := url.Parse(written)
	successor := successors()[written]
	var f Finding
	switch {
	case written == "" || written == "None":
		return nil
	case successor != "" && x.Server == successor: // which counts already
		f = x.notesThat("D10", failure.Advise("Write server = %s.", successor),
			"%s is gone; the certificate is renewed at %s", written, successor)
	case successor != "":
		f = x.finds("D10", failure.CAUnreachable, failure.Advise("Write server = %s.", successor),
			"%s is gone, and nothing can be renewed there", written)
	case certbot.Staging(written):
		f = x.notesThat("D10", "If the certificate is for the public, obtain it from another CA: "+
			failure.Do(failure.RenewNow, x.Name)+" with "+failure.Do(failure.OtherCA, "URL")+".",
			"it is renewed at the test environment %s: browsers will warn", written)
		f.Cause = "staging"
	case err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http":
		f = x.finds("D10", failure.RenewalFile, "Write the directory URL of a CA.",
			"%q is not the URL of an ACME server", written)
	case u.Scheme == "http" && !local(u.Hostname()):
		f = x.notesThat("D10", "Write https, if the CA answers there.",
			"the CA is asked without encryption: %s", written)
	default:
		return nil
	}
	f.Line, f.Since = line, changed(x.Path)
	return []Finding{f}
}

// local reports whether a host is this one.
func local(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// elsewhere tells of a directory that was moved, which the next renewal mends, and of renewal files
// that lead to the files of another one.
func elsewhere(e *Exam, x *Lineage, l *certbot.Lineage) []Finding {
	all := x.refusals("D18")
	for i := range all {
		x.mends(e, &all[i])
	}
	if l == nil || e.within(l.Renewal.Cert) {
		return all
	}
	f := x.notesThat("D18", "Look which directory is in use, and write its paths: "+
		failure.Shell("ls", "-l", filepath.Dir(l.Renewal.Cert))+".",
		"the renewal file names %s, outside of %s: a renewal changes the files there",
		filepath.Dir(l.Renewal.Cert), e.Disk.Dirs.Config)
	f.Line, f.Class = l.Renewal.Line("cert"), failure.LineageBroken
	return append(all, f)
}

// within reports whether a path is below the configuration directory, however that is reached.
func (e *Exam) within(path string) bool {
	config := e.Disk.Dirs.Config
	if strings.HasPrefix(path, config+"/") {
		return true
	}
	there, err := os.Stat(config)
	if err != nil {
		return true
	}
	for dir := filepath.Dir(path); dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
		if info, err := os.Stat(dir); err == nil && os.SameFile(info, there) {
			return true
		}
	}
	return false
}
