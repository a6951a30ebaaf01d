// Package gate is the life of a goodgate. It builds pools with their sources and
// probes, the proxy over them, and the listeners before it, from the options that
// package assemble makes of a configuration. It runs them, replaces them by those
// of another configuration, hands them over to another process, and drains.
package gate
