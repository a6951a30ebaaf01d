// Package finding has the results of an examination of a proxy and its upstreams:
// findings in the order of their importance, as text, as JSON or as a page.
//
// A [Finding] has the evidence, its meaning and the remedy. A [Report] has the findings
// and the [Step]s of the examination. Values are not safe for concurrent use.
package finding
