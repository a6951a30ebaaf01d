package nginxconf

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	crossplane "github.com/nginxinc/nginx-go-crossplane"
)

// Source is the place of a configuration.
type Source struct {
	File  string    // nginx.conf, a file that it includes, a folder of those, an nginx -T dump; "-" = Stdin
	Root  string    // root folder of the file names in the configuration; "" = this machine's
	Stdin io.Reader // may be nil if File is not "-"
}

// Load reads a configuration of this machine, see [Source.Load].
func Load(file string) (*Config, error) { return Source{File: file}.Load() }

// Load reads a configuration. It returns an error for an unreadable main file or
// invalid syntax. Unreadable includes are in Problems.
func (s Source) Load() (*Config, error) {
	c, err := s.load()
	if _, named := errors.AsType[*os.PathError](err); named {
		return nil, err
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s.File, err)
	}
	return c, nil
}

func (s Source) load() (*Config, error) {
	name, text, err := s.text(s.name())
	if err != nil {
		return nil, err
	}
	o := &opener{dir: filepath.Dir(name), root: root(s.Root), texts: map[string]string{name: text}}
	if main, files := dumped(text); main != "" {
		name, o.dir, o.texts, o.dump = main, filepath.Dir(main), files, true
	}
	p, err := crossplane.Parse(name, &crossplane.ParseOptions{
		Open: o.open, Glob: o.glob,
		SkipDirectiveContextCheck: true, SkipDirectiveArgsCheck: true,
	})
	if err = errors.Join(o.err, err); err != nil {
		return nil, err
	}
	if len(p.Config) == 0 {
		return nil, fmt.Errorf("%s: no configuration found", name)
	}
	if len(p.Config[0].Errors) > 0 && len(p.Config[0].Parsed) == 0 {
		return nil, p.Config[0].Errors[0].Error
	}
	c := &Config{File: name, Dump: o.dump, Unmatched: o.empty, Upstreams: map[string]*Upstream{}, root: o.root}
	for _, e := range p.Errors {
		c.Problems = append(c.Problems, fmt.Sprintf("%s: %v", e.File, e.Error))
	}
	t := &tree{payload: p}
	c.Root = t.convert(p.Config[0].Parsed, p.Config[0].File, 0)
	if t.err != nil {
		return nil, t.err
	}
	c.Root, c.Fragment = whole(c.Root)
	c.read()
	return c, nil
}

// name returns the main file's name within the root: a path below the root on this
// machine loses the root, and any other path stays the same.
func (s Source) name() string {
	if s.File == "-" {
		return "standard input"
	}
	r := root(s.Root)
	if name := r.name(s.File); name != s.File {
		return name
	}
	return s.File
}

// text reads the main file, which may be a pipe. For a folder it returns a generated
// main file.
func (s Source) text(name string) (main, text string, err error) {
	if s.File == "-" {
		text, err = read(s.Stdin)
		return name, text, err
	}
	path := root(s.Root).path(name)
	if !exists(path) {
		path = s.File
	}
	f, err := os.Open(path)
	if err != nil {
		return "", "", err
	}
	defer f.Close()
	info, err := f.Stat()
	switch main := filepath.Join(name, "nginx.conf"); {
	case err != nil:
		return "", "", err
	case !info.IsDir():
		text, err = read(f)
		return name, text, err
	case exists(filepath.Join(path, "nginx.conf")):
		return Source{File: filepath.Join(s.File, "nginx.conf"), Root: s.Root}.text(main)
	}
	text, err = folder(path, name)
	return filepath.Join(name, "*.conf"), text, err
}

func read(r io.Reader) (string, error) {
	b, err := io.ReadAll(io.LimitReader(r, maxBytes+1))
	if len(b) > maxBytes {
		return "", fmt.Errorf("larger than %d MiB", maxBytes>>20)
	}
	return string(b), err
}

// folder returns a main file for a folder. It includes the files that nginx.conf would
// include from sites-enabled and conf.d.
func folder(path, name string) (string, error) {
	entries, err := os.ReadDir(path)
	if err != nil {
		return "", err
	}
	var all, conf []string
	for _, e := range entries {
		switch {
		case e.IsDir():
		case strings.HasSuffix(e.Name(), ".conf"):
			conf = append(conf, e.Name())
		case strings.HasPrefix(filepath.Base(name), "sites") && !strings.ContainsAny(e.Name(), "~#"): // Debian's files have no extension
			all = append(all, e.Name())
		}
	}
	if all = append(all, conf...); len(all) == 0 {
		return "", errors.New("the folder has no *.conf")
	}
	var b strings.Builder
	for _, f := range all {
		fmt.Fprintf(&b, "include %s;\n", quoted(filepath.Join(name, f)))
	}
	return b.String(), nil
}

func quoted(name string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(name) + `"`
}

// dumped splits the output of nginx -T, in which each file follows a line with its
// name. main is "" if the text is no such output.
func dumped(text string) (main string, files map[string]string) {
	const mark, end = "# configuration file ", ":"
	files = map[string]string{}
	name, from := "", 0
	for at := 0; at < len(text); {
		line, _, _ := strings.Cut(text[at:], "\n")
		next := min(at+len(line)+1, len(text))
		line = strings.TrimSuffix(line, "\r")
		if rest, ok := strings.CutPrefix(line, mark); ok && strings.HasSuffix(rest, end) {
			if name != "" {
				files[name] = text[from:at]
			}
			name, from = strings.TrimSuffix(rest, end), next
			if main == "" {
				main = name
			}
		} else if main == "" && line != "" && !strings.HasPrefix(line, "nginx: ") {
			return "", nil
		}
		at = next
	}
	if main == "" {
		return "", nil
	}
	files[name] = text[from:]
	return main, files
}
