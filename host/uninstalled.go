package host

import (
	"cmp"

	"orderly/certbot"
	"orderly/failure"
)

// Orderly runs no installers of certbot's. A renewal file that names one would leave the web server
// with the old certificate without a word: it is told of instead.

// WithoutInstaller is the note about a lineage whose settings name an installer of certbot's:
// Orderly runs none, so that the web server goes on with the old certificate. It is "" where no
// installer is named, or a deploy hook can do its work.
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
	return string(failure.Advise("%s: the installer %s is not run, so the web server goes on "+
		"with the old certificate; use a deploy hook once: %s",
		lineage, failure.Clean(installer),
		failure.Do(failure.SetDeployHook, lineage, "systemctl reload "+service)))
}

// NoteInstaller is the note about an installer for a renewal whose hooks these are, which it warns
// of once; installer is the one that the command line names.
func (h *Hooks) NoteInstaller(l *certbot.Lineage, deploy, installer string) string {
	if hooks, err := h.All("deploy", deploy); err != nil || len(hooks) > 0 {
		return "" // what is wrong with the hooks was said where they ran
	}
	note := uninstalled(l.Name, cmp.Or(installer, l.Renewal.Params.Installer))
	if note != "" {
		h.Voice.WarnOnce("%s", failure.Remedy(note))
	}
	return note
}
