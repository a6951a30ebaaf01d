// Package assemble converts a configuration into the options of all other packages: the
// pools, the proxy over them, the listeners in front, and the operator's API. It is the
// only package that knows both sides.
//
// It starts nothing and keeps no state. It reads the files that the configuration names.
// Only [LookUp] and [Discover], and [Doctor] through them, contact other programs. The
// caller adds the options that need the running program, for example callbacks. All
// functions are safe for concurrent use.
//
// Most files are named after the part of the configuration that they convert. files.go
// and filecerts.go check the files that it names, for the start, a reload and the command
// check alike.
package assemble
