// Package limit decides which requests are let in: by rate for each client or
// key ([Rates]), and by a number at a time with a short, fair queue before it
// ([Queue]). It knows nothing of HTTP.
package limit
