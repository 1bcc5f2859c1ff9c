package cli

// The version, as the build knows it.

import (
	"runtime/debug"
	"strings"
)

// Version is the module's version as the build knows it, "devel" for a build from a working tree.
func Version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" || info.Main.Version == "(devel)" {
		return unreleased
	}
	return strings.TrimPrefix(info.Main.Version, "v")
}

// unreleased is the version that CHANGELOG.md speaks of.
const unreleased = "0.1.0"
