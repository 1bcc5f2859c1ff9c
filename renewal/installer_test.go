package renewal_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"orderly/failure"
	"orderly/host"
	"orderly/renewal"
	"orderly/testca"
)

// Trial L4: an installer that is named and not run is told of with each renewal, unless a deploy
// hook does its work.
func TestAnInstallerThatIsNotRunIsTold(t *testing.T) {
	t.Parallel()
	const name = "a.example.com"
	h := newHost(t, testca.Config{})
	h.has(name)
	hook := filepath.Join(h.disk().Dirs.Config, "renewal-hooks", "deploy", "reload")
	for _, c := range []struct {
		what     string
		file     string // lines in [renewalparams]
		settings renewal.Settings
		hooks    host.Hooked
		hook     bool   // in renewal-hooks/deploy
		service  string // "" where nothing is told
		listed   bool   // in certificates as well
	}{
		{what: "none is named", file: "installer = None\n"},
		{what: "nginx", file: "installer = nginx\n", service: "systemctl reload nginx", listed: true},
		{what: "apache", file: "installer = apache\n", service: "systemctl reload apache2", listed: true},
		{what: "a plugin of somebody's", file: "installer = some:plugin\n", service: "systemctl reload some:plugin", listed: true},
		{what: "by a flag", settings: renewal.Settings{Installer: "nginx"}, service: "systemctl reload nginx"},
		{what: "a deploy hook in the file", file: "installer = nginx\nrenew_hook = true\n"},
		{what: "a deploy hook by a flag", file: "installer = nginx\n", hooks: host.Hooked{Deploy: host.Say("true")}, listed: true},
		{what: "a hook in the directory", file: "installer = nginx\n", settings: renewal.Settings{Settings: host.Settings{DirectoryHooks: true}}, hook: true},
		{what: "a hook in the directory that is not run", file: "installer = nginx\n", hook: true, service: "systemctl reload nginx"},
		{what: "rehearsed", file: "installer = nginx\n", settings: renewal.Settings{Settings: host.Settings{Rehearsal: true}}, service: "systemctl reload nginx", listed: true},
	} {
		t.Run(c.what, func(t *testing.T) {
			before := h.conf(name)
			h.edit(name, "[renewalparams]\n", "[renewalparams]\n"+c.file)
			defer func() { must(t, os.WriteFile(h.disk().Dirs.Renewal(name), []byte(before), 0o644)) }()
			if c.hook {
				must(t, os.MkdirAll(filepath.Dir(hook), 0o755))
				must(t, os.WriteFile(hook, []byte("#!/bin/sh\n"), 0o755))
				defer func() { must(t, os.Remove(hook)) }()
			}
			set := h.set
			defer func() { h.set = set }()
			h.set.Installer, h.set.DirectoryHooks, h.set.Rehearsal = c.settings.Installer, c.settings.DirectoryHooks, c.settings.Rehearsal
			listed := host.WithoutInstaller(h.disk(), h.opened(name), true)
			if (listed != "") != c.listed {
				t.Errorf("certificates: %q", listed)
			}
			h.report.warnings = nil
			results, err := h.renew(renewal.Round{Said: host.Said{Hooks: c.hooks}, Renew: true})
			must(t, err)
			told := strings.Join(h.report.warnings, "\n")
			if c.service == "" && (results[0].Note != "" || strings.Contains(told, "installer")) {
				t.Errorf("told %q, %q", results[0].Note, told)
			}
			if c.service != "" && (!strings.Contains(results[0].Note, c.service) || !strings.Contains(told, results[0].Note)) {
				t.Errorf("told %q, %q", results[0].Note, told)
			}
			if l := h.opened(name); strings.Contains(c.file, "nginx") && l.Renewal.Params.Installer != "nginx" {
				t.Error("certbot would miss its installer")
			}
		})
	}
}

// The remedy, followed literally, ends the note.
func TestTheHookInPlaceOfAnInstaller(t *testing.T) {
	t.Parallel()
	const name = "a.example.com"
	h := newHost(t, testca.Config{})
	h.has(name)
	h.edit(name, "[renewalparams]\n", "[renewalparams]\ninstaller = nginx\n")
	if note := host.WithoutInstaller(h.disk(), h.opened(name), true); !strings.Contains(note, string(failure.Do(failure.SetDeployHook, name, "systemctl reload nginx"))) {
		t.Fatal(note)
	}
	_, err := h.reconfigure(renewal.Reconfiguration{Round: renewal.Round{Said: host.Said{Hooks: host.Hooked{Deploy: host.Say("systemctl reload nginx")}}, CertName: name}})
	must(t, err)
	if note := host.WithoutInstaller(h.disk(), h.opened(name), true); note != "" {
		t.Error(note)
	}
}
