// Package verdict says whether one version of an application is worse than
// another, from the requests that both have answered at the same time.
//
// It may be asked at any moment and as often as anybody likes: its chance of
// calling an equal version worse is bounded over a whole day, not for one look
// (Howard, Ramdas, McAuliffe, Sekhon: Time-uniform, nonparametric,
// nonasymptotic confidence sequences, Annals of Statistics 2021). A test with a
// fixed number of requests, looked at every second, would call nearly every
// version worse in the end.
//
// Requests are counted in blocks of one second. Within a block, the number of
// failures that fall on one side, given how many there were on both, follows the
// hypergeometric distribution when the sides are equal (Fisher's exact test).
// So an outage of a database that both use is evidence against neither, and
// weights may change at any time. The evidence of a block is the ratio of its
// likelihood under some odds ratio to that under 1; its mean is at most 1 when
// the side is no worse. [Evidence] multiplies these ratios for a mixture of odds
// ratios (Robbins 1970; Lindon and Malek: Anytime-valid inference for
// multinomial count data, NeurIPS 2022).
//
// A version may become worse after days, so each block also begins anew, with a
// small stake (Shiryaev-Roberts; Shin, Ramdas, Rinaldo: E-detectors, NEJSDS
// 2024). The sum of the stakes of a day bounds the chance of a false alarm on
// that day, by Doob's inequality for submartingales.
//
// Latency is judged in the same way: a request is slow when it takes longer than
// the median, and very slow when it takes longer than the 95th percentile, of
// what the first side took before. For the other side both are longer by what is
// tolerated. Nothing is assumed about the distribution.
//
// The tests assume that requests fail independently of each other. One client
// that repeats a bad request would break that, so a [Collector] counts one
// request of a client in ten seconds.
//
// [Judge] and [Evidence] belong to one goroutine. A Collector is safe for
// concurrent use.
package verdict
