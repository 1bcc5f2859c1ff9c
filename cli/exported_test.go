package cli

import "io"

// Guard is the way out for what is printed.
func Guard(w io.Writer, terminal bool) io.Writer { return guard{w, terminal} }

// Red is text that is to be red at a terminal.
func Red(text string) string { return markRed + text + markPlain }
