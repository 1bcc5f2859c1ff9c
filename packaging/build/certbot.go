package main

// orderly-certbot, which is Orderly by another name: two links, and what keeps certbot's own timer
// still (packaging/certbot). It is the same for all architectures.

import (
	"fmt"
	"os"
	"path/filepath"
)

// certbotCopyright is /usr/share/doc/orderly-certbot/copyright.
const certbotCopyright = `Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
Upstream-Name: orderly

Files: *
Copyright: 2026 The Orderly authors
License: Apache-2.0

License: Apache-2.0
 On Debian systems, the whole text is in /usr/share/common-licenses/Apache-2.0.
`

// certbotOverrides is what lintian is told of the package.
const certbotOverrides = `# deb-systemd-invoke asks a policy whether packages may start services. Two that renew are no matter of
# that policy: certbot's timer is ended, and does again what it did when the package goes.
orderly-certbot: maintainer-script-calls-systemctl *
`

// certbotPackage makes it, removes those of earlier builds, and says where it is.
func (b *builder) certbotPackage(out string) (target string, err error) {
	earlier, err := filepath.Glob(filepath.Join(out, "orderly-certbot_*_all.deb"))
	if err != nil {
		return "", err
	}
	for _, old := range earlier {
		if err := os.Remove(old); err != nil {
			return "", err
		}
	}
	changes, err := b.debianChangelog()
	if err != nil {
		return "", err
	}
	root := filepath.Join(b.work, "certbot")
	s := &stage{root: filepath.Join(root, "usr"), date: b.release.date}
	s.put("share/doc/orderly-certbot/copyright", 0o644, []byte(certbotCopyright))
	s.put("share/lintian/overrides/orderly-certbot", 0o644, []byte(certbotOverrides))
	s.document("share/doc/orderly-certbot/changelog", changes, true)
	if err := s.finish(); err != nil {
		return "", err
	}
	version := b.release.packageVersion()
	target, err = filepath.Abs(filepath.Join(out, fmt.Sprintf("orderly-certbot_%s_all.deb", version)))
	if err != nil {
		return "", err
	}
	err = b.tool([]string{"VERSION=" + version, "STAGE=" + root},
		"nfpm", "package", "-f", "packaging/orderly-certbot.yaml", "-p", "deb", "-t", target)
	if err != nil {
		return "", err
	}
	return target, os.Chmod(target, 0o644)
}
