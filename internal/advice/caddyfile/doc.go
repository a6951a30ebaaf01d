// Package caddyfile reads a Caddyfile into a tree of directives. It resolves snippets,
// imports and environment variables. It does not know the meaning of directives.
//
//	lex.go     words and lines
//	parse.go   blocks, sites, global options
//	import.go  snippets, files and their arguments
//
// It does not use Caddy's own parser, which depends on Caddy's core.
package caddyfile
