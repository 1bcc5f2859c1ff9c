package main

// nfpm makes the packages, as packaging/orderly.yaml describes them.

import (
	"fmt"
	"os"
	"path/filepath"
)

// deb makes the package of an architecture, and removes those of earlier builds from there: whoever
// installs orderly_*.deb means the one that was built last.
func (b *builder) deb(out, arch string) (target string, err error) {
	if err := os.MkdirAll(out, 0o755); err != nil {
		return "", err
	}
	earlier, err := filepath.Glob(filepath.Join(out, "orderly_*_"+arch+".deb"))
	if err != nil {
		return "", err
	}
	for _, old := range earlier {
		if err := os.Remove(old); err != nil {
			return "", err
		}
	}
	target = filepath.Join(out, b.packageName("deb", arch))
	return target, b.onePackage("deb", arch, target)
}

// onePackage makes one.
func (b *builder) onePackage(kind, arch, target string) error {
	binary, err := b.binary("linux", arch)
	if err != nil {
		return err
	}
	root := filepath.Join(b.work, kind+"-"+arch)
	s := &stage{root: filepath.Join(root, "usr"), date: b.release.date}
	if err := b.fill(s, kind, binary); err != nil {
		return err
	}
	if err := s.finish(); err != nil {
		return err
	}
	target, err = filepath.Abs(target)
	if err != nil {
		return err
	}
	err = b.tool([]string{"ARCH=" + arch, "VERSION=" + b.release.packageVersion(), "STAGE=" + root},
		"nfpm", "package", "-f", "packaging/orderly.yaml", "-p", kind, "-t", target)
	if err != nil {
		return err
	}
	return os.Chmod(target, 0o644)
}

// packageName is what a package is called where such packages come from.
func (b *builder) packageName(kind, arch string) string {
	version := b.release.packageVersion()
	if kind == "rpm" {
		return fmt.Sprintf("orderly-%s-1.%s.rpm", version, packageArch(kind, arch))
	}
	return fmt.Sprintf("orderly_%s_%s.%s", version, packageArch(kind, arch), kind)
}

// packageArch is what packages call an architecture.
func packageArch(kind, arch string) string {
	if kind == "rpm" {
		return map[string]string{"amd64": "x86_64", "arm64": "aarch64"}[arch]
	}
	return arch
}
