package proxy

import (
	"fmt"
	"html"
	"regexp"
	"strconv"
	"strings"
)

var pageName = regexp.MustCompile(`^([45][0-9]{2}|[45]xx)\.(html|json|txt)$`)

// IsPageName reports whether name is that of a file with an error page, such as 404.html
// or 5xx.json.
func IsPageName(name string) bool { return pageName.MatchString(name) }

// WithFiles returns pages that use files, in the formats html, json and txt. The file for
// the status (404.html) takes precedence over the file for its class (5xx.html). In a
// file, {status}, {title}, {reason}, {text} and {request_id} stand for the values of the
// page. It returns an error for other file names.
func (p *Pages) WithFiles(files map[string]string) (*Pages, error) {
	for name := range files {
		if !IsPageName(name) {
			return nil, fmt.Errorf("%s: an error page is called such as 404.html, 5xx.html, 503.json or 4xx.txt", name)
		}
	}
	if p == nil {
		p = builtinPages()
	}
	c := *p
	c.files = files
	return &c, nil
}

// file returns the file for a page, with its values filled in.
func (p *Pages) file(kind string, page Page) (text string, ok bool) {
	status := strconv.Itoa(page.Status)
	if text, ok = p.files[status+"."+kind]; !ok {
		if text, ok = p.files[status[:1]+"xx."+kind]; !ok {
			return "", false
		}
	}
	quote := func(s string) string { return s }
	if kind == "html" {
		quote = html.EscapeString
	}
	return strings.NewReplacer("{status}", status, "{title}", quote(page.Title), "{reason}", page.Reason, "{text}", quote(page.Text), "{request_id}", quote(page.RequestID)).Replace(text), true
}
