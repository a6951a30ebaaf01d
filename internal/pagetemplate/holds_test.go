package pagetemplate

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"
)

// hostile has templates with a value at every kind of place.
var hostile = append([]string{
	`<a href={{.RequestID}} id={{.RequestID}}>x</a><p class=a-{{.RequestID}} title=x>`,
	`<a href="javascript:f('{{.RequestID}}')" ONCLICK='f("{{.RequestID}}", {{.RequestID}})'>x</a>`,
	`<p onclick=f('{{.RequestID}}')>x</p><p onclick="f(&quot;{{.RequestID}}&quot;)">`,
	`<style>p:after { content: "{{.RequestID}}"; color: {{.RequestID}}; /* {{.RequestID}} */ }</style><p style="color: {{.RequestID}}">`,
	`<meta http-equiv="refresh" content="5; URL={{.RequestID}}"><img srcset="{{.RequestID}} 1x, b.png 2x">`,
	"<script>// {{.RequestID}}\nvar a = {{.RequestID}}; /* {{.RequestID}} */ f(\"{{.RequestID}}\", '{{.RequestID}}', `{{.RequestID}} ${ {{.RequestID}} }`)</script>",
	`<!doctype {{.RequestID}}><?xml {{.RequestID}}?></ {{.RequestID}}>`,
	`<svg><a xlink:href="{{.RequestID}}"></a></svg><TITLE>{{.RequestID}}</TITLE ><SCRIPT type="application/ld+json">{"a":"{{.RequestID}}"}</SCRIPT>`,
}, same...)

var (
	scriptString = regexp.MustCompile("\"(?:[^\"\\\\\n]|\\\\.)*\"|'(?:[^'\\\\\n]|\\\\.)*'|`(?:[^`\\\\$]|\\\\.)*")
	scriptNote   = regexp.MustCompile(`//[^\n]*|/\*.*?\*/`)
	styleWord    = regexp.MustCompile(`\\[0-9a-f]+ |[^{}();:"'/*@<>\\]`)
	reference    = regexp.MustCompile(`^(?i:https?:|mailto:)?[^:]*$`)
)

// structure returns a page without its texts: the tags, the names of attributes, and the
// scripts without the contents of their strings.
func structure(page string) (list []string) {
	z := html.NewTokenizer(strings.NewReader(page))
	raw := ""
	for {
		switch kind := z.Next(); kind {
		case html.ErrorToken:
			return list
		case html.StartTagToken, html.EndTagToken, html.SelfClosingTagToken:
			token := z.Token()
			raw = token.Data
			list = append(list, kind.String()+" "+token.Data)
			for _, a := range token.Attr {
				list = append(list, a.Key)
				if strings.HasPrefix(a.Key, "on") {
					list = append(list, program(a.Val))
				}
			}
		case html.TextToken:
			if text := string(z.Text()); raw == "script" {
				list = append(list, program(text))
			} else if raw == "style" {
				list = append(list, scriptNote.ReplaceAllString(styleWord.ReplaceAllString(text, ""), "//"))
			}
		default:
			list = append(list, kind.String())
		}
	}
}

func program(text string) string {
	return scriptString.ReplaceAllString(scriptNote.ReplaceAllString(text, "//"), `""`)
}

// FuzzValue checks that an id from a client changes only texts.
func FuzzValue(f *testing.F) {
	for _, id := range append(ids, "x onclick=alert(1)", "\n\r\t\f", "*/ alert(1) /*", "${alert(1)}", "url(javascript:1)", "VBScript:x", " javascript:x", "jav\tascript:x") {
		f.Add(id)
	}
	var pages []*Template
	for _, text := range hostile {
		p, err := HTML("errors.html", text, page(""))
		if err != nil {
			f.Fatalf("%s: %v", text, err)
		}
		pages = append(pages, p)
	}
	f.Fuzz(func(t *testing.T, id string) {
		for i, p := range pages {
			harmless, err := p.Execute(page("x"))
			if err != nil {
				t.Fatal(err)
			}
			got, err := p.Execute(page(id))
			if err != nil {
				t.Fatal(err)
			}
			if a, b := structure(harmless), structure(got); id != "" && !slices.Equal(a, b) {
				t.Errorf("%s with %q is\n%s\n%q instead of\n%q", hostile[i], id, got, b, a)
			}
		}
		p, err := HTML("errors.html", `<a href="{{.RequestID}}">`, page(""))
		if err != nil {
			t.Fatal(err)
		}
		got, err := p.Execute(page(id))
		if err != nil {
			t.Fatal(err)
		}
		z := html.NewTokenizer(strings.NewReader(got))
		z.Next()
		if to := z.Token().Attr[0].Val; !reference.MatchString(to) && !strings.Contains(strings.SplitN(to, ":", 2)[0], "/") {
			t.Errorf("%q leads to %s", id, to)
		}
	})
}

// FuzzTemplate checks that no template and no resulting page makes HTML or JSON panic.
func FuzzTemplate(f *testing.F) {
	for _, text := range hostile {
		f.Add(text, `"><script>alert(1)</script>`)
	}
	f.Fuzz(func(t *testing.T, text, id string) {
		for _, parse := range []func(string, string, Data) (*Template, error){HTML, JSON} {
			if p, err := parse("errors", text, page("")); err == nil {
				_, _ = p.Execute(page(id))
			}
		}
	})
}
