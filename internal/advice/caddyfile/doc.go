// Package caddyfile reads a Caddyfile into a tree of directives, with its snippets,
// imports and environment variables resolved. What the directives mean is not known
// here.
//
//	lex.go     words and lines
//	parse.go   blocks, sites, global options
//	import.go  snippets, files and their arguments
//
// Caddy's own parser is not used: it brings Caddy's core with it.
package caddyfile
