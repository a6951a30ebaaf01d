package http2

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"golang.org/x/net/http/httpguts"
)

var errUpgrade = errors.New("HTTP/2 has no Upgrade")

func closeBody(r *http.Request) {
	if r.Body != nil {
		r.Body.Close()
	}
}

// invalid returns the reason that HTTP/2 cannot express a request, nil if it can. It
// checks only the request, because the states of connections and of net/http are no fault
// of a request.
func invalid(r *http.Request) error {
	host := cmp.Or(r.Host, r.URL.Host)
	path := r.URL.RequestURI()
	switch {
	case !httpguts.ValidHeaderFieldName(r.Method): // a method is a token as well
		return fmt.Errorf("the method %.40q", r.Method)
	case host == "" || !httpguts.ValidHostHeader(host):
		return fmt.Errorf("the host %.100q", host)
	case path != "*" && !strings.HasPrefix(path, "/"):
		return fmt.Errorf("the path %.100q", path)
	}
	return cmp.Or(invalidFields(r.Header), invalidFields(r.Trailer))
}

func invalidFields(h http.Header) error {
	for name, values := range h {
		if !httpguts.ValidHeaderFieldName(name) {
			return fmt.Errorf("the field name %.40q", name)
		}
		for _, v := range values {
			if !httpguts.ValidHeaderFieldValue(v) {
				return fmt.Errorf("the value of the field %q", name)
			}
		}
	}
	return nil
}
