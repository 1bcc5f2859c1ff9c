//go:build !linux

package certbot

// Without an exchange of directories, links are replaced one by one.

// exchangeDirs always answers errNoExchange: no other system can swap two directories.
func exchangeDirs(a, b string) error { return errNoExchange }

// copyExtended does nothing: attributes matter only to a directory that is exchanged.
func copyExtended(from, to string) error { return nil }
