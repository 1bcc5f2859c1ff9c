// Package e2e has no code of its own: its tests run the real orderly program against the test CA, a web server, Debian's
// certbot and nginx, and try to break the promise that no order is lost, made in vain or left behind. They must never
// reach beyond loopback, and never believe what orderly says about itself where the CA or the disk can be asked.
//
// `go test ./e2e` runs a choice of the kill matrix; with ORDERLY_E2E=all it runs the whole of it.
package e2e
