package proxy

import (
	"net/http"

	"github.com/goodgate/goodgate/reason"
)

// CrossOrigin protects against cross-site request forgery. It refuses unsafe requests
// that a browser sends for a page of another origin ([http.CrossOriginProtection]).
type CrossOrigin struct{ rule http.CrossOriginProtection }

// NewCrossOrigin returns a protection that accepts all requests from pages of the trusted
// origins, for example https://app.example.com. It returns an error for an invalid
// origin.
func NewCrossOrigin(trusted ...string) (*CrossOrigin, error) {
	c := new(CrossOrigin)
	for _, origin := range trusted {
		if err := c.rule.AddTrustedOrigin(origin); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// sameSite refuses an unsafe request from another origin, unless CORS trusts that origin.
func (x *exchange) sameSite() *Error {
	switch x.request.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions:
		return nil
	}
	r := x.request
	origin := r.Field("Origin")
	if c := x.route.CORS; c != nil && c.trusts(origin) {
		return nil
	}
	asked := &http.Request{Method: r.Method, Host: r.Host, URL: r.URL, Header: http.Header{}}
	for _, name := range []string{"Origin", "Sec-Fetch-Site"} {
		if v := r.Field(name); v != "" {
			asked.Header.Set(name, v)
		}
	}
	if err := x.route.CrossOrigin.rule.Check(asked); err != nil {
		return &Error{Reason: reason.CrossOrigin, Err: err}
	}
	return nil
}
