// Package gate assembles a running goodgate from a configuration: pools with
// their sources, probes and breakers, the proxy over them, and the listeners
// before it. It is the only package that knows both the configuration and the
// things it configures.
package gate
