// Package assemble turns a configuration into the options of every other package:
// the pools, the proxy over them, the listeners before it, and what the operator
// has. It is the only package that knows both. It starts nothing and remembers
// nothing. It reads the files that the configuration names; only [LookUp], and
// [Doctor] through it, ask anybody else. What options need of the running program,
// such as whom to tell, the caller puts in.
package assemble
