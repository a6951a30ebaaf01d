package acme

import (
	"errors"
	"net/http"
)

// maxAnswer bounds an answer of the authority, in bytes, because x/crypto/acme reads most
// answers completely.
const maxAnswer = 1 << 20

var errPlain = errors.New("the authority leads to an address without https")

// transport sends requests to the authority: only over https, wherever answers and
// redirects lead, and with bounded answers.
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
