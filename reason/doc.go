// Package reason has the words that goodgate says of a request: why it failed
// ([Reason]), what was done after an attempt and why ([Decision]), and how a failure
// was kept from the client ([Means]). Each is one word everywhere: in the log, the
// metrics, the API and the documentation. What a reason means is one row of a table.
package reason
