package config

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// secretMark begins every secret that is planted.
const secretMark = "s3cr3t"

// planter fills a configuration: every list and map has an entry, every pointer
// points somewhere, and every key that may hold a secret does.
type planter struct {
	next    int
	secrets map[string]string // by the path of the key
}

func (p *planter) plant(path string, v reflect.Value, f field) {
	switch t := v.Type(); {
	case isScalar(t):
		if f.mayHide() && v.Kind() == reflect.String {
			p.next++
			v.SetString(secretFor(f, fmt.Sprintf("%s-%03d-0123456789", secretMark, p.next)))
			p.secrets[path] = v.String()
		}
	case t.Kind() == reflect.Struct:
		for _, sub := range fieldsOf(t) {
			if !sub.nested {
				p.plant(join(path, sub.key), v.Field(sub.index), sub)
			}
		}
	case t.Kind() == reflect.Pointer:
		v.Set(reflect.New(t.Elem()))
		p.plant(path, v.Elem(), f.element())
	case t.Kind() == reflect.Slice:
		v.Set(reflect.MakeSlice(t, 1, 1))
		p.plant(path+"[]", v.Index(0), f.element())
	case t.Kind() == reflect.Map:
		v.Set(reflect.MakeMap(t))
		for _, key := range []string{"X-Gate", "X-Other"} {
			entry := reflect.New(t.Elem()).Elem()
			p.plant(join(path, key), entry, f.element())
			v.SetMapIndex(reflect.ValueOf(key), entry)
		}
	}
}

// secretFor puts a secret where a value of the kind may have one.
func secretFor(f field, secret string) string {
	switch f.format {
	case "endpoint":
		return "https://ops.example.com/" + secret + "?key=" + secret
	case "url", "redirect":
		return "https://" + secret + ":" + secret + "@ops.example.com/?key=" + secret
	case "requestpath", "rewrite":
		return "/healthz?key=" + secret
	}
	return secret
}

func planted() (*Config, map[string]string) {
	c := Default()
	p := planter{secrets: map[string]string{}}
	p.plant("", reflect.ValueOf(c).Elem(), field{typ: reflect.TypeFor[Config]()})
	return c, p.secrets
}

// TestSecretsAreHidden plants a secret wherever the schema has room for one, and searches
// all outputs about a configuration and its changes for it. It covers new keys
// automatically.
func TestSecretsAreHidden(t *testing.T) {
	t.Parallel()
	c, secrets := planted()
	if len(secrets) < 40 {
		t.Errorf("only %d secrets were planted", len(secrets))
	}
	var lines []string
	lines = append(lines, strings.Split(string(Dump(c)), "\n")...)
	other := planter{next: 500, secrets: map[string]string{}}
	d := Default()
	other.plant("", reflect.ValueOf(d).Elem(), field{typ: reflect.TypeFor[Config]()})
	changes := map[string]string{}
	for _, change := range Diff(c, d) {
		lines = append(lines, change.String())
		changes[change.Path] = change.What
	}
	for _, change := range append(Diff(Default(), c), Diff(c, Default())...) {
		lines = append(lines, change.String())
	}
	for _, line := range lines {
		if strings.Contains(line, secretMark) {
			t.Errorf("told: %s", line)
		}
	}
	// That it has changed, and where, is worth knowing.
	for path := range secrets {
		if !strings.Contains(path, "[]") && changes[path] != "changed" {
			t.Errorf("of %s is told %q", path, changes[path])
		}
	}
}

// TestPublicValuesStayVisible: an operator still sees all values that are not secret.
func TestPublicValuesStayVisible(t *testing.T) {
	t.Parallel()
	c, _ := planted()
	dumped := string(Dump(c))
	for _, want := range []string{
		"endpoint: https://ops.example.com/(hidden)", "url: https://ops.example.com/(hidden)", "path: /healthz?(hidden)", "X-Gate: (hidden)",
		"to: https://***@ops.example.com/?(hidden)", "url: https://***@ops.example.com/?(hidden)", "token: (hidden)", "body: (hidden)", "level: info", "service: goodgate",
	} {
		if !strings.Contains(dumped, want) && !strings.Contains(dumped, strings.Replace(want, ": ", ": '", 1)) {
			t.Errorf("%q is missing in\n%s", want, dumped)
		}
	}
	f := func(kind, text, want string) {
		t.Helper()
		if got := (field{typ: reflect.TypeFor[string](), format: kind}).told(text); got != want {
			t.Errorf("%s %q: got %q, want %q", kind, text, got, want)
		}
	}
	f("endpoint", "http://127.0.0.1:4318/v1/traces", "http://127.0.0.1:4318/(hidden)")
	f("endpoint", "http://127.0.0.1:4318", "http://127.0.0.1:4318")
	f("endpoint", "https://hooks.example.com?key=x", "https://hooks.example.com/(hidden)")
	f("endpoint", "https://u:p@hooks.example.com", "https://hooks.example.com/(hidden)")
	for _, bad := range []string{"key", "https:/key", "//key", "https://u:p/q@host/x", "https://[key", "%zz://key", "mailto:key"} {
		f("endpoint", bad, hidden)
	}
	f("url", "http://u:p/q@host:80/x", "http://***@host:80/x")
	f("url", "http://u:p/q?r#s@host:80/x", "http://(hidden)")
	f("url", "u:p@host:80", "***@host:80")
	f("url", "unix:/run/a.sock", "unix:/run/a.sock")
	f("url", "http://a:80/x?key=y", "http://a:80/x?(hidden)")
	f("requestpath", "/@me/health#key", "/@me/health#(hidden)")
	f("redirect", "https://{host}{path}{query}", "https://{host}{path}{query}")
	f("redirect", "/login?key=x", "/login?(hidden)")
	f("headervalue", "x", hidden)
	f("headervalue", "*", "*")
	f("headervalue", "", "")
	f("", "free text", hidden)
}

// wrongs are the ways in which a secret can be part of a mistake in a file; %s is the
// secret.
var wrongs = []string{
	"%s", "[%s]", "{%s: x}", "{a: %s}", "[[%s]]", "!%s", "!%s x", "*%s", "&%s [x]", "{<<: %s}", "{? [%s] : x}", "{X-A: {a: %s}}", "{\"X-A: %s\": x}", "{\"X-A: %s\"}",
	"\"%s\\u0001\"", "{X-A: \"%s\\u0001\"}", "${SECRET}", "{X-A: \"${SECRET}\"}", "\"${SECRET}\\u0001\"", "https://%s/x y", "https://u:%s@h h/", "https://u:%s/@h/?%s", "/%%zz?%s", "/ %s", "/?%s x",
	"{url: %s}", "{url: \"http://h/%s x\"}", "{endpoint: \"%s\"}", "{body: [%s]}", "{secret: [%s], token: [%s]}", "\"http://h:80?%s\"", "\"http://u:%s@h:80\"",
}

// TestMistakesContainNoSecrets makes mistakes with a secret in and around every key that may
// hold one, and searches the errors for it. An unknown key that is a plain word is named.
func TestMistakesContainNoSecrets(t *testing.T) {
	t.Parallel()
	const secret = "s3cr3t/+0123456789"
	env := func(string) (string, bool) { return "\x01" + secret, true }
	walk(reflect.TypeFor[Config](), nil, func(path []string, f field) {
		if !f.holdsSecrets() {
			return
		}
		for _, wrong := range wrongs {
			if partly(f) && !strings.Contains(wrong, "?%s") && !strings.Contains(wrong, ":%s@") {
				continue
			}
			text := strings.ReplaceAll(strings.ReplaceAll(wrong, "%s", secret), "%%", "%")
			for i := len(path) - 1; i >= 0; i-- {
				if path[i] == "[]" {
					text = "[" + text + "]"
				} else {
					text = "{" + path[i] + ": " + text + "}"
				}
			}
			_, warnings, err := Parse("a.yaml", []byte(text), env)
			var told strings.Builder
			told.WriteString(fmt.Sprint(err, warnings))
			errs, _ := errors.AsType[Errors](err)
			for _, e := range errs {
				told.WriteString("\n" + NewSource([]byte(text)).Excerpt(e))
			}
			if strings.Contains(told.String(), secretMark) {
				t.Errorf("%s\n%s", text, told.String())
			}
		}
	})
}

// partly reports whether only a part of the value is hidden: not the path of a URL, and
// not the name of a pool.
func partly(f field) bool {
	switch {
	case isScalar(f.typ):
		return slices.Contains([]string{"url", "redirect", "rewrite", "requestpath"}, f.format)
	case f.typ.Kind() == reflect.Struct:
		return slices.ContainsFunc(fieldsOf(f.typ), func(f field) bool { return f.shorthand })
	}
	return f.format == "name" || partly(f.element())
}

// walk calls do with every key that may be given, as flow mappings say it.
func walk(t reflect.Type, path []string, do func([]string, field)) {
	for _, f := range fieldsOf(t) {
		at := append(path[:len(path):len(path)], f.key)
		do(at, f)
		e := f
		for e.typ.Kind() == reflect.Pointer || !isScalar(e.typ) && (e.typ.Kind() == reflect.Slice || e.typ.Kind() == reflect.Map) {
			switch e.typ.Kind() {
			case reflect.Slice:
				at = append(at[:len(at):len(at)], "[]")
			case reflect.Map:
				at = append(at[:len(at):len(at)], "app")
			}
			e = e.element()
			do(at, e)
		}
		if e.typ.Kind() == reflect.Struct && !isScalar(e.typ) && !f.nested {
			walk(e.typ, at, do)
		}
	}
}

// TestSchemaMarksSecrets by writeOnly, the word of JSON Schema for it.
func TestSchemaMarksSecrets(t *testing.T) {
	t.Parallel()
	n := strings.Count(string(Schema()), `"writeOnly": true`)
	_, secrets := planted()
	keys := map[string]bool{}
	for path := range secrets {
		keys[strings.NewReplacer(".X-Gate", "", ".X-Other", "").Replace(path)] = true
	}
	if n < 20 || n > len(keys) {
		t.Errorf("%d keys are writeOnly, of %d that hide something", n, len(keys))
	}
}
