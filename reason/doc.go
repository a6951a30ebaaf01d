// Package reason has goodgate's words about a request: why it failed ([Reason]), what
// happened after an attempt and why ([Decision]), and how a failure was hidden from the
// client ([Means]). Each word is the same everywhere: in the log, the metrics, the API
// and the documentation. One table row defines each reason.
package reason
