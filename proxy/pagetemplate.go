package proxy

import (
	"fmt"
	htmltemplate "html/template"
	"io"
	texttemplate "text/template"
)

// NewPages returns error pages from templates: html in the syntax of
// html/template, json in that of text/template, both over a [Page]. An empty
// one stays built in. A template that cannot be executed is an error here.
func NewPages(html, json string) (*Pages, error) {
	p := builtinPages()
	if html != "" {
		t, err := htmltemplate.New("errors.html").Parse(html)
		if err != nil {
			return nil, fmt.Errorf("the HTML error page: %w", err)
		}
		p.html = t
	}
	if json != "" {
		t, err := texttemplate.New("errors.json").Parse(json)
		if err != nil {
			return nil, fmt.Errorf("the JSON error page: %w", err)
		}
		p.json = t
	}
	for _, t := range []executor{p.html, p.json} {
		if err := t.Execute(io.Discard, Page{}); err != nil {
			return nil, fmt.Errorf("an error page: %w", err)
		}
	}
	return p, nil
}
