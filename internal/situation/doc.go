// Package situation is the table of all situations that an operator may meet. Each row
// has one headline, one cause and one next step, in the words of somebody who runs a
// service. All outputs take their words from here, so that they say the same: the status,
// the live view, the dashboard, the explanation of a request, the webhook and the log.
//
// The package has the rows and the functions that find one: [Of] by its ID, [OfReason] by
// the reason of a failure, [OfAttempt] and [OfCheck] by a failed attempt or health check,
// [OfState] by the state of an upstream. It knows neither figures nor times; callers add
// the evidence. It has no state, so that all functions are safe for concurrent use.
package situation
