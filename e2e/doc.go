// Package e2e has no code of its own: its tests run the real orderly program against the test CA, a web server, Debian's
// certbot and nginx, and try to break the promise that no order is lost, made in vain or left behind. They must never
// reach beyond loopback, and never believe what orderly says about itself where the CA or the disk can be asked.
//
// The matrix is of two parts: what may befall a request (matrix_test.go, judged by judge_test.go), and a kill before and
// after everything a run does on disk (effects_linux_test.go, watched by trace_linux_test.go). `go test ./e2e` runs a choice
// of it that has every kind of request, of fault, of CA and of effect; with ORDERLY_E2E=all it runs the whole of it, which
// `make torture` prints.
package e2e
