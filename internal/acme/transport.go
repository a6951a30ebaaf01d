package acme

import (
	"errors"
	"net/http"
)

// maxAnswer bounds an answer of the authority's, in bytes: x/crypto/acme reads
// most of them to their end.
const maxAnswer = 1 << 20

var errPlain = errors.New("the authority leads to an address without https")

// transport asks the authority: by https only, wherever its answers and redirects
// lead, and reads no answer without a bound.
type transport struct{ http.RoundTripper }

func (t transport) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Scheme != "https" {
		return nil, errPlain
	}
	res, err := t.RoundTripper.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	res.Body = http.MaxBytesReader(nil, res.Body, maxAnswer)
	return res, nil
}
