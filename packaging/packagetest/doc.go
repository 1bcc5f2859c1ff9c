// Package packagetest has no code of its own: its tests install, upgrade and remove the packages by
// the real dpkg in Debian systems that are thrown away, beside Debian's own certbot and the test CA.
// They must never change the machine they run on, nor reach beyond loopback.
//
// A system is an overlay: below it is the machine itself, as it was when scripts/deps had installed
// certbot (`make test`), or what debootstrap made (`make package-test`, which sets ORDERLY_PACKAGE_TREE
// to that directory, ORDERLY_PACKAGE_DEBS to one with certbot's packages and those they need, and
// ORDERLY_PACKAGE_LINTIAN to one with lintian's).
package packagetest
