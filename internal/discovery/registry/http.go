package registry

import (
	"context"
	"errors"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/goodgate/goodgate/internal/discovery"
)

// HTTPOptions say where a list of upstreams is.
type HTTPOptions struct {
	URL    string
	Access Access // its Address is not used
	Base   discovery.Target
	Every  time.Duration // from one request to the next
	Wait   time.Duration // how long the server may hold a request; 0 = it is not asked to
}

// HTTP asks for a list of upstreams. It tells the server by If-None-Match which list it
// has; where Wait is set, also by "Prefer: wait" how long the server may hold the request
// until the list is another (RFC 7240, section 4.3).
type HTTP struct {
	*client
	options HTTPOptions
	path    string
	query   url.Values
	etag    string // of the last good list; "" without one
}

// NewHTTP returns one that asks for a list.
func NewHTTP(o HTTPOptions) (*HTTP, error) {
	u, err := url.Parse(o.URL)
	if err != nil {
		return nil, errors.New("the URL cannot be read")
	}
	o.Access.Address = u.Scheme + "://" + u.Host
	for _, values := range u.Query() {
		o.Access.Secrets = append(o.Access.Secrets, values...)
	}
	h := &HTTP{client: newClient(o.Access), options: o, path: u.EscapedPath(), query: u.Query()}
	if h.path == "" {
		h.path = "/"
	}
	return h, nil
}

// Ask asks once.
func (h *HTTP) Ask(ctx context.Context, fresh bool) (discovery.Found, error) {
	header := map[string]string{"Accept": "application/json, application/yaml, text/plain;q=0.9"}
	conditional := h.etag != "" && !fresh
	if conditional {
		header["If-None-Match"] = h.etag
		if h.options.Wait > 0 {
			header["Prefer"] = "wait=" + strconv.Itoa(int(h.options.Wait.Seconds()))
		}
	}
	began := time.Now()
	body, got, err := h.ask(ctx, request{method: http.MethodGet, path: h.path, query: h.query, header: header})
	var found discovery.Found
	if r, ok := errors.AsType[*refused](err); ok && r.status == http.StatusNotModified && conditional {
		found.Unchanged = true
		if h.options.Wait == 0 || time.Since(began) < h.options.Wait/2 {
			found.After = h.options.Every // it does not hold requests
		}
		return found, nil
	}
	if err != nil {
		return found, err
	}
	if kind, _, _ := mime.ParseMediaType(got.Get("Content-Type")); strings.HasPrefix(kind, "text/html") {
		return found, errors.New("the answer is a web page (text/html): want a list of upstreams")
	}
	if found.Targets, err = discovery.ParseList(body, h.options.Base); err != nil {
		return found, err
	}
	if h.etag = got.Get("ETag"); h.options.Wait == 0 || h.etag == "" {
		found.After = h.options.Every
	}
	return found, nil
}
