// Package config parses a YAML file into plain structs with defaults, and reports every mistake in the file.
//
// [Load] reads the file, and parseTree turns it into a node tree of limited size. gatherer adds the included files, and
// inherit gives pools their defaults. decoder walks the tree together with the structs, and finish fills in the
// defaults that depend on other keys. Then validator reports settings that cannot work, and advisor settings that
// contradict each other. The result has all mistakes at once, each with its position, as [Errors].
//
// The tags of a struct field contain everything about its key:
//
//	yaml      the key
//	help      a sentence or two for the schema and the reference
//	example   a value as written in YAML, for the reference and for the error about a missing key
//	examples  examples for keys within the struct, by path: KEY=TEXT; KEY.KEY=TEXT. They replace the examples of its type
//	default   the value when the key is absent, written as in YAML; without it the zero value, or that of the struct
//	min, max  bounds of a number, duration, size or ratio, inclusive
//	zero      the meaning of 0 when it lies outside the bounds, or is special
//	enum      the allowed values, separated by |
//	format    a check of text by name, see formats
//	oneof     exactly one of the fields of the struct that share the tag must be given
//	opt       shorthand: a scalar, or the list, in place of the struct sets this field
//	          single: a scalar in place of the list is a list of one
//	          required: the key must be given, a list or map with at least one entry
//	          file: a relative file name starts at the folder of the configuration file
//	          nested: the list contains structs of the type that it is in; descriptions do not descend
//	          public: free text that anybody may read; without it the text is hidden as a secret, see told.go
//
// The main files:
//
//	config.go, route.go, pool.go, ...     the structs, by part of the configuration
//	load.go, include.go, inherit.go       reading: files, included files, defaults of pools
//	decode.go, field.go, types.go         decoding: tree to structs, tags, scalar types
//	format*.go, variables.go, env.go      checks of text; variables; the environment
//	validate*.go, cover.go                what cannot work
//	advise*.go                            what works, but hardly as meant
//	errors.go, excerpt.go, texts.go       mistakes, their places and the lines shown
//	syntax.go, repair.go                  finding the mistake in invalid YAML
//	suggest.go, homes.go                  misspelt and misplaced keys
//	meanings.go, foreign.go               words and files of other programs
//	diff.go, dump.go, told.go, given.go   showing configurations without secrets
//	schema.go, reference.go               the JSON Schema and the reference page
//	canonical.go                          the canonical layout
//
// The package holds data only, without run-time state. A *[Config] never changes once it is returned, so that any
// number of goroutines may read it.
package config
