package proxy

import (
	"cmp"
	"fmt"
	"html"
	"net/http"
	"strconv"
	"strings"

	"github.com/goodgate/goodgate/internal/wire/header"
)

// Pages are the error pages for clients: HTML, JSON or plain text, by the Accept header.
// They are immutable.
type Pages struct {
	html, json func(Page) (string, error)
	files      map[string]string // by name; they replace html and json, see WithFiles
}

// Page holds the values for a template of [NewPages].
type Page struct {
	Status    int    // for example 502
	Title     string // for example Bad Gateway
	Reason    string // for example connect_refused
	Text      string // one sentence
	RequestID string
}

func builtinHTML(p Page) (string, error) {
	title := strconv.Itoa(p.Status) + " " + html.EscapeString(p.Title)
	return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>` + title + `</title>
<style>body{font:16px/1.5 system-ui,sans-serif;max-width:36em;margin:15vh auto;padding:0 1em;color:#222;background:#fff}
h1{font-size:1.5em}code{background:#8882;padding:.1em .3em;border-radius:.2em}@media(prefers-color-scheme:dark){body{color:#ddd;background:#181818}}</style>
</head><body><h1>` + title + `</h1><p>` + html.EscapeString(p.Text) + `</p>
<p><small>Reason <code>` + html.EscapeString(p.Reason) + `</code>, request <code>` + html.EscapeString(p.RequestID) + `</code></small></p></body></html>
`, nil
}

// builtinJSON escapes nothing: no field has characters that need it in JSON.
func builtinJSON(p Page) (string, error) {
	return fmt.Sprintf(`{"status":%d,"title":"%s","reason":"%s","detail":"%s","request_id":"%s"}
`, p.Status, p.Title, p.Reason, p.Text, p.RequestID), nil
}

func builtinPages() *Pages { return &Pages{html: builtinHTML, json: builtinJSON} }

// write answers with the error page for a failure.
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
	body, contentType := p.body(x.request, page)
	if m := e.maintenance; m != nil && m.Page != nil && contentType != "application/json" {
		body, contentType = string(m.Page), cmp.Or(m.ContentType, "text/html; charset=utf-8")
	}
	h := x.writer.Header()
	h.Set("Content-Type", contentType)
	h.Set("Cache-Control", "no-store")
	x.editError(h)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	x.writer.WriteHeader(page.Status)
	x.writer.Write([]byte(body))
}

// body renders a page in the client's preferred type.
func (p *Pages) body(r *Request, page Page) (text, contentType string) {
	kind := preferred(r.Values(header.Accept))
	var by func(Page) (string, error)
	switch kind {
	case "html":
		contentType, by = "text/html; charset=utf-8", p.html
	case "json":
		contentType, by = "application/json", p.json
	default:
		kind, contentType = "txt", "text/plain; charset=utf-8"
	}
	if text, ok := p.file(kind, page); ok {
		return text, contentType
	}
	if by == nil {
		return fmt.Sprintf("%d %s\n%s\nreason: %s, request: %s\n", page.Status, page.Title, page.Text, page.Reason, page.RequestID), contentType
	}
	text, err := by(page)
	if err != nil { // a template may fail for some pages only
		return fmt.Sprintf("%d %s\n", page.Status, page.Title), "text/plain; charset=utf-8"
	}
	return text, contentType
}

// preferred returns the type that an Accept header names first, html or json, else empty.
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
