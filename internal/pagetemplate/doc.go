// Package pagetemplate executes the pages that an operator writes: the syntax of Go's templates over
// a flat set of fields, escaped by context as html/template does.
//
// A value never leaves the place where it stands. In a page of HTML this is text, an
// attribute's value, a URL, a string or an expression of JavaScript, or a value of CSS; in JSON
// it is a string, or a value. A template that puts a value elsewhere, for example into the name
// of a tag, is an error of [HTML] or [JSON], and so is one that leaves a place differently by
// the branches of a condition.
//
// Available are fields, variables, literals, pipelines, if, with, else, define, block, template,
// comments, and the functions and, or, not, eq, ne, lt, le, gt, ge, len, index, slice, print,
// printf, println, html, js and urlquery. There is no range, since there are no lists, and no
// call.
//
// text/template and html/template look up methods by name. The linker therefore keeps every
// exported method of a program that uses them, which would add 4 MB to goodgate. The syntax tree,
// in text/template/parse, does not.
package pagetemplate
