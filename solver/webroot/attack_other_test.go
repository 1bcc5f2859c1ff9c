//go:build !linux

package webroot_test

const attackVariable = "ORDERLY_TEST_ATTACK"

func swap(string) {}
