package proxy

import (
	"fmt"

	"github.com/goodgate/goodgate/internal/pagetemplate"
)

// NewPages returns error pages from templates with the syntax of text/template. The HTML
// page is escaped as in html/template. Both may use the fields of [Page], conditions,
// variables, functions such as eq and printf, and templates that they define. An empty
// template keeps the built-in page. NewPages returns an error if a template cannot be
// executed.
func NewPages(html, json string) (*Pages, error) {
	p := builtinPages()
	if html != "" {
		t, err := pagetemplate.HTML("errors.html", html, Page{}.data())
		if err != nil {
			return nil, fmt.Errorf("the HTML error page: %w", err)
		}
		p.html = executed(t)
	}
	if json != "" {
		t, err := pagetemplate.JSON("errors.json", json, Page{}.data())
		if err != nil {
			return nil, fmt.Errorf("the JSON error page: %w", err)
		}
		p.json = executed(t)
	}
	return p, nil
}

func executed(t *pagetemplate.Template) func(Page) (string, error) {
	return func(p Page) (string, error) { return t.Execute(p.data()) }
}

func (p Page) data() pagetemplate.Data {
	return pagetemplate.Data{"Status": p.Status, "Title": p.Title, "Reason": p.Reason, "Text": p.Text, "RequestID": p.RequestID}
}
