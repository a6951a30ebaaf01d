// Package pagetemplate executes an operator's own pages: the syntax of Go's templates over a flat
// set of fields, with the contextual escaping of html/template.
//
// A value cannot break out of its place. In HTML a place is text, an attribute's value, a URL, a
// string or an expression of JavaScript, or a value of CSS. In JSON it is a string, or a whole
// value. [HTML] and [JSON] return an error for a template with a value at any other place, for
// example in the name of a tag. They also return an error if the branches of a condition end at
// different places.
//
// A template can use fields, variables, literals, pipelines, if, with, else, define, block,
// template, comments, and the functions and, or, not, eq, ne, lt, le, gt, ge, len, index, slice,
// print, printf, println, html, js and urlquery. It cannot use range, because no field is a list,
// and it cannot use call.
//
// text/template and html/template look up methods by name. The linker therefore keeps every exported
// method of a program that uses them, which would add 4 MB to goodgate. The syntax tree in
// text/template/parse has no such cost.
package pagetemplate
