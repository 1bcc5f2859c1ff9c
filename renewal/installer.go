package renewal

import (
	"fmt"

	"orderly/certbot"
	"orderly/failure"
	"orderly/ledger"
)

// WithoutInstaller is the note about a lineage whose settings name an installer of certbot's: Orderly runs none, so that the
// web server goes on with the old certificate. It is "" where no installer is named, or a deploy hook can do its work.
func WithoutInstaller(disk *certbot.Store, l *certbot.Lineage, directoryHooks bool) string {
	p := l.Renewal.Params
	if p.DeployHook != "" {
		return ""
	}
	if found, err := disk.Dirs.Hooks("deploy"); directoryHooks && err == nil && len(found) > 0 {
		return ""
	}
	return uninstalled(l.Name, p.Installer)
}

// uninstalled says that an installer is not run, and what loads the certificate instead.
func uninstalled(lineage, installer string) string {
	if installer == "" {
		return ""
	}
	service := installer
	if service == "apache" {
		service = "apache2"
	}
	return fmt.Sprintf("%s: the installer %s is not run, so the web server goes on with the old certificate; use a deploy hook once: %s",
		lineage, failure.Clean(installer), failure.Command("orderly", "reconfigure", "--cert-name", lineage, "--deploy-hook", "systemctl reload "+service))
}

// noteInstaller puts the note about an installer into the result of a renewal, and warns of it once.
func (s *Server) noteInstaller(l *certbot.Lineage, h ledger.Hooks, r *Result) {
	if hooks, err := s.withDirectory("deploy", h.Deploy); err != nil || len(hooks) > 0 {
		return // what is wrong with the hooks was said where they ran
	}
	r.Note = uninstalled(l.Name, first(s.Settings.Installer, l.Renewal.Params.Installer))
	if r.Note != "" {
		s.warnOnce(r.Note)
	}
}
