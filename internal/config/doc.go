// Package config turns a YAML file into plain structs, with defaults, and says what is wrong with the file.
//
// The way of a file: [Load] reads it, parseTree makes a node tree of it and bounds it, gatherer adds the files that it
// includes, inherit gives pools their defaults, decoder walks tree and
// structs together, finish fills the defaults that depend on other keys, validator looks for what cannot work and
// advisor for what contradicts itself. All mistakes are reported at once, each with its position, as [Errors].
//
// Everything known about a key stands once, in the tags of its struct field:
//
//	yaml      the key
//	help      a sentence or two for the schema and the reference
//	example   a value as written in YAML, for the reference and for the error about a missing key
//	default   the value when the key is absent, written as in YAML; without it the zero value, or that of the struct
//	min, max  bounds of a number, duration, size or ratio, inclusive
//	zero      what 0 means when it lies outside the bounds, or is special
//	enum      the allowed values, separated by |
//	format    a check of text by name, see formats
//	oneof     exactly one of the fields of the struct that share the tag must be given
//	opt       shorthand: a scalar, or the list, in place of the struct sets this field
//	          single: a scalar in place of the list is a list of one
//	          required: the key must be given, a list or map with at least one entry
//	          file: a relative file name is taken from the folder of the configuration file
//	          public: text without a format that anybody may read; else it is hidden as a secret, see told.go
//
// The package holds data only: nothing here has run-time state, and a *[Config] is not changed once it is returned, so
// it may be read by any number of goroutines.
package config
