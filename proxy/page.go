package proxy

import (
	"bytes"
	"cmp"
	"fmt"
	htmltemplate "html/template"
	"io"
	"net/http"
	"strconv"
	"strings"
	texttemplate "text/template"

	"github.com/goodgate/goodgate/internal/wire/header"
)

// Pages are what a client sees of a failure: HTML, JSON or plain text, as its
// Accept header asks.
type Pages struct {
	html, json executor
}

type executor interface {
	Execute(w io.Writer, data any) error
}

// Page is what a template may use.
type Page struct {
	Status    int    // 502
	Title     string // Bad Gateway
	Reason    string // connect_refused
	Text      string // one sentence
	RequestID string
}

const builtinHTML = `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{.Status}} {{.Title}}</title>
<style>body{font:16px/1.5 system-ui,sans-serif;max-width:36em;margin:15vh auto;padding:0 1em;color:#222;background:#fff}
h1{font-size:1.5em}code{background:#8882;padding:.1em .3em;border-radius:.2em}@media(prefers-color-scheme:dark){body{color:#ddd;background:#181818}}</style>
</head><body><h1>{{.Status}} {{.Title}}</h1><p>{{.Text}}</p>
<p><small>Reason <code>{{.Reason}}</code>, request <code>{{.RequestID}}</code></small></p></body></html>
`

const builtinJSON = `{"status":{{.Status}},"title":"{{.Title}}","reason":"{{.Reason}}","detail":"{{.Text}}","request_id":"{{.RequestID}}"}
`

// NewPages returns error pages from templates: html in the syntax of
// html/template, json in that of text/template, both over a [Page]. An empty
// one stays built in. A template that cannot be executed is an error here.
func NewPages(html, json string) (*Pages, error) {
	if html == "" {
		html = builtinHTML
	}
	if json == "" {
		json = builtinJSON
	}
	h, err := htmltemplate.New("errors.html").Parse(html)
	if err != nil {
		return nil, fmt.Errorf("the HTML error page: %w", err)
	}
	j, err := texttemplate.New("errors.json").Parse(json)
	if err != nil {
		return nil, fmt.Errorf("the JSON error page: %w", err)
	}
	p := &Pages{html: h, json: j}
	for _, t := range []executor{h, j} {
		if err := t.Execute(io.Discard, Page{}); err != nil {
			return nil, fmt.Errorf("an error page: %w", err)
		}
	}
	return p, nil
}

func builtinPages() *Pages {
	p, err := NewPages("", "")
	if err != nil {
		panic(err) // the built-in templates are constants
	}
	return p
}

// write answers with the page for a failure.
func (p *Pages) write(x *exchange, e *Error) {
	r := e.Reason
	status := cmp.Or(e.status, r.Status())
	page := Page{
		Status:    status,
		Title:     http.StatusText(status),
		Reason:    r.String(),
		Text:      r.Text(),
		RequestID: x.record.ID,
	}
	var body bytes.Buffer
	contentType := "text/plain; charset=utf-8"
	var err error
	switch preferred(x.request.Values(header.Accept)) {
	case "html":
		contentType = "text/html; charset=utf-8"
		err = p.html.Execute(&body, page)
	case "json":
		contentType = "application/json"
		err = p.json.Execute(&body, page)
	default:
		fmt.Fprintf(&body, "%d %s\n%s\nreason: %s, request: %s\n", page.Status, page.Title, page.Text, page.Reason, page.RequestID)
	}
	if err != nil { // a template may fail on some pages only
		body.Reset()
		contentType = "text/plain; charset=utf-8"
		fmt.Fprintf(&body, "%d %s\n", page.Status, page.Title)
	}
	h := x.writer.Header()
	h.Set("Content-Type", contentType)
	h.Set("Cache-Control", "no-store")
	x.editError(h)
	h.Set("Content-Length", strconv.Itoa(body.Len()))
	x.writer.WriteHeader(page.Status)
	x.writer.Write(body.Bytes())
}

// preferred returns which page an Accept header names first, empty for none.
func preferred(accept []string) string {
	for _, list := range accept {
		for media := range strings.SplitSeq(list, ",") {
			media, _, _ = strings.Cut(media, ";")
			media = strings.ToLower(strings.TrimSpace(media))
			switch {
			case media == "text/html", media == "application/xhtml+xml":
				return "html"
			case media == "application/json", strings.HasSuffix(media, "+json"):
				return "json"
			}
		}
	}
	return ""
}
