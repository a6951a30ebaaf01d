package health

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"regexp"
	"slices"

	"github.com/goodgate/goodgate/internal/jsonpath"
)

// FieldExpect is a condition on a field of an answer's header. At least one value of the
// field must meet it.
type FieldExpect struct {
	Name   string         // canonical
	Value  string         // the whole value; empty = any
	Regexp *regexp.Regexp // must match the value; nil = any
}

func (o *HTTPOptions) needsBody() bool { return o.Body != "" || o.Regexp != nil || len(o.JSON) > 0 }

// judge checks an answer against all expectations except the status.
func (o *HTTPOptions) judge(ctx context.Context, resp *http.Response) error {
	for i := range o.Fields {
		if err := o.Fields[i].judge(resp.Header); err != nil {
			return err
		}
	}
	switch {
	case !o.needsBody():
		return nil
	case o.Regexp == nil && len(o.JSON) == 0:
		return o.findBody(ctx, resp.Body)
	}
	return o.judgeBody(ctx, resp.Body)
}

func (f *FieldExpect) judge(h http.Header) error {
	ok := func(v string) bool {
		return (f.Value == "" || v == f.Value) && (f.Regexp == nil || f.Regexp.MatchString(v))
	}
	values := h[f.Name]
	switch {
	case slices.ContainsFunc(values, ok):
		return nil
	case len(values) == 0:
		return wrong("the answer has no header %s, which expect asks for", f.Name)
	}
	return wrong("header %s has another value than expect asks for", f.Name)
}

// findBody searches for the expected text and stops once it is found, so that an endless
// body can pass.
func (o *HTTPOptions) findBody(ctx context.Context, body io.Reader) error {
	want := []byte(o.Body)
	limited := io.LimitReader(body, o.MaxBody)
	chunk := make([]byte, 4<<10)
	var tail []byte // the end of the bytes read, which may be the beginning of want
	for {
		n, err := limited.Read(chunk)
		tail = append(tail, chunk[:n]...)
		if bytes.Contains(tail, want) {
			return nil
		}
		tail = tail[max(0, len(tail)-len(want)+1):]
		if err == io.EOF {
			return wrong("body does not contain the expected text in its first %d bytes (max_body)", o.MaxBody)
		}
		if err != nil {
			return exchangeError(ctx, "reading the body", err)
		}
	}
}

// judgeBody reads the body to its end, at most MaxBody bytes, and checks it.
func (o *HTTPOptions) judgeBody(ctx context.Context, body io.Reader) error {
	text, err := io.ReadAll(io.LimitReader(body, o.MaxBody+1))
	if err != nil {
		return exchangeError(ctx, "reading the body", err)
	}
	longer := int64(len(text)) > o.MaxBody
	if longer {
		text = text[:o.MaxBody]
	}
	switch {
	case !bytes.Contains(text, []byte(o.Body)):
		return wrong("body does not contain the expected text in its first %d bytes (max_body)", o.MaxBody)
	case o.Regexp != nil && !o.Regexp.Match(text):
		return wrong("expect.body_regexp does not match in the first %d bytes of the body (max_body)", o.MaxBody)
	case len(o.JSON) == 0:
		return nil
	case longer:
		return wrong("the body is longer than %d bytes, too long for expect.json (max_body)", o.MaxBody)
	}
	if err := jsonpath.Judge(text, o.conditions); err != nil {
		return wrong("expect.json: %w", err)
	}
	return nil
}
