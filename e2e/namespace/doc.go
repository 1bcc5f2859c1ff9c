// Package namespace lets a test run in Linux namespaces of its own, so that it may mount what it
// likes, see no process and use no port of another, and leave nothing of it behind. It is for tests
// alone, and must never change a mount that anybody else sees.
package namespace
