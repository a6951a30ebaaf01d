package e2e_test

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// example is the files that a page of the documentation shows, in a folder.
type example struct {
	t     *testing.T
	page  string
	dir   string
	files map[string]string
	ports map[string]string // of the page, with the free ports that replace them
}

// openExample writes the files of a page into a folder, with free ports. The page must
// show exactly the named files.
func openExample(t *testing.T, page string, names ...string) *example {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "docs", page))
	if err != nil {
		t.Fatal(err)
	}
	x := &example{t: t, page: page, dir: t.TempDir(), ports: map[string]string{}}
	x.files, err = fencedFiles(string(text))
	if err != nil {
		t.Fatalf("%s: %v", page, err)
	}
	slices.Sort(names)
	if got := slices.Sorted(maps.Keys(x.files)); !slices.Equal(got, names) {
		t.Fatalf("%s has the files %v, the test knows %v", page, got, names)
	}
	for name, content := range x.files {
		x.files[name] = swapPorts(content, x.freePort)
		writeFile(t, x.dir, name, x.files[name])
	}
	return x
}

// fencedFiles returns the fenced code blocks of a Markdown text whose info
// string has file=NAME.
func fencedFiles(text string) (map[string]string, error) {
	files := map[string]string{}
	name, open := "", false
	var body strings.Builder
	for line := range strings.Lines(text) {
		info, fence := strings.CutPrefix(line, "```")
		switch {
		case fence && !open:
			open, name = true, fileIn(info)
			body.Reset()
		case fence:
			open = false
			if name == "" {
				continue
			}
			if _, twice := files[name]; twice {
				return nil, fmt.Errorf("the file %s is there twice", name)
			}
			files[name] = body.String()
		case open:
			body.WriteString(line)
		}
	}
	if open {
		return nil, fmt.Errorf("the last code block has no end")
	}
	return files, nil
}

func fileIn(info string) string {
	for word := range strings.FieldsSeq(info) {
		if name, ok := strings.CutPrefix(word, "file="); ok {
			return name
		}
	}
	return ""
}

// portInText matches the port of an address, of listen(3000) and of listen 80.
var portInText = regexp.MustCompile(`([\w\]"]:|listen[ (])(\d{2,5})([^\w.]|$)`)

// swapPorts replaces every port in text.
func swapPorts(text string, swap func(string) string) string {
	return portInText.ReplaceAllStringFunc(text, func(found string) string {
		m := portInText.FindStringSubmatch(found)
		return m[1] + swap(m[2]) + m[3]
	})
}

func (x *example) freePort(port string) string {
	if x.ports[port] == "" {
		x.ports[port] = fmt.Sprint(freePort(x.t))
	}
	return x.ports[port]
}

// port returns the free port that replaces one of the page.
func (x *example) port(port string) string {
	x.t.Helper()
	if x.ports[port] == "" {
		x.t.Fatalf("%s has no port %s", x.page, port)
	}
	return x.ports[port]
}

var addressInText = regexp.MustCompile(`127\.0\.0\.1:\d+`)

// addresses returns the addresses in a file, in order.
func (x *example) addresses(file string) []string {
	return addressInText.FindAllString(x.files[file], -1)
}

func (x *example) firstAddress(file string) string {
	x.t.Helper()
	list := x.addresses(file)
	if len(list) == 0 {
		x.t.Fatalf("no address in\n%s", x.files[file])
	}
	return list[0]
}

func TestFencedFiles(t *testing.T) {
	t.Parallel()
	page := "text\n```js file=app.js\nserver.listen(3000, \"127.0.0.1\")\nlisten 127.0.0.1:80;\nlisten 80;\n```\n```sh\ncurl :3000\n```\n" +
		"```yaml file=goodgate.yaml\nlisteners: [\":8080\"]\nto: http://127.0.0.1:3000 # for: 30s\n```\n"
	files, err := fencedFiles(page)
	if err != nil {
		t.Fatal(err)
	}
	swap := func(port string) string { return "1" + port }
	want := map[string]string{
		"app.js":        "server.listen(13000, \"127.0.0.1\")\nlisten 127.0.0.1:180;\nlisten 180;\n",
		"goodgate.yaml": "listeners: [\":18080\"]\nto: http://127.0.0.1:13000 # for: 30s\n",
	}
	for name, content := range files {
		files[name] = swapPorts(content, swap)
	}
	if !maps.Equal(files, want) {
		t.Errorf("got %q, want %q", files, want)
	}
	for _, bad := range []string{"```js file=a\n", "```js file=a\n```\n```js file=a\n```\n"} {
		if _, err := fencedFiles(bad); err == nil {
			t.Errorf("%q: no error", bad)
		}
	}
}
