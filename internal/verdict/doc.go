// Package verdict decides whether one version of an application is worse than another,
// from requests that both have answered at the same time.
//
// Callers may ask for the verdict at any moment and as often as they like: the chance
// of calling an equal version worse is bounded over a whole day, not for one look
// (Howard, Ramdas, McAuliffe, Sekhon: Time-uniform, nonparametric, nonasymptotic
// confidence sequences, Annals of Statistics 2021). A test with a fixed number of
// requests, evaluated every second, would sooner or later call nearly every version
// worse.
//
// Requests are counted in blocks of one second. If the sides are equal, the number of
// failures on one side of a block, given the number on both, follows the hypergeometric
// distribution (Fisher's exact test). So an outage of a database that both use is
// evidence against neither, and weights may change at any time. The evidence of a block
// is the ratio of its likelihood under some odds ratio to that under 1; its mean is at
// most 1 if the side is no worse. [Evidence] multiplies these ratios for a mixture of
// odds ratios (Robbins 1970; Lindon and Malek: Anytime-valid inference for multinomial
// count data, NeurIPS 2022).
//
// A version may become worse after days, so each block also starts a new test with a
// small stake (Shiryaev-Roberts; Shin, Ramdas, Rinaldo: E-detectors, NEJSDS 2024). The
// sum of the stakes of a day bounds the chance of a false alarm on that day, by Doob's
// inequality for submartingales.
//
// Latency is judged in the same way. A request is slow if it takes longer than the
// median of the first side's earlier requests, and very slow if it takes longer than
// their 95th percentile. For the other side the tolerance is added to both limits. The
// test assumes nothing about the distribution.
//
// The tests assume that requests fail independently of each other. A client that
// repeats a bad request would violate that, so a [Collector] counts one request per
// client in ten seconds.
//
// [Judge] and [Evidence] belong to one goroutine. A Collector is safe for concurrent
// use.
package verdict
