package proxy

import (
	"maps"
	"net/http"
	"slices"
	"strings"
)

// Respond is a fixed answer. The body and the values of Headers may contain variables. The
// proxy escapes a value in the body by the answer's Content-Type. A body with variables
// and without a Content-Type is text/plain. The Content-Type in Headers has no variables.
type Respond struct {
	Status  int // 0 = 200
	Body    string
	Headers map[string]string
}

// fixedAnswer is a Respond whose texts are compiled.
type fixedAnswer struct {
	*Respond
	body   *Text // nil = without variables
	values texts // of Headers; nil = none has variables
}

const contentType = "Content-Type"

// compiled returns the answer with compiled texts; nil for nil. set are the fields that
// the route sets in answers.
func (f *Respond) compiled(set map[string]string) *fixedAnswer {
	if f == nil {
		return nil
	}
	kind := f.contentType(set)
	a := &fixedAnswer{Respond: f, body: compileNonPlain(f.Body, whereOf(kind)), values: textsOf(slices.Collect(maps.Values(f.Headers)), inField)}
	if a.body != nil && kind == "" {
		a.Respond = new(*f)
		a.Headers = maps.Clone(f.Headers)
		if a.Headers == nil {
			a.Headers = map[string]string{}
		}
		a.Headers[contentType] = "text/plain; charset=utf-8"
	}
	return a
}

// contentType returns the answer's type. set are the fields that its route sets.
func (f *Respond) contentType(set map[string]string) string {
	for _, headers := range []map[string]string{f.Headers, set} {
		for name, v := range headers {
			if strings.EqualFold(name, contentType) {
				return v
			}
		}
	}
	return ""
}

// fill returns the answer for an exchange. It omits a field whose variables are empty.
func (f *fixedAnswer) fill(x *exchange) *Respond {
	if f.body == nil && f.values == nil {
		return f.Respond
	}
	filled := *f.Respond
	if f.body != nil {
		filled.Body = f.body.fill(x)
	}
	if f.values == nil {
		return &filled
	}
	filled.Headers = make(map[string]string, len(f.Headers))
	for name, v := range f.Headers {
		if t := f.values[v]; t != nil && !strings.EqualFold(name, contentType) {
			if v = t.fill(x); v == "" {
				continue
			}
		}
		filled.Headers[name] = v
	}
	return &filled
}

func (f *Respond) serve(w http.ResponseWriter) {
	for name, v := range f.Headers {
		w.Header().Set(name, v)
	}
	status := f.Status
	if status == 0 {
		status = http.StatusOK
	}
	w.WriteHeader(status)
	if f.Body != "" {
		w.Write([]byte(f.Body))
	}
}
