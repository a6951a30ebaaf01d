package pagetemplate

import (
	"bytes"
	"encoding/json"
	"fmt"
	htmltemplate "html/template"
	"strings"
	"testing"
	texttemplate "text/template"
)

// page returns the fields of an error page, with an ID from a client.
func page(id string) Data {
	return Data{"Status": 502, "Title": "Bad Gateway", "Reason": "connect_refused", "Text": "The application's server refused the connection.", "RequestID": id, "Details": true, "None": ""}
}

// same has HTML templates with the same result in html/template.
var same = []string{
	``,
	`<h1>{{.Status}} {{.Title}}</h1><p>{{.Text}}</p><code>{{.RequestID}}</code>`,
	`<!doctype html><html lang="en"><head><title>{{.Status}} {{.Title}} {{.RequestID}}</title></head><body class="s{{.Status}}" data-id='{{.RequestID}}'>{{.Text}}</body></html>`,
	`{{if eq .Status 502}}bad{{else if eq .Status 503 504}}busy{{else}}other{{end}}`,
	`{{if and (ge .Status 500) (lt .Status 600) (ne .Reason "overloaded")}}ours{{end}}`,
	`{{if or .None (not .Details)}}a{{else}}b{{end}}`,
	`{{with .RequestID}}<p>Request {{.}} {{$.Status}}</p>{{else}}none{{end}}{{with .None}}{{.}}{{else with .Title}}{{.}}{{end}}`,
	`{{$id := .RequestID}}{{if .Details}}{{$id = "x"}}{{$y := 1}}{{end}}{{$id}}{{$.Title}}`,
	`{{- /* a comment */ -}}  <p>  {{- .Title -}}  </p>`,
	`a<!-- {{.RequestID}} secret -->b`,
	`{{define "head"}}<h1>{{.Title}}</h1>{{end}}{{template "head" .}}{{block "foot" .Reason}}<i>{{.}}</i>{{end}}`,
	`{{printf "%d %s %q %-5s|" .Status .Reason .Title "x"}}{{print .Status 1 "a"}}{{println .Title}}{{"quo\"te"}}{{1}}{{1.5}}{{true}}{{'a'}}`,
	`{{.Title | printf "%s: %s" .Reason | html}}{{html .RequestID}}{{.Title | len}}{{slice .Title 0 3}}{{slice .Title 4}}{{index .Title 1}}`,
	`<a href="/status?code={{.Status}}&amp;id={{.RequestID}}#{{.Reason}}">x</a>`,
	`<a href="https://status.example.com/{{.Reason}}/{{.RequestID}}?s={{urlquery .Reason}}">x</a><img src='{{.Reason}}.png'>`,
	`<a href="{{.RequestID}}">x</a><a href="{{if .Details}}a{{else}}b{{end}}/{{.Status}}">x</a>`,
	`<input {{if .Details}}disabled{{end}} value="{{.Title}}"><br{{if .Details}} class="x"{{end}}>`,
	`<textarea>{{.RequestID}}</textarea>1 < 2 <3`,
	`<script>var s = {{.Status}}, ok = {{.Details}}; if (s / 2 > 1 && /"/.test("{")) { s++ }</script>{{.Title}}`,
	"<script>\nvar a = \"{{.Reason}}\", b = '{{.Reason}}', c = `{{.Reason}} ${ a + \"}\" } {{.Reason}}`;\n</script>",
	`<button onclick="show('{{.Reason}}', {{.Status}})">x</button>`,
}

var ids = []string{"0123456789abcdef", "", "a b", "<b>", `"><script>alert(1)</script>`, "' onload='alert(1)", "&amp;&lt;", "javascript:alert(1)", "data:text/html,x", "a/../b?c=d#e", "100%", "%41", "ü\u2028x", "`${alert(1)}`", "</title>", "-->", `\`, "a+b", "\x00\xff"}

func TestSameAsHTMLTemplate(t *testing.T) {
	t.Parallel()
	for _, text := range same {
		ours, err := HTML("errors.html", text, page(""))
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		theirs := htmltemplate.Must(htmltemplate.New("errors.html").Parse(text))
		for _, id := range ids {
			got, err := ours.Execute(page(id))
			if err != nil {
				t.Fatal(err)
			}
			var want bytes.Buffer
			if err := theirs.Execute(&want, page(id)); err != nil {
				t.Fatal(err)
			}
			// A plus sign needs no escape. A browser replaces a zero byte itself.
			w := strings.ReplaceAll(strings.ReplaceAll(want.String(), "&#43;", "+"), "\ufffd", "\x00")
			if g := strings.ReplaceAll(got, "\ufffd", "\x00"); g != w {
				t.Errorf("%s with %q:\n got %q\nwant %q", text, id, g, w)
			}
		}
	}
}

func TestSameAsTextTemplate(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		`{"status":{{.Status}},"ok":{{.Details}},"title":"{{.Title}}","q":{{printf "%q" .Reason}},"id":"{{.RequestID}}"}`,
		`{"a":{{if .None}}1{{else}}null{{end}},"b":"x\"{{.Reason}}\\"}`,
	} {
		ours, err := JSON("errors.json", text, page(""))
		if err != nil {
			t.Fatal(err)
		}
		got, err := ours.Execute(page("0123"))
		if err != nil {
			t.Fatal(err)
		}
		var want bytes.Buffer
		if err := texttemplate.Must(texttemplate.New("errors.json").Parse(text)).Execute(&want, page("0123")); err != nil {
			t.Fatal(err)
		}
		if got != want.String() {
			t.Errorf("got %s, want %s", got, want.String())
		}
	}
}

func TestRefused(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`{{`:                           "unclosed action",
		`{{.Nope}}`:                    "errors.html:1:2: {{.Nope}}: there is no field Nope; the fields are Details, None, Reason, RequestID, Status, Text, Title",
		`{{if .None}}{{.Nope}}{{end}}`: "there is no field Nope",
		`{{if .Details}}{{else}}{{.Nope}}{{end}}`: "there is no field Nope",
		`{{.Status.Code}}`:                        "an int has no field Code",
		`{{with .Title}}{{.Status}}{{end}}`:       "a string has no field Status; $.Status is the page's",
		`{{.}}`:                                   "name a field",
		`{{html .}}`:                              "needs a value, such as a field",
		`{{range .Status}}{{.}}{{end}}`:           "range is not available",
		`{{call .Title}}`:                         `function "call" not defined`,
		`{{env "HOME"}}`:                          `function "env" not defined`,
		`{{$x}}`:                                  "undefined variable",
		`{{template "nope"}}`:                     `there is no template "nope"`,
		`{{define "a"}}{{template "a"}}{{end}}{{template "a"}}`:                                      "includes itself",
		`{{define "a"}}{{template "b"}}{{end}}{{define "b"}}{{template "a"}}{{end}}{{template "a"}}`: "includes itself",
		`{{eq .Status "502"}}`:                   "an int cannot be compared with a string",
		`{{if and .None (lt .Title 3)}}{{end}}`:  "a string cannot be compared with an int",
		`{{len .Status}}`:                        "an int has no length",
		`{{slice .Status 1}}`:                    "an int has no parts",
		`{{index .Title "a"}}`:                   `"a" is no position`,
		`{{not}}`:                                "not has 0 operands",
		`{{.Title 1}}`:                           "is not a function",
		`{{1i}}`:                                 "neither an int nor a float",
		`{{nil}}`:                                "nil",
		`<p {{.Title}}>`:                         "a value cannot stand in a tag",
		`<{{.Title}}>`:                           "",
		`<a{{.Title}}>`:                          "a value cannot stand in a tag",
		`<p class{{if .None}}x{{end}}es="">`:     "must not be cut",
		`<sc{{if .None}}{{end}}ript>`:            "must not be cut",
		`<p title="{{.Title}}`:                   "the page ends in a value",
		`<p`:                                     "the page ends in a tag",
		`<script>{{.Title}}`:                     "the page ends in JavaScript",
		`<style>p{}`:                             "the page ends in <style>",
		`<!-- {{.Title}}`:                        "the page ends in a comment",
		`{{if .None}}<b title="{{end}}`:          "the branches end in different contexts: a value and text",
		`<script>{{if .None}}"{{end}}</script>`:  "the branches end in different contexts",
		`<script>/{{.Title}}/.test("")</script>`: "a value cannot stand in a regular expression",
		`<script>{{if .None}}x{{else}}={{end}} /a/ {{.Title}}</script>`: "not clear whether a slash",
		`<script>"\{{.Title}}"</script>`:                                "after a backslash",
		"<script>`${{.Title}}`</script>":                                "after the $",
		`<a href="{{if .None}}?{{end}}{{.Title}}">`:                     "not clear whether the value stands in the path or the query",
		`<iframe srcdoc="{{.Title}}">`:                                  "a value cannot stand in srcdoc",
	} {
		_, err := HTML("errors.html", text, page(""))
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: got %v, want %s", text, err, want)
		}
	}
	for text, want := range map[string]string{
		`{"a":"{{.Title}}`:            "the document ends inside a string",
		`{"a":{{if .None}}"{{end}}1}`: "the branches end in different contexts: inside a string and outside a string",
		`{"a":"\{{.Title}}"}`:         "after a backslash",
		`{"a":{{.Nope}}}`:             "there is no field Nope",
		`{{range .Title}}{{end}}`:     "range is not available",
	} {
		if _, err := JSON("errors.json", text, page("")); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %s", text, err, want)
		}
	}
}

// A template of 40 parts would have 2^40 steps.
func TestTooLarge(t *testing.T) {
	t.Parallel()
	var text strings.Builder
	for i := range 40 {
		fmt.Fprintf(&text, `{{define "t%d"}}{{template "t%d"}}{{template "t%d"}}{{end}}`, i, i+1, i+1)
	}
	text.WriteString(`{{define "t40"}}x{{end}}{{template "t0"}}`)
	if _, err := HTML("errors.html", text.String(), page("")); err == nil || !strings.Contains(err.Error(), "more than 10000 parts") {
		t.Errorf("got %v", err)
	}
}

// An error that depends on the values occurs in Execute.
func TestOutOfRange(t *testing.T) {
	t.Parallel()
	p, err := HTML("errors.html", `{{slice .RequestID 0 8 | printf "%s…"}} {{index .Title 2 | printf "%c"}}`, page(""))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := p.Execute(page("0123456789")); err != nil || got != "01234567… d" {
		t.Errorf("got %q, %v", got, err)
	}
	if got, err := p.Execute(page("0123")); err == nil || !strings.Contains(err.Error(), "0 to 8 of a text of 4 bytes") {
		t.Errorf("got %q, %v", got, err)
	}
}

// A value from outside cannot leave its place in JSON.
func TestJSONHolds(t *testing.T) {
	t.Parallel()
	p, err := JSON("errors.json", `{"a":"{{.RequestID}}","b":{{.RequestID}},"c":{{printf "%q" .Title}},"d":"{{js .Title}}","n":{{.Status}},"t":{{.Details}}}`, page(""))
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range append(ids, `","x":"y`, `1,"x":2`, `"x"`, `{"x":1}`, "\n\t\x7f", "true") {
		text, err := p.Execute(page(id))
		if err != nil {
			t.Fatal(err)
		}
		var got map[string]any
		if err := json.Unmarshal([]byte(text), &got); err != nil || len(got) != 6 {
			t.Errorf("%q: %v in %s", id, err, text)
			continue
		}
		want := strings.ToValidUTF8(strings.ReplaceAll(id, "\xff", "\ufffd"), "\ufffd")
		if id == `"x"` { // already a JSON string
			got["b"] = id
		}
		if got["a"] != want || got["b"] != want || got["c"] != "Bad Gateway" || got["n"] != 502.0 || got["t"] != true {
			t.Errorf("%q: got %v", id, got)
		}
	}
}
