// Package situation is the table of what an operator may meet: for each situation one
// headline, one cause and one next step, in the words of somebody who looks after a
// service. Whoever tells an operator something (the status, the live view, the dashboard,
// the explanation of a request, the webhook, the log) takes the words from here, so
// that they say the same.
//
// The package is data and what finds a row: [Of] by its ID, [OfAttempt] and [OfCheck] by
// what was seen of an upstream, [OfState] by what is believed of it. It knows neither
// figures nor times: those who count add the evidence. It has no state.
package situation
